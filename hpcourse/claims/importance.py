"""One claim about which hyperparameters matter, measured by functional ANOVA of random designs.

Protocol, fixed before the seeds reported here were run (epochs, configurations of a design and the
smallest effect were chosen in trials with other seeds):

- Data: MNIST-1D, 3,200 / 800 signals for training and validation.
- Network: fully connected with ReLU and dropout after each hidden layer, cross-entropy, SGD with
  momentum and L2 weight decay, a constant learning rate.
- Ranges (`AXES`): what the source suggests (14.2.4, 14.2.6), and one decade more at either side
  where the scale is logarithmic, since a person who searches does not know yet that a suggestion
  fits. That makes the learning rate 1e-4 ... 1 (the source: 1e-3 ... 1e-1 for SGD without and with
  momentum) and weight decay 1e-6 ... 1e-2 (up to 5e-4 or 1e-3). Dropout is 0 ... 0.5. The
  source suggests no range for momentum, whose effect goes by 1 / (1 - beta): 1 - beta is drawn from
  0.01 ... 1 on a logarithmic scale. Batch sizes are three of its 1 ... 1024, and the shapes small,
  so that trainings of one shape go together and a design costs seconds.
- Equal epochs for all batch sizes: equal sight of the data, as people compare them. A small batch
  then takes more steps, which is part of what a batch size does.
- A replicate is a design: its own configurations, initial weights and order of the data, and a
  functional ANOVA of its own.
- Score: validation cross-entropy after the last epoch in nats. Chance, ln 10, is the worst that
  counts, for a training that diverged as for one that is merely worse than guessing.
- Two contrasts decide, in percentage points of the variance that main effects explain: the
  learning rate less the larger of batch size and momentum; the smaller of these two less the
  largest of the rest. The largest of several noisy shares is too large, and the smaller of two too
  small, so the second contrast leans against the claim.
- Smallest effect: 5 percentage points. A hyperparameter that explains less than that beyond another
  one is not worth another order of the trials.

Context: the same contrasts for the logarithm of the score and for its ranks, and the shares where
the range of the learning rate is narrower (`RANGES`). Loss coefficients, which the source puts
beside the learning rate, do not occur in this training and are measured elsewhere.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import kendalltau
from torch import nn
from torch.nn.functional import cross_entropy

from hpcourse.claims._compute import device_name, steady_cpu
from hpcourse.claims.registry import Claim, Outcome, Profile
from hpcourse.claims.study import classifier_scores, seeds_from
from hpcourse.data import mnist1d
from hpcourse.models import mlp
from hpcourse.search import (
    Axis,
    Config,
    Importance,
    Interval,
    Options,
    cap,
    config_importance,
    ranks,
)
from hpcourse.training import Member, Population, device

SIGNAL, CLASSES = 40, 10  # inputs and outputs of the network
EPOCHS = 6
CHANCE = math.log(CLASSES)  # nats
POINTS = 100  # percentage points in a share of one

FIRST, SECOND = "learning rate first", "batch size and momentum second"
NOTHING = "no difference"

Vector = NDArray[np.float64]

SCORES: Mapping[str, Callable[[Vector], Vector]] = {"log loss": np.log, "ranks": ranks}
"""What else may be made of the losses before their variance is taken."""

AXES: Mapping[str, Axis] = {
    "learning rate": Interval(1e-4, 1.0, log=True),
    "batch size": Options((32, 128, 512)),
    "momentum": Interval(0.01, 1.0, log=True),  # of 1 - beta
    "weight decay": Interval(1e-6, 1e-2, log=True),
    "dropout": Interval(0.0, 0.5),
    "width": Options((16, 32, 64)),
    "depth": Options((1, 2, 3)),
}
"""How each hyperparameter is drawn; momentum by what it forgets, 1 - beta."""

TIERS: Mapping[str, int] = {
    "learning rate": 1,
    "batch size": 2,
    "momentum": 2,
    "weight decay": 3,
    "dropout": 3,
    "width": 3,
    "depth": 3,
}
"""The claimed order."""

RANGES: Mapping[str, tuple[float, float]] = {
    "four decades": (1e-4, 1.0),
    "two decades": (1e-3, 1e-1),
    "one decade": (1e-2, 1e-1),
}
"""Ranges of the learning rate whose shares are compared."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Configurations of a design, and the seeds of the designs."""

    size: int
    seeds: tuple[int, ...]
    epochs: int = EPOCHS


