"""One claim about large batches, measured four ways: the rate fixed or re-tuned, epochs or steps.

Protocol, fixed before the seeds reported here were run (epochs, sizes and the smallest effect were
chosen in trials with other seeds):

- Data: MNIST-1D, 3,200 / 800 / 1,000 signals for training, validation and test.
- Network: fully connected 40-32-10 with ReLU, cross-entropy, SGD with momentum 0.9 at a constant
  rate. Batches of 32, 160 or 800 signals, so that every epoch is a whole number of full batches.
- The small batch trains for `Budget.epochs` epochs. A larger batch gets as many epochs, hence 5 or
  25 times fewer updates, or as many updates, hence 5 or 25 times the computation.
- It trains at the learning rate that was tuned for the small batch, or at one tuned for itself. All
  tunings have equal budgets and every final run has a tuning of its own (`hpcourse.claims.study`).
- Tuning goes by the error on the validation part and the claim by accuracy on the test part, since
  the claim is about accuracy. A network trained for many epochs may be ever more overconfident
  and yet no less often right: a rate tuned for the loss would be too low for it.
- The source gives no setting. Who raises the batch size and touches nothing else keeps the learning
  rate and the number of epochs, so "fixed rate, equal epochs" decides; the others are context.
- An effect is the accuracy of the small batch less that of the largest one, run with the same
  initial weights, in percentage points. It is compared with zero.
- Smallest effect: 1 percentage point, 10 of the 1,000 test signals. Less is what two seeds of one
  and the same setting differ by.
- A network that diverges names one class for everything and is scored as it is, at chance.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import product

from torch import Tensor
from torch.nn.functional import cross_entropy

from hpcourse.claims._compute import steady_cpu
from hpcourse.claims.registry import Claim, Outcome, Profile
from hpcourse.claims.study import (
    Budget,
    Make,
    Study,
    seeds_from,
    tuned_study,
    tuning_settings,
)
from hpcourse.claims.tuning import Tuning, log_grid
from hpcourse.data import TensorDataset, mnist1d
from hpcourse.models import mlp
from hpcourse.training import Member, Population, Run, Stack, accuracy, device, evaluate_many

SIZES = (40, 32, 10)
MOMENTUM = 0.9
SMALL, LARGE = 32, (160, 800)
RATES, LENGTHS = ("fixed rate", "tuned rate"), ("equal epochs", "equal steps")
SETTINGS = tuple(f"{rate}, {length}" for length, rate in product(LENGTHS, RATES))
NONE = "no difference"
SCORE, METRIC = "validation error (%)", "test accuracy (%)"


@dataclass(frozen=True, kw_only=True)
class Plan(Budget):
    """A budget of tuning, and the length of the small batch's training."""

    epochs: int


PLANS: dict[Profile, Plan] = {
    "quick": Plan(rates=log_grid(0.02, 2.0, 4), tuning_size=1, seeds=seeds_from(5000, 5), epochs=3),
    "full": Plan(
        rates=log_grid(0.02, 2.0, 6), tuning_size=3, seeds=seeds_from(6000, 30), epochs=10
    ),
}


@dataclass(frozen=True, kw_only=True)
class Runs:
    """The tuned arms, and ``fixed[arm][i]``: arms of large batches at the small batch's rates."""

    study: Study
    fixed: Mapping[str, tuple[Run, ...]]
    seconds: float

    def of(self, setting: str, batch_size: int) -> list[Run]:
        """Final runs, one a seed; the small batch is its own comparison in every setting."""
        if batch_size == SMALL:
            return list(self.study.runs[str(SMALL)])
        rate, length = setting.split(", ")
        runs = self.fixed if rate == "fixed rate" else self.study.runs
        return list(runs[f"{batch_size}, {length}"])


