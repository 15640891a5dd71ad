"""Learning curves of every configuration of a finite space: real trainings, looked up later.

A table is trained once as populations (a minute or a few on one core) and kept in
``_build/curves``. The two sets of problems were put together before any searcher ran on the new
ones: `TRIED` is for whoever develops a searcher, `KEPT_ASIDE` is what is reported.
"""

import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _trainings import (
    EPOCHS,
    Grid,
    Problem,
    bottleneck,
    convolutional,
    copies,
    dense,
    hastie,
    rates,
    scaled,
    spirals,
    trained,
)
from numpy.typing import NDArray
from scipy.stats import spearmanr
from torch.nn.functional import mse_loss

from hpcourse.data import breast_cancer, digits, fashion, mnist1d, mnist5k, wine
from hpcourse.search import Box, Choice

__all__ = ["EPOCHS", "KEPT", "KEPT_ASIDE", "TRIED", "UNORDERED", "Curves"]

KEPT = Path(__file__).parent.parent / "_build" / "curves"

REGULARISED: Grid = {
    "learning rate": rates(-4, 0, 10),
    "forget": (0.01, 0.05, 0.2, 1.0),  # 1 - momentum, or 1 - beta1
    "weight decay": (1e-6, 1e-4, 1e-3, 1e-2),
    "dropout": (0.0, 0.2, 0.4),
    "width": (16, 32, 64),
    "depth": (1, 2),
}
SCHEDULED: Grid = {
    "learning rate": rates(-3, 0.5, 8),
    "schedule": ("constant", "cosine", "time", "warm-up"),
    "forget": (0.05, 0.2, 1.0),
    "batch": (20, 50, 200),
    "weight decay": (1e-5, 1e-3),
    "width": (16, 48),
}
OPTIMISED: Grid = {
    "optimizer": ("sgd", "adam", "rmsprop", "adagrad", "nadam"),
    "learning rate": rates(-4, 0, 8),
    "weight decay": (1e-6, 1e-3, 1e-2),
    "dropout": (0.0, 0.3),
    "width": (16, 48),
    "depth": (1, 2),
}
CODED: Grid = {
    "optimizer": ("sgd", "adam", "rmsprop"),
    "learning rate": rates(-4, 0, 8),
    "weight decay": (1e-6, 1e-3),
    "width": (16, 48),
    "depth": (0, 1),
    "code": (4, 8, 16),
}
CONVOLVED: Grid = {
    "learning rate": rates(-3, 0, 8),
    "forget": (0.05, 0.2, 1.0),
    "weight decay": (1e-6, 1e-3, 1e-2),
    "batch": (20, 50),
    "width": (4, 8),
    "depth": (1, 2),
}
SAMPLED: Grid = {
    "learning rate": rates(-4, 0, 8),
    "forget": (0.01, 0.05, 0.2, 1.0),
    "weight decay": (1e-6, 1e-3, 1e-2),
    "dropout": (0.0, 0.2, 0.4),
    "width": (16, 64),
    "depth": (1, 2),
}
UNORDERED = {"schedule", "optimizer"}

ten = partial(dense, outputs=10)
three = partial(dense, outputs=3)
two = partial(dense, outputs=2)

TRIED: Mapping[str, Problem] = {
    "digits, SGD": Problem(load=partial(scaled, digits), grid=REGULARISED, network=ten),
    "MNIST, schedules": Problem(
        load=partial(scaled, mnist5k),
        grid=SCHEDULED,
        network=lambda inputs, config, seed: ten(inputs, {**config, "depth": 1}, seed),
    ),
    "Fashion-MNIST, optimisers": Problem(
        load=partial(scaled, fashion), grid=OPTIMISED, network=ten
    ),
    "digits, autoencoder": Problem(
        load=partial(copies, digits), grid=CODED, network=bottleneck, loss=mse_loss, chance=1.0
    ),
    "wine, optimisers": Problem(
        load=partial(scaled, wine, 100), grid=OPTIMISED, network=three, batch=10, chance=math.log(3)
    ),
    "spirals, optimisers": Problem(load=spirals, grid=OPTIMISED, network=three, chance=math.log(3)),
    "Fashion-MNIST, convolutions": Problem(
        load=partial(scaled, fashion, 500, flat=False), grid=CONVOLVED, network=convolutional
    ),
    "MNIST, share of rows": Problem(
        load=partial(scaled, mnist5k, 1080), grid=SAMPLED, network=ten, batch=20, by_rows=True
    ),
}
"""On these the searchers were designed."""