BUDGETS: dict[Profile, Budget] = {
    "quick": Budget(size=60, seeds=seeds_from(13000, 5), epochs=2),
    "full": Budget(size=108, seeds=seeds_from(14000, 20)),
}


@dataclass(frozen=True, kw_only=True)
class Design:
    """Configurations drawn at random, and the validation loss of each (nats), maybe not finite."""

    configs: tuple[Config, ...]
    losses: tuple[float, ...]


def draw(size: int, seed: int) -> list[Config]:
    """`size` configurations, every hyperparameter drawn alone from its axis.

    Examples:
        >>> [config["depth"] for config in draw(5, seed=0)]
        [2, 2, 2, 1, 2]
    """
    units = np.random.default_rng(seed).random((size, len(AXES)))
    return [
        {
            # An axis of options counts them, an interval has the unit of the draw.
            name: axis.decode(u * (axis.levels or 1))
            for u, (name, axis) in zip(row, AXES.items(), strict=True)
        }
        for row in units.tolist()
    ]


@cache
def designs(budget: Budget) -> tuple[Design, ...]:
    """Train all configurations of all designs, once per process and budget."""
    data = mnist1d().tensors(device())
    drawn = [draw(budget.size, seed) for seed in budget.seeds]
    members = [
        _member(config, seed, len(data.train.x), budget.epochs)
        for configs, seed in zip(drawn, budget.seeds, strict=True)
        for config in configs
    ]
    with steady_cpu(), torch.random.fork_rng():
        torch.manual_seed(0)  # for dropout; all else follows from the seeds
        runs = iter(
            Population(_build, members).train(data.train, cross_entropy, classifier_scores(data))
        )
    return tuple(
        Design(
            configs=tuple(configs),
            losses=tuple(next(runs).final("validation loss (nats)") for _ in configs),
        )
        for configs in drawn
    )


def _member(config: Config, seed: int, rows: int, epochs: int) -> Member:
    value = {name: float(cast(float, v)) for name, v in config.items()}
    batch = int(value["batch size"])
    hypers = {
        "lr": value["learning rate"],
        "momentum": 1 - value["momentum"],
        "weight_decay": value["weight decay"],
        "dropout": value["dropout"],
    }
    return Member(
        seed=seed,
        hypers=hypers,
        steps=epochs * math.ceil(rows / batch),
        batch_size=batch,
        shape=(int(value["width"]), int(value["depth"])),
    )


def _build(shape: tuple[int, int], seed: int) -> nn.Module:
    width, depth = shape
    return mlp((SIGNAL, *[width] * depth, CLASSES), dropout=0.0, seed=seed)


def importance(
    designs: Sequence[Design],
    *,
    score: Callable[[Vector], Vector] = lambda losses: losses,
    rates: tuple[float, float] = RANGES["four decades"],
) -> Importance:
    """Functional ANOVA of the trainings of `designs` whose learning rate lies within `rates`.

    Args:
        designs: What was drawn and measured; several count as one large design.
        score: What is made of the losses, capped at chance, before their variance is taken.
        rates: Lowest and highest learning rate.
    """
    low, high = rates
    pairs = [
        (config, loss)
        for design in designs
        for config, loss in zip(design.configs, design.losses, strict=True)
        if low <= cast(float, config["learning rate"]) <= high
    ]
    axes = {**AXES, "learning rate": Interval(low, high, log=True)}
    losses = cap([loss for _, loss in pairs], at=CHANCE)
    return config_importance([config for config, _ in pairs], score(losses), axes)


def contrasts(shares: Mapping[str, float]) -> dict[str, float]:
    """By how much each step of the claimed order holds, in percentage points.

    Args:
        shares: Share of the variance by hyperparameter.

    Examples:
        >>> shares = dict.fromkeys(AXES, 0.01) | {"learning rate": 0.5, "batch size": 0.2}
        >>> {name: round(value) for name, value in contrasts(shares).items()}
        {'learning rate first': 30, 'batch size and momentum second': 0}
    """
    by_tier = {
        tier: [shares[name] for name in AXES if TIERS[name] == tier] for tier in TIERS.values()
    }
    return {
        FIRST: POINTS * (min(by_tier[1]) - max(by_tier[2])),
        SECOND: POINTS * (min(by_tier[2]) - max(by_tier[3])),
    }


