"""Domains of numbers: real, integer, normal, rounded."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hpcourse._check import is_finite, require, require_count, require_finite, require_positive
from hpcourse.search._priors import (
    REACH,
    SLACK,
    TAIL,
    Gaussian,
    Grid,
    Uniform,
    middles,
    multiples,
    widened,
)

Vector = NDArray[np.float64]
Codes = NDArray[np.intp]


class Parameter:
    """Marks what a box may hold, and what a choice may choose between, apart from JSON values."""


class _Numbers(Parameter, ABC):
    """The map of a domain of numbers, from its prior and perhaps a grid."""

    @property
    @abstractmethod
    def _prior(self) -> Uniform | Gaussian:
        """How the numbers are distributed before they are put on the grid."""

    @property
    @abstractmethod
    def _grid(self) -> Grid | None:
        """The separate values; None where all numbers are meant."""

    @property
    def levels(self) -> int:
        """Number of separate values; 0 where they are continuous."""
        return self._grid.count if self._grid else 0

    @property
    def ordered(self) -> bool:
        """Numbers are ordered."""
        return True

    def codes(self, u: ArrayLike) -> Codes:
        """Number of the separate value at each place, from 0."""
        grid = self._require_grid()
        k = np.rint((self._prior.quantile(u) - grid.start) / grid.step)
        return np.clip(k, 0, grid.count - 1).astype(np.intp)

    def edges(self, codes: ArrayLike) -> tuple[Vector, Vector]:
        """Lower and upper ends of the cells of separate values."""
        grid, k = self._require_grid(), np.asarray(codes, float)
        below = self._prior.cdf(grid.start + (k - 0.5) * grid.step)
        above = self._prior.cdf(grid.start + (k + 0.5) * grid.step)
        return np.where(k == 0, 0.0, below), np.where(k == grid.count - 1, 1.0, above)

    def _require_grid(self) -> Grid:
        if self._grid is None:
            raise ValueError(f"{self!r} has no separate values")
        return self._grid

    def _place(self, value: float) -> float:
        if self._grid is None:
            return float(self._prior.cdf(value))
        return float(middles(self, self._grid.code(value)))

    def _at(self, u: float) -> float:
        require(0 <= u <= 1, f"{type(self).__name__} decodes places in [0, 1]", u=u)
        if self._grid is None:
            return float(self._prior.quantile(u))
        return self._grid.value(int(self.codes(u)))


@dataclass(frozen=True)
class Real(_Numbers):
    """Numbers from `low` to `high`, equally likely, or so on the log scale.

    Attributes:
        low: Lower end.
        high: Upper end, above `low`.
        log: Whether equal ratios, not equal differences, are equally likely; needs ``low > 0``.
        step: Only ``low``, ``low + step``, ... up to `high`; None for all numbers.

    Raises:
        ValueError: If the ends are not finite and ordered, or not positive on the log scale, or
            the step does not fit between them.

    Examples:
        >>> round(Real(1e-4, 1e-2, log=True).encode(1e-3), 9)
        0.5
        >>> Real(0, 1, step=0.25).decode(0.6)
        0.5
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None

    def __post_init__(self) -> None:
        """Check the ends and prepare the map."""
        require_finite("Real", low=self.low, high=self.high)
        if self.log:
            require_positive("Real on the log scale", low=self.low)
        require(self.low < self.high, "Real needs low < high", low=self.low, high=self.high)
        narrow = self.high - self.low < math.inf
        require(narrow, "Real needs a finite high - low", low=self.low, high=self.high)
        if self.step is not None:
            require_positive("Real", step=self.step)
            fits = self.step <= self.high - self.low
            require(fits, "Real needs a step that fits between its ends", step=self.step)
            require(self.levels > 0, "Real needs values", step=self.step)

    @cached_property
    def _grid(self) -> Grid | None:
        if self.step is None:
            return None
        count = math.floor((self.high - self.low) / self.step * (1 + SLACK)) + 1
        return Grid(float(self.low), float(self.step), count)

    @cached_property
    def _prior(self) -> Uniform:
        if self._grid is None:
            return Uniform(self.low, self.high, self.log)
        return widened(self._grid, log=self.log)

    def encode(self, value: object) -> float:
        """Place of `value` in [0, 1].

        Raises:
            ValueError: If `value` is no number of the domain.
        """
        return self._place(_number("Real", value, self.low, self.high, self._grid))

    def decode(self, u: float) -> float:
        """The number at place `u` of [0, 1]."""
        return self._at(u)


