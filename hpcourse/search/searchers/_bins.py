"""A space as a sequence of discrete choices, for searchers that know no others."""

from collections.abc import Sequence

import numpy as np

from hpcourse._check import require_count
from hpcourse.search.space import UNUSED, Axis, Space, Unit, active


class Bins:
    """Every axis as a number of options: equal parts of what is continuous or fine.

    Args:
        space: Where configurations live.
        levels: Number of parts of a continuous axis, and of an ordered one with more values.

    Attributes:
        edges: Ends of the options of each axis in the unit interval, ascending.
    """

    def __init__(self, space: Space, levels: int) -> None:
        require_count("A searcher of discrete choices", levels=levels)
        self.axes: Sequence[Axis] = space.axes
        self.edges: list[Unit] = []
        for axis in space.axes:
            count = axis.domain.levels
            if count == 0 or (axis.domain.ordered and count > levels):
                self.edges.append(np.linspace(0, 1, levels + 1))
            else:
                ends = axis.domain.edges(np.arange(count))
                self.edges.append(np.append(ends[0], 1.0))

    def counts(self) -> list[int]:
        """Number of options of each axis."""
        return [len(edges) - 1 for edges in self.edges]

    def prior(self, column: int) -> Unit:
        """Probability of each option under the space's prior."""
        return np.asarray(np.diff(self.edges[column]))

    def place(self, column: int, option: int, rng: np.random.Generator) -> float:
        """A place within an option."""
        low, high = self.edges[column][option : option + 2]
        return float(low + rng.random() * (high - low))

    def path(self, point: Unit) -> list[tuple[int, int]]:
        """The options of a point, axis by axis, of those that count."""
        counting = np.flatnonzero(active(self.axes, point[None])[0]).tolist()
        return [(column, self.option(column, float(point[column]))) for column in counting]

    def option(self, column: int, place: float) -> int:
        """The option in which a place lies."""
        inner = self.edges[column][1:-1]
        return int(np.searchsorted(inner, place, side="right"))

    def empty(self) -> Unit:
        """A point on which nothing has been chosen."""
        return np.full(len(self.axes), UNUSED)

    def counting(self, point: Unit, column: int) -> bool:
        """Whether an axis counts, after the choices on those before it."""
        return bool(active(self.axes, point[None])[0, column])
