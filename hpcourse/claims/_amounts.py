"""Fully connected networks trained on several amounts of data: what three claims share.

Protocol of all three, fixed before the seeds reported here were run (widths, steps and grids were
chosen in trials with other seeds):

- Data: the first 200 or 800 or all 3,200 training signals of MNIST-1D; all 800 validation and 1,000
  test signals. Every training takes the same number of steps with batches of 50 signals, so that
  little data are seen more often.
- Network: fully connected with ReLU, cross-entropy, SGD with momentum 0.9; the learning rate falls
  to zero along half a cosine. One setting changes at a time (`Setting`).
- Tuning: the first learning rate is tuned for every setting and every final run
  (`hpcourse.claims.study`) by the validation error.
- Metric: test error in percentage points after the last step. The sources speak of accuracy; the
  test loss, which also counts overconfidence, is kept beside it and may disagree.
- Smallest effect: 1 percentage point, ten of the test signals. Below that nobody changes a default.
- A training that diverges counts as 90 %, the error at chance, and becomes a caveat.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from hpcourse.claims._compute import repeatable_draws
from hpcourse.claims._regularisers import Plan
from hpcourse.claims.registry import Outcome, Profile
from hpcourse.claims.study import Make, Study, seeds_from, study_outcome, train_apart, tuned_study
from hpcourse.claims.tuning import log_grid
from hpcourse.data import TensorDataset, TensorSplit, mnist1d
from hpcourse.models import mlp
from hpcourse.schedules import cosine_decay
from hpcourse.training import Member, Population, Run, Stack, accuracy, device, evaluate_many

SIZES = (200, 800, 3200)
SMALL, _, LARGE = SIZES
BATCH = 50
MOMENTUM = 0.9
CHANCE = 90.0  # percent wrong, of ten classes
ERROR = "test error (%)"
LOSS = "test loss (nats)"
TUNED = "validation error (%)"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What an arm trains.

    Attributes:
        signals: Training signals, the first so many.
        depth: Hidden layers.
        weight_decay: L2 coefficient.
        dropout: Rate after each hidden layer; None for a network without.
        random_labels: Whether the labels are permuted, and training itself is what is tested.
    """

    signals: int
    depth: int = 2
    weight_decay: float = 0.0
    dropout: float | None = None
    random_labels: bool = False

    @property
    def shape(self) -> "Setting":
        """What decides the network and the data, whatever the numbers."""
        return replace(self, weight_decay=0.0, dropout=None if self.dropout is None else 0.0)


def plans(width: int, steps: int) -> dict[Profile, Plan]:
    """Both profiles; all claims use the same quick one."""
    return {
        "quick": Plan(
            rates=log_grid(0.05, 0.45, 3),
            tuning_size=1,
            seeds=seeds_from(3100, 5),
            steps=100,
            width=24,
        ),
        "full": Plan(
            rates=log_grid(0.03, 0.27, 3),
            tuning_size=1,
            seeds=seeds_from(4000, 20),
            steps=steps,
            width=width,
        ),
    }


def named(signals: int, value: float) -> str:
    """Name of the arm with this amount of data and this value of what is varied.

    Examples:
        >>> named(3200, 5e-4)
        '3200 signals, 0.0005'
    """
    return f"{signals} signals, {value:g}"


def training_part(data: TensorDataset, setting: Setting) -> TensorSplit:
    """The signals (n, 40) and labels (n,) that a setting trains on; one permutation for all."""
    x, y = (tensor[: setting.signals] for tensor in data.train)
    if setting.random_labels:
        y = y[torch.randperm(len(y), generator=torch.Generator().manual_seed(0)).to(y.device)]
    return TensorSplit(x, y)


def _scores(
    data: TensorDataset, part: TensorSplit, random_labels: bool, stack: Stack
) -> dict[str, Tensor]:
    """Errors and the test loss; where the labels are random, all of them are of the training."""

    def evaluated(split: TensorSplit) -> dict[str, Tensor]:
        return evaluate_many(stack, [split], {"loss": cross_entropy, "accuracy": accuracy})

    tuned, tested = (
        evaluated(part if random_labels else split) for split in (data.validation, data.test)
    )
    sound = tested["loss"].isfinite()
    return {
        ERROR: (100 * (1 - tested["accuracy"])).where(sound, math.inf),
        TUNED: (100 * (1 - tuned["accuracy"])).where(sound, math.inf),
        LOSS: tested["loss"].where(sound, math.log(10)),
    }


def _member(setting: Setting, plan: Plan) -> Make:
    hypers = {"momentum": MOMENTUM, "weight_decay": setting.weight_decay}
    if setting.dropout is not None:
        hypers["dropout"] = setting.dropout

    def member(rate: float, seed: int) -> Member:
        return Member(
            seed=seed,
            hypers={"lr": cosine_decay(rate, plan.steps), **hypers},
            steps=plan.steps,
            batch_size=BATCH,
            shape=setting.shape,
        )

    return member


def _train(data: TensorDataset, width: int, members: Sequence[Member], _: bool) -> list[Run]:
    """Train the members of each shape on their own part of the data; runs in the members' order."""

    def build(shape: Setting, seed: int) -> nn.Module:
        sizes = (data.train.x.shape[1], *[width] * shape.depth, 10)
        return mlp(sizes, dropout=shape.dropout, seed=seed)

    def train(shape: Setting, group: list[Member]) -> list[Run]:
        part = training_part(data, shape)
        measure = partial(_scores, data, part, shape.random_labels)
        return Population(build, group).train(part, cross_entropy, measure)

    return train_apart(members, train)


def trained_settings(settings: Mapping[str, Setting], plan: Plan) -> tuple[Study, Outcome]:
    """Tune and train all settings."""
    data = mnist1d().tensors(device())
    arms = {name: _member(setting, plan) for name, setting in settings.items()}
    with repeatable_draws():
        study = tuned_study(arms, plan, partial(_train, data, plan.width), score=TUNED)
    outcome = study_outcome(
        study,
        tuple(arms),
        metric=ERROR,
        worst=CHANCE,
        settings={
            "data": "mnist1d",
            "width": plan.width,
            "batch_size": BATCH,
            "momentum": MOMENTUM,
            "steps": plan.steps,
            "settings": {name: asdict(setting) for name, setting in settings.items()},
        },
        measures=[LOSS],
        packages=("mnist1d",),
    )
    return study, outcome
