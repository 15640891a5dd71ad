"""Configurations as one value a coordinate, which is what every peer can hold.

A peer knows flat names and values, some of them absent under a condition. An axis of a space has a
name, a domain and conditions, so the two meet there, whatever the space is.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hpcourse._check import require
from hpcourse.search import Axis, Config, Space
from hpcourse.search.domains import middles
from hpcourse.search.space import UNUSED, Unit

__all__ = ["FlatSpace", "code", "counts", "labels", "middle", "values", "walk"]


def labels(space: Space) -> tuple[str, ...]:
    """Names of the axes; those that share one, in different branches, get a number besides."""
    names = [axis.name for axis in space.axes]
    total, met = Counter(names), Counter[str]()
    unique = []
    for name in names:
        met[name] += 1
        unique.append(name if total[name] == 1 else f"{name}#{met[name]}")
    return tuple(unique)


def walk(space: Space, place: Callable[[int], float]) -> Unit:
    """The point (dimension,) that arises when each coordinate that counts is placed in turn.

    Args:
        space: Whose axes; one comes after those that it depends on.
        place: Number of an axis to its place in [0, 1]; not called for one that does not count.
    """
    u = np.full(space.dimension, UNUSED)
    for column in range(space.dimension):
        if counts(space, u, column):
            u[column] = place(column)
    return u


def counts(space: Space, u: Unit, column: int) -> bool:
    """Whether a coordinate counts, by those before it."""
    return all(
        counts(space, u, other) and code(space.axes[other], float(u[other])) in codes
        for other, codes in space.axes[column].conditions
    )


def values(space: Space, u: Unit) -> dict[str, Any]:
    """Value of each axis that counts at a point (dimension,), by label."""
    return {
        label: axis.domain.decode(float(u[column]))
        for column, (label, axis) in enumerate(zip(labels(space), space.axes, strict=True))
        if counts(space, u, column)
    }


def code(axis: Axis, u: float) -> int:
    """Number of the separate value at a place."""
    return int(axis.domain.codes(u))


def middle(axis: Axis, number: int) -> float:
    """The place of a separate value: the middle of its cell."""
    return float(middles(axis.domain, number))


class FlatSpace:
    """A space whose configurations are what a peer keeps: one value for each axis that counts.

    Args:
        axes: Under different names, each after those that it depends on.
    """

    def __init__(self, axes: Sequence[Axis]) -> None:
        self.axes = tuple(axes)

    @property
    def dimension(self) -> int:
        """Number of axes."""
        return len(self.axes)

    def decode(self, u: Unit) -> dict[str, Any]:
        """The values at a point (dimension,), by name."""
        return values(self, np.asarray(u, float))

    def encode(self, config: Config) -> Unit:
        """The point (dimension,) of values.

        Raises:
            ValueError: If a value is missing, or does not belong to its axis.
        """

        def place(column: int) -> float:
            axis = self.axes[column]
            require(axis.name in config, f"no {axis.name!r} in a trial", config=dict(config))
            return axis.domain.encode(config[axis.name])

        return walk(self, place)
