"""Learning curves of a whole grid of configurations, trained once and then looked up.

A searcher that runs on such a table trains nothing, so that a page can compare many searchers over
many seeds on real trainings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray
from torch.nn.functional import cross_entropy

from hpcourse.claims import multi_fidelity as claim
from hpcourse.claims._compute import steady_cpu
from hpcourse.claims.study import classifier_scores
from hpcourse.data import TensorSplit, mnist1d
from hpcourse.search import Box, Choice, Searcher, Trial
from hpcourse.training import Population, device

__all__ = ["Curves", "grid_curves", "in_hand"]

GRID: Mapping[str, tuple[float, ...]] = {
    "learning rate": tuple(float(f"{10**exponent:.2g}") for exponent in np.linspace(-3.5, 0, 12)),
    "forget": (0.01, 0.03, 0.1, 0.3, 1.0),  # 1 - momentum
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


@cache
def grid_curves(epochs: int = 27) -> Curves:
    """Train every configuration of the grid as the claim `hyperband-faster-than-random` does."""
    configs = [dict(zip(GRID, values, strict=True)) for values in product(*GRID.values())]
    members = [claim.member(config, epochs, seed=0) for config in configs]
    data = mnist1d().tensors(device())
    train = TensorSplit(data.train.x[: claim.ROWS], data.train.y[: claim.ROWS])
    with steady_cpu():
        runs = Population(claim.build, members).train(
            train, cross_entropy, classifier_scores(data), every=claim.ROWS // claim.BATCH
        )
    losses = np.array([run.metrics["validation loss (nats)"] for run in runs])
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
