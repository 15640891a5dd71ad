"""Spaces as hyperopt's graphs, and hyperopt's graphs as spaces."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from hyperopt import hp, pyll
from hyperopt.pyll import scope

from hpcourse.interop._axes import FlatSpace, labels, middle, walk
from hpcourse.search import Axis, Choice, Config, Integer, Normal, Real, Space
from hpcourse.search.domains import Domain

__all__ = ["config_of", "label_space", "plain", "to_hyperopt"]

_Path = tuple[tuple[str, int], ...]  # labels of choices and the number of what was chosen


def to_hyperopt(space: Space) -> pyll.Apply:
    """A space of ours as a graph for hyperopt's ``fmin``.

    The objective gets our configuration: values, conditional parameters only where they count.
    What others depend on is an ``hp.choice``. What hyperopt cannot draw, such as a normal number
    between ends or one on a grid, is drawn as its quantile, so that its prior is kept.

    Args:
        space: A space; its axes' names become the labels.

    Examples:
        >>> from hyperopt import space_eval
        >>> from hpcourse.search import Box
        >>> space_eval(to_hyperopt(Box({"lr": Real(0.0, 1.0)})), {"lr": 0.25})
        {'lr': 0.25}
    """
    names, parents = labels(space), _parents(space)
    drawn: list[Any] = []
    for column, axis in enumerate(space.axes):
        node = _node(names[column], axis.domain, column in parents)
        # Under each condition a switch over the index of what the parameter depends on.
        inside = node
        for other, codes in reversed(axis.conditions):
            index = _parent_index(drawn[other])
            levels = space.axes[other].domain.levels
            inside = scope.switch(index, *(inside if k in codes else None for k in range(levels)))
        drawn.append((node, inside))
    return scope.hpcourse_config(pyll.as_apply(_Held(space)), *(inside for _, inside in drawn))


def _parent_index(drawn: tuple[Any, Any]) -> Any:
    """The index that an ``hp.choice`` draws."""
    return drawn[0].pos_args[0]


class _Held:
    """Keeps hyperopt from taking a space apart."""

    def __init__(self, space: Space) -> None:
        self.space = space


@scope.define  # type: ignore[untyped-decorator, unused-ignore]
def hpcourse_config(held: Any, *drawn: Any) -> Config:
    """The configuration of what hyperopt drew for each axis; None where an axis does not count."""
    return config_of(held.space, dict(enumerate(drawn)))


def config_of(space: Space, drawn: Mapping[int, Any]) -> Config:
    """The configuration of what was drawn for the axes that count, by number."""
    parents = _parents(space)

    def place(column: int) -> float:
        domain = space.axes[column].domain
        return _encoder(domain, column in parents)(drawn[column])

    return space.decode(walk(space, place))


def label_space(graph: object) -> FlatSpace:
    """The labels of a graph of hyperopt as a space: a configuration is what hyperopt draws.

    Args:
        graph: The `space` of a program that uses hyperopt.

    Raises:
        ValueError: If a label has a distribution that is none of hyperopt's.
    """
    expression = pyll.as_apply(graph)
    found: dict[str, tuple[Any, set[_Path]]] = {}
    _collect(expression, (), found)
    indices = {_label(node.inputs()[0]) for node in pyll.dfs(expression) if _is_choice(node)}
    # All that a parameter depends on is in its paths, so that a parent's are shorter.
    labels = sorted(found, key=lambda label: max(map(len, found[label][1])))
    column = {label: place for place, label in enumerate(labels)}
    domains = [_domain(label, found[label][0], label in indices) for label in labels]
    return FlatSpace(
        [
            Axis(label, domain, _conditions(found[label][1], column, domains))
            for label, domain in zip(labels, domains, strict=True)
        ]
    )


def plain(value: Any) -> Any:
    """A value without NumPy's types, inside lists and dicts too; tuples become lists."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def _parents(space: Space) -> frozenset[int]:
    """Axes that others depend on."""
    return frozenset(other for axis in space.axes for other, _ in axis.conditions)


def _is_native(domain: Domain) -> bool:
    """Whether hyperopt draws the same distribution."""
    if isinstance(domain, Integer):
        return not domain.log and domain.step == 1
    if isinstance(domain, Normal):
        return domain.low is None and domain.high is None and domain.step is None
    return isinstance(domain, Real) and domain.step is None


def _is_index(domain: Domain, parent: bool) -> bool:
    """Whether hyperopt draws the number of a value: it knows no order of them."""
    return parent or (isinstance(domain, Choice) and not domain.ordered)


