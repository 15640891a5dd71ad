"""How the values of a hyperparameter lie on the unit interval."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcourse._check import is_finite, require, require_finite, require_positive
from hpcourse.search.trial import Config, check_config


@dataclass(frozen=True)
class Interval:
    """Numbers from `low` to `high`, equally likely, or so on the log scale.

    Attributes:
        low: Lower end.
        high: Upper end, above `low`.
        log: Whether equal ratios, not equal differences, are equally likely; needs ``low > 0``.

    Raises:
        ValueError: If the ends are not finite and ordered, or not positive on the log scale.

    Examples:
        >>> round(Interval(1e-4, 1e-2, log=True).encode(1e-3), 9)
        0.5
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        """Check the ends."""
        require_finite("Interval", low=self.low, high=self.high)
        if self.log:
            require_positive("Interval on the log scale", low=self.low)
        require(self.low < self.high, "Interval needs low < high", low=self.low, high=self.high)

    @property
    def levels(self) -> int:
        """Number of codes; zero, for the values are continuous."""
        return 0

    def encode(self, value: object) -> float:
        """Place of `value` in [0, 1].

        Raises:
            ValueError: If `value` is no number between the ends.
        """
        if is_finite(value) and self.low <= value <= self.high:
            low, high = self._scale(self.low), self._scale(self.high)
            return (self._scale(value) - low) / (high - low)
        raise ValueError(f"Interval needs a number in [{self.low}, {self.high}], got {value=}")

    def decode(self, u: float) -> float:
        """The value at place `u` of [0, 1]."""
        low, high = self._scale(self.low), self._scale(self.high)
        at = low + u * (high - low)
        return math.exp(at) if self.log else at

    def _scale(self, value: float) -> float:
        return math.log(value) if self.log else value


@dataclass(frozen=True)
class Options:
    """A finite list of values, equally likely, in any order.

    Attributes:
        values: Distinct JSON values, for example ``("sgd", "adam")`` or ``(16, 32, 64)``.

    Raises:
        ValueError: If there are none, or two are equal.

    Examples:
        >>> Options((16, 32, 64)).encode(64)
        2.0
    """

    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        """Check the values."""
        check_config("Options", {"values": list(self.values)})
        distinct = len(self.values) > 0 and all(
            self._index(value) == place for place, value in enumerate(self.values)
        )
        require(distinct, "Options needs distinct values", values=self.values)

    @property
    def levels(self) -> int:
        """Number of values."""
        return len(self.values)

    def encode(self, value: object) -> float:
        """Index of `value`.

        Raises:
            ValueError: If `value` is none of them.
        """
        index = self._index(value)
        require(index >= 0, f"Options needs one of {self.values}", value=value)
        return float(index)

    def decode(self, code: float) -> Any:
        """The value of index `code`."""
        return self.values[int(code)]

    def _index(self, value: object) -> int:
        # True == 1 to Python, but they are different settings.
        same = (type(own) is type(value) and own == value for own in self.values)
        return next((place for place, equal in enumerate(same) if equal), -1)


Axis = Interval | Options


def encode(configs: Sequence[Config], axes: Mapping[str, Axis]) -> NDArray[np.float64]:
    """The configurations as rows, one column an axis in the order of `axes`; (n, dimension).

    Raises:
        ValueError: Naming the configuration and the hyperparameter that is missing or outside.
    """
    points = np.empty((len(configs), len(axes)))
    for row, config in enumerate(configs):
        for column, (name, axis) in enumerate(axes.items()):
            require(
                name in config, f"configs[{row}] needs a value of {name!r}", config=dict(config)
            )
            try:
                points[row, column] = axis.encode(config[name])
            except ValueError as error:
                raise ValueError(f"configs[{row}][{name!r}]: {error}") from None
    return points
