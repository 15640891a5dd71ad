"""Search spaces: a map between configurations and the unit cube, conditional parameters included.

A `Box` is written as a tree: names to domains, to further boxes, to lists, and to parameters that
exist only `When` another one has a certain value. It is read as a flat tuple of axes, one for each
coordinate of the cube. A coordinate that does not count under a condition stays in the cube, so
that all points have the same length; it is put to `UNUSED` whenever points are compared.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hpcourse._check import require, require_count
from hpcourse.search.domains import Choice, Domain, Fixed, Integer, Normal, Real
from hpcourse.search.trial import Config

__all__ = ["Axis", "Box", "List", "Matrix", "Space", "Unit", "When"]

Unit = NDArray[np.float64]  # (dimension,), in [0, 1]
Matrix = NDArray[np.float64]  # (points, dimension)

UNUSED = 0.5
"""Where a coordinate lies that does not count."""


@dataclass(frozen=True)
class Axis:
    """One coordinate of the cube.

    Attributes:
        name: Path of the parameter, such as ``"optimizer.momentum"`` or ``"units[2]"``.
        domain: Its values.
        conditions: Axes and the numbers of their separate values under which this one counts; all
            have to hold. Empty where it always counts.
    """

    name: str
    domain: Domain
    conditions: tuple[tuple[int, frozenset[int]], ...] = ()


class Space(Protocol):
    """A map to and from the unit cube, under which configurations are drawn uniformly."""

    @property
    def dimension(self) -> int:
        """Number of coordinates."""
        ...

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The coordinates; an axis comes after those that it depends on."""
        ...

    def decode(self, u: Unit) -> Config:
        """The configuration at a point (dimension,) of the cube."""
        ...

    def encode(self, config: Config) -> Unit:
        """The point (dimension,) of a configuration; `decode` gives the same one back.

        Separate values lie in the middle of their cells, coordinates that do not count at
        `UNUSED`.

        Raises:
            ValueError: Quoting the name and the value of what does not belong to the space.
        """
        ...


@dataclass(frozen=True)
class When:
    """A parameter that exists only where another one has one of certain values.

    Attributes:
        name: The other parameter, which comes before in the same box; its values are separate.
        values: One value, or a tuple of values.
        parameter: What then exists.

    Examples:
        >>> box = Box({"optimizer": Choice(("sgd", "adam")),
        ...            "momentum": When("optimizer", "sgd", Real(0.0, 0.99))})
        >>> box.decode(np.array([0.9, 0.5]))
        {'optimizer': 'adam'}
    """

    name: str
    values: Any
    parameter: "Parameter"


@dataclass(frozen=True)
class List:
    """A list of parameters, all of one kind.

    Attributes:
        item: What each entry is.
        length: A number of entries, or the name of an integer that comes before in the same box.

    Examples:
        >>> box = Box({"layers": Integer(1, 3), "units": List(Choice((16, 32)), "layers")})
        >>> box.decode(np.array([0.5, 0.1, 0.9, 0.5]))
        {'layers': 2, 'units': [16, 32]}
    """

    item: "Parameter"
    length: int | str


Parameter = Any  # Real | Integer | Choice | Normal | Fixed | When | List | Box | a Mapping of these


class Box:
    """A space of named parameters.

    Args:
        parameters: Name to `Real`, `Integer`, `Normal`, `Choice`, `Fixed`, `List`, `When` or a
            further `Box`. The values of a `Choice` may themselves be any of these; one is then
            used.

    Raises:
        ValueError: Quoting the name of a parameter that is no parameter, or whose condition does
            not name an earlier one with these values.

    Examples:
        >>> box = Box({"lr": Real(1e-4, 1e-1, log=True), "batch": Choice((16, 32, 64))})
        >>> box.dimension, {k: round(v, 6) for k, v in box.decode(np.array([0.5, 0.5])).items()}
        (2, {'lr': 0.003162, 'batch': 32})
        >>> box.encode({"lr": 0.1, "batch": 64}).round(3).tolist()
        [1.0, 0.833]
    """

    def __init__(self, parameters: Mapping[str, Parameter]) -> None:
        require(
            isinstance(parameters, Mapping) and len(parameters) > 0,
            "Box needs a mapping of names to parameters",
            parameters=parameters,
        )
        self.parameters = dict(parameters)
        axes: list[Axis] = []
        self._root = _box(self.parameters, _Place("", (), axes))
        self.axes = tuple(axes)

    def __repr__(self) -> str:
        return f"Box({self.parameters!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Box) and self.parameters == other.parameters

    __hash__ = None  # type: ignore[assignment]  # holds a dict

    @property
    def dimension(self) -> int:
        """Number of coordinates."""
        return len(self.axes)

    def decode(self, u: Unit) -> dict[str, Any]:
        """The configuration at a point (dimension,) of the cube.

        Raises:
            ValueError: If `u` has another shape or lies outside of the cube.
        """
        point = np.asarray(u, float)
        require(point.shape == (self.dimension,), "Box decodes points", shape=point.shape)
        found: dict[str, Any] = self._root.decode(point)
        return found

    def encode(self, config: Config) -> Unit:
        """The point (dimension,) of a configuration.

        Raises:
            ValueError: Quoting the name and the value of what does not belong to the space.
        """
        u = np.full(self.dimension, UNUSED)
        self._root.encode(config, u)
        return u


