"""Tuning learning rates with the same budget for every arm, by construction.

All arms see the same candidates and the same tuning seeds: one call scores the whole product of
arms and rates. Where any arm's best rate lies at an edge, the grid is widened for all of them.

Tuning is itself a matter of luck: with few tuning seeds a flat optimum is found here or there by
chance, and an experiment that tunes once compares two lucky draws. So tuning is repeated: every
final run has tuning seeds of its own and trains at the rate that these find best. The final runs
are then independent of each other, and the spread between them contains the luck of the tuning.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from hpcourse._check import require, require_count, require_positive

Member = tuple[str, float]  # arm, learning rate
# Validation losses of each member, one for each tuning seed; lower is better.
Score = Callable[[Sequence[Member]], Sequence[Sequence[float]]]


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """Result of `tune`.

    Attributes:
        rates: All candidates, ascending; every arm was scored at each of them.
        scores: Mean score of each arm at each candidate over all tuning seeds; infinite where
            training diverged.
        best: Best rate of each arm, one for each group of tuning seeds.
        widened: How many times the grid was widened.
        at_edge: Arms whose best rate still lies at an edge of the grid for some group.
    """

    rates: tuple[float, ...]
    scores: Mapping[str, tuple[float, ...]]
    best: Mapping[str, tuple[float, ...]]
    widened: int
    at_edge: tuple[str, ...]

    def caveats(self, *arms: str) -> list[str]:
        """The boundary check: what to know of arms whose best rates may lie beyond the grid."""
        edges = " and of ".join(arm for arm in dict.fromkeys(arms) if arm in self.at_edge)
        return [f"a best learning rate of {edges} at the edge of its range"] if edges else []


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
    arms: Sequence[str],
    rates: Sequence[float],
    score: Score,
    *,
    groups: Sequence[Sequence[int]],
    widenings: int = 3,
) -> Tuning:
    """Find each arm's best rates on one shared grid, widening it while one lies at an edge.

    Args:
        arms: Names of the arms.
        rates: Candidates, ascending, at equal ratios.
        score: Validation loss of each (arm, rate) that it is given, one for each tuning seed; not
            finite means diverged.
        groups: Positions of the tuning seeds by which each best rate is chosen.
        widenings: How many times the grid may grow, by one candidate at each edge concerned.

    Raises:
        ValueError: If there is no arm, no group, fewer than two rates, or an arm diverges at every
            rate.

    Examples:
        >>> def score(members):  # the best rate of "a" is 1, beyond the first grid
        ...     return [[abs(math.log(r / (1.0 if arm == "a" else 0.25)))] for arm, r in members]
        >>> tuning = tune(["a", "b"], [0.125, 0.25, 0.5], score, groups=[[0]])
        >>> tuning.best["a"], tuning.best["b"], tuning.widened, len(tuning.rates)
        ((1.0,), (0.25,), 2, 5)
    """
    require(len(arms) > 0, "tune needs an arm", arms=arms)
    require(len(groups) > 0, "tune needs a group of tuning seeds", groups=groups)
    grid = list(rates)
    rising = len(grid) >= 2 and grid[0] > 0 and all(a < b for a, b in pairwise(grid))
    require(rising, "tune needs two or more rates, positive and ascending", rates=rates)
    scores: dict[Member, Sequence[float]] = {}
    new, widened = grid, 0
    while new:
        members = [(arm, rate) for arm in arms for rate in new]
        scores.update(zip(members, score(members), strict=True))
        grid = sorted({rate for _, rate in scores})
        best = {arm: tuple(_best(arm, grid, scores, group) for group in groups) for arm in arms}
        new = _beyond(grid, set().union(*best.values())) if widened < widenings else []
        widened += bool(new)
    return Tuning(
        rates=tuple(grid),
        scores={arm: tuple(_mean(scores[arm, rate]) for rate in grid) for arm in arms},
        best=best,
        widened=widened,
        at_edge=tuple(arm for arm in arms if {grid[0], grid[-1]} & set(best[arm])),
    )


def _best(
    arm: str, grid: Sequence[float], scores: Mapping[Member, Sequence[float]], group: Sequence[int]
) -> float:
    """The rate with the lowest mean score over the group's seeds, the lowest of equals."""
    means = [_mean([scores[arm, rate][position] for position in group]) for rate in grid]
    lowest = min(means)
    require(lowest < math.inf, "tune: an arm diverges at every rate", arm=arm, rates=grid)
    return grid[means.index(lowest)]


def _beyond(grid: Sequence[float], best: set[float]) -> list[float]:
    """The next rate below or above the grid where a best one lies at that edge."""
    below = [grid[0] ** 2 / grid[1]] if grid[0] in best else []
    above = [grid[-1] ** 2 / grid[-2]] if grid[-1] in best else []
    return below + above


def _mean(losses: Sequence[float]) -> float:
    """The mean; infinite as soon as one run diverged."""
    mean = sum(losses) / len(losses)
    return mean if math.isfinite(mean) else math.inf
