"""Many configurations at once: those of one shape are trained together, whatever else differs."""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from hpcourse._check import require, require_count
from hpcourse.data import TensorSplit, batches
from hpcourse.schedules import Schedule
from hpcourse.training.many import Objective, Stack, Training, train_many
from hpcourse.training.updates import Update, sgd

__all__ = ["Member", "Population", "Run", "feed"]

Measure = Callable[[Stack], Mapping[str, Tensor]]
"""Name to values (members,) of networks as they are now, such as a validation loss."""

TOGETHER = 80  # members trained as one program: more of them no longer fit the caches


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
    ) -> list[Run]:
        """Train all members and measure them, in their order.

        Args:
            data: Inputs (samples, ...) and targets (samples, ...), on the device to train on.
            loss_fn: The loss that is minimised; see `train_many`.
            measure: Called with the stack of a group between steps.
            every: Steps between two measurements; None measures after the last step only.
        """
        runs: dict[int, Run] = {}
        for positions in self.groups:
            for start in range(0, len(positions), TOGETHER):
                chunk = positions[start : start + TOGETHER]
                members = [self.members[position] for position in chunk]
                training = self._together(members, data, loss_fn)
                found = _measured(training, members, measure, every)
                runs.update(zip(chunk, found, strict=True))
        return [runs[position] for position in range(len(self.members))]

    def _together(
        self, members: Sequence[Member], data: TensorSplit, loss_fn: Objective
    ) -> Training:
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


def _measured(
    training: Training, members: Sequence[Member], measure: Measure, every: int | None
) -> list[Run]:
    """Run a training to its end and measure it on the way."""
    last = members[0].steps
    steps: list[int] = []
    records: list[Mapping[str, list[float]]] = []
    for step, _ in enumerate(training, start=1):
        if step == last or (every is not None and step % every == 0):
            steps.append(step)
            measured = measure(training.stack)
            records.append({name: values.tolist() for name, values in measured.items()})
    return [
        Run(
            steps=tuple(steps),
            metrics={name: tuple(record[name][i] for record in records) for name in records[-1]},
        )
        for i in range(len(members))
    ]


def feed(
    data: TensorSplit, orders: Sequence[int], batch_size: int, steps: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches (members, batch, ...), or (batch, ...) where there is only one order.

    Args:
        data: What the batches are drawn from.
        orders: Seed of each member's order; members of one seed see the data in the same order.
        batch_size: Rows of a batch.
        steps: Number of batches.
    """
    distinct = sorted(set(orders))
    streams = [
        batches(data.x, data.y, batch_size=batch_size, seed=seed, epochs=None) for seed in distinct
    ]
    if len(orders) == 1:
        yield from islice(streams[0], steps)
        return
    row = torch.tensor([distinct.index(seed) for seed in orders], device=data.x.device)
    for step in islice(zip(*streams, strict=True), steps):
        yield torch.stack([x for x, _ in step])[row], torch.stack([y for _, y in step])[row]