@dataclass(frozen=True)
class _Place:
    """Where in the tree a parameter stands while it is read."""

    path: str
    conditions: tuple[tuple[int, frozenset[int]], ...]
    axes: list[Axis]

    def add(self, domain: Domain) -> int:
        self.axes.append(Axis(self.path, domain, self.conditions))
        return len(self.axes) - 1

    def inside(self, path: str) -> "_Place":
        return _Place(path, self.conditions, self.axes)

    def under(self, axis: int, codes: frozenset[int]) -> "_Place":
        return _Place(self.path, (*self.conditions, (axis, codes)), self.axes)


class _Node(Protocol):
    """A parameter that knows its coordinates."""

    def decode(self, u: Unit) -> Any: ...

    def encode(self, value: Any, u: Unit) -> None: ...


@dataclass(frozen=True)
class _Leaf:
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
class _Constant:
    """A parameter without a choice."""

    value: Any
    path: str

    def decode(self, u: Unit) -> Any:
        return self.value

    def encode(self, value: Any, u: Unit) -> None:
        same = type(value) is type(self.value) and value == self.value
        require(same, f"{self.path!r}: Fixed needs {self.value!r}", value=value)


@dataclass(frozen=True)
class _Branch:
    """A choice between parameters."""

    axis: int
    choice: Domain
    branches: tuple[_Node, ...]
    path: str

    def decode(self, u: Unit) -> Any:
        return self.branches[int(self.choice.codes(u[self.axis]))].decode(u)

    def encode(self, value: Any, u: Unit) -> None:
        for code, branch in enumerate(self.branches):
            trial = u.copy()
            try:
                branch.encode(value, trial)
            except ValueError:
                continue
            u[:] = trial
            u[self.axis] = sum(self.choice.edges(code)) / 2
            return
        raise ValueError(f"{self.path!r}: no branch of the choice holds {value=}")


@dataclass(frozen=True)
class _Sequence:
    """A list, as long as an integer says or always the same."""

    items: tuple[_Node, ...]
    length: _Leaf | None
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
class _Named:
    """A box; names whose condition does not hold are left out."""

    members: dict[str, tuple[_Node, "_Condition | None"]]
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

    def _present(self, u: Unit) -> Iterator[tuple[str, _Node]]:
        for name, (node, condition) in self.members.items():
            if condition is None or condition.holds(u):
                yield name, node


@dataclass(frozen=True)
class _Condition:
    """Whether a coordinate has one of certain separate values, and itself counts."""

    axis: int
    domain: Domain
    codes: frozenset[int]
    before: "_Condition | None"

    def holds(self, u: Unit) -> bool:
        outer = self.before is None or self.before.holds(u)
        return outer and int(self.domain.codes(u[self.axis])) in self.codes


def _node(parameter: Parameter, place: _Place, box: Mapping[str, Any]) -> _Node:
    """A parameter as a node; `box` are the earlier members of the box that it stands in."""
    if isinstance(parameter, Box):
        return _box(parameter.parameters, place)
    if isinstance(parameter, Fixed):
        return _Constant(parameter.value, place.path)
    if isinstance(parameter, List):
        return _list(parameter, place, box)
    if isinstance(parameter, Choice) and any(map(_is_parameter, parameter.values)):
        return _choice(parameter, place, box)
    if isinstance(parameter, Real | Integer | Normal | Choice):
        return _Leaf(place.add(parameter), parameter, place.path)
    raise ValueError(f"Box needs a parameter as {place.path!r}, got {parameter!r}")