def training_steps(samples: int, batch_size: int, length: str, epochs: int) -> int:
    """Updates of a batch size, given that the small one trains for `epochs` epochs.

    Examples:
        >>> [training_steps(3200, 800, length, epochs=8) for length in LENGTHS]
        [32, 800]
    """
    return epochs * (samples // (batch_size if length == "equal epochs" else SMALL))


@cache
def batch_study(plan: Plan) -> Runs:
    """Tune every batch size, train it, and train the large ones at the small one's rates too."""
    start, data = time.perf_counter(), mnist1d().tensors(device())
    samples = len(data.train.x)
    large = {
        f"{size}, {length}": _members(size, training_steps(samples, size, length, plan.epochs))
        for length, size in product(LENGTHS, LARGE)
    }
    steps = training_steps(samples, SMALL, "equal epochs", plan.epochs)
    train = partial(_train, data)
    study = tuned_study({str(SMALL): _members(SMALL, steps), **large}, plan, train, score=SCORE)
    rates = study.tuning.best[str(SMALL)]
    members = [
        make(rate, seed)
        for make in large.values()
        for rate, seed in zip(rates, plan.seeds, strict=True)
    ]
    with steady_cpu():
        finals = iter(train(members, False))
    fixed = {arm: tuple(next(finals) for _ in plan.seeds) for arm in large}
    return Runs(study=study, fixed=fixed, seconds=time.perf_counter() - start)


def _members(batch_size: int, steps: int) -> Make:
    def member(rate: float, seed: int) -> Member:
        hypers = {"lr": rate, "momentum": MOMENTUM}
        return Member(seed=seed, hypers=hypers, steps=steps, batch_size=batch_size)

    return member


def _train(data: TensorDataset, members: Sequence[Member], curves: bool) -> list[Run]:
    del curves  # runs of different lengths have no axis in common

    def measure(stack: Stack) -> dict[str, Tensor]:
        train, validation, test = (
            100 * evaluate_many(stack, [part], {"accuracy": accuracy})["accuracy"] for part in data
        )
        return {"training accuracy (%)": train, SCORE: 100 - validation, METRIC: test}

    population = Population(lambda _, seed: mlp(SIZES, seed=seed), members)
    return population.train(data.train, cross_entropy, measure)


def _lost(runs: Runs, setting: str) -> list[float]:
    """Test accuracy of the small batch less that of the largest one, one value a seed."""
    pairs = zip(runs.of(setting, SMALL), runs.of(setting, LARGE[-1]), strict=True)
    return [small.final(METRIC) - large.final(METRIC) for small, large in pairs]


def _caveats(tuning: Tuning) -> dict[str, list[str]]:
    """Rates at the edge of the grid, for each setting that used one."""
    caveats = {}
    for setting in SETTINGS:
        rate, length = setting.split(", ")
        tuned = [f"{LARGE[-1]}, {length}"] if rate == "tuned rate" else []
        caveats[setting] = [c for arm in (str(SMALL), *tuned) for c in tuning.caveats(arm)]
    return caveats


def _outcome(profile: Profile) -> Outcome:
    plan = PLANS[profile]
    runs = batch_study(plan)
    return Outcome(
        seeds=plan.seeds,
        arms={NONE: [0.0] * len(plan.seeds), **{s: _lost(runs, s) for s in SETTINGS}},
        device=runs.study.device,
        seconds=runs.seconds,
        settings={
            "data": "mnist1d",
            "sizes": SIZES,
            "momentum": MOMENTUM,
            "epochs": plan.epochs,
            "batch_sizes": (SMALL, *LARGE),
            **tuning_settings(runs.study, tuple(runs.study.runs)),
        },
        measures={
            f"{name}, batch {size}": {
                setting: [run.final(name) for run in runs.of(setting, size)] for setting in SETTINGS
            }
            for name in (METRIC, "training accuracy (%)")
            for size in (SMALL, *LARGE)
        },
        caveats=_caveats(runs.study.tuning),
        packages=("mnist1d",),
    )


CLAIMS = (
    Claim(
        id="large-batch-accuracy",
        statement="Too large a batch loses accuracy.",
        source="DL500 14.2.4",
        claimed=(SETTINGS[0],),
        reference=NONE,
        context=SETTINGS[1:],
        metric="test accuracy lost from the smallest to the largest batch",
        unit="percentage points",
        direction="higher",
        smallest_effect=1.0,
        experiment=_outcome,
        seeds={profile: plan.seeds for profile, plan in PLANS.items()},
        page="overview/loss-coefficients-and-batch-size",
    ),
)
