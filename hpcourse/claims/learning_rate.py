"""Four claims about learning-rate schedules, measured by one study that they share.

Protocol, fixed before the seeds reported here were run (epochs, smallest effect and the numbers of
seeds were chosen in trials with other seeds):

- Data: MNIST-1D, 3,200 / 800 / 1,000 signals for training, validation and test.
- Network: fully connected 40-64-64-10 with ReLU (as in Greydanus and Kobak 2024, but narrower and
  without a skip connection), cross-entropy, SGD with momentum 0.9, batches of 64, 14 epochs (700
  steps).
- Arms differ in nothing but the shape of the schedule over the 700 steps (`ARMS`). The only
  hyperparameter is the first learning rate.
- Tuning: every arm gets the same candidate rates and tuning seeds; the lowest mean validation loss
  at the end of training wins. While any arm's best rate lies at an edge of the grid, the grid
  grows for all arms; an arm still at an edge becomes a caveat.
- Every final run has a tuning of its own, on tuning seeds that no other final run uses and all arms
  share. The optima are flat and differ by as little as some arms do, so that tuning once would
  compare two draws of luck.
- Final runs: fresh seeds, the tuned rate, no early stopping. A seed decides the initial weights,
  the order of the data and the noise of the noisy schedule; arms share it, hence the pairing.
- Metric: cross-entropy on the test part in nats after the last step. It is the quantity that was
  tuned, and unlike accuracy on 1,000 signals it does not move in steps of 0.1 percentage points.
  From the constant to the cosine schedule 0.02 nats go with about 0.6 percentage points.
- Test accuracy is kept beside it, at the rates tuned for the loss. The two may disagree: a larger
  rate can leave a network that is more often right and yet more overconfident.
- A final run that diverges counts as chance level, ln 10 nats, and becomes a caveat.

The interval covers the luck of the final seeds and of the tuning seeds; the data set is one.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial

from torch.nn.functional import cross_entropy

from hpcourse.claims.registry import Claim, Outcome, Profile
from hpcourse.claims.study import (
    Budget,
    Make,
    Study,
    classifier_scores,
    seeds_from,
    study_outcome,
    tuned_study,
)
from hpcourse.claims.tuning import log_grid
from hpcourse.data import TensorDataset, batches, mnist1d
from hpcourse.models import mlp
from hpcourse.schedules import (
    Schedule,
    constant,
    cosine_decay,
    cosine_decay_restarts,
    exponential_decay,
    linear_cosine_decay,
    noisy_linear_cosine_decay,
    polynomial_decay,
    step_decay,
)
from hpcourse.training import Member, Population, Run, device

SIZES = (40, 64, 64, 10)
BATCH = 64
MOMENTUM = 0.9
EPOCHS = 14
CHANCE = math.log(10)  # nats

Shape = Callable[[float, int, int], Schedule]  # first rate, steps, seed -> schedule

ARMS: Mapping[str, Shape] = {
    "constant": lambda rate, steps, seed: constant(rate),
    "cosine": lambda rate, steps, seed: cosine_decay(rate, steps),
    "step": lambda rate, steps, seed: step_decay(rate, factor=0.1, at=[steps / 2, 3 * steps / 4]),
    "exponential": lambda rate, steps, seed: exponential_decay(rate, steps, 0.01),
    "linear": lambda rate, steps, seed: polynomial_decay(rate, steps, end_learning_rate=0.0),
    # Cycles of 1/7, 2/7 and 4/7 of the training: it ends at the end of a cycle.
    "restarts": lambda rate, steps, seed: cosine_decay_restarts(rate, steps / 7, t_mul=2.0),
    "linear-cosine": lambda rate, steps, seed: linear_cosine_decay(rate, steps),
    "noisy-linear-cosine": lambda rate, steps, seed: noisy_linear_cosine_decay(
        rate, steps, seed=seed
    ),
}


BUDGETS: dict[Profile, Budget] = {
    "quick": Budget(rates=log_grid(0.02, 0.64, 5), tuning_size=1, seeds=seeds_from(3000, 5)),
    "full": Budget(rates=log_grid(0.02, 0.64, 11), tuning_size=3, seeds=seeds_from(4000, 40)),
}


@cache
def schedule_study(budget: Budget) -> Study:
    """Tune and train every arm once per process and budget."""
    data = mnist1d().tensors(device())
    per_epoch = batches(*data.train, batch_size=BATCH, seed=0).per_epoch
    arms = {arm: _members(shape, EPOCHS * per_epoch) for arm, shape in ARMS.items()}
    return tuned_study(arms, budget, partial(_train, data, per_epoch))


def _members(shape: Shape, steps: int) -> Make:
    def member(rate: float, seed: int) -> Member:
        hypers: dict[str, float | Schedule] = {"lr": shape(rate, steps, seed), "momentum": MOMENTUM}
        return Member(seed=seed, hypers=hypers, steps=steps, batch_size=BATCH)

    return member


def _train(
    data: TensorDataset, per_epoch: int, members: Sequence[Member], curves: bool
) -> list[Run]:
    population = Population(lambda _, seed: mlp(SIZES, seed=seed), members)
    every = per_epoch if curves else None
    return population.train(data.train, cross_entropy, classifier_scores(data), every=every)


def _outcome(arms: tuple[str, ...], profile: Profile) -> Outcome:
    """The part of the shared study that concerns `arms`."""
    return study_outcome(
        schedule_study(BUDGETS[profile]),
        arms,
        metric="test loss (nats)",
        worst=CHANCE,
        settings={
            "data": "mnist1d",
            "sizes": SIZES,
            "batch_size": BATCH,
            "momentum": MOMENTUM,
            "epochs": EPOCHS,
        },
        measures=["test accuracy (%)"],
        curves=["validation loss (nats)", "test loss (nats)"],
        packages=("mnist1d",),
    )


def _claim(
    claim_id: str,
    statement: str,
    source: str,
    *,
    claimed: str,
    reference: str,
    context: tuple[str, ...] = (),
) -> Claim:
    return Claim(
        id=claim_id,
        statement=statement,
        source=source,
        claimed=(claimed,),
        reference=reference,
        context=context,
        metric="test cross-entropy after training",
        unit="nats",
        direction="lower",
        smallest_effect=0.02,
        experiment=partial(_outcome, (claimed, reference, *context)),
        seeds={profile: budget.seeds for profile, budget in BUDGETS.items()},
        page="training/learning-rate-schedules",
    )


CLAIMS = (
    _claim(
        "schedule-beats-constant",
        "A decaying learning rate ends better than the best constant one.",
        "PATTERNS 10.3",
        claimed="cosine",
        reference="constant",
        context=("step", "exponential", "linear"),
    ),
    _claim(
        "cosine-vs-step",
        "Cosine annealing, which the source tries first, ends better than dropping by decades.",
        "PATTERNS 10.2.1, 10.3.5",
        claimed="cosine",
        reference="step",
    ),
    _claim(
        "restarts-help",
        "Raising the rate again in cycles ends better than one cosine decay.",
        "PATTERNS 10.3.5; DL500 14.3.3 (6)",
        claimed="restarts",
        reference="cosine",
    ),
    _claim(
        "noise-helps",
        "Noise on the linear cosine decay helps the search for an optimum.",
        "DL500 14.3.3 (8)",
        claimed="noisy-linear-cosine",
        reference="linear-cosine",
    ),
)
