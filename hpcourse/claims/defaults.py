"""Two claims about defaults: momentum 0.9, and Adam's beta1, beta2 and epsilon.

Protocol, fixed before the seeds reported here were run (epochs, grids, the numbers of seeds and the
smallest effect were chosen in trials with other seeds; Adam's seeds were doubled, and replaced by
fresh ones, after a run with 40 had left epsilon undecided):

- Data: MNIST-1D, 3,200 / 800 / 1,000 signals for training, validation and test.
- Network: fully connected 40-32-32-10 with ReLU, cross-entropy, batches of 64, 10 epochs (500
  steps), a learning rate that falls to zero along half a cosine.
- Arms: SGD with momentum at each value of `MOMENTA`; Adam at its defaults and at the alternatives
  of `ADAM_OTHERS`, one coefficient at a time.
- Tuning: only the learning rate, with the same number of candidates and tuning seeds for every arm,
  anew for every final run (`hpcourse.claims.study`), since a default may not be compared at a rate
  that suits it alone. Momentum multiplies a lasting gradient by 1 / (1 - beta), so that its
  candidates are values of lr / (1 - beta): then one grid suits all values of beta.
- Metric: test cross-entropy in nats after the last step. A diverged run counts as chance, ln 10.
- "A good default" is one that costs little: its regret is its loss less that of the best
  alternative. The best alternative is the one with the lowest validation loss over all tuning
  seeds; both losses come from the final seeds, so that the choice flatters nobody.
- A difference of 0.02 nats matters (about 0.6 percentage points of accuracy here), as in the claims
  about schedules. The contrast is an allowance of twice that, less the regret: the claim **fails**
  where the regret is surely above 0.02, **holds** where it is estimated at 0.02 or less and surely
  below 0.04, and is otherwise a matter of more seeds.
- Context: every alternative's loss less the default's; positive where the default is better. That
  includes no momentum: a default may be good without being needed.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial

from torch.nn.functional import cross_entropy

from hpcourse.claims.contrasts import (
    NO_DIFFERENCE,
    Derived,
    derived_outcome,
    difference,
    plus,
    trained,
)
from hpcourse.claims.registry import Claim, Outcome, Profile
from hpcourse.claims.study import (
    Budget,
    Study,
    classifier_scores,
    seeds_from,
    study_outcome,
    tuned_study,
)
from hpcourse.claims.tuning import log_grid
from hpcourse.data import TensorDataset, batches, mnist1d
from hpcourse.models import mlp
from hpcourse.schedules import Schedule, cosine_decay
from hpcourse.training import Member, Population, Run, device
from hpcourse.training.updates import adam

SIZES = (40, 32, 32, 10)
BATCH = 64
EPOCHS = 10
CHANCE = math.log(10)  # nats
SMALLEST = 0.02  # nats
ALLOWANCE = 2 * SMALLEST

TEST = "test loss (nats)"

MOMENTA = (0.0, 0.5, 0.8, 0.9, 0.95, 0.99)
ADAM_DEFAULTS: Mapping[str, float] = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
ADAM_OTHERS: Mapping[str, tuple[float, ...]] = {
    "beta1": (0.0, 0.5, 0.95, 0.99),
    "beta2": (0.9, 0.99, 0.9999),
    "eps": (1e-6, 1e-4, 1e-2),
}


Settings = Callable[[int, float, int], Member]  # steps, candidate, seed -> training


@dataclass(frozen=True, kw_only=True, eq=False)
class Family:
    """Settings of one optimiser, one of them its default.

    Attributes:
        arms: Name of every setting to what makes its members, from steps, candidate and seed.
        default: Name of the default.
        others: Name of a contrast to the alternatives among which it takes the best.
        budgets: Candidates and seeds by profile.
    """

    arms: Mapping[str, Settings]
    default: str
    others: Mapping[str, tuple[str, ...]]
    budgets: Mapping[Profile, Budget]

    @property
    def context(self) -> tuple[str, ...]:
        """Contrasts with single alternatives."""
        return tuple(better_than(arm) for arm in self.alternatives)

    @property
    def alternatives(self) -> tuple[str, ...]:
        """All settings but the default."""
        return tuple(arm for arm in self.arms if arm != self.default)


def momentum_member(beta: float, steps: int, candidate: float, seed: int) -> Member:
    """SGD with momentum at a first rate of ``candidate * (1 - beta)``."""
    rate = cosine_decay(candidate * (1 - beta), steps)
    hypers: dict[str, float | Schedule] = {"lr": rate, "momentum": beta}
    return Member(seed=seed, hypers=hypers, steps=steps, batch_size=BATCH)


def adam_member(changed: Mapping[str, float], steps: int, rate: float, seed: int) -> Member:
    """Adam at its defaults but for what is `changed`."""
    hypers: dict[str, float | Schedule] = {**ADAM_DEFAULTS, **changed}
    hypers["lr"] = cosine_decay(rate, steps)
    return Member(seed=seed, hypers=hypers, steps=steps, batch_size=BATCH, update=adam)


MOMENTUM = Family(
    arms={f"beta {beta:g}": partial(momentum_member, beta) for beta in MOMENTA},
    default="beta 0.9",
    others={"near the best": tuple(f"beta {beta:g}" for beta in MOMENTA if beta != 0.9)},
    budgets={
        "quick": Budget(rates=log_grid(0.5, 8.0, 5), tuning_size=1, seeds=seeds_from(15000, 5)),
        "full": Budget(rates=log_grid(0.5, 8.0, 7), tuning_size=2, seeds=seeds_from(16000, 40)),
    },
)

ADAM = Family(
    arms={
        "defaults": partial(adam_member, {}),
        **{
            f"{name} {value:g}": partial(adam_member, {name: value})
            for name, values in ADAM_OTHERS.items()
            for value in values
        },
    },
    default="defaults",
    others={
        f"{name} near the best": tuple(f"{name} {value:g}" for value in values)
        for name, values in ADAM_OTHERS.items()
    },
    budgets={
        "quick": Budget(rates=log_grid(0.004, 0.108, 4), tuning_size=1, seeds=seeds_from(17000, 5)),
        "full": Budget(rates=log_grid(0.004, 0.128, 6), tuning_size=2, seeds=seeds_from(38000, 80)),
    },
)


def better_than(alternative: str) -> str:
    """Name of the contrast of the default with one alternative."""
    return f"better than {alternative}"


@cache
def default_study(family: Family, budget: Budget) -> Study:
    """Tune and train every setting of a family once per process and budget."""
    data = mnist1d().tensors(device())
    per_epoch = batches(*data.train, batch_size=BATCH, seed=0).per_epoch
    arms = {arm: partial(make, EPOCHS * per_epoch) for arm, make in family.arms.items()}
    return tuned_study(arms, budget, partial(_train, data))


def _train(data: TensorDataset, members: Sequence[Member], curves: bool) -> list[Run]:
    population = Population(lambda _, seed: mlp(SIZES, seed=seed), members)
    return population.train(data.train, cross_entropy, classifier_scores(data))


def best_of(study: Study, arms: Sequence[str]) -> str:
    """The setting with the lowest mean tuning loss at its best candidate."""
    return min(arms, key=lambda arm: min(study.tuning.scores[arm]))


def contrasts(family: Family, outcome: Outcome, best: Mapping[str, str]) -> dict[str, Derived]:
    """What decides, and the context; positive supports the claim.

    Args:
        family: The settings.
        outcome: Test loss (nats) of every setting, one value a seed.
        best: Best alternative of every deciding contrast.
    """
    default = trained(outcome, family.default)
    gains = {arm: difference(trained(outcome, arm), default) for arm in family.alternatives}
    decisive = {name: plus(gains[other], ALLOWANCE) for name, other in best.items()}
    return decisive | {better_than(arm): gain for arm, gain in gains.items()}


def _outcome(family: Family, profile: Profile) -> Outcome:
    study = default_study(family, family.budgets[profile])
    best = {name: best_of(study, others) for name, others in family.others.items()}
    outcome = study_outcome(
        study,
        tuple(family.arms),
        metric=TEST,
        worst=CHANCE,
        settings={
            "data": "mnist1d",
            "sizes": SIZES,
            "batch_size": BATCH,
            "epochs": EPOCHS,
            "schedule": "cosine to zero",
            "allowance": ALLOWANCE,
            "best_alternatives": best,
        },
        measures=["test accuracy (%)"],
        packages=("mnist1d",),
    )
    return derived_outcome(outcome, contrasts(family, outcome, best), metric=TEST)


def _claim(claim_id: str, statement: str, source: str, family: Family) -> Claim:
    return Claim(
        id=claim_id,
        statement=statement,
        source=source,
        claimed=tuple(family.others),
        reference=NO_DIFFERENCE,
        context=family.context,
        metric=f"test loss that the default saves, {ALLOWANCE:g} nats added where it decides",
        unit="nats",
        direction="higher",
        smallest_effect=SMALLEST,
        experiment=partial(_outcome, family),
        seeds={profile: budget.seeds for profile, budget in family.budgets.items()},
        page="overview/importance-order",
    )


CLAIMS = (
    _claim(
        "momentum-0.9",
        "Momentum 0.9 is a good default: no other value is better by much.",
        "DL500 14.2.4",
        MOMENTUM,
    ),
    _claim(
        "adam-defaults",
        "Adam's beta1 0.9, beta2 0.999 and epsilon 1e-8 are near the best.",
        "DL500 14.2.4",
        ADAM,
    ),
)
