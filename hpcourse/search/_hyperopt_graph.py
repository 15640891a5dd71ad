"""Spaces of hyperopt as boxes, read from its graphs without hyperopt itself.

A graph is made of nodes with a `name`, `pos_args` and `named_args`; a literal has its value as
`obj`. A hyperparameter is a node ``hyperopt_param(label, distribution)``, within ``float`` or
``int``; a choice is a ``switch`` on one. Only these are read: what else a graph computes has no
place in a space of independent hyperparameters.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import exp
from typing import Any

from hpcourse._check import require
from hpcourse.search.domains import Choice, Fixed, Integer, Normal, Parameter, Real, Rounded, same
from hpcourse.search.space import Box, List

__all__ = ["read"]

_Branches = Mapping[str, int]  # label of a choice and the number of the branch in which one is


def read(space: object) -> Mapping[str, Parameter]:
    """The parameters of a box from a hyperopt space: a dict, a list or a single expression.

    Raises:
        ValueError: Quoting what has no place in a box.
    """
    top = _plain(space)
    found = _Reader().read(top, {}, "")
    if isinstance(found, Box):
        return found.parameters
    if isinstance(found, Fixed) and isinstance(found.value, dict):
        return {name: Fixed(value) for name, value in found.value.items()}
    if isinstance(top, list):
        entries = found.item if isinstance(found, List) else (found,)
        return {_label(node): own for node, own in zip(top, entries, strict=True)}  # type: ignore[arg-type]
    return {_label(top): found}


@dataclass
class _Reader:
    """Reads a graph, and remembers where each label stood."""

    seen: dict[str, list[_Branches]] = field(default_factory=dict)

    def read(self, node: Any, inside: _Branches, path: str) -> Parameter:
        node = _plain(node)
        if isinstance(node, dict):
            parts = {
                name: self.read(own, inside, f"{path}.{name}" if path else str(name))
                for name, own in node.items()
            }
            return _box(parts)
        if isinstance(node, list):
            entries = [self.read(own, inside, f"{path}[{k}]") for k, own in enumerate(node)]
            return _entries(entries)
        if not _is_node(node):
            return _constant(node, path)
        if node.name == "switch":
            return self._choice(node, inside, path)
        return self._number(node, inside, path)

    def _choice(self, node: Any, inside: _Branches, path: str) -> Parameter:
        which, *options = node.pos_args
        label, drawn = _parameter(which, path)
        self._note(label, inside)
        if drawn.name == "categorical":
            weights = [float(_plain(p)) for p in _plain(_arguments(drawn, ("p",))["p"])]
        else:
            require(drawn.name == "randint", f"{label!r}: a choice by index", drawn=drawn.name)
            weights = [1.0] * len(options)
        found = [
            self.read(option, {**inside, label: k}, f"{path}<{k}>" if path else label)
            for k, option in enumerate(options)
        ]
        return _merged(found, weights)

    def _number(self, node: Any, inside: _Branches, path: str) -> Parameter:
        casts = []
        while node.name in ("int", "float"):
            casts.append(node.name)
            (node,) = node.pos_args
        label, drawn = _parameter(node, path)
        self._note(label, inside)
        return _domain(label, drawn, integer="int" in casts)

    def _note(self, label: str, inside: _Branches) -> None:
        """Refuse a label that counts at two places at once: hyperopt ties them to one value."""
        for other in self.seen.setdefault(label, []):
            apart = any(name in inside and inside[name] != k for name, k in other.items())
            require(apart, "from_hyperopt needs each label at one place at a time", label=label)
        self.seen[label].append(inside)


def _domain(label: str, drawn: Any, *, integer: bool) -> Parameter:
    """The domain of a distribution."""
    kind = drawn.name
    if kind == "randint":
        low, high = _numbers(label, drawn, ("low", "high"))
        return Integer(0, int(low) - 1) if high is None else Integer(int(low), int(high) - 1)
    names = ("mu", "sigma") if kind.endswith("normal") else ("low", "high")
    first, second, step = _numbers(label, drawn, (*names, "q"))
    quantised, log = kind.startswith("q"), kind.removeprefix("q").startswith("log")
    known = kind.removeprefix("q").removeprefix("log") in ("uniform", "normal")
    require(known, f"from_hyperopt knows no such distribution of {label!r}", distribution=kind)
    inner: Real | Normal
    if kind.endswith("normal"):
        inner = Normal(first, second, log=log)
    else:
        inner = Real(exp(first), exp(second), log=True) if log else Real(first, second)
    if not quantised:
        require(not integer, f"{label!r}: only a quantised number can be an integer", kind=kind)
        return inner
    whole = integer and float(step).is_integer()
    require(whole or not integer, f"{label!r}: an integer needs an integer step", q=step)
    return Rounded(inner, int(step) if whole else float(step), integer=integer)


def _merged(found: Sequence[Parameter], weights: Sequence[float]) -> Parameter:
    """A choice of options; equal ones become one, impossible ones none."""
    values: list[Any] = []
    sums: list[float] = []
    for parameter, weight in zip(found, weights, strict=True):
        value = parameter.value if isinstance(parameter, Fixed) else parameter
        place = next((k for k, own in enumerate(values) if same(own, value)), len(values))
        if place == len(values):
            values.append(value)
            sums.append(0.0)
        sums[place] += weight
    kept = [k for k, total in enumerate(sums) if total > 0]
    even = len({sums[k] for k in kept}) == 1
    chances = None if even else tuple(sums[k] for k in kept)
    return Choice(tuple(values[k] for k in kept), weights=chances)


def _box(parts: Mapping[str, Parameter]) -> Parameter:
    if all(isinstance(part, Fixed) for part in parts.values()):
        return Fixed({name: part.value for name, part in parts.items() if isinstance(part, Fixed)})
    return Box(parts)


def _entries(parts: Sequence[Parameter]) -> Parameter:
    if all(isinstance(part, Fixed) for part in parts):
        return Fixed([part.value for part in parts if isinstance(part, Fixed)])
    return List(tuple(parts))


def _constant(value: Any, path: str) -> Fixed:
    plain = value.item() if hasattr(value, "item") else value
    try:
        return Fixed(plain)
    except ValueError as error:
        raise ValueError(
            f"from_hyperopt needs JSON values, got {path or 'space'}={value!r}"
        ) from error


def _plain(node: Any) -> Any:
    """What a node stands for where it is a literal, a dict or a list; else the node."""
    if isinstance(node, tuple):
        return list(node)
    if not _is_node(node):
        return node
    if node.name == "literal":
        return node.obj
    if node.name == "dict":
        return dict(node.named_args)
    return list(node.pos_args) if node.name == "pos_args" else node


def _is_node(value: Any) -> bool:
    return hasattr(value, "pos_args") and hasattr(value, "named_args")


def _parameter(node: Any, path: str) -> tuple[str, Any]:
    """Label and distribution of a hyperparameter's node."""
    read_as = f"from_hyperopt reads hyperparameters, not what is computed, at {path or 'space'!r}"
    require(node.name == "hyperopt_param", read_as, expression=node.name)
    arguments = _arguments(node, ("label", "obj"))
    return str(_plain(arguments["label"])), arguments["obj"]


def _label(node: Any) -> str:
    """The label of a hyperparameter or choice that stands alone."""
    while node.name in ("int", "float", "switch"):
        node = node.pos_args[0]
    return _parameter(node, "")[0]


def _arguments(node: Any, names: Sequence[str]) -> dict[str, Any]:
    return {**dict(zip(names, node.pos_args, strict=False)), **dict(node.named_args)}


def _numbers(label: str, node: Any, names: Sequence[str]) -> list[Any]:
    """Arguments of a distribution; None where one is not given."""
    given = _arguments(node, names)
    values = [_plain(given[name]) if name in given else None for name in names]
    for name, value in zip(names, values, strict=True):
        require(not _is_node(value), f"from_hyperopt needs numbers for {label!r}", **{name: value})
    return values
