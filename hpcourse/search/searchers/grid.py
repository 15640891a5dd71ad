"""Grid search: every combination of a few values for each hyperparameter.

The number of combinations is the product of the numbers of values, so that it grows exponentially
with the number of hyperparameters. `RefinedGrid` repeats a coarse grid around the best point.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from hpcourse._check import require, require_count
from hpcourse.search.domains import middles
from hpcourse.search.searcher import LISTED, History
from hpcourse.search.searchers._procedure import Plan, follow
from hpcourse.search.space import UNUSED, Axis, Matrix, Space, Unit, active, canonical
from hpcourse.search.trial import Suggestion, Trial

__all__ = ["Grid", "RefinedGrid"]

Points = int | Mapping[str, int | Sequence[object]]


class Grid:
    """Evaluates every combination once, then ends.

    Args:
        space: Where configurations live.
        seed: Seed of the order, if it is shuffled.
        noisy: Whether a point that was evaluated before, in an earlier study, is evaluated again.
        points: Values for each axis by its name, such as ``{"lr": [1e-4, 1e-3]}``, or how many;
            one number means as many for every axis, and 5 is the number where an axis is not
            named. A number k means the middles of k equally likely parts of the axis; of an axis
            with at most k separate values, and of an unordered choice, it means all values.
        shuffle: Whether the order is random, so that a grid that is broken off has no bias;
            otherwise the last hyperparameter changes fastest.

    Raises:
        ValueError: If a name or a value is unknown to the space, or there are too many points.

    Examples:
        >>> from hpcourse.search import Box, Choice, Real
        >>> box = Box({"dropout": Real(0.0, 0.9), "lr": Real(1e-5, 1e-1, log=True)})
        >>> grid = Grid(box, points={"dropout": [0.4, 0.5, 0.6, 0.7], "lr": [1e-4, 1e-3, 1e-2]})
        >>> len(grid)
        12
        >>> {name: round(value, 9) for name, value in grid.ask().config.items()}
        {'dropout': 0.4, 'lr': 0.0001}
    """

    def __init__(
        self,
        space: Space,
        *,
        seed: int = 0,
        noisy: bool = False,
        points: Points = 5,
        shuffle: bool = False,
    ) -> None:
        self._history = History(space, seed, noisy=noisy)
        self._points = lattice(space.axes, _places(space.axes, points))
        self._next = 0
        if shuffle:
            self._points = np.random.default_rng(seed).permutation(self._points, axis=0)

    def __len__(self) -> int:
        """Number of combinations."""
        return len(self._points)

    def ask(self) -> Suggestion | None:
        """The next combination; None after the last one."""
        while self._next < len(self._points):
            point = self._points[self._next]
            self._next += 1
            if self._history.is_new(point):
                return self._history.suggest(point)
        return None

    def tell(self, trial: Trial) -> None:
        """Take note of an ended trial."""
        self._history.tell(trial)


class RefinedGrid:
    """A grid, then a grid of as many points around the best, and so on.

    Each grid consists of the middles of equal parts of a box. The next box reaches, on every axis,
    from the lower to the upper neighbour of the best point. In one dimension and for a unimodal
    loss the minimum lies in that box. Unordered choices keep the best value from the second
    grid on.

    Args:
        space: Where configurations live.
        seed: Seed of the order in which each grid is evaluated.
        noisy: Whether evaluating a configuration twice says more than once.
        points: Number of points on each axis, at least three.
        rounds: Number of grids.

    Raises:
        ValueError: If a number is too small, or the first grid has too many points.

    Examples:
        >>> from hpcourse.search import Box, Real
        >>> search = RefinedGrid(Box({"x": Real(0.0, 9.0)}), points=3)
        >>> sorted(round(search.ask().config["x"], 6) for _ in range(3))
        [1.5, 4.5, 7.5]
        >>> search.ask() is None  # before the values are known
        True
    """

    def __init__(
        self,
        space: Space,
        *,
        seed: int = 0,
        noisy: bool = False,
        points: int = 3,
        rounds: int = 8,
    ) -> None:
        self._history = History(space, seed, noisy=noisy)
        require_count("RefinedGrid", points=points, rounds=rounds)
        require(points >= 3, "RefinedGrid needs points >= 3", points=points)
        self._count, self._rounds = points, rounds
        self._first = lattice(space.axes, _places(space.axes, points))

    def ask(self) -> Suggestion | None:
        """The next point of the grid; None while it is evaluated, and after the last grid."""
        return follow(self._history, self._plan())

    def tell(self, trial: Trial) -> None:
        """Take note of an ended trial."""
        self._history.tell(trial)

    def _plan(self) -> Plan:
        axes = self._history.axes
        low, high = np.zeros(len(axes)), np.ones(len(axes))
        points = self._first
        for round_ in range(self._rounds):
            rng = np.random.default_rng((self._history.seed, round_))
            points = rng.permutation(points, axis=0)
            values = yield list(points)
            best = points[int(np.argmin(values))]
            step = (high - low) / self._count
            low, high = np.maximum(best - step, 0), np.minimum(best + step, 1)
            points = lattice(
                axes,
                [
                    _between(axis, self._count, float(low[j]), float(high[j]))
                    if axis.domain.ordered
                    else best[j : j + 1]
                    for j, axis in enumerate(axes)
                ],
            )


def lattice(axes: Sequence[Axis], places: Sequence[Unit]) -> Matrix:
    """All combinations of places (points, dimension), each configuration once, the last fastest.

    Args:
        axes: The coordinates.
        places: Places on each axis.

    Raises:
        ValueError: If there are more than `LISTED` combinations.
    """
    points = np.full((1, len(axes)), UNUSED)
    for column, options in enumerate(places):
        counts = active(axes, points)[:, column]
        copies = np.where(counts, len(options), 1)
        few = int(copies.sum()) <= LISTED
        require(few, f"A grid needs at most {LISTED} points", points=int(copies.sum()))
        points = np.repeat(points, copies, axis=0)
        points[np.repeat(counts, copies), column] = np.tile(options, int(counts.sum()))
    return canonical(axes, points)


def _places(axes: Sequence[Axis], points: Points) -> list[Unit]:
    """Places on each axis, as the user wants them."""
    if not isinstance(points, Mapping):
        require_count("A grid", points=points)
        return [_between(axis, points) for axis in axes]
    names = [axis.name for axis in axes]
    for name in points:
        require(name in names, f"A grid needs points of the axes {names}", name=name)
    return [_chosen(axis, points.get(axis.name, 5)) for axis in axes]


def _chosen(axis: Axis, wanted: int | Sequence[object]) -> Unit:
    if isinstance(wanted, int):
        require_count(f"A grid over {axis.name!r}", points=wanted)
        return _between(axis, wanted)
    require(len(wanted) > 0, f"A grid needs a value of {axis.name!r}", points=wanted)
    try:
        return np.array([axis.domain.encode(value) for value in wanted])
    except ValueError as error:
        raise ValueError(f"A grid over {axis.name!r}: {error}") from None


def _between(axis: Axis, count: int, low: float = 0.0, high: float = 1.0) -> Unit:
    """Middles of `count` parts of [low, high]; all separate values there if they are as few."""
    domain = axis.domain
    if domain.levels == 0:
        return np.asarray(low + (np.arange(count) + 0.5) / count * (high - low))
    first, last = 0, domain.levels - 1
    if domain.ordered:
        first, last = (int(code) for code in domain.codes([low, high]))
    if domain.ordered and last - first >= count:
        parts = first + (np.arange(count) + 0.5) / count * (last - first + 1)
        codes = parts.astype(np.intp)
    else:
        codes = np.arange(first, last + 1)
    return middles(domain, codes)
