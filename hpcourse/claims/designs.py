"""Random designs: configurations drawn from stated ranges, each trained once.

What is drawn, and why these ranges, stands in `hpcourse.claims.importance`, whose claim uses them.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import cast

import numpy as np
from torch import nn
from torch.nn.functional import cross_entropy

from hpcourse.claims._compute import repeatable_draws, steady_cpu
from hpcourse.claims.study import classifier_scores
from hpcourse.data import mnist1d
from hpcourse.models import mlp
from hpcourse.search import Choice, Config, Domain, Real
from hpcourse.training import Member, Population, device

SIGNAL, CLASSES = 40, 10  # inputs and outputs of the network

AXES: Mapping[str, Domain] = {
    "learning rate": Real(1e-4, 1.0, log=True),
    "batch size": Choice((32, 128, 512)),
    "momentum": Real(0.01, 1.0, log=True),  # of 1 - beta
    "weight decay": Real(1e-6, 1e-2, log=True),
    "dropout": Real(0.0, 0.5),
    "width": Choice((16, 32, 64)),
    "depth": Choice((1, 2, 3)),
}
"""How each hyperparameter is drawn; momentum by what it forgets, 1 - beta."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Configurations of a design, epochs of a training, and the seeds of the designs."""

    size: int
    epochs: int
    seeds: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Design:
    """Configurations and the validation loss (nats) of each, not finite where it diverged."""

    configs: tuple[Config, ...]
    losses: tuple[float, ...]


def draw(size: int, seed: int) -> tuple[Config, ...]:
    """`size` configurations, every hyperparameter drawn on its own.

    Examples:
        >>> [config["depth"] for config in draw(5, seed=0)]
        [2, 1, 1, 3, 2]
    """
    units = np.random.default_rng(seed).random((size, len(AXES)))
    return tuple(
        {name: axis.decode(u) for u, (name, axis) in zip(row, AXES.items(), strict=True)}
        for row in units.tolist()
    )


@cache
def trained_designs(budget: Budget) -> tuple[Design, ...]:
    """A design for each seed, all trained together, once per process and budget."""
    data = mnist1d().tensors(device())
    drawn = [draw(budget.size, seed) for seed in budget.seeds]
    members = [
        as_member(config, seed=seed, epochs=budget.epochs, rows=len(data.train.x))
        for configs, seed in zip(drawn, budget.seeds, strict=True)
        for config in configs
    ]
    with steady_cpu(), repeatable_draws():  # for dropout; all else follows from the seeds
        population = Population(_build, members)
        runs = iter(population.train(data.train, cross_entropy, classifier_scores(data)))
    return tuple(
        Design(
            configs=configs,
            losses=tuple(next(runs).final("validation loss (nats)") for _ in configs),
        )
        for configs in drawn
    )


def as_member(config: Config, *, seed: int, epochs: int, rows: int) -> Member:
    """The training that a configuration stands for.

    Args:
        config: A value for each of `AXES`.
        seed: Decides the initial weights and the order of the data.
        epochs: Passes over the data, the same for every batch size.
        rows: Size of the training part.
    """
    value = {name: cast(float, v) for name, v in config.items()}
    batch = int(value["batch size"])
    return Member(
        seed=seed,
        hypers={
            "lr": value["learning rate"],
            "momentum": 1 - value["momentum"],
            "weight_decay": value["weight decay"],
            "dropout": value["dropout"],
        },
        steps=epochs * math.ceil(rows / batch),
        batch_size=batch,
        shape=(int(value["width"]), int(value["depth"])),
    )


def _build(shape: tuple[int, int], seed: int) -> nn.Module:
    width, depth = shape
    return mlp((SIGNAL, *[width] * depth, CLASSES), dropout=0.0, seed=seed)
