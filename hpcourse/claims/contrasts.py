"""Contrasts: one value a seed, made of trained arms, compared with zero.

A claim that is no plain "this arm beats that one" is written as contrasts that are positive where
the claim is right. A contrast remembers the trained arms behind it and inherits their caveats.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from operator import sub

from hpcourse.claims.registry import Outcome

NO_DIFFERENCE = "no difference"
"""The reference of contrasts: zero for every seed."""


@dataclass(frozen=True, kw_only=True)
class Derived:
    """One value a seed, computed from trained arms.

    Attributes:
        values: The values.
        arms: The trained arms behind them, whose caveats they inherit.
    """

    values: Sequence[float]
    arms: Sequence[str]


def trained(outcome: Outcome, arm: str) -> Derived:
    """The metric of a trained arm."""
    return Derived(values=outcome.arms[arm], arms=(arm,))


def chosen(outcome: Outcome, names: Sequence[str]) -> Derived:
    """The metric of one trained arm a seed.

    Args:
        outcome: What was measured on the trained arms.
        names: The arm of each seed.
    """
    values = [outcome.arms[name][place] for place, name in enumerate(names)]
    return Derived(values=values, arms=tuple(dict.fromkeys(names)))


def combined(function: Callable[..., float], *parts: Derived) -> Derived:
    """A function of the parts' values, seed by seed.

    Examples:
        >>> loss = Derived(values=[1.0, 3.0], arms=("a",))
        >>> combined(lambda value: value / 2, loss).values
        [0.5, 1.5]
    """
    rows = zip(*(part.values for part in parts), strict=True)
    arms = dict.fromkeys(chain.from_iterable(part.arms for part in parts))
    return Derived(values=[function(*row) for row in rows], arms=tuple(arms))


def difference(one: Derived, other: Derived) -> Derived:
    """`one` minus `other`, seed by seed."""
    return combined(sub, one, other)


def plus(one: Derived, constant: float) -> Derived:
    """`one` with the same number, such as an allowance, added for every seed."""
    return combined(lambda value: value + constant, one)


def derived_outcome(
    outcome: Outcome, derived: Mapping[str, Derived], *, metric: str, keep: bool = False
) -> Outcome:
    """The outcome with derived arms, and the trained ones among the measures.

    Args:
        outcome: What was measured on the trained arms.
        derived: The derived arms by name.
        metric: Name under which the trained arms' metric is kept.
        keep: Whether the trained arms stay arms; else `NO_DIFFERENCE` is the only other one.
    """
    others = outcome.arms if keep else {NO_DIFFERENCE: [0.0] * len(outcome.seeds)}
    behind = {arm: (arm,) for arm in others if arm in outcome.arms}
    return replace(
        outcome,
        arms={**{name: list(d.values) for name, d in derived.items()}, **others},
        measures={metric: outcome.arms, **outcome.measures},
        caveats={
            name: _caveats(outcome, arms)
            for name, arms in (behind | {name: d.arms for name, d in derived.items()}).items()
        },
        tuning=None,  # derived arms were not tuned; what `judge` would make of it is kept above
    )


def _caveats(outcome: Outcome, arms: Sequence[str]) -> list[str]:
    """Caveats of the trained arms behind a derived one, those of the tuning in one."""
    edges = [] if outcome.tuning is None else outcome.tuning.caveats(*arms)
    return list(dict.fromkeys([*edges, *(c for arm in arms for c in outcome.caveats.get(arm, ()))]))
