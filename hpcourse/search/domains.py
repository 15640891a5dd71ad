"""What values one hyperparameter can have, and how likely they are.

Each domain is a map to the unit interval under which its values are equally likely: a uniform draw
of [0, 1] decodes to a draw of the domain. A searcher that looks at the unit interval alone knows
the prior of every hyperparameter.

A domain of separate values gives each a cell of the unit interval, as wide as the value is likely.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from hpcourse._check import is_finite, require, require_count, require_finite, require_positive
from hpcourse.search.trial import check_config

__all__ = ["Choice", "Domain", "Fixed", "Integer", "Normal", "Real"]

Vector = NDArray[np.float64]
Codes = NDArray[np.intp]

TINY = 2.0**-53
"""Smallest probability of which a normal quantile is taken."""

TAIL = 1e-9
"""Probability that a quantised normal without ends leaves out on each side."""

SLACK = 1e-9
"""Share of a step by which a value may miss the grid, for rounding."""


class Domain(Protocol):
    """What a searcher needs to know about one hyperparameter."""

    @property
    def levels(self) -> int:
        """Number of separate values; 0 where they are continuous."""
        ...

    @property
    def ordered(self) -> bool:
        """Whether near places of the unit interval mean similar values."""
        ...

    def encode(self, value: object) -> float:
        """Place of `value` in [0, 1]; of a separate value the middle of its cell.

        Raises:
            ValueError: Quoting `value` if it is none of the domain's.
        """
        ...

    def decode(self, u: float) -> Any:
        """The JSON value at place `u` of [0, 1]."""
        ...

    def codes(self, u: ArrayLike) -> Codes:
        """Number of the separate value at each place, from 0; of the shape of `u`."""
        ...

    def edges(self, codes: ArrayLike) -> tuple[Vector, Vector]:
        """Lower and upper ends of the cells of separate values."""
        ...


@dataclass(frozen=True)
class _Grid:
    """Separate values ``start + k * step`` for k below `count`."""

    start: float
    step: float
    count: int

    def code(self, value: float) -> int:
        """Number of `value`, or -1."""
        k = (value - self.start) / self.step
        near = round(k)
        return near if abs(k - near) < SLACK * max(1.0, abs(k)) and 0 <= near < self.count else -1

    def value(self, code: int) -> float:
        """The value of a number, free of what rounding adds."""
        return float(f"{self.start + code * self.step:.12g}")


@dataclass(frozen=True)
class _Uniform:
    """Uniform between two ends, or so on the log scale."""

    low: float
    high: float
    log: bool

    def cdf(self, x: ArrayLike) -> Vector:
        """Probability below `x`."""
        low, high = (math.log(end) if self.log else end for end in (self.low, self.high))
        at = _log(x) if self.log else np.asarray(x, float)
        return np.asarray(np.clip((at - low) / (high - low), 0, 1))

    def quantile(self, u: ArrayLike) -> Vector:
        """The number that lies above a share `u` of all."""
        low, high = (math.log(end) if self.log else end for end in (self.low, self.high))
        at = low + np.asarray(u, float) * (high - low)
        return np.asarray(np.clip(np.exp(at) if self.log else at, self.low, self.high))


@dataclass(frozen=True)
class _Gaussian:
    """Normal between two ends, or so on the log scale; ends on the scale where it is normal."""

    mean: float
    std: float
    low: float
    high: float
    log: bool

    def cdf(self, x: ArrayLike) -> Vector:
        """Probability below `x`."""
        at = _log(x) if self.log else np.asarray(x, float)
        below, mass = self._below, self._mass
        return np.asarray(np.clip((ndtr((at - self.mean) / self.std) - below) / mass, 0, 1))

    def quantile(self, u: ArrayLike) -> Vector:
        """The number that lies above a share `u` of all; finite for 0 and 1 too."""
        share = np.clip(self._below + np.asarray(u, float) * self._mass, TINY, 1 - TINY)
        at = np.clip(self.mean + self.std * ndtri(share), self.low, self.high)
        return np.asarray(np.exp(at) if self.log else at)

    @property
    def _below(self) -> float:
        return float(ndtr((self.low - self.mean) / self.std))

    @property
    def _mass(self) -> float:
        return float(ndtr((self.high - self.mean) / self.std)) - self._below


def _log(x: ArrayLike) -> Vector:
    """Logarithm; what is not positive lies below all."""
    return np.asarray(np.log(np.maximum(np.asarray(x, float), np.finfo(float).tiny)))


class _Numbers(ABC):
    """The map of a domain of numbers, from its prior and perhaps a grid."""

    @property
    @abstractmethod
    def _prior(self) -> _Uniform | _Gaussian:
        """How the numbers are distributed before they are put on the grid."""

    @property
    @abstractmethod
    def _grid(self) -> _Grid | None:
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

    def _require_grid(self) -> _Grid:
        if self._grid is None:
            raise ValueError(f"{self!r} has no separate values")
        return self._grid

    def _place(self, value: float) -> float:
        if self._grid is None:
            return float(self._prior.cdf(value))
        low, high = self.edges(self._grid.code(value))
        return float(low + high) / 2

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
        if self.step is not None:
            require_positive("Real", step=self.step)
            fits = self.step <= self.high - self.low
            require(fits, "Real needs a step that fits between its ends", step=self.step)

    @cached_property
    def _grid(self) -> _Grid | None:
        if self.step is None:
            return None
        count = math.floor((self.high - self.low) / self.step * (1 + SLACK)) + 1
        return _Grid(float(self.low), self.step, count)

    @cached_property
    def _prior(self) -> _Uniform:
        if self._grid is None:
            return _Uniform(self.low, self.high, self.log)
        return _widened(self._grid, log=self.log)

    def encode(self, value: object) -> float:
        """Place of `value` in [0, 1].

        Raises:
            ValueError: If `value` is no number of the domain.
        """
        if not (is_finite(value) and self.low <= value <= self.high):
            raise ValueError(f"Real needs a number in [{self.low}, {self.high}], got {value=}")
        _require_on_grid("Real", self._grid, value)
        return self._place(value)

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

    @cached_property
    def _grid(self) -> _Grid:
        return _Grid(float(self.low), float(self.step), (self.high - self.low) // self.step + 1)

    @cached_property
    def _prior(self) -> _Uniform:
        return _widened(self._grid, log=self.log)

    def encode(self, value: object) -> float:
        """Place of `value` in [0, 1].

        Raises:
            ValueError: If `value` is no integer of the domain.
        """
        if type(value) is not int or not self.low <= value <= self.high:
            raise ValueError(f"Integer needs an integer in [{self.low}, {self.high}], got {value=}")
        _require_on_grid("Integer", self._grid, value)
        return self._place(value)

    def decode(self, u: float) -> int:
        """The integer at place `u` of [0, 1]."""
        return round(self._at(u))


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
        ends = self._ends()
        require(ends[0] < ends[1], "Normal needs low < high", low=self.low, high=self.high)
        inner = [(end - self.mean) / self.std for end in ends]
        mass = float(ndtr(inner[1]) - ndtr(inner[0]))
        require(mass > TAIL, "Normal needs ends around its mass", low=self.low, high=self.high)
        if self.step is not None:
            require_positive("Normal", step=self.step)
            require(self.levels > 1, "Normal needs a step that fits", step=self.step)

    @cached_property
    def _prior(self) -> _Gaussian:
        return _Gaussian(self.mean, self.std, *self._ends(), self.log)

    def _ends(self) -> tuple[float, float]:
        """The ends on the scale where the distribution is normal."""
        low, high = self.low, self.high
        if self.log:
            require(high is None or high > 0, "Normal on the log scale needs high > 0", high=high)
            low = None if low is None or low <= 0 else math.log(low)
            high = None if high is None else math.log(high)
        return -math.inf if low is None else low, math.inf if high is None else high

    @cached_property
    def _grid(self) -> _Grid | None:
        if self.step is None:
            return None
        low, high = (float(self._prior.quantile(u)) for u in (TAIL, 1 - TAIL))
        low = low if self.low is None else max(low, self.low)
        high = high if self.high is None else min(high, self.high)
        first, last = math.ceil(low / self.step - SLACK), math.floor(high / self.step + SLACK)
        if self.log and self.low is None:
            first = 0  # what is far below a step rounds to nothing
        return _Grid(first * self.step, self.step, last - first + 1)

    def encode(self, value: object) -> float:
        """Place of `value` in [0, 1].

        Raises:
            ValueError: If `value` is no number of the domain.
        """
        low = -math.inf if self.low is None else self.low
        high = math.inf if self.high is None else self.high
        if not (is_finite(value) and low <= value <= high):
            raise ValueError(f"Normal needs a number in [{low}, {high}], got {value=}")
        if self.log and self._grid is None:
            require_positive("Normal on the log scale", value=value)
        _require_on_grid("Normal", self._grid, value)
        return self._place(value)

    def decode(self, u: float) -> float:
        """The number at place `u` of [0, 1]."""
        return self._at(u)


@dataclass(frozen=True)
class Choice:
    """A finite list of values, equally likely unless weighted.

    Attributes:
        values: Distinct JSON values, for example ``("sgd", "adam")`` or ``(16, 32, 64)``; in a
            `Box` also spaces and domains, of which one is then used.
        weights: Probabilities of the values, up to a common factor; None for equal ones.
        ordered: Whether neighbours in the list are similar.

    Raises:
        ValueError: If there are no values, two are equal, or a weight is not positive.

    Examples:
        >>> Choice((16, 32, 64)).decode(0.99)
        64
    """

    values: tuple[Any, ...]
    weights: tuple[float, ...] | None = None
    ordered: bool = False

    def __post_init__(self) -> None:
        """Check the values."""
        object.__setattr__(self, "values", tuple(self.values))
        plain = [value for value in self.values if not hasattr(value, "decode")]
        check_config("Choice", {"values": plain})
        distinct = len(self.values) > 0 and all(
            self._index(value) == place for place, value in enumerate(self.values)
        )
        require(distinct, "Choice needs distinct values", values=self.values)
        if self.weights is not None:
            object.__setattr__(self, "weights", tuple(self.weights))
            fits = len(self.weights) == len(self.values)
            require(fits, "Choice needs one weight a value", weights=self.weights)
            for weight in self.weights:
                require_positive("Choice", weight=weight)

    @property
    def levels(self) -> int:
        """Number of values."""
        return len(self.values)

    def encode(self, value: object) -> float:
        """Middle of the cell of `value`.

        Raises:
            ValueError: If `value` is none of them.
        """
        index = self._index(value)
        require(index >= 0, f"Choice needs one of {self.values}", value=value)
        low, high = self.edges(index)
        return float(low + high) / 2

    def decode(self, u: float) -> Any:
        """The value at place `u` of [0, 1]."""
        require(0 <= u <= 1, "Choice decodes places in [0, 1]", u=u)
        return self.values[int(self.codes(u))]

    def codes(self, u: ArrayLike) -> Codes:
        """Index of the value at each place."""
        found = np.searchsorted(self._ends(), np.asarray(u, float), side="right")
        return np.minimum(found, self.levels - 1).astype(np.intp)

    def edges(self, codes: ArrayLike) -> tuple[Vector, Vector]:
        """Lower and upper ends of the cells of values, by their indices."""
        ends, k = np.append(0.0, self._ends()), np.asarray(codes, np.intp)
        return ends[k], ends[k + 1]

    def _ends(self) -> Vector:
        weights = np.ones(self.levels) if self.weights is None else np.asarray(self.weights)
        return np.asarray(np.cumsum(weights / weights.sum()))

    def _index(self, value: object) -> int:
        # True == 1 to Python, but they are different settings.
        same = (type(own) is type(value) and own == value for own in self.values)
        return next((place for place, equal in enumerate(same) if equal), -1)


@dataclass(frozen=True)
class Fixed:
    """A value that is not searched, but belongs to every configuration.

    Attributes:
        value: A JSON value.
    """

    value: Any

    def __post_init__(self) -> None:
        """Check the value."""
        check_config("Fixed", {"value": self.value})


def _widened(grid: _Grid, *, log: bool) -> _Uniform:
    """The prior that gives the first and the last value of a grid a cell like the others."""
    first, last, half = grid.value(0), grid.value(grid.count - 1), grid.step / 2
    return _Uniform(max(first - half, first / 2) if log else first - half, last + half, log)


def _require_on_grid(where: str, grid: _Grid | None, value: float) -> None:
    if grid is not None and grid.code(value) < 0:
        of = f"{grid.value(0):g}, {grid.value(1):g}, ..." if grid.count > 1 else f"{grid.start:g}"
        raise ValueError(f"{where} needs one of {of}, got {value=}")
