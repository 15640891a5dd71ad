"""Model-based search by a random forest.

References:
    Hutter, Hoos and Leyton-Brown (2011), Sequential Model-Based Optimization for General Algorithm
    Configuration. Ranks as normal quantiles: Salinas, Shen and Perrone (2020), A Quantile-based
    Approach for Hyperparameter Transfer Learning, section 4.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from scipy.stats import rankdata
from sklearn.ensemble import ExtraTreesRegressor

from hpcourse._check import is_finite, require, require_count
from hpcourse.search.searcher import History
from hpcourse.search.searchers._moves import moved
from hpcourse.search.space import Axis, Matrix, Space, active, canonical
from hpcourse.search.trial import Suggestion, Trial

__all__ = ["Forest"]

Vector = NDArray[np.float64]

TREES = 12
"""Trees of the forest."""

ABSENT = -1.0
"""Coordinate that the trees see where a hyperparameter does not count: outside of all others."""

CHALLENGERS = 400
"""Points drawn from the prior for one suggestion."""

LOCAL = 10
"""Points from which the local search starts, and as many of the challengers."""

NEIGHBOURS = 12
"""Changed points that each of them is compared with in a round of local search."""

ROUNDS = 8
"""Largest number of rounds."""


class Forest:
    """Suggests where a forest of randomised trees expects the largest improvement.

    The trees are fitted to the ranks of the values, as quantiles of the normal distribution: the
    best values are told apart finely and outliers do not matter. Failed and pruned trials rank
    last, running ones take their expected value. Mean and spread of the trees' predictions give the
    expected improvement, which a local search increases, from the best trials and from the best of
    many random points. Every few suggestions, by chance, a random point is taken instead, so that
    an error of the model cannot last.

    Args:
        space: Where configurations live.
        seed: Seed of the search.
        noisy: Whether a configuration may be suggested again.
        starts: Number of trials that have to end before the first that is not random.
        random: Share of random suggestions afterwards.

    Raises:
        ValueError: If `starts` is below one, or `random` outside of [0, 1].

    Examples:
        >>> from hpcourse.search import Box, Choice, Real, minimize
        >>> space = Box({"x": Real(0.0, 1.0), "kind": Choice(("a", "b", "c"))})
        >>> def loss(trial):
        ...     return (trial.config["x"] - 0.3) ** 2 + (trial.config["kind"] != "b")
        >>> minimize(loss, Forest(space), trials=40, progress=False).best.config["kind"]
        'b'
    """

    def __init__(
        self,
        space: Space,
        *,
        seed: int = 0,
        noisy: bool = False,
        starts: int = 10,
        random: float = 0.1,
    ) -> None:
        require_count("Forest", starts=starts)
        share = is_finite(random) and 0 <= random <= 1
        require(share, "Forest needs a share of random suggestions", random=random)
        self._history = History(space, seed, noisy=noisy)
        self._starts, self._random = starts, random
        self._done: list[bool] = []

    def ask(self) -> Suggestion | None:
        """The next configuration; None once a finite space is used up."""
        history = self._history
        rng = history.rng()
        chance = rng.random() < self._random
        started = len(self._done) >= self._starts and any(self._done)
        points = self._promising(rng) if started and not chance else ()
        point = history.first_new(points, rng)
        return None if point is None else history.suggest(point)

    def tell(self, trial: Trial) -> None:
        """Take note of an ended trial."""
        self._history.tell(trial)
        self._done.append(trial.state == "done")

    def _promising(self, rng: np.random.Generator) -> Matrix:
        history, axes = self._history, self._history.axes
        points = history.points
        scores = quantiles(np.where(self._done, history.values, np.inf))
        model = Trees(axes, points, scores, rng)
        if history.pending:
            running = np.array(list(history.pending.values()))
            expected = model.predict(running)[0]
            points, scores = np.concatenate((points, running)), np.append(scores, expected)
            model = Trees(axes, points, scores, rng)
        best = points[np.argsort(scores, kind="stable")[:LOCAL]]
        return _improved(axes, model, best, float(scores.min()), rng)


def quantiles(values: Vector) -> Vector:
    """Ranks as quantiles of the normal distribution; equal values share their mean rank."""
    return np.asarray(ndtri((rankdata(values) - 0.5) / len(values)))


def log_improvement(mean: Vector, std: Vector, best: float) -> Vector:
    """Logarithm of the expected improvement on `best` of normally distributed values.

    Examples:
        >>> log_improvement(np.array([0.0]), np.array([1.0]), 0.0).round(3).tolist()
        [-0.919]
    """
    z = (best - mean) / std
    density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return np.asarray(np.log(np.maximum(density + z * ndtr(z), 1e-300)) + np.log(std))


def _improved(
    axes: Sequence[Axis], model: "Trees", best: Matrix, lowest: float, rng: np.random.Generator
) -> Matrix:
    """Points by falling expected improvement: random ones, good ones, and what a search finds."""

    def score(x: Matrix) -> Vector:
        return log_improvement(*model.predict(x), lowest)

    challengers = canonical(axes, rng.random((CHALLENGERS, len(axes))))
    found, gains = challengers, score(challengers)
    top = challengers[np.argsort(-gains, kind="stable")[:LOCAL]]
    here = np.concatenate((best, top))
    own = score(here)
    for _ in range(ROUNDS):
        near = moved(axes, np.repeat(here, NEIGHBOURS, axis=0), rng)
        new = score(near)
        found, gains = np.concatenate((found, near)), np.append(gains, new)
        first = new.reshape(-1, NEIGHBOURS).argmax(axis=1) + NEIGHBOURS * np.arange(len(here))
        better = new[first] > own
        if not better.any():
            break
        here[better], own[better] = near[first[better]], new[first[better]]
    return found[np.argsort(-gains, kind="stable")]


class Trees:
    """A forest over the cube."""

    def __init__(
        self, axes: Sequence[Axis], points: Matrix, scores: Vector, rng: np.random.Generator
    ) -> None:
        self._axes = axes
        forest = ExtraTreesRegressor(
            TREES, min_samples_leaf=2, bootstrap=False, random_state=int(rng.integers(2**31))
        )
        forest.fit(features(axes, points), scores)
        self.trees = [tree.tree_ for tree in forest.estimators_]

    def predict(self, x: Matrix) -> tuple[Vector, Vector]:
        """Mean and standard deviation at canonical points, by the law of total variance."""
        rows = features(self._axes, x).astype(np.float32)
        leaves = [tree.apply(rows) for tree in self.trees]
        pairs = list(zip(self.trees, leaves, strict=True))
        means = np.array([tree.value[leaf, 0, 0] for tree, leaf in pairs])
        within = np.array([tree.impurity[leaf] for tree, leaf in pairs])  # variance in the leaf
        variance = means.var(axis=0) + np.maximum(within, 0).mean(axis=0)
        return means.mean(axis=0), np.sqrt(np.maximum(variance, 1e-12))


def features(axes: Sequence[Axis], points: Matrix) -> Matrix:
    """What the trees see: a place, or one column a category; ABSENT where it does not count."""
    counts = active(axes, points)
    columns = []
    for column, axis in enumerate(axes):
        own = points[:, column, None]
        levels = axis.domain.levels
        if levels > 2 and not axis.domain.ordered:
            own = (axis.domain.codes(points[:, column])[:, None] == np.arange(levels)).astype(float)
        columns.append(np.where(counts[:, column, None], own, ABSENT))
    return np.concatenate(columns, axis=1)
