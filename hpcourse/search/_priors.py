"""Distributions of numbers on the line, and grids of separate values, for the domains."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from hpcourse._check import require

Vector = NDArray[np.float64]

TINY = 2.0**-53
"""Smallest probability of which a normal quantile is taken."""

REACH = 8.3
"""Standard deviations within which these quantiles lie."""

TAIL = 1e-9
"""Probability that a quantised normal without ends leaves out on each side."""

SLACK = 1e-9
"""Share of a step by which a value may miss the grid, for rounding."""

MOST = 10**12
"""Largest number of separate values: the cells of more are too narrow for floats in [0, 1]."""


@dataclass(frozen=True)
class Grid:
    """Separate values ``start + k * step`` for k below `count`; integers if both numbers are."""

    start: float
    step: float
    count: int

    def __post_init__(self) -> None:
        """Check that floats in [0, 1] can tell the values apart."""
        require(self.count <= MOST, f"A grid needs at most {MOST} values", count=self.count)

    def code(self, value: float) -> int:
        """Number of `value`, or -1."""
        k = (value - self.start) / self.step
        near = round(k)
        slack = max(SLACK, SLACK * abs(k), 4 * np.finfo(float).eps * self._largest / self.step)
        return near if abs(k - near) < slack and 0 <= near < self.count else -1

    def value(self, code: int) -> float:
        """The value of a number, free of what rounding adds."""
        exact = self.start + code * self.step
        return exact if isinstance(exact, int) else round(exact, self._digits)

    @cached_property
    def _digits(self) -> int:
        """Decimals that the largest value of the grid is sure of, or that a step needs."""
        sure = 14 - math.floor(math.log10(self._largest))
        return max(sure, 11 - math.floor(math.log10(self.step)))

    @cached_property
    def _largest(self) -> float:
        return max(abs(self.start), abs(self.start + (self.count - 1) * self.step), self.step)


def multiples(low: float, high: float, step: float) -> Grid:
    """The multiples of `step` from `low` to `high`."""
    first, last = math.ceil(low / step - SLACK), math.floor(high / step + SLACK)
    return Grid(first * step, step, last - first + 1)


@dataclass(frozen=True)
class Uniform:
    """Uniform between two ends, or so on the log scale."""

    low: float
    high: float
    log: bool

    def cdf(self, x: ArrayLike) -> Vector:
        """Probability below `x`."""
        low, high = self._ends
        at = _log(x) if self.log else np.asarray(x, float)
        return np.asarray(np.clip((at - low) / (high - low), 0, 1))

    def quantile(self, u: ArrayLike) -> Vector:
        """The number that lies above a share `u` of all."""
        low, high = self._ends
        at = low + np.asarray(u, float) * (high - low)
        return np.asarray(np.clip(np.exp(at) if self.log else at, self.low, self.high))

    @cached_property
    def _ends(self) -> tuple[float, float]:
        """The ends on the scale where the distribution is uniform."""
        return (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)


@dataclass(frozen=True)
class Gaussian:
    """Normal between two ends, or the exponential of one; the ends are in units of the value."""

    mean: float
    std: float
    low: float
    high: float
    log: bool

    @property
    def mass(self) -> float:
        """Probability between the ends."""
        return abs(self._mass)

    def cdf(self, x: ArrayLike) -> Vector:
        """Probability below `x`."""
        at = _log(x) if self.log else np.asarray(x, float)
        below = ndtr(self._side * (at - self.mean) / self.std)
        return np.asarray(np.clip((below - self._below) / self._mass, 0, 1))

    def quantile(self, u: ArrayLike) -> Vector:
        """The number that lies above a share `u` of all; finite for 0 and 1 too."""
        share = np.clip(self._below + np.asarray(u, float) * self._mass, TINY, 1 - TINY)
        at = self.mean + self._side * self.std * ndtri(share)
        return np.asarray(np.clip(np.exp(at) if self.log else at, self.low, self.high))

    # Probabilities are taken from below; of a range above the mean from above, where they are
    # small and floats keep their digits.

    @cached_property
    def _side(self) -> int:
        return -1 if self._ends[0] > 0 else 1

    @cached_property
    def _below(self) -> float:
        return float(ndtr(self._side * self._ends[0]))

    @cached_property
    def _mass(self) -> float:
        return float(ndtr(self._side * self._ends[1])) - self._below

    @cached_property
    def _ends(self) -> tuple[float, float]:
        """The ends in standard deviations from the mean."""
        low, high = (_log_end(end) if self.log else end for end in (self.low, self.high))
        return (low - self.mean) / self.std, (high - self.mean) / self.std


class Cells(Protocol):
    """A domain of separate values, each of which has a cell of the unit interval."""

    @property
    def levels(self) -> int:
        """Number of values."""
        ...

    def edges(self, codes: ArrayLike) -> tuple[Vector, Vector]:
        """Lower and upper ends of the cells of values, by their numbers."""
        ...


def middles(domain: Cells, codes: ArrayLike | None = None) -> Vector:
    """Places of separate values: the middles of their cells, by their numbers; None means all."""
    low, high = domain.edges(np.arange(domain.levels) if codes is None else codes)
    return np.asarray((low + high) / 2)


def widened(grid: Grid, *, log: bool) -> Uniform:
    """The prior that gives the first and the last value of a grid a cell like the others."""
    first, last, half = grid.value(0), grid.value(grid.count - 1), grid.step / 2
    return Uniform(max(first - half, first / 2) if log else first - half, last + half, log)


def _log(x: ArrayLike) -> Vector:
    """Logarithm; what is not positive lies below all."""
    return np.asarray(np.log(np.maximum(np.asarray(x, float), 5e-324)))


def _log_end(end: float) -> float:
    return math.log(end) if end > 0 else -math.inf