@dataclass(frozen=True)
class Integer(_Numbers):
    """Integers from `low` to `high`, both included, equally likely, or so on the log scale.

    Attributes:
        low: Smallest value.
        high: Largest value.
        log: Whether small values are more likely, as on the log scale; needs ``low >= 1``.
        step: Only ``low``, ``low + step``, ... up to `high`.

    Raises:
        ValueError: If the ends are no integers, or not ordered.

    Examples:
        >>> [Integer(16, 64, step=16).decode(u) for u in (0.1, 0.4, 0.9)]
        [16, 32, 64]
    """

    low: int
    high: int
    log: bool = False
    step: int = 1

    def __post_init__(self) -> None:
        """Check the ends and prepare the map."""
        for name, value in (("low", self.low), ("high", self.high)):
            require(type(value) is int, f"Integer needs an integer {name}", **{name: value})
        require_count("Integer", step=self.step)
        require(self.low <= self.high, "Integer needs low <= high", low=self.low, high=self.high)
        if self.log:
            require_count("Integer on the log scale", low=self.low)
        largest = max(abs(self.low), abs(self.high))
        require(largest <= 2**53, "Integer needs numbers that a float holds", largest=largest)
        require(self.levels > 0, "Integer needs values")

    @cached_property
    def _grid(self) -> Grid:
        return Grid(self.low, self.step, (self.high - self.low) // self.step + 1)

    @cached_property
    def _prior(self) -> Uniform:
        return widened(self._grid, log=self.log)

    def encode(self, value: object) -> float:
        """Place of `value` in [0, 1].

        Raises:
            ValueError: If `value` is no integer of the domain.
        """
        if type(value) is not int or not self.low <= value <= self.high:
            raise ValueError(f"Integer needs an integer in [{self.low}, {self.high}], got {value=}")
        return self._place(_number("Integer", value, self.low, self.high, self._grid))

    def decode(self, u: float) -> int:
        """The integer at place `u` of [0, 1]."""
        return int(self._at(u))


@dataclass(frozen=True)
class Normal(_Numbers):
    """Normally distributed numbers, or numbers whose logarithm is.

    Attributes:
        mean: Mean; on the log scale that of the natural logarithm, so that ``exp(mean)`` is the
            median.
        std: Standard deviation, likewise.
        log: Whether the logarithm is normal.
        low: Lower end where the distribution is cut off, in units of the value.
        high: Upper end, likewise.
        step: Only multiples of it.

    Raises:
        ValueError: If a number is not finite, or the ends leave nothing.

    Examples:
        >>> import math
        >>> round(Normal(math.log(0.005), 0.5, log=True).decode(0.5), 9)
        0.005
        >>> round(Normal(0.15, 0.1, low=0.0, high=0.9).decode(0.0), 9)
        0.0
    """

    mean: float
    std: float
    log: bool = False
    low: float | None = None
    high: float | None = None
    step: float | None = None

    def __post_init__(self) -> None:
        """Check the numbers and prepare the map."""
        require_finite("Normal", mean=self.mean)
        require_positive("Normal", std=self.std)
        for name, value in (("low", self.low), ("high", self.high)):
            if value is not None:
                require_finite("Normal", **{name: value})
        self._check_ends()
        if self.step is not None:
            require_positive("Normal", step=self.step)
            require(self.levels > 1, "Normal needs a step that fits", step=self.step)

    def _check_ends(self) -> None:
        low, high = self._prior.low, self._prior.high
        require(low < high, "Normal needs low < high", low=self.low, high=self.high)
        if self.log:
            require(high > 0, "Normal on the log scale needs high > 0", high=self.high)
            reach = abs(self.mean) + REACH * self.std
            held = reach < math.log(np.finfo(float).max)
            require(held, "Normal needs values that a float holds", mean=self.mean, std=self.std)
        mass = self._prior.mass
        require(mass > TAIL, "Normal needs ends around its mass", low=self.low, high=self.high)

    @cached_property
    def _prior(self) -> Gaussian:
        low = -math.inf if self.low is None else self.low
        high = math.inf if self.high is None else self.high
        return Gaussian(self.mean, self.std, low, high, self.log)

    @cached_property
    def _grid(self) -> Grid | None:
        if self.step is None:
            return None
        low, high = (float(self._prior.quantile(u)) for u in (TAIL, 1 - TAIL))
        low = low if self.low is None else max(low, self.low)
        high = high if self.high is None else min(high, self.high)
        if self.log and (self.low is None or self.low <= 0):
            low = 0.0  # what is far below a step rounds to nothing
        return multiples(low, high, float(self.step))

    def encode(self, value: object) -> float:
        """Place of `value` in [0, 1].

        Raises:
            ValueError: If `value` is no number of the domain.
        """
        if self.log and self._grid is None:
            require_positive("Normal on the log scale", value=value)
        return self._place(_number("Normal", value, self._prior.low, self._prior.high, self._grid))

    def decode(self, u: float) -> float:
        """The number at place `u` of [0, 1]."""
        return self._at(u)


@dataclass(frozen=True)
class Rounded(_Numbers):
    """Numbers of another domain, each rounded to the nearest multiple of a step.

    `Real` with a step gives all its values the same probability; here the first and the last one,
    of which only a part of the cell lies within the ends, are less likely. This is the quantised
    form of hyperopt, ``round(x / q) * q``.

    Attributes:
        domain: `Real` or `Normal` without a step.
        step: Distance of the values; all are multiples of it.
        integer: Whether the values are integers, not floats; needs an integer step.

    Raises:
        ValueError: If the domain has separate values, or the step is not positive.

    Examples:
        >>> small = Rounded(Real(1, 3), step=1, integer=True)
        >>> [small.decode(u) for u in (0.2, 0.3, 0.7, 0.8)]
        [1, 2, 2, 3]
    """

    domain: Real | Normal
    step: float
    integer: bool = False

    def __post_init__(self) -> None:
        """Check the domain and the step."""
        continuous = isinstance(self.domain, Real | Normal) and not self.domain.levels
        require(continuous, "Rounded needs a Real or Normal without a step", domain=self.domain)
        require_positive("Rounded", step=self.step)
        if self.integer:
            require_count("Rounded to integers", step=self.step)
        require(self.levels > 0, "Rounded needs values", step=self.step)

    @property
    def _prior(self) -> Uniform | Gaussian:
        return self.domain._prior

    @cached_property
    def _grid(self) -> Grid:
        step = self.step if self.integer else float(self.step)
        low, high = self._prior.low, self._prior.high
        low = max(low, float(self._prior.quantile(TAIL)))
        high = min(high, float(self._prior.quantile(1 - TAIL)))
        half = step / 2 * (1 - 4 * SLACK)  # an end between two multiples reaches only one of them
        return multiples(low - half, high + half, step)

    def encode(self, value: object) -> float:
        """Place of `value` in [0, 1].

        Raises:
            ValueError: If `value` is no multiple of the step near the domain.
        """
        if self.integer:
            require(type(value) is int, "Rounded needs an integer", value=value)
        return self._place(_number("Rounded", value, -math.inf, math.inf, self._grid))

    def decode(self, u: float) -> float:
        """The number at place `u` of [0, 1]."""
        return self._at(u)


def _number(where: str, value: object, low: float, high: float, grid: Grid | None) -> float:
    """`value` if it is a number of the grid, or without one between the ends."""
    if grid is None:
        if not (is_finite(value) and low <= value <= high):
            raise ValueError(f"{where} needs a number in [{low}, {high}], got {value=}")
    elif not is_finite(value) or grid.code(value) < 0:
        first, last = [f"{grid.value(k):.12g}" for k in range(min(grid.count, 2))], grid.count - 1
        of = ", ".join(first) + (f", ..., {grid.value(last):.12g}" if last > 1 else "")
        raise ValueError(f"{where} needs one of {of}, got {value=}")
    return value
