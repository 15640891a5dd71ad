"""One claim about which hyperparameters matter, measured by functional ANOVA of random designs.

Protocol, fixed before the seeds reported here were run (epochs, configurations of a design and the
smallest effect were chosen in trials with other seeds):

- Data: MNIST-1D, 3,200 / 800 signals for training and validation.
- Network: fully connected with ReLU and dropout after each hidden layer, cross-entropy, SGD with
  momentum and L2 weight decay, a constant learning rate.
- Ranges (`hpcourse.claims.designs.AXES`): what the source suggests (14.2.4, 14.2.6), and a decade
  more at either side where the scale is logarithmic, since a person who searches does not know yet
  that a suggestion fits. That makes the learning rate 1e-4 ... 1 (the source: 1e-3 ... 1e-1 for SGD
  without and with momentum) and weight decay 1e-6 ... 1e-2 (up to 1e-3). Dropout is 0 ... 0.5.
  The source names no range for momentum, whose effect goes by 1 / (1 - beta): 1 - beta is drawn
  from 0.01 ... 1 on a logarithmic scale. Batch sizes are those of PATTERNS 10.2.3. The shapes are
  few and small, so that many trainings of one shape go together.
- Equal epochs for all batch sizes: equal sight of the data, as people compare them. A small batch
  then takes more steps, which is part of what a batch size does.
- A replicate is a design: its own configurations, initial weights and order of the data, and a
  functional ANOVA of its own.
- Score: validation cross-entropy after the last epoch in nats. Chance, ln 10, is the worst that
  counts, for a training that diverged as for one that is merely worse than guessing.
- Two contrasts of main effects decide, in percentage points of the variance: the learning rate less
  the larger of batch size and momentum; the smaller of these two less the largest of the rest. The
  largest of several noisy shares is too large and the smaller of two too small, so that the second
  contrast leans against the claim.
- Smallest effect: 5 percentage points. A hyperparameter that explains less than that beyond another
  one is not worth another order of the trials.

Context: the same contrasts for the ranks of the scores, and for the trainings whose learning rate
lies in the source's own range, about half of them. Pairs need more trainings than a design has: the
forest's noise spreads over many of them. They are taken from groups of four designs, as are the
shares where the range of the learning rate is narrow; these are reported and decide nothing. Loss
coefficients, which the source puts beside the learning rate, do not occur in this training and are
measured elsewhere.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hpcourse.claims._compute import device_name
from hpcourse.claims.contrasts import NO_DIFFERENCE
from hpcourse.claims.designs import AXES, CLASSES, Budget, Design, trained_designs
from hpcourse.claims.registry import Claim, Outcome, Profile
from hpcourse.claims.study import seeds_from
from hpcourse.search import Importance, Real, cap, config_importance, ranks
from hpcourse.training import device

CHANCE = math.log(CLASSES)  # nats
POINTS = 100  # percentage points in a share of one

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
"""Ranges of the learning rate whose shares are compared; the second is the source's."""

FIRST, SECOND = "learning rate first", "batch size and momentum second"
CONTEXT = ("of the ranks", "in the source's range")
GROUP = 4  # designs that pairs are taken from

BUDGETS: dict[Profile, Budget] = {
    "quick": Budget(size=60, epochs=3, seeds=seeds_from(13000, 5)),
    "full": Budget(size=128, epochs=12, seeds=seeds_from(14000, 20)),
}

Vector = NDArray[np.float64]
Shares = Mapping[str, float]


def importance(
    designs: Sequence[Design],
    *,
    rates: tuple[float, float] = RANGES["four decades"],
    score: Callable[[Vector], Vector] = lambda losses: losses,
) -> Importance:
    """Functional ANOVA of the trainings of `designs` whose learning rate lies within `rates`.

    Args:
        designs: What was drawn and measured; several count as one large design.
        rates: Lowest and highest learning rate.
        score: Makes the scores of the losses, which are capped at chance before.
    """
    axis = Real(*rates, log=True)
    configs, losses = [], []
    for design in designs:
        for config, loss in zip(design.configs, design.losses, strict=True):
            rate = config["learning rate"]
            if isinstance(rate, float) and axis.low <= rate <= axis.high:
                configs.append(config)
                losses.append(loss)
    axes = {**AXES, "learning rate": axis}
    return config_importance(configs, score(cap(losses, at=CHANCE)), axes)


def with_pairs(found: Importance) -> dict[str, float]:
    """Share of each hyperparameter alone and in all pairs that it is part of."""
    return {
        name: main + sum(share for pair, share in found.pairs.items() if name in pair)
        for name, main in found.main.items()
    }


def contrasts(shares: Shares) -> dict[str, float]:
    """By how much each step of the claimed order holds, in percentage points.

    Args:
        shares: Share of the variance by hyperparameter.

    Examples:
        >>> shares = dict.fromkeys(AXES, 0.01) | {"learning rate": 0.5, "batch size": 0.2}
        >>> {name: round(value) for name, value in contrasts(shares).items()}
        {'learning rate first': 30, 'batch size and momentum second': 0}
    """
    first, second, rest = (
        [shares[name] for name in AXES if TIERS[name] == tier] for tier in (1, 2, 3)
    )
    return {
        FIRST: POINTS * (min(first) - max(second)),
        SECOND: POINTS * (min(second) - max(rest)),
    }


