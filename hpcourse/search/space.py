"""Search spaces: a map between configurations and the unit cube, conditional parameters included.

A `Box` is written as a tree: names to domains, to further boxes, to lists, and to parameters that
exist only `When` another one has a certain value. It is read as a flat tuple of axes, one for each
coordinate of the cube. A coordinate that does not count under a condition stays in the cube, so
that all points have the same length; it is put to `UNUSED` whenever points are compared.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from hpcourse._check import require, require_count
from hpcourse.search._nodes import (
    UNUSED,
    Branch,
    Condition,
    Constant,
    Entries,
    Leaf,
    Members,
    Node,
    Unit,
)
from hpcourse.search.domains import (
    Choice,
    Domain,
    Fixed,
    Integer,
    Normal,
    Parameter,
    Real,
    Rounded,
    middles,
)
from hpcourse.search.trial import Config

__all__ = ["UNUSED", "Axis", "Box", "List", "Matrix", "Space", "Unit", "When"]

Matrix = NDArray[np.float64]  # (points, dimension)


@dataclass(frozen=True)
class Axis:
    """One coordinate of the cube.

    Attributes:
        name: Path of the parameter, such as ``"optimizer.momentum"`` or ``"units[2]"``. Where
            alternatives have the same, they are numbered: ``"head.rate<0>"``, ``"head.rate<1>"``.
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
class When(Parameter):
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
    parameter: Parameter


@dataclass(frozen=True)
class List(Parameter):
    """A list of parameters, all of one kind or each of its own.

    Attributes:
        item: What each entry is; a tuple names the entries one by one.
        length: A number of entries, or the name of an integer that comes before in the same box;
            None for a tuple of entries.

    Examples:
        >>> box = Box({"layers": Integer(1, 3), "units": List(Choice((16, 32)), "layers")})
        >>> box.decode(np.array([0.5, 0.1, 0.9, 0.5]))
        {'layers': 2, 'units': [16, 32]}
    """

    item: Parameter | tuple[Parameter, ...]
    length: int | str | None = None


class Box(Parameter):
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
        self.axes = tuple(_named_apart(axes))

    @classmethod
    def from_hyperopt(cls, space: object) -> "Box":
        """The box of a hyperopt space, with its distributions and conditions.

        A configuration has the form in which hyperopt gives it to an objective; what stands alone
        or in a list at the top is called by its label. Quantised numbers become `Rounded`.

        Args:
            space: A dict, a list or a single expression of ``hp.choice``, ``hp.uniform``, ...

        Raises:
            ValueError: Quoting what is no hyperparameter and no JSON value, such as an arithmetic
                expression or a function, or a label that stands at two places at once.
        """
        from hpcourse.search._hyperopt_graph import read  # noqa: PLC0415  # it makes boxes

        return cls(read(space))

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


def _named_apart(axes: Sequence[Axis]) -> Iterator[Axis]:
    """The axes; those of one name, as alternatives may have them, are numbered."""
    often, seen = Counter(axis.name for axis in axes), Counter[str]()
    for axis in axes:
        number = seen[axis.name]
        seen[axis.name] += 1
        yield axis if often[axis.name] == 1 else replace(axis, name=f"{axis.name}<{number}>")


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


def _node(parameter: Parameter, place: _Place, box: Mapping[str, Any]) -> Node:
    """A parameter as a node; `box` are the earlier members of the box that it stands in."""
    if isinstance(parameter, Box):
        return _box(parameter.parameters, place)
    if isinstance(parameter, Fixed):
        return Constant(parameter.value, place.path)
    if isinstance(parameter, List):
        return _list(parameter, place, box)
    if isinstance(parameter, Choice) and _has_parameters(parameter):
        return _choice(parameter, place, box)
    if isinstance(parameter, Real | Integer | Normal | Rounded | Choice):
        return Leaf(place.add(parameter), parameter, place.path)
    raise ValueError(f"Box needs a parameter as {place.path!r}, got {parameter!r}")


def _has_parameters(choice: Choice) -> bool:
    return any(isinstance(value, Parameter) for value in choice.values)


def _box(parameters: Mapping[str, Parameter], place: _Place) -> Members:
    members: dict[str, tuple[Node, Condition | None]] = {}
    for name, given in parameters.items():
        path = f"{place.path}.{name}" if place.path else name
        require(isinstance(name, str) and bool(name), "Box needs names", name=name)
        parameter, condition, inside = given, None, place.inside(path)
        while isinstance(parameter, When):
            condition = _condition(parameter, path, members, condition)
            inside = inside.under(condition.axis, condition.codes)
            parameter = parameter.parameter
        for length in _lengths(parameter):  # a list exists only where its length does
            condition = _both(condition, members.get(length, (None, None))[1])
        members[name] = _node(parameter, inside, members), condition
    return Members(members, place.path)


