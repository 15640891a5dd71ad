"""Our spaces as optuna's distributions."""

import json
from collections.abc import Mapping
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from hpcourse._check import require
from hpcourse.interop._axes import labels, middle, walk
from hpcourse.search import Axis, Box, Choice, Config, Fixed, Integer, Real, Space
from hpcourse.search.space import Unit

__all__ = [
    "box_of",
    "distribution",
    "draw",
    "param",
    "point_of",
    "suggest",
    "to_distributions",
]

PLAIN = (type(None), bool, int, float, str)
"""What optuna keeps as a category; other JSON values become their text."""


def to_distributions(space: Space) -> dict[str, BaseDistribution]:
    """Optuna's distributions of our axes, by name.

    What optuna cannot express is left out: weights of a choice, the order of an ordered one, and
    the bell of a `Normal`, of which its ends remain, or 8 standard deviations on each side.

    Examples:
        >>> from hpcourse.search import Integer
        >>> to_distributions(Box({"depth": Integer(1, 6)}))
        {'depth': IntDistribution(high=6, log=False, low=1, step=1)}
    """
    axes = zip(labels(space), space.axes, strict=True)
    return {label: distribution(axis) for label, axis in axes}


def suggest(trial: optuna.Trial, space: Space) -> Config:
    """Ask an optuna trial for all that counts of a space; the configuration.

    Args:
        trial: A running trial of optuna.
        space: A space of ours, conditional parameters included.

    Examples:
        >>> from optuna.trial import FixedTrial
        >>> suggest(FixedTrial({"lr": 0.25}), Box({"lr": Real(0.0, 1.0)}))
        {'lr': 0.25}
    """
    names = labels(space)

    def place(column: int) -> float:
        axis = space.axes[column]
        return _place(axis, draw(trial, names[column], distribution(axis)))

    return space.decode(walk(space, place))


def point_of(space: Space, params: Mapping[str, Any]) -> Unit:
    """The point (dimension,) of optuna's values.

    Raises:
        ValueError: If a value is missing or does not belong to the space.
    """
    names = labels(space)

    def place(column: int) -> float:
        require(names[column] in params, f"no {names[column]!r} in a trial", params=dict(params))
        return _place(space.axes[column], params[names[column]])

    return walk(space, place)


def box_of(distributions: Mapping[str, BaseDistribution]) -> Box:
    """Our space of optuna's distributions, categories as numbers.

    Raises:
        ValueError: If a distribution is none that optuna has today.
    """
    return Box({name: _domain(name, given) for name, given in distributions.items()})


def distribution(axis: Axis) -> BaseDistribution:
    """Optuna's distribution of the values of an axis."""
    domain: Any = axis.domain
    if isinstance(domain, Choice):
        return CategoricalDistribution([param(value) for value in domain.values])
    low, high = domain.decode(0.0), domain.decode(1.0)
    if isinstance(low, int):
        # Optuna has no steps on the log scale.
        log = isinstance(domain, Integer) and domain.log and domain.step == 1
        return IntDistribution(low, high, log=log, step=domain.step)
    if domain.levels:
        return FloatDistribution(low, high, step=domain.step)
    if isinstance(domain, Real):  # its ends as given; one that is decoded is rounded
        low, high = min(low, domain.low), max(high, domain.high)
    return FloatDistribution(low, high, log=domain.log)


def draw(trial: optuna.Trial, name: str, given: BaseDistribution) -> Any:
    """The value that a trial suggests of a distribution, by optuna's public methods."""
    if isinstance(given, FloatDistribution):
        return trial.suggest_float(name, given.low, given.high, step=given.step, log=given.log)
    if isinstance(given, IntDistribution):
        return trial.suggest_int(name, given.low, given.high, step=given.step, log=given.log)
    if not isinstance(given, CategoricalDistribution):
        raise ValueError(f"{name!r} needs a distribution of optuna, got {given!r}")
    return trial.suggest_categorical(name, given.choices)


def param(value: Any) -> Any:
    """A value as optuna keeps it."""
    return value if isinstance(value, PLAIN) else json.dumps(value)


def _place(axis: Axis, value: Any) -> float:
    domain = axis.domain
    if not isinstance(domain, Choice):
        return domain.encode(value)
    kept = [param(own) for own in domain.values]
    found = [k for k, own in enumerate(kept) if type(own) is type(value) and own == value]
    require(len(found) > 0, f"{axis.name!r} needs one of {kept}", value=value)
    return middle(axis, found[0])


def _domain(name: str, given: BaseDistribution) -> Real | Integer | Choice | Fixed:
    if isinstance(given, CategoricalDistribution):
        return Choice(tuple(range(len(given.choices))))
    if isinstance(given, IntDistribution):
        return Integer(given.low, given.high, log=given.log, step=given.step)
    if not isinstance(given, FloatDistribution):
        raise ValueError(f"{name!r} needs a distribution of optuna, got {given!r}")
    if given.single():
        return Fixed(given.low)
    return Real(given.low, given.high, log=given.log, step=given.step)
