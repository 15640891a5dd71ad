"""The tree of a box: nodes that decode their coordinates, and encode values into them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hpcourse._check import require
from hpcourse.search.domains import Domain, middles, own_copy, same

Unit = NDArray[np.float64]  # (dimension,), in [0, 1]

UNUSED = 0.5
"""Where a coordinate lies that does not count."""


class Node(Protocol):
    """A parameter that knows its coordinates."""

    def decode(self, u: Unit) -> Any: ...

    def encode(self, value: Any, u: Unit) -> None: ...


@dataclass(frozen=True)
class Leaf:
    """A parameter of one coordinate."""

    axis: int
    domain: Domain
    path: str

    def decode(self, u: Unit) -> Any:
        return self.domain.decode(float(u[self.axis]))

    def encode(self, value: Any, u: Unit) -> None:
        try:
            u[self.axis] = self.domain.encode(value)
        except ValueError as error:
            raise ValueError(f"{self.path!r}: {error}") from None


@dataclass(frozen=True)
class Constant:
    """A parameter without a choice."""

    value: Any
    path: str

    def decode(self, u: Unit) -> Any:
        return own_copy(self.value)

    def encode(self, value: Any, u: Unit) -> None:
        fits = same(value, self.value)
        require(fits, f"{self.path!r}: Fixed needs {self.value!r}", value=value)


@dataclass(frozen=True)
class Branch:
    """A choice between parameters."""

    axis: int
    choice: Domain
    branches: tuple[Node, ...]
    path: str

    def decode(self, u: Unit) -> Any:
        return self.branches[int(self.choice.codes(u[self.axis]))].decode(u)

    def encode(self, value: Any, u: Unit) -> None:
        reasons = []
        for code, branch in enumerate(self.branches):
            trial = u.copy()
            try:
                branch.encode(value, trial)
            except ValueError as error:
                reasons.append(str(error))
                continue
            u[:] = trial
            u[self.axis] = float(middles(self.choice, code))
            return
        why = "; ".join(reasons)
        raise ValueError(f"{self.path!r}: no branch of the choice holds {value=} ({why})")


@dataclass(frozen=True)
class Entries:
    """A list, as long as an integer says or always the same."""

    items: tuple[Node, ...]
    length: Leaf | None
    path: str

    def decode(self, u: Unit) -> list[Any]:
        count = len(self.items) if self.length is None else self.length.decode(u)
        return [item.decode(u) for item in self.items[:count]]

    def encode(self, value: Any, u: Unit) -> None:
        count = len(self.items) if self.length is None else self.length.decode(u)
        fits = isinstance(value, list) and len(value) == count
        require(fits, f"{self.path!r}: needs a list of {count}", value=value)
        for item, own in zip(self.items, value, strict=False):
            item.encode(own, u)


@dataclass(frozen=True)
class Members:
    """A box; names whose condition does not hold are left out."""

    members: dict[str, tuple[Node, "Condition | None"]]
    path: str

    def decode(self, u: Unit) -> dict[str, Any]:
        return {name: node.decode(u) for name, node in self._present(u)}

    def encode(self, value: Any, u: Unit) -> None:
        where = self.path or "config"
        require(isinstance(value, Mapping), f"{where} needs a mapping", value=value)
        # A condition looks at coordinates that come before, which are set by then.
        present = []
        for name, node in self._present(u):
            require(name in value, f"{where} needs a value of {name!r}", config=dict(value))
            node.encode(value[name], u)
            present.append(name)
        for name in value:
            require(name in present, f"{where} has no {name!r} here", value=value[name])

    def _present(self, u: Unit) -> Iterator[tuple[str, Node]]:
        for name, (node, condition) in self.members.items():
            if condition is None or condition.holds(u):
                yield name, node


@dataclass(frozen=True)
class Condition:
    """Whether a coordinate has one of certain separate values, and itself counts."""

    axis: int
    domain: Domain
    codes: frozenset[int]
    before: "Condition | None"

    def holds(self, u: Unit) -> bool:
        outer = self.before is None or self.before.holds(u)
        return outer and int(self.domain.codes(u[self.axis])) in self.codes
