"""Many configurations at once: those of one shape are trained together, whatever else differs."""

import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from hpcourse._check import require, require_count
from hpcourse.data import TensorSplit, batches
from hpcourse.schedules import Schedule
from hpcourse.training._memory import free_bytes
from hpcourse.training.many import Objective, Training, train_many
from hpcourse.training.progress import progress_bar
from hpcourse.training.stack import Stack
from hpcourse.training.updates import Update, sgd

__all__ = ["Member", "Population", "PopulationScore", "Run", "feed"]

Measure = Callable[[Stack], Mapping[str, Tensor]]
"""Name to values (members,) of networks as they are now, such as a validation loss."""

# Members whose memory is measured, and the share of the free memory that a group may take.
PROBED = 2
SHARE = 0.5


@dataclass(frozen=True, kw_only=True)
class Member:
    """One training.

    Attributes:
        seed: Decides the initial weights, and the order of the data unless `data_seed` does.
        hypers: Hyperparameters of the update, the loss and the network; see `train_many`.
        steps: Number of updates.
        batch_size: Rows of a batch.
        update: The optimiser.
        shape: What else `build` needs to know, such as a width or a kernel size.
        data_seed: Decides the order of the data; `seed` if None.
    """

    seed: int
    hypers: Mapping[str, float | Schedule]
    steps: int
    batch_size: int
    update: Update = sgd
    shape: Hashable = None
    data_seed: int | None = None

    def __post_init__(self) -> None:
        require_count("Member", steps=self.steps, batch_size=self.batch_size)

    @property
    def group(self) -> Hashable:
        """What members must have in common to be trained as one program."""
        return (self.shape, self.update, self.batch_size, self.steps, tuple(sorted(self.hypers)))

    @property
    def order(self) -> int:
        """Seed of the order of the data."""
        return self.seed if self.data_seed is None else self.data_seed


@dataclass(frozen=True, kw_only=True)
class Run:
    """What was measured on one member.

    Attributes:
        steps: Updates before each measurement; the last entry is the member's number of steps.
        metrics: Name to one value a measurement; not finite where the training diverged.
    """

    steps: tuple[int, ...]
    metrics: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def final(self, metric: str) -> float:
        """The last value of a metric."""
        return self.metrics[metric][-1]


class Population:
    """Configurations to train; those that differ in nothing but numbers are trained together.

    Args:
        build: Shape and seed to network.
        members: The configurations, in any order.

    Attributes:
        members: The configurations, in the order given.
        groups: Positions of the members that are trained as one program.

    Raises:
        ValueError: If there is no member.

    Examples:
        >>> from hpcourse.data import digits
        >>> from hpcourse.models import mlp
        >>> from hpcourse.training import evaluate_many
        >>> data = digits().tensors()
        >>> loss = nn.functional.cross_entropy
        >>> members = [
        ...     Member(seed=0, hypers={"lr": lr}, steps=20, batch_size=32, shape=width)
        ...     for width in (8, 16)
        ...     for lr in (0.01, 0.1)
        ... ]
        >>> population = Population(lambda width, seed: mlp([64, width, 10], seed=seed), members)
        >>> population.groups
        ((0, 1), (2, 3))
        >>> runs = population.train(
        ...     data.train, loss, lambda stack: evaluate_many(stack, [data.test], {"loss": loss})
        ... )
        >>> runs[1].final("loss") < runs[0].final("loss")
        True
    """

    def __init__(self, build: Callable[[Any, int], nn.Module], members: Sequence[Member]) -> None:
        require(len(members) > 0, "Population needs at least one member", members=members)
        self.build = build
        self.members = tuple(members)
        found: dict[Hashable, list[int]] = {}
        for position, member in enumerate(self.members):
            found.setdefault(member.group, []).append(position)
        self.groups = tuple(tuple(positions) for positions in found.values())

    def train(
        self,
        data: TensorSplit,
        loss_fn: Objective,
        measure: Measure,
        *,
        every: int | None = None,
        progress: bool = False,
    ) -> list[Run]:
        """Train all members and measure them, in their order.

        Args:
            data: Inputs (samples, ...) and targets (samples, ...), on the device to train on.
            loss_fn: The loss that is minimised; see `train_many`.
            measure: Called with the stack of a group between steps.
            every: Steps between two measurements; None measures after the last step only.
            progress: Whether to show a progress bar where somebody watches.

        Raises:
            ValueError: If `every` is not an integer of at least one.
        """
        if every is not None:
            require_count("Population.train", every=every)
        runs: dict[int, Run] = {}
        for positions in progress_bar(self.groups, "population", show=progress):
            fitting = self._fitting(positions, data, loss_fn)
            for start in range(0, len(positions), fitting):
                chunk = positions[start : start + fitting]
                training = self._together(chunk, data, loss_fn)
                found = _measured(training, self.members[chunk[0]].steps, measure, every)
                runs.update(zip(chunk, found, strict=True))
        return [runs[position] for position in range(len(self.members))]

    def _fitting(self, positions: Sequence[int], data: TensorSplit, loss_fn: Objective) -> int:
        """How many members of a group fit into memory, by what one step of a few of them leaves."""
        few = positions[:PROBED]
        if len(few) == len(positions):
            return len(few)
        with torch.random.fork_rng(devices=[data.x.device] if data.x.is_cuda else []):
            training = self._together(few, data, loss_fn)
            next(training)
        batch = self.members[few[0]].batch_size * (data.x[:1].nbytes + data.y[:1].nbytes)
        each = batch + training.nbytes / len(few)
        return max(1, int(SHARE * free_bytes(data.x.device) / each))

    def _together(
        self, positions: Sequence[int], data: TensorSplit, loss_fn: Objective
    ) -> Training:
        members = [self.members[position] for position in positions]
        first = members[0]
        orders = [member.order for member in members]
        alike = len(set(orders)) == 1
        return train_many(
            lambda seed: self.build(first.shape, seed).to(data.x.device),
            loss_fn,
            {name: [member.hypers[name] for member in members] for name in first.hypers},
            feed(data, orders[:1] if alike else orders, first.batch_size, first.steps),
            seeds=[member.seed for member in members],
            update=first.update,
            own_batches=not alike,
        )


