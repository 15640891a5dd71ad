"""Learning curves of every configuration of a finite space: real trainings, looked up later.

A table is trained once as populations (a few minutes on one core) and kept in ``_build/curves``.
"""

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch.nn.functional import avg_pool2d, cross_entropy

from hpcourse.claims._compute import repeatable_draws, steady_cpu
from hpcourse.data import Dataset, TensorSplit, digits, fashion, mnist1d, mnist5k
from hpcourse.models import mlp
from hpcourse.search import Box, Choice
from hpcourse.training import Member, Population, evaluate_many
from hpcourse.training.updates import UPDATES

KEPT = Path(__file__).parent.parent / "_build" / "curves"

ROWS, BATCH, EPOCHS = 1000, 50, 27
CHANCE = math.log(10)  # nats; what a training that diverged is worth

GRID: Mapping[str, tuple[float | int, ...]] = {
    "learning rate": tuple(float(f"{10 ** (-4 + 4 * k / 9):.3g}") for k in range(10)),
    "forget": (0.01, 0.05, 0.2, 1.0),  # 1 - momentum, or 1 - beta1
    "weight decay": (1e-6, 1e-4, 1e-3, 1e-2),
    "dropout": (0.0, 0.2, 0.4),
    "width": (16, 32, 64),
    "depth": (1, 2),
}
SPACE = Box({name: Choice(values, ordered=True) for name, values in GRID.items()})


@dataclass(frozen=True)
class Problem:
    """A data set and the optimiser that its networks are trained with."""

    load: Callable[[], Dataset]
    update: str = "sgd"


TRIED = {"digits, SGD": Problem(digits), "MNIST, Adam": Problem(mnist5k, "adam")}
"""On these the searchers were designed."""

KEPT_ASIDE = {
    "MNIST-1D, SGD": Problem(mnist1d),
    "Fashion-MNIST, SGD": Problem(fashion),
    "MNIST-1D, Adam": Problem(mnist1d, "adam"),
}
"""On these they are compared; no setting was chosen by their results.

That `HalvingTPE` trains a share to the end was decided on another, smaller grid of MNIST-1D.
"""


class Curves:
    """Validation loss (nats) of each configuration after each epoch.

    Args:
        name: A key of `TRIED` or `KEPT_ASIDE`.

    Attributes:
        losses: One row a configuration, in the order of the product of `GRID`; one column an epoch.
    """

    def __init__(self, name: str) -> None:
        path = KEPT / f"{name.replace(', ', '-').lower()}.npy"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, trained((TRIED | KEPT_ASIDE)[name]))
        self.losses: NDArray[np.float64] = np.load(path)
        self._row = {values: row for row, values in enumerate(itertools.product(*GRID.values()))}

    def __call__(self, config: Mapping[str, float | int], epoch: int) -> float:
        """Loss of a configuration after so many epochs."""
        return float(self.losses[self._row[tuple(config[name] for name in GRID)], epoch - 1])

    @property
    def best(self) -> float:
        """The lowest loss of all trained to the end."""
        return float(self.losses[:, -1].min())


def trained(problem: Problem) -> NDArray[np.float64]:
    """Train every configuration of `GRID`: (configurations, epochs)."""
    data = problem.load().tensors()
    train, held = _flat(data.train), _flat(data.validation)
    shifted, scale = train.x.mean(), train.x.std()
    train = TensorSplit((train.x[:ROWS] - shifted) / scale, train.y[:ROWS])
    held = TensorSplit((held.x[:ROWS] - shifted) / scale, held.y[:ROWS])
    inputs = train.x.shape[1]
    members = [_member(dict(zip(GRID, row, strict=True)), problem) for row in _rows()]
    population = Population(
        lambda shape, seed: mlp((inputs, *[shape[0]] * shape[1], 10), dropout=0.0, seed=seed),
        members,
    )
    with steady_cpu(), repeatable_draws():
        runs = population.train(
            train,
            cross_entropy,
            lambda stack: evaluate_many(stack, [held], {"loss": cross_entropy}),
            every=ROWS // BATCH,
        )
    losses = np.array([run.metrics["loss"] for run in runs])
    return np.minimum(np.nan_to_num(losses, nan=CHANCE, posinf=CHANCE), CHANCE)


def _rows() -> list[tuple[float | int, ...]]:
    return list(itertools.product(*GRID.values()))


def _member(config: Mapping[str, float | int], problem: Problem) -> Member:
    keep = 1 - config["forget"]
    hypers = {
        "lr": config["learning rate"],
        "beta1" if problem.update == "adam" else "momentum": keep,
        "weight_decay": config["weight decay"],
        "dropout": config["dropout"],
    }
    return Member(
        seed=0,
        hypers=hypers,
        steps=EPOCHS * ROWS // BATCH,
        batch_size=BATCH,
        update=UPDATES[problem.update],
        shape=(int(config["width"]), int(config["depth"])),
    )


def _flat(split: TensorSplit) -> TensorSplit:
    """Rows of numbers; large pictures are averaged to 7 x 7."""
    x = split.x
    if x.ndim == 4 and x.shape[-1] == 28:
        x = avg_pool2d(x, 4)
    return TensorSplit(x.flatten(1), split.y)
