"""What a searcher is, and what all searchers remember.

A searcher lives in the unit cube of its space. `ask` gives the next suggestion, `tell` what became
of one. The k-th suggestion is trial k, so that a searcher and the journal of a study agree without
further bookkeeping. Whatever is random in it comes from ``default_rng((seed, k))``: a search that
is replayed from its journal equals one that was never interrupted.
"""

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hpcourse._check import require
from hpcourse.search.domains import middles
from hpcourse.search.space import Axis, Matrix, Space, Unit, canonical
from hpcourse.search.trial import Suggestion, Trial

__all__ = ["History", "Searcher", "uniform"]

TRIES = 64
"""Random points that are tried before all points of a finite space are listed."""

LISTED = 100_000
"""Largest number of points of a finite space that are listed."""


class Searcher(Protocol):
    """Suggests what to evaluate next, by what it was told."""

    def ask(self) -> Suggestion | None:
        """The next suggestion; None where there is none before more is told, which changes nothing.

        None while no trial runs means that the search has ended.
        """
        ...

    def tell(self, trial: Trial) -> None:
        """Take note of an ended trial, a failed one too.

        Trials that were never asked for count as well, for example those of an earlier study.

        Raises:
            ValueError: If the trial still runs, was told before, or does not fit the space.
        """
        ...


class History:
    """What a searcher asked and was told, as arrays over the unit cube.

    Args:
        space: Where configurations live.
        seed: Seed of the whole search.
        noisy: Whether evaluating a configuration twice says more than once; otherwise no
            configuration is suggested twice (with the same budget).

    Attributes:
        space: As given.
        asked: Number of suggestions so far; the next one is trial ``asked``.
        pending: Points of the trials that were suggested and have not ended, by number.
        trials: The ended trials, in the order in which they were told.

    Raises:
        ValueError: If `seed` is no integer of at least zero, or the space has no coordinate.
    """

    def __init__(self, space: Space, seed: int, *, noisy: bool = False) -> None:
        require(type(seed) is int and seed >= 0, "A search needs an integer seed >= 0", seed=seed)
        require(space.dimension > 0, "A search needs a space with something to choose", space=space)
        self.space, self.seed, self.noisy = space, seed, noisy
        self.asked = 0
        self.pending: dict[int, Unit] = {}
        self.trials: list[Trial] = []
        self._suggested: dict[int, Suggestion] = {}
        self._points: list[Unit] = []
        self._values: list[float] = []
        self._seen: set[tuple[bytes, int | None]] = set()

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The space's coordinates."""
        return self.space.axes

    @property
    def points(self) -> Matrix:
        """Points of the ended trials (n, dimension), canonical, in the order of telling."""
        return np.array(self._points).reshape(len(self._points), self.space.dimension)

    @property
    def values(self) -> NDArray[np.float64]:
        """Their values (n,); infinite for those that failed or were pruned without a value."""
        return np.array(self._values)

    @property
    def best(self) -> Trial | None:
        """The done trial of the lowest value, the first of equals; None before there is one."""
        done = [trial for trial in self.trials if trial.state == "done"]
        return min(done, key=lambda trial: trial.value or 0.0, default=None)

    def rng(self) -> np.random.Generator:
        """The source of everything random in the next suggestion."""
        return np.random.default_rng((self.seed, self.asked))

    def is_new(self, point: Unit, budget: int | None = None) -> bool:
        """Whether a point may be suggested: it was not before, or the objective is noisy."""
        return self.noisy or _key(self.axes, point, budget) not in self._seen

    def first_new(
        self, points: Iterable[Unit], rng: np.random.Generator, budget: int | None = None
    ) -> Unit | None:
        """The first point that may be suggested, else a random one; None if none is left."""
        for point in points:
            if self.is_new(point, budget):
                return point
        for drawn in uniform(self.space, rng, TRIES):
            if self.is_new(drawn, budget):
                return np.asarray(drawn)
        left: list[Unit] = [point for point in _all_points(self.axes) if self.is_new(point, budget)]
        if not left:
            return None
        return left[int(rng.integers(len(left)))]

    def suggest(
        self, point: Unit, *, budget: int | None = None, parent: int | None = None
    ) -> Suggestion:
        """Count a point as asked for, and make the suggestion of it."""
        point = canonical(self.axes, point[None])[0]
        suggestion = Suggestion(config=self.space.decode(point), budget=budget, parent=parent)
        self._seen.add(_key(self.axes, point, budget))
        self.pending[self.asked] = point
        self._suggested[self.asked] = suggestion
        self.asked += 1
        return suggestion

    def tell(self, trial: Trial) -> Unit:
        """Keep an ended trial; its point.

        Raises:
            ValueError: If the trial still runs, was told before, or does not fit the space.
        """
        require(trial.state != "running", "tell needs an ended trial", number=trial.number)
        suggestion = self._suggested.get(trial.number)
        if suggestion is not None and _is_of(trial, suggestion):
            told = trial.number not in self.pending
            require(not told, "tell needs a trial that was not told before", number=trial.number)
            point = self.pending.pop(trial.number)
        else:
            point = canonical(self.axes, self.space.encode(trial.config)[None])[0]
            self._seen.add(_key(self.axes, point, trial.budget))
        self.trials.append(trial)
        self._points.append(point)
        self._values.append(float("inf") if trial.value is None else float(trial.value))
        return point


def uniform(space: Space, rng: np.random.Generator, count: int) -> Matrix:
    """Points drawn from the prior (count, dimension)."""
    return rng.random((count, space.dimension))


def finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values where what is infinite is put to the worst finite one, or to 0 if there is none."""
    good = values[np.isfinite(values)]
    return np.where(np.isfinite(values), values, good.max() if good.size else 0.0)


def _is_of(trial: Trial, suggestion: Suggestion) -> bool:
    """Whether a trial is the evaluation of a suggestion, not one of the same number."""
    return trial.config == suggestion.config and trial.budget == suggestion.budget


def _key(axes: Sequence[Axis], point: Unit, budget: int | None) -> tuple[bytes, int | None]:
    return canonical(axes, np.asarray(point, float)[None])[0].tobytes(), budget


def _all_points(axes: Sequence[Axis]) -> list[Unit]:
    """All points of a finite space, each once; none of an infinite or a very large one."""
    counts = [axis.domain.levels for axis in axes]
    if 0 in counts or np.prod(counts, dtype=float) > LISTED:
        return []
    points = np.array(list(product(*(middles(axis.domain) for axis in axes))))
    return list(np.unique(canonical(axes, points), axis=0))