def _condition(
    when: When, path: str, members: Mapping[str, Any], before: Condition | None
) -> Condition:
    require(when.name in members, f"{path!r} needs a condition on an earlier name", name=when.name)
    node, outer = members[when.name]
    separate = isinstance(node, Leaf) and node.domain.levels > 0
    require(separate, f"{path!r} needs a condition on separate values", name=when.name)
    values = when.values if isinstance(when.values, tuple) else (when.values,)
    try:
        places = [node.domain.encode(value) for value in values]
    except ValueError as error:
        raise ValueError(f"{path!r} depends on {when.name!r}: {error}") from None
    codes = frozenset(int(code) for code in node.domain.codes(places))
    return Condition(node.axis, node.domain, codes, _both(outer, before))


def _both(first: Condition | None, second: Condition | None) -> Condition | None:
    """A condition that holds where two do."""
    if first is None or second is None:
        return first or second
    return Condition(first.axis, first.domain, first.codes, _both(first.before, second))


def _choice(choice: Choice, place: _Place, box: Mapping[str, Any]) -> Branch:
    # The coordinate holds which branch it is; what the branches are stands in the tree.
    which = Choice(tuple(range(choice.levels)), choice.weights, choice.ordered)
    axis = place.add(which)
    branches = []
    for code, value in enumerate(choice.values):
        parameter = value if isinstance(value, Parameter) else Fixed(value)
        branches.append(_node(parameter, place.under(axis, frozenset({code})), box))
    return Branch(axis, which, tuple(branches), place.path)


def _lengths(parameter: Parameter) -> Iterator[str]:
    """Names of the lengths on which the lists of a member of a box depend."""
    if isinstance(parameter, List):
        if isinstance(parameter.length, str):
            yield parameter.length
        inner = parameter.item if isinstance(parameter.item, tuple) else (parameter.item,)
    else:
        inner = parameter.values if isinstance(parameter, Choice) else ()
    for part in inner:
        yield from _lengths(part)


def _list(given: List, place: _Place, box: Mapping[str, Any]) -> Entries:
    length = _length(given.length, place, box) if isinstance(given.length, str) else None
    if isinstance(given.item, tuple):
        require(given.length is None, f"List {place.path!r} of a tuple", length=given.length)
        require(len(given.item) > 0, f"List {place.path!r} needs entries", item=given.item)
        kinds = given.item
    elif length is None:
        require_count(f"List {place.path!r}", length=given.length)
        kinds = (given.item,) * cast("int", given.length)
    else:
        kinds = (given.item,) * cast("Integer", length.domain).high
    items = []
    for position, kind in enumerate(kinds):
        inside = place.inside(f"{place.path}[{position}]")
        if length is not None:
            inside = inside.under(length.axis, _longer(length.domain, position))
        items.append(_node(kind, inside, box))
    return Entries(tuple(items), length, place.path)


def _length(name: str, place: _Place, box: Mapping[str, Any]) -> Leaf:
    node = box.get(name, (None, None))[0]
    if not (isinstance(node, Leaf) and isinstance(node.domain, Integer)):
        raise ValueError(f"{place.path!r} needs an earlier integer as length, got length={name!r}")
    require(node.domain.low >= 0, f"{place.path!r} needs a length >= 0", low=node.domain.low)
    return node


def _longer(domain: Domain, position: int) -> frozenset[int]:
    """Numbers of the lengths that have an entry at a position."""
    lengths = [domain.decode(u) for u in middles(domain).tolist()]
    return frozenset(k for k, length in enumerate(lengths) if length > position)


def active(axes: Sequence[Axis], points: Matrix) -> NDArray[np.bool_]:
    """Which coordinates count; (points, dimension)."""
    counts = np.ones(points.shape, dtype=bool)
    for column, axis in enumerate(axes):
        for other, codes in axis.conditions:
            holds = np.zeros(axes[other].domain.levels, dtype=bool)
            holds[list(codes)] = True
            found = axes[other].domain.codes(points[:, other])
            counts[:, column] &= counts[:, other] & holds[found]
    return counts


def canonical(axes: Sequence[Axis], points: Matrix) -> Matrix:
    """Points where separate values lie in the middle of their cells, what does not count unused.

    Two points are the same configuration if these are equal.
    """
    result = points.copy()
    for column, axis in enumerate(axes):
        if axis.domain.levels:
            result[:, column] = middles(axis.domain, axis.domain.codes(points[:, column]))
    result[~active(axes, points)] = UNUSED
    return result
