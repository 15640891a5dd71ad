"""Tuning learning rates with the same budget for every arm, by construction.

All arms see the same candidates and the same tuning seeds: one call scores the whole product of
arms and rates. Where any arm's best rate lies at an edge, the grid is widened for all of them.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from hpcourse._check import require, require_count, require_positive

Member = tuple[str, float]  # arm, learning rate
Score = Callable[[Sequence[Member]], Sequence[float]]  # mean validation loss, lower is better


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """Result of `tune`.

    Attributes:
        rates: All candidates, ascending; every arm was scored at each of them.
        scores: Score of each arm at each candidate; infinite where training diverged.
        best: Best rate of each arm.
        widened: How many times the grid was widened.
        at_edge: Arms whose best rate still lies at an edge of the grid.
    """

    rates: tuple[float, ...]
    scores: Mapping[str, tuple[float, ...]]
    best: Mapping[str, float]
    widened: int
    at_edge: tuple[str, ...]


def log_grid(low: float, high: float, count: int) -> tuple[float, ...]:
    """`count` >= 2 rates from `low` to `high` at equal ratios.

    Raises:
        ValueError: Unless ``0 < low < high`` and ``count >= 2``.

    Examples:
        >>> [round(rate, 3) for rate in log_grid(0.01, 0.16, 5)]
        [0.01, 0.02, 0.04, 0.08, 0.16]
    """
    require_positive("log_grid", low=low, high=high)
    require_count("log_grid", count=count)
    require(
        low < high and count >= 2,
        "log_grid needs low < high and count >= 2",
        low=low,
        high=high,
        count=count,
    )
    ratio = (high / low) ** (1 / (count - 1))
    return tuple(low * ratio**index for index in range(count))


def tune(
    arms: Sequence[str], rates: Sequence[float], score: Score, *, widenings: int = 3
) -> Tuning:
    """Find each arm's best rate on one shared grid, widening it while a best rate lies at an edge.

    Args:
        arms: Names of the arms.
        rates: Candidates, ascending, at equal ratios.
        score: Mean validation loss over the tuning seeds of each (arm, rate) that it is given;
            not finite means diverged.
        widenings: How many times the grid may grow, by one candidate at each edge concerned.

    Raises:
        ValueError: If there is no arm, fewer than two rates, or an arm diverges at every rate.

    Examples:
        >>> optimum = {"a": 0.5, "b": 0.125}  # that of "a" lies beyond the first grid
        >>> def score(members):
        ...     return [abs(math.log(rate / optimum[arm])) for arm, rate in members]
        >>> tuning = tune(["a", "b"], [0.0625, 0.125, 0.25], score)
        >>> tuning.best, tuning.rates, tuning.widened
        ({'a': 0.5, 'b': 0.125}, (0.0625, 0.125, 0.25, 0.5, 1.0), 2)
    """
    require(len(arms) > 0, "tune needs an arm", arms=arms)
    grid = list(rates)
    rising = len(grid) >= 2 and grid[0] > 0 and all(a < b for a, b in pairwise(grid))
    require(rising, "tune needs two or more rates, positive and ascending", rates=rates)
    scores: dict[Member, float] = {}
    new, widened = grid, 0
    while new:
        members = [(arm, rate) for arm in arms for rate in new]
        scores.update(zip(members, map(_finite_or_inf, score(members)), strict=True))
        grid = sorted({rate for _, rate in scores})
        best = {arm: min(grid, key=lambda rate: scores[arm, rate]) for arm in arms}
        for arm in arms:
            require(
                math.isfinite(scores[arm, best[arm]]),
                "tune: an arm diverges at every rate",
                arm=arm,
                rates=grid,
            )
        new = _beyond(grid, set(best.values())) if widened < widenings else []
        widened += bool(new)
    return Tuning(
        rates=tuple(grid),
        scores={arm: tuple(scores[arm, rate] for rate in grid) for arm in arms},
        best=best,
        widened=widened,
        at_edge=tuple(arm for arm in arms if best[arm] in (grid[0], grid[-1])),
    )


def _beyond(grid: Sequence[float], best: set[float]) -> list[float]:
    """The next rate below or above the grid where a best one lies at that edge."""
    below = [grid[0] ** 2 / grid[1]] if grid[0] in best else []
    above = [grid[-1] ** 2 / grid[-2]] if grid[-1] in best else []
    return below + above


def _finite_or_inf(value: float) -> float:
    return value if math.isfinite(value) else math.inf
