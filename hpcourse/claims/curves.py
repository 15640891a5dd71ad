"""Learning curves of a whole grid of configurations, trained once and then looked up.

A searcher that runs on such a table trains nothing, so that a page can compare many searchers over
many seeds on real trainings.
"""

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray
from torch.nn.functional import cross_entropy

from hpcourse.claims import multi_fidelity as claim
from hpcourse.claims._compute import steady_cpu
from hpcourse.data import Dataset, TensorSplit, digits, mnist1d
from hpcourse.models import mlp
from hpcourse.search import Box, Choice, Searcher, Trial
from hpcourse.training import Population, device, evaluate_many

__all__ = ["Bar", "Curves", "grid_curves", "in_hand", "timeline"]

GRID: Mapping[str, tuple[float, ...]] = {
    "learning rate": tuple(float(f"{10**power:.2g}") for power in np.linspace(-4, 0, 12)),
    "forget": (0.01, 0.1, 1.0),  # 1 - momentum
    "weight decay": (1e-6, 1e-4, 1e-2),
}


@dataclass(frozen=True)
class Curves:
    """Validation loss (nats) of every configuration of a grid after every epoch.

    Attributes:
        space: The grid as a space to search.
        configs: Its configurations.
        losses: Their losses (configurations, epochs).
    """

    space: Box
    configs: Sequence[Mapping[str, float]]
    losses: NDArray[np.float64]

    def __call__(self, trial: Trial) -> float:
        """Loss of a trial's configuration after its budget, or after the last epoch."""
        row = self.configs.index(trial.config)
        return float(self.losses[row, (trial.budget or self.losses.shape[1]) - 1])


DATA: Mapping[str, Callable[[], Dataset]] = {"mnist1d": mnist1d, "digits": digits}


@cache
def grid_curves(data: str, epochs: int = 27) -> Curves:
    """Train every configuration of the grid as the claim `hyperband-faster-than-random` does.

    Args:
        data: A key of `DATA`.
        epochs: Of each training.
    """
    configs = [dict(zip(GRID, values, strict=True)) for values in product(*GRID.values())]
    members = [claim.member(config, epochs, seed=0) for config in configs]
    parts = DATA[data]().tensors(device())
    train = TensorSplit(parts.train.x[: claim.ROWS].flatten(1), parts.train.y[: claim.ROWS])
    held = TensorSplit(parts.validation.x.flatten(1), parts.validation.y)
    sizes = (train.x.shape[1], *claim.SIZES[1:])
    with steady_cpu():
        runs = Population(lambda _, seed: mlp(sizes, seed=seed), members).train(
            train,
            cross_entropy,
            lambda stack: evaluate_many(stack, [held], {"loss": cross_entropy}),
            every=claim.ROWS // claim.BATCH,
        )
    losses = np.array([run.metrics["loss"] for run in runs])
    capped = np.minimum(np.nan_to_num(losses, nan=claim.CHANCE), claim.CHANCE)
    space = Box({name: Choice(values, ordered=True) for name, values in GRID.items()})
    return Curves(space, configs, capped)


def in_hand(searcher: Searcher, curves: Curves, epochs: int) -> NDArray[np.float64]:
    """Lowest loss at the end of a trial after each epoch that a search spends.

    A trial costs the epochs beyond those of its parent. Before the first trial has ended the loss
    is that of chance.

    Args:
        searcher: A fresh one over ``curves.space``.
        curves: What its trials are worth.
        epochs: Spent in all.

    Returns:
        Losses in nats (epochs + 1,).
    """
    trace = np.full(epochs + 1, claim.CHANCE)
    budgets: list[int] = []
    spent = 0
    while (asked := searcher.ask()) is not None:
        budget = asked.budget or curves.losses.shape[1]
        spent += budget - (0 if asked.parent is None else budgets[asked.parent])
        if spent > epochs:
            break
        trial = Trial(
            number=len(budgets),
            config=asked.config,
            seed=0,
            budget=asked.budget,
            parent=asked.parent,
        )
        loss = curves(trial)
        trace[spent:] = np.minimum(trace[spent:], loss)
        budgets.append(budget)
        searcher.tell(replace(trial, state="done", value=loss))
    return trace


@dataclass(frozen=True)
class Bar:
    """What a worker did: a trial from one time to another, in epochs of one worker."""

    worker: int
    start: int
    end: int
    budget: int


def timeline(searcher: Searcher, curves: Curves, *, workers: int, until: int) -> list[Bar]:
    """Play a search on several workers, each of which trains one epoch in one unit of time.

    A worker that becomes free is given the next trial at once, if there is one.

    Args:
        searcher: A fresh one over ``curves.space``.
        curves: What its trials are worth.
        workers: Number of trials at a time.
        until: Trials that end later are not waited for.
    """
    bars: list[Bar] = []
    free, now = list(range(workers)), 0
    running: list[tuple[int, int, Trial]] = []
    while now < until:
        while free and (asked := searcher.ask()) is not None:
            budget = asked.budget or curves.losses.shape[1]
            before = 0 if asked.parent is None else bars[asked.parent].budget
            worker, number = free.pop(0), len(bars)
            trial = Trial(
                number=number, config=asked.config, seed=0, budget=asked.budget, parent=asked.parent
            )
            bars.append(Bar(worker, now, now + budget - before, budget))
            heapq.heappush(running, (bars[-1].end, number, trial))
        if not running:
            break
        now, number, trial = heapq.heappop(running)
        searcher.tell(replace(trial, state="done", value=curves(trial)))
        free = sorted([*free, bars[number].worker])
    return bars