KEPT_ASIDE: Mapping[str, Problem] = {
    "MNIST-1D, SGD": Problem(load=partial(scaled, mnist1d), grid=REGULARISED, network=ten),
    "Fashion-MNIST, SGD": Problem(load=partial(scaled, fashion), grid=REGULARISED, network=ten),
    "MNIST-1D, Adam": Problem(
        load=partial(scaled, mnist1d), grid=REGULARISED, network=ten, update="adam"
    ),
    "digits, schedules": Problem(
        load=partial(scaled, digits),
        grid=SCHEDULED,
        network=lambda inputs, config, seed: ten(inputs, {**config, "depth": 1}, seed),
    ),
    "MNIST, optimisers": Problem(load=partial(scaled, mnist5k), grid=OPTIMISED, network=ten),
    "Fashion-MNIST, autoencoder": Problem(
        load=partial(copies, fashion), grid=CODED, network=bottleneck, loss=mse_loss, chance=1.0
    ),
    "breast cancer, optimisers": Problem(
        load=partial(scaled, breast_cancer, 300),
        grid=OPTIMISED,
        network=two,
        batch=20,
        chance=math.log(2),
    ),
    "Hastie, optimisers": Problem(load=hastie, grid=OPTIMISED, network=two, chance=math.log(2)),
    "digits, convolutions": Problem(
        load=partial(scaled, digits, 500, flat=False), grid=CONVOLVED, network=convolutional
    ),
    "Fashion-MNIST, share of rows": Problem(
        load=partial(scaled, fashion, 1080), grid=SAMPLED, network=ten, batch=20, by_rows=True
    ),
}
"""On these they are compared; no setting was chosen by their results.

The first three had been looked at once before, with all searchers but `FreezeThaw`. That
`HalvingTPE` trains a share to the end was decided on another, smaller grid of MNIST-1D.
"""


class Curves:
    """Validation loss of each configuration at each budget.

    Args:
        name: A key of `TRIED` or `KEPT_ASIDE`.

    Attributes:
        problem: What was trained.
        space: Where the configurations live.
        losses: One row a configuration, in the order of the grid; one column a budget.
    """

    def __init__(self, name: str) -> None:
        self.problem = (TRIED | KEPT_ASIDE)[name]
        path = KEPT / f"{name.replace(', ', '-').replace(' ', '-').lower()}.npy"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, trained(self.problem))
        self.losses: NDArray[np.float64] = np.load(path)
        self._row = {values: row for row, values in enumerate(self.problem.rows)}
        self._column = {budget: column for column, budget in enumerate(self.problem.budgets)}
        grid = self.problem.grid
        self.space = Box(
            {name: Choice(values, ordered=name not in UNORDERED) for name, values in grid.items()}
        )

    def __call__(self, config: Mapping[str, Any], budget: int) -> float:
        """Loss of a configuration with so much of the budget."""
        row = self._row[tuple(config[name] for name in self.problem.grid)]
        return float(self.losses[row, self._column[budget]])

    def cost(self, budget: int, before: int) -> int:
        """What a trial costs that continues one of another budget; 0 is none."""
        return budget if self.problem.by_rows else budget - before

    def agreement(self, budget: int, share: float = 1.0) -> float:
        """Rank correlation of the losses at a budget with those at the highest one.

        Args:
            budget: Below the highest one.
            share: Of the configurations, the best ones at the end.
        """
        best = np.argsort(self.losses[:, -1], kind="stable")[: round(share * len(self.losses))]
        return float(spearmanr(self.losses[best, self._column[budget]], self.losses[best, -1])[0])
