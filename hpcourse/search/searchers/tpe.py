"""Tree-structured Parzen search: where good trials are dense and bad ones are not.

References:
    Bergstra, Bardenet, Bengio and Kégl (2011), Algorithms for Hyper-Parameter Optimization, section
    4. Watanabe (2023), Tree-Structured Parzen Estimator, arXiv:2304.11127, compares the settings.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hpcourse._check import require_count
from hpcourse.search.searcher import History
from hpcourse.search.space import Axis, Matrix, Space, Unit, active
from hpcourse.search.surrogates.parzen import Parzen
from hpcourse.search.trial import Suggestion, Trial

__all__ = ["TPE", "density", "most_promising"]

Vector = NDArray[np.float64]

GOOD_SHARE = 0.15
"""Share of the done trials that are good, rounded up."""

MOST_GOOD = 25
"""Largest number of good trials."""

WIDTH = 0.1
"""Standard deviation of the kernels of a single trial, in units of the prior."""

NARROWEST = 0.01
"""Standard deviation below which no kernel falls."""

SMOOTHING = 0.4
"""Further observations of each category, by which an axis of categories is smoothed."""


class TPE:
    """Suggests where the density of the good trials exceeds that of the bad ones most.

    The best 15% of the done trials are good, at most `MOST_GOOD`. All others are bad: the worse
    ones, those that failed or were pruned, and those that still run, so that parallel suggestions
    keep apart. Two mixtures of kernels, `density`, are fitted to the two sets. Points are drawn
    from that of the good ones, and the point of the largest ratio of densities is suggested, as it
    has the largest expected improvement (Bergstra et al. 2011, equation 4).

    Only the ranks of the values count. Evaluations of the same configuration count as one trial
    with their mean.

    Args:
        space: Where configurations live.
        seed: Seed of the search.
        noisy: Whether a configuration may be suggested again.
        starts: Number of trials that have to end before the first is not drawn from the prior.
        candidates: Number of points that are drawn for one suggestion.

    Raises:
        ValueError: If `starts` or `candidates` is below one.

    Examples:
        >>> from hpcourse.search import Box, Real, minimize
        >>> space = Box({"lr": Real(1e-4, 1.0, log=True)})
        >>> study = minimize(lambda trial: (trial.config["lr"] - 0.01) ** 2, TPE(space),
        ...                  trials=40, progress=False)
        >>> 0.005 < study.best.config["lr"] < 0.02
        True
    """

    def __init__(
        self,
        space: Space,
        *,
        seed: int = 0,
        noisy: bool = False,
        starts: int = 10,
        candidates: int = 48,
    ) -> None:
        require_count("TPE", starts=starts, candidates=candidates)
        self._history = History(space, seed, noisy=noisy)
        self._starts, self._candidates = starts, candidates
        self._rows: dict[bytes, int] = {}  # point to its row in the lists below
        self._points: list[Unit] = []
        self._done: list[list[float]] = []  # values of the done evaluations of each point

    def ask(self) -> Suggestion | None:
        """The next configuration; None once a finite space is used up."""
        history = self._history
        rng = history.rng()
        started = len(history.trials) >= self._starts and any(self._done)
        points = self._promising(rng) if started else ()
        point = history.first_new(points, rng)
        return None if point is None else history.suggest(point)

    def tell(self, trial: Trial) -> None:
        """Take note of an ended trial."""
        point = self._history.tell(trial)
        row = self._rows.setdefault(point.tobytes(), len(self._points))
        if row == len(self._points):
            self._points.append(point)
            self._done.append([])
        if trial.state == "done" and trial.value is not None:
            self._done[row].append(trial.value)

    def _promising(self, rng: np.random.Generator) -> Matrix:
        means = [math.fsum(values) / len(values) if values else math.inf for values in self._done]
        order = np.argsort(means, kind="stable")
        done = sum(map(bool, self._done))
        good = min(math.ceil(GOOD_SHARE * done), MOST_GOOD)
        points = np.array(self._points)
        running = np.array(list(self._history.pending.values())).reshape(-1, points.shape[1])
        bad = np.concatenate((points[order[good:]], running))
        axes, count = self._history.axes, self._candidates
        return most_promising(axes, points[order[:good]], bad, rng, count)


def most_promising(
    axes: Sequence[Axis], good: Matrix, bad: Matrix, rng: np.random.Generator, count: int
) -> Matrix:
    """Points drawn from the density of the good ones, in falling order of the ratio to the bad.

    Args:
        axes: Axes of the cube.
        good: Canonical points of good trials; (n, dimension).
        bad: Those of the others; (m, dimension).
        rng: Source of the draws.
        count: Number of points.
    """
    above, below = density(axes, good), density(axes, bad)
    points = above.sample(rng, count)
    ratio = above.log_density(points) - below.log_density(points)
    return points[np.argsort(-ratio, kind="stable")]


def density(axes: Sequence[Axis], points: Matrix) -> Parzen:
    """Kernels of equal weight at the points and one of the same weight that is the prior.

    The kernels of an axis become narrower with the number of points at which it counts, and more
    slowly the more axes there are, as in Scott's rule. An axis of categories is smoothed as if each
    of them had been observed `SMOOTHING` times more.
    """
    on = active(axes, points)
    counts = np.maximum(on.sum(axis=0), 1)
    dimension = on.sum(axis=1).mean() if len(points) else len(axes)
    spread = np.maximum(WIDTH * counts ** (-1 / (dimension + 4)), NARROWEST)
    for column, axis in enumerate(axes):
        levels = axis.domain.levels
        if levels and not axis.domain.ordered:
            extra = SMOOTHING * levels
            spread[column] = extra / (extra + counts[column])
    weights = np.full(len(points) + 1, 1 / (len(points) + 1))
    return Parzen(axes, points, weights, spread)
