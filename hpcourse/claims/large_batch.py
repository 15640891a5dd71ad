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

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import product

from torch import Tensor
from torch.nn.functional import cross_entropy

from hpcourse.claims.contrasts import (
    NO_DIFFERENCE,
    Derived,
    derived_outcome,
    difference,
    trained,
)
from hpcourse.claims.registry import Claim, Outcome, Profile
from hpcourse.claims.study import (
    Budget,
    Make,
    Study,
    seeds_from,
    study_outcome,
    tuned_study,
    with_rates_of,
)
from hpcourse.claims.tuning import log_grid
from hpcourse.data import TensorDataset, mnist1d
from hpcourse.models import mlp
from hpcourse.training import Member, Population, Run, Stack, accuracy, device, evaluate_many

SIZES = (40, 32, 10)
MOMENTUM = 0.9
SMALL, LARGE = 32, (160, 800)
RATES, LENGTHS = ("fixed rate", "tuned rate"), ("equal epochs", "equal steps")
SETTINGS = tuple(f"{rate}, {length}" for length, rate in product(LENGTHS, RATES))
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


def arm_name(setting: str, batch_size: int) -> str:
    """Name of the arm of a batch size; the small batch is its own comparison in every setting.

    Examples:
        >>> [arm_name("tuned rate, equal steps", size) for size in (32, 800)]
        ['32', '800, equal steps']
        >>> arm_name("fixed rate, equal steps", 800)
        '800, equal steps, fixed rate'
    """
    if batch_size == SMALL:
        return str(SMALL)
    rate, length = setting.split(", ")
    return f"{batch_size}, {length}" + (", fixed rate" if rate == "fixed rate" else "")


def training_steps(samples: int, batch_size: int, length: str, epochs: int) -> int:
    """Updates of a batch size, given that the small one trains for `epochs` epochs.

    Examples:
        >>> [training_steps(3200, 800, length, epochs=8) for length in LENGTHS]
        [32, 800]
    """
    return epochs * (samples // (batch_size if length == "equal epochs" else SMALL))


@cache
def batch_study(plan: Plan) -> Study:
    """Tune every batch size, train it, and train the large ones at the small one's rates too."""
    data = mnist1d().tensors(device())
    samples = len(data.train.x)
    fixed, tuned = (
        {
            arm_name(f"{rate}, {length}", size): _members(
                size, training_steps(samples, size, length, plan.epochs)
            )
            for length, size in product(LENGTHS, LARGE)
        }
        for rate in RATES
    )
    small, train = str(SMALL), partial(_train, data)
    steps = training_steps(samples, SMALL, "equal epochs", plan.epochs)
    study = tuned_study({small: _members(SMALL, steps), **tuned}, plan, train, score=SCORE)
    return with_rates_of(study, {arm: (make, small) for arm, make in fixed.items()}, train)


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


def contrasts(outcome: Outcome) -> dict[str, Derived]:
    """Test accuracy of the small batch less that of the largest one in every setting."""
    small = trained(outcome, str(SMALL))
    return {
        setting: difference(small, trained(outcome, arm_name(setting, LARGE[-1])))
        for setting in SETTINGS
    }


def _outcome(profile: Profile) -> Outcome:
    plan = PLANS[profile]
    study = batch_study(plan)
    outcome = study_outcome(
        study,
        tuple(study.runs),
        metric=METRIC,
        worst=100 / SIZES[-1],
        settings={
            "data": "mnist1d",
            "sizes": SIZES,
            "momentum": MOMENTUM,
            "epochs": plan.epochs,
            "batch_sizes": (SMALL, *LARGE),
        },
        packages=("mnist1d",),
    )
    found = derived_outcome(outcome, contrasts(outcome), metric=METRIC)
    return replace(found, measures=_measures(study))


def _measures(study: Study) -> dict[str, dict[str, list[float]]]:
    """Accuracies of every batch size by setting."""
    return {
        f"{name}, batch {size}": {
            setting: study.final(arm_name(setting, size), name) for setting in SETTINGS
        }
        for name in (METRIC, "training accuracy (%)")
        for size in (SMALL, *LARGE)
    }


CLAIMS = (
    Claim(
        id="large-batch-accuracy",
        statement="Too large a batch loses accuracy.",
        source="DL500 14.2.4",
        claimed=(SETTINGS[0],),
        reference=NO_DIFFERENCE,
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