def shares_by_range(found: Sequence[Design]) -> dict[str, dict[str, list[float]]]:
    """Shares (%) by range of the learning rate and hyperparameter, one value a group of designs.

    A narrower range takes the trainings of more designs, so that every functional ANOVA has about
    as many trainings as one of a single design.
    """
    widest = _decades(RANGES["four decades"])
    table: dict[str, dict[str, list[float]]] = {}
    for label, rates in RANGES.items():
        size = round(widest / _decades(rates))
        groups = [found[i : i + size] for i in range(0, len(found) - size + 1, size)]
        every = [importance(group, rates=rates).main for group in groups]
        table[label] = {name: [POINTS * main[name] for main in every] for name in AXES}
    return table


def _decades(rates: tuple[float, float]) -> float:
    low, high = rates
    return math.log10(high / low)


def _outcome(profile: Profile) -> Outcome:
    """The contrasts of every design, and what the page draws."""
    start, budget = time.perf_counter(), BUDGETS[profile]
    found = designs(budget)
    plain = [importance([design]) for design in found]
    arms = _arms(plain, "")
    for label, score in SCORES.items():
        arms |= _arms([importance([design], score=score) for design in found], f", {label}")
    arms[NOTHING] = [0.0 for _ in found]
    return Outcome(
        seeds=budget.seeds,
        arms=arms,
        device=device_name(device()),
        seconds=time.perf_counter() - start,
        settings={
            "data": "mnist1d",
            "configurations": budget.size,
            "epochs": budget.epochs,
            "score": "validation loss (nats), capped at chance",
            "axes": {name: repr(axis) for name, axis in AXES.items()},
            "at_chance": _share_at_chance(found),
            "shares_by_range": shares_by_range(found),
            "learning_rates": list(plain[0].curves["learning rate"].values),
            "largest_pairs": _largest_pairs(plain),
        },
        measures={
            "share of the variance (%)": {
                name: [POINTS * one.main[name] for one in plain] for name in AXES
            },
            "out-of-bag R2": {"forest": [one.oob_r2 for one in plain]},
            "Kendall's tau with the tiers": {"shares": [_agreement(one.main) for one in plain]},
        },
        curves={
            "mean validation loss (nats)": {
                "learning rate": [one.curves["learning rate"].mean.tolist() for one in plain]
            }
        },
        packages=("mnist1d", "scikit-learn"),
    )


def _arms(found: Sequence[Importance], suffix: str) -> dict[str, list[float]]:
    every = [contrasts(one.main) for one in found]
    return {f"{name}{suffix}": [one[name] for one in every] for name in every[0]}


def _agreement(shares: Mapping[str, float]) -> float:
    """Kendall's tau-b of the measured order with the claimed one: 1 where no tiers are swapped."""
    tau = kendalltau([-TIERS[name] for name in AXES], [shares[name] for name in AXES])
    return float(tau.statistic)


def _share_at_chance(found: Sequence[Design]) -> float:
    losses = np.array([loss for design in found for loss in design.losses])
    return float(np.mean(cap(losses, at=CHANCE) == CHANCE))


def _largest_pairs(found: Sequence[Importance], count: int = 3) -> dict[str, float]:
    """Pairs that explain most beyond their main effects (%), mean over the designs."""
    mean = {
        pair: POINTS * float(np.mean([one.pairs[pair] for one in found])) for pair in found[0].pairs
    }
    largest = sorted(mean, key=mean.__getitem__, reverse=True)[:count]
    return {" x ".join(pair): mean[pair] for pair in largest}


CLAIMS = (
    Claim(
        id="importance-order",
        statement="The learning rate matters most, then batch size and momentum, then the rest.",
        source="DL500 14.2.4; PATTERNS 10.5",
        claimed=(FIRST, SECOND),
        reference=NOTHING,
        context=tuple(f"{name}, {label}" for label in SCORES for name in (FIRST, SECOND)),
        metric="difference between shares of the variance of the validation loss",
        unit="percentage points",
        direction="higher",
        smallest_effect=5.0,
        experiment=_outcome,
        seeds={profile: budget.seeds for profile, budget in BUDGETS.items()},
        page="overview/importance-order",
    ),
)
