"""Small changes of points of the unit cube, for searchers that look around what is good."""

from collections.abc import Sequence

import numpy as np

from hpcourse.search.domains import middles
from hpcourse.search.space import Axis, Matrix, active, canonical

__all__ = ["moved"]

SHORTEST, LONGEST = 0.01, 0.5
"""Typical lengths of a step, in units of the prior; each step draws one of them, log-uniformly."""


def moved(axes: Sequence[Axis], points: Matrix, rng: np.random.Generator) -> Matrix:
    """Each point with another value of one hyperparameter, chosen among those that count.

    An ordered value takes a normal step, reflected at the ends, of separate values to at least the
    next; a category becomes another one, drawn from the prior. What begins to count by the change
    is drawn from the prior, what ends to count becomes unused.

    Args:
        axes: Axes of the cube.
        points: Canonical points; (n, dimension).
        rng: Source of the draws.

    Returns:
        Canonical points (n, dimension). A hyperparameter of a single value stays as it is.
    """
    before = active(axes, points)
    drawn = rng.random(points.shape)
    column = np.where(before, drawn, -1).argmax(axis=1)
    result = points.copy()
    fresh = rng.random(points.shape)
    length = np.exp(rng.uniform(np.log(SHORTEST), np.log(LONGEST), len(points)))
    step = length * rng.standard_normal(len(points))
    for index in np.unique(column):
        rows = np.flatnonzero(column == index)
        at, axis = points[rows, index], axes[index]
        if not axis.domain.ordered:
            result[rows, index] = _other(axis, at, fresh[rows, index])
        elif axis.domain.levels:
            result[rows, index] = _stepped(axis, at, step[rows])
        else:
            result[rows, index] = _reflected(at + step[rows])
    begun = active(axes, result) & ~before
    return canonical(axes, np.where(begun, fresh, result))


def _reflected(u: Matrix) -> Matrix:
    """Places beyond the ends of [0, 1], thrown back."""
    return np.asarray(1 - np.abs(1 - np.abs(u) % 2))


def _stepped(axis: Axis, at: Matrix, step: Matrix) -> Matrix:
    """Separate ordered values after a step, at least to the next one; (n,)."""
    domain = axis.domain
    if domain.levels == 1:
        return at
    codes = domain.codes(at)
    after = domain.codes(_reflected(at + step))
    side = np.where(step < 0, -1, 1)
    side = np.where((codes + side < 0) | (codes + side >= domain.levels), -side, side)
    return middles(domain, np.where(after == codes, codes + side, after))


def _other(axis: Axis, at: Matrix, u: Matrix) -> Matrix:
    """Draws from the prior without the own category; (n,)."""
    low, high = axis.domain.edges(axis.domain.codes(at))
    place = u * (1 - (high - low))  # as if the own cell were cut out of [0, 1]
    return np.asarray(np.where(place >= low, place + (high - low), place))
