"""What values one hyperparameter can have, and how likely they are.

Each domain is a map to the unit interval under which its values are equally likely: a uniform draw
of [0, 1] decodes to a draw of the domain. A searcher that looks at the unit interval alone knows
the prior of every hyperparameter.

A domain of separate values gives each a cell of the unit interval, as wide as the value is likely.
"""

from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hpcourse._check import require, require_positive
from hpcourse.search._numbers import Integer, Normal, Parameter, Real, Rounded
from hpcourse.search._priors import middles
from hpcourse.search.trial import check_config

__all__ = [
    "Choice",
    "Domain",
    "Fixed",
    "Integer",
    "Normal",
    "Parameter",
    "Real",
    "Rounded",
    "middles",
]

Vector = NDArray[np.float64]
Codes = NDArray[np.intp]


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
class Choice(Parameter):
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
        plain = [value for value in self.values if not isinstance(value, Parameter)]
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
        return float(middles(self, index))

    def decode(self, u: float) -> Any:
        """The value at place `u` of [0, 1]."""
        require(0 <= u <= 1, "Choice decodes places in [0, 1]", u=u)
        return own_copy(self.values[int(self.codes(u))])

    def codes(self, u: ArrayLike) -> Codes:
        """Index of the value at each place."""
        found = np.searchsorted(self._ends[1:], np.asarray(u, float), side="right")
        return np.minimum(found, self.levels - 1).astype(np.intp)

    def edges(self, codes: ArrayLike) -> tuple[Vector, Vector]:
        """Lower and upper ends of the cells of values, by their indices."""
        k = np.asarray(codes, np.intp)
        return self._ends[k], self._ends[k + 1]

    @cached_property
    def _ends(self) -> Vector:
        """Ends of the cells (levels + 1,), from exactly 0 to exactly 1."""
        weights = np.ones(self.levels) if self.weights is None else np.asarray(self.weights, float)
        sums = np.append(0.0, np.cumsum(weights))
        return np.asarray(sums / sums[-1])

    def _index(self, value: object) -> int:
        return next((place for place, own in enumerate(self.values) if same(own, value)), -1)


@dataclass(frozen=True)
class Fixed(Parameter):
    """A value that is not searched, but belongs to every configuration.

    Attributes:
        value: A JSON value.
    """

    value: Any

    def __post_init__(self) -> None:
        """Check the value."""
        check_config("Fixed", {"value": self.value})


def same(one: object, other: object) -> bool:
    """Whether two JSON values, or two parameters, are the same setting.

    True and 1, or 1 and 1.0, are equal to Python, but different settings.
    """
    if type(one) is not type(other):
        return False
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    return one == other


def own_copy(value: Any) -> Any:
    """A JSON value that may be changed without harm to the domain it comes from."""
    return deepcopy(value) if isinstance(value, list | dict) else value