@dataclass(frozen=True, kw_only=True)
class PopulationScore:
    """Scores the trials of a search by training them together.

    It is what ``hpcourse.search.Batched(score, size)`` wants: trials to values, NaN for a member
    that diverged. It can be pickled if its parts can.

    Attributes:
        build: Shape and seed to network.
        member_of: Trial to the configuration to train.
        data: What the members are trained on.
        loss_fn: The loss that is minimised; see `train_many`.
        measure: Called with the stack of a group after its last step.
        metric: Name of the measured value that is the score; a search minimises it.

    Examples:
        >>> from types import SimpleNamespace
        >>> from hpcourse.training import evaluate_many
        >>> x = torch.linspace(-1, 1, 8).unsqueeze(1)
        >>> loss = nn.functional.mse_loss
        >>> score = PopulationScore(
        ...     build=lambda shape, seed: nn.Linear(1, 1),
        ...     member_of=lambda t: Member(seed=t.seed, hypers=t.config, steps=20, batch_size=8),
        ...     data=TensorSplit(x, 3 * x),
        ...     loss_fn=loss,
        ...     measure=lambda stack: evaluate_many(stack, [(x, 3 * x)], {"loss": loss}),
        ...     metric="loss",
        ... )
        >>> slow, fast = score([SimpleNamespace(seed=0, config={"lr": lr}) for lr in (0.01, 0.5)])
        >>> fast < slow
        True
    """

    build: Callable[[Any, int], nn.Module]
    member_of: Callable[[Any], Member]
    data: TensorSplit
    loss_fn: Objective
    measure: Measure
    metric: str

    def __call__(self, trials: Sequence[Any]) -> list[float]:
        """One value a trial, in their order."""
        population = Population(self.build, [self.member_of(trial) for trial in trials])
        runs = population.train(self.data, self.loss_fn, self.measure)
        values = [run.final(self.metric) for run in runs]
        return [value if math.isfinite(value) else math.nan for value in values]


def _measured(training: Training, last: int, measure: Measure, every: int | None) -> list[Run]:
    """Run a training to its end and measure it on the way."""
    steps: list[int] = []
    records: list[Mapping[str, list[float]]] = []
    for step, losses in enumerate(training, start=1):
        if step == last or (every is not None and step % every == 0):
            alive = losses.cpu().isfinite()
            measured = measure(training.stack)
            steps.append(step)
            # A network of NaN has an accuracy, for one: that of its first class.
            records.append(
                {n: v.cpu().where(alive, math.nan).tolist() for n, v in measured.items()}
            )
    return [
        Run(
            steps=tuple(steps),
            metrics={name: tuple(record[name][i] for record in records) for name in records[-1]},
        )
        for i in range(len(training.stack))
    ]


def feed(
    data: TensorSplit, orders: Sequence[int], batch_size: int, steps: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches (members, batch, ...), or (batch, ...) where there is only one order.

    The order of a seed is that of `hpcourse.data.batches`.

    Args:
        data: What the batches are drawn from.
        orders: Seed of each member's order; members of one seed see the data in the same order.
        batch_size: Rows of a batch.
        steps: Number of batches.
    """
    return islice(_endless(data, orders, batch_size), steps)


def _endless(
    data: TensorSplit, orders: Sequence[int], batch_size: int
) -> Iterator[tuple[Tensor, Tensor]]:
    count = len(data.x)
    rows = torch.arange(count, device=data.x.device)
    distinct = sorted(set(orders))
    which = torch.tensor([distinct.index(seed) for seed in orders], device=rows.device)
    # With all rows in a batch, a batch is the order of an epoch.
    epochs = [batches(rows, rows, batch_size=count, seed=s, epochs=None) for s in distinct]
    for epoch in zip(*epochs, strict=True):
        order = torch.stack([own for own, _ in epoch])[which]
        for first in range(0, count, batch_size):
            picked = order[:, first : first + batch_size]
            picked = picked[0] if len(orders) == 1 else picked
            yield _picked(data.x, picked), _picked(data.y, picked)


def _picked(tensor: Tensor, rows: Tensor) -> Tensor:
    return tensor.index_select(0, rows.flatten()).view(*rows.shape, *tensor.shape[1:])