def agreement(shares: Shares) -> float:
    """Rank correlation of the measured order with the claimed one, from -1 to 1.

    Hyperparameters of one tier are not ordered, so that it is Kendall's coefficient over the pairs
    of different tiers: those in the claimed order less those in the other, as a share of all (the
    gamma of Goodman and Kruskal 1954).

    Examples:
        >>> agreement({name: -tier for name, tier in TIERS.items()})
        1.0
    """
    signs = [np.sign(shares[a] - shares[b]) for a in AXES for b in AXES if TIERS[a] < TIERS[b]]
    return float(np.mean(signs))


def grouped(designs: Sequence[Design], size: int) -> list[Sequence[Design]]:
    """Groups of `size` designs in a row; those left over belong to none."""
    return [designs[i : i + size] for i in range(0, len(designs) - size + 1, size)]


def shares_by_range(designs: Sequence[Design]) -> dict[str, dict[str, list[float]]]:
    """Shares (%) by range of the learning rate and hyperparameter, one value a group of designs.

    A narrower range takes the trainings of more designs, so that every functional ANOVA has about
    as many trainings as that of one design.
    """
    low, high = RANGES["four decades"]
    table: dict[str, dict[str, list[float]]] = {}
    for label, rates in RANGES.items():
        size = round(math.log(high / low) / math.log(rates[1] / rates[0]))
        every = [importance(group, rates=rates).main for group in grouped(designs, size)]
        table[label] = {name: [POINTS * main[name] for main in every] for name in AXES}
    return table


def _outcome(profile: Profile) -> Outcome:
    """The contrasts of every design, and what the page draws."""
    start, budget = time.perf_counter(), BUDGETS[profile]
    designs = trained_designs(budget)
    found = [importance([design]) for design in designs]
    narrow = [importance([design], rates=RANGES["two decades"]) for design in designs]
    shares = [one.main for one in found]
    return Outcome(
        seeds=budget.seeds,
        arms={
            **_arms(shares),
            **_arms([importance([d], score=ranks).main for d in designs], CONTEXT[0]),
            **_arms([one.main for one in narrow], CONTEXT[1]),
            NO_DIFFERENCE: [0.0 for _ in designs],
        },
        device=device_name(device()),
        seconds=time.perf_counter() - start,
        settings={
            "data": "mnist1d",
            "axes": {name: repr(axis) for name, axis in AXES.items()},
            "configurations": budget.size,
            "epochs": budget.epochs,
            "learning_rates": list(found[0].curves["learning rate"].values),
            **_of_several(designs),
        },
        measures={
            "share of the variance (%)": _in_points(shares),
            "out-of-bag R2": {"forest": [one.oob_r2 for one in found]},
            "rank correlation with the tiers": {"shares": [agreement(one) for one in shares]},
        },
        curves={
            "mean validation loss (nats)": {
                "learning rate": [one.curves["learning rate"].mean.tolist() for one in found]
            }
        },
        packages=("mnist1d", "scikit-learn"),
    )


def _arms(shares: Sequence[Shares], context: str = "") -> dict[str, list[float]]:
    """Contrasts of every design under their names."""
    every = [contrasts(one) for one in shares]
    return {_named(name, context): [one[name] for one in every] for name in (FIRST, SECOND)}


def _named(contrast: str, context: str) -> str:
    return f"{contrast}, {context}" if context else contrast


def _in_points(shares: Sequence[Shares]) -> dict[str, list[float]]:
    return {name: [POINTS * one[name] for one in shares] for name in AXES}


def _of_several(designs: Sequence[Design], largest: int = 3) -> dict[str, object]:
    """What takes more trainings than one design has; shares in percentage points."""
    found = [importance(group) for group in grouped(designs, GROUP)]
    pairs = {pair: [POINTS * one.pairs[pair] for one in found] for pair in found[0].pairs}
    top = sorted(pairs, key=lambda pair: sum(pairs[pair]), reverse=True)[:largest]
    return {
        "at_chance": _share_at_chance(designs),
        "shares_by_range": shares_by_range(designs),
        "designs_of_a_group": GROUP,
        "shares_with_pairs": _in_points([with_pairs(one) for one in found]),
        "largest_pairs": {" x ".join(pair): pairs[pair] for pair in top},
        "r2_of_groups": [one.oob_r2 for one in found],
    }


def _share_at_chance(designs: Sequence[Design]) -> float:
    """Share of the trainings that end no better than guessing."""
    losses = [loss for design in designs for loss in design.losses]
    return float(np.mean(cap(losses, at=CHANCE) == CHANCE))


CLAIMS = (
    Claim(
        id="importance-order",
        statement="The learning rate matters most, then batch size and momentum, then the rest.",
        source="DL500 14.2.4; PATTERNS 10.5",
        claimed=(FIRST, SECOND),
        reference=NO_DIFFERENCE,
        context=tuple(_named(name, what) for what in CONTEXT for name in (FIRST, SECOND)),
        metric="difference between shares of the variance of the validation loss",
        unit="percentage points",
        direction="higher",
        smallest_effect=5.0,
        experiment=_outcome,
        seeds={profile: budget.seeds for profile, budget in BUDGETS.items()},
        page="overview/importance-order",
    ),
)