def _node(label: str, domain: Any, parent: bool) -> Any:
    """What draws an axis."""
    if _is_index(domain, parent):
        return _index(label, domain)
    if not _is_native(domain):
        return hp.uniform(label, 0.0, 1.0)
    if isinstance(domain, Normal):
        return (hp.lognormal if domain.log else hp.normal)(label, domain.mean, domain.std)
    if isinstance(domain, Integer):
        return hp.uniformint(label, domain.low, domain.high)
    if domain.log:
        return hp.loguniform(label, math.log(domain.low), math.log(domain.high))
    return hp.uniform(label, domain.low, domain.high)


def _index(label: str, domain: Domain) -> Any:
    """The number of a value, as likely as the value."""
    low, high = domain.edges(np.arange(domain.levels))
    likely = (high - low).tolist()
    if max(likely) - min(likely) < 1e-12:
        return hp.choice(label, list(range(domain.levels)))
    return hp.pchoice(label, list(zip(likely, range(domain.levels), strict=True)))


def _encoder(domain: Any, parent: bool) -> Callable[[Any], float]:
    """What takes the value that `_node` draws to its place."""
    if _is_index(domain, parent):
        return lambda drawn: middle(Axis("", domain), int(drawn))
    if not _is_native(domain):
        return float
    if isinstance(domain, Real):
        # Rounding of exp(log(high)) may fall outside.
        return lambda drawn: float(domain.encode(min(max(drawn, domain.low), domain.high)))
    return lambda drawn: float(domain.encode(drawn))


def _domain(label: str, node: Any, index: bool) -> Domain:
    """Our domain of a distribution of hyperopt."""
    given = {
        name: pyll.rec_eval(value)
        for name, value in node.arg.items()
        if isinstance(value, pyll.Apply)
    }
    kind, q = node.name, given.get("q")
    if kind == "categorical":
        return Choice(tuple(range(len(given["p"]))), weights=tuple(map(float, given["p"])))
    if kind == "randint":
        low, high = given["low"], given.get("high")
        first, last = (0, low - 1) if high is None else (low, high - 1)
        ends = int(first), int(last)
        return Choice(tuple(range(ends[0], ends[1] + 1))) if index else Integer(*ends)
    if kind.endswith("normal"):
        step = None if q is None else float(q)
        return Normal(float(given["mu"]), float(given["sigma"]), log="log" in kind, step=step)
    if not kind.endswith("uniform"):
        raise ValueError(f"label {label!r} needs a distribution of hyperopt's, got {kind}")
    return _uniform(float(given["low"]), float(given["high"]), q, "log" in kind)


def _uniform(low: float, high: float, q: float | None, log: bool) -> Domain:
    low, high = (math.exp(low), math.exp(high)) if log else (low, high)
    if q is None:
        return Real(low, high, log=log)
    # Hyperopt rounds to multiples of q. Zero, which it may reach, is left out on the log scale.
    first, last = round(low / q) * q, round(high / q) * q
    first = max(first, q) if log else first
    return Real(first, last, log=log, step=q) if first < last else Choice((float(first),))


def _collect(node: Any, path: _Path, found: dict[str, tuple[Any, set[_Path]]]) -> None:
    """Distribution of each label below a node, and the choices that lead to it."""
    if _is_choice(node):
        index, *options = node.inputs()
        _collect(index, path, found)
        for number, option in enumerate(options):
            _collect(option, (*path, (_label(index), number)), found)
    elif node.name == "hyperopt_param":
        found.setdefault(_label(node), (node.arg["obj"], set()))[1].add(path)
    else:
        for each in node.inputs():
            _collect(each, path, found)


def _is_choice(node: Any) -> bool:
    """Whether a node is an ``hp.choice``, not a switch over something computed."""
    return bool(node.name == "switch" and node.inputs()[0].name == "hyperopt_param")


def _label(node: Any) -> str:
    return str(node.arg["label"].obj)


def _conditions(
    paths: set[_Path], column: Mapping[str, int], domains: Sequence[Domain]
) -> tuple[tuple[int, frozenset[int]], ...]:
    """Conditions of an axis; where several paths lead to it, it counts if one of them may."""
    shared = set.intersection(*({name for name, _ in path} for path in paths))
    found = []
    for number in sorted(column[name] for name in shared):
        codes = frozenset(k for path in paths for name, k in path if column[name] == number)
        if len(codes) < domains[number].levels:
            found.append((number, codes))
    return tuple(found)