def _is_parameter(value: object) -> bool:
    return isinstance(value, Real | Integer | Normal | Choice | Fixed | List | Box)


def _box(parameters: Mapping[str, Parameter], place: _Place) -> _Named:
    members: dict[str, tuple[_Node, _Condition | None]] = {}
    for name, given in parameters.items():
        path = f"{place.path}.{name}" if place.path else name
        require(isinstance(name, str) and bool(name), "Box needs names", name=name)
        parameter, condition, inside = given, None, place.inside(path)
        while isinstance(parameter, When):
            condition = _condition(parameter, path, members, condition)
            inside = inside.under(condition.axis, condition.codes)
            parameter = parameter.parameter
        members[name] = _node(parameter, inside, members), condition
    return _Named(members, place.path)


def _condition(
    when: When, path: str, members: Mapping[str, Any], before: _Condition | None
) -> _Condition:
    require(when.name in members, f"{path!r} needs a condition on an earlier name", name=when.name)
    node, outer = members[when.name]
    separate = isinstance(node, _Leaf) and node.domain.levels > 0
    require(separate, f"{path!r} needs a condition on separate values", name=when.name)
    values = when.values if isinstance(when.values, tuple) else (when.values,)
    try:
        places = [node.domain.encode(value) for value in values]
    except ValueError as error:
        raise ValueError(f"{path!r} depends on {when.name!r}: {error}") from None
    codes = frozenset(int(code) for code in node.domain.codes(places))
    return _Condition(node.axis, node.domain, codes, _both(outer, before))


def _both(first: _Condition | None, second: _Condition | None) -> _Condition | None:
    """A condition that holds where two do."""
    if first is None or second is None:
        return first or second
    return _Condition(first.axis, first.domain, first.codes, _both(first.before, second))


def _choice(choice: Choice, place: _Place, box: Mapping[str, Any]) -> _Branch:
    # The coordinate holds which branch it is; what the branches are stands in the tree.
    which = Choice(tuple(range(choice.levels)), choice.weights, choice.ordered)
    axis = place.add(which)
    branches = []
    for code, value in enumerate(choice.values):
        parameter = value if _is_parameter(value) else Fixed(value)
        branches.append(_node(parameter, place.under(axis, frozenset({code})), box))
    return _Branch(axis, which, tuple(branches), place.path)


def _list(given: List, place: _Place, box: Mapping[str, Any]) -> _Sequence:
    length: _Leaf | None = None
    if isinstance(given.length, str):
        node = box.get(given.length, (None, None))[0]
        counts = isinstance(node, _Leaf) and isinstance(node.domain, Integer)
        require(counts, f"{place.path!r} needs an earlier integer as length", length=given.length)
        length = node
        most = node.domain.high
        require(node.domain.low >= 0, f"{place.path!r} needs a length >= 0", low=node.domain.low)
    else:
        require_count(f"List {place.path!r}", length=given.length)
        most = given.length
    items = []
    for position in range(most):
        inside = place.inside(f"{place.path}[{position}]")
        if length is not None:
            inside = inside.under(length.axis, _longer(length.domain, position))
        items.append(_node(given.item, inside, box))
    return _Sequence(tuple(items), length, place.path)


def _longer(domain: Domain, position: int) -> frozenset[int]:
    """Numbers of the lengths that have an entry at a position."""
    ends = domain.edges(np.arange(domain.levels))
    middles = (ends[0] + ends[1]) / 2
    return frozenset(k for k, u in enumerate(middles) if domain.decode(float(u)) > position)


def active(axes: Sequence[Axis], points: Matrix) -> NDArray[np.bool_]:
    """Which coordinates count; (points, dimension)."""
    counts = np.ones(points.shape, dtype=bool)
    for column, axis in enumerate(axes):
        for other, codes in axis.conditions:
            found = axes[other].domain.codes(points[:, other])
            counts[:, column] &= counts[:, other] & np.isin(found, list(codes))
    return counts


def canonical(axes: Sequence[Axis], points: Matrix) -> Matrix:
    """Points where separate values lie in the middle of their cells, what does not count unused.

    Two points are the same configuration if these are equal.
    """
    result = points.copy()
    for column, axis in enumerate(axes):
        if axis.domain.levels:
            low, high = axis.domain.edges(axis.domain.codes(points[:, column]))
            result[:, column] = (low + high) / 2
    result[~active(axes, points)] = UNUSED
    return result
