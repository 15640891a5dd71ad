"""What the claims about regularisers and depth share: plans, and contrasts of trained arms."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch

from hpcourse.claims.registry import Outcome
from hpcourse.claims.study import Budget

PAGE = "overview/regularisation-and-depth"
CHANCE = math.log(10)  # nats, for ten classes

NO_DIFFERENCE = "no difference"
"""The reference of contrasts: zero for every seed."""


@dataclass(frozen=True, kw_only=True)
class Plan(Budget):
    """A budget, and the size of the trainings.

    Attributes:
        steps: Updates of each training.
        width: Units of each hidden layer.
    """

    steps: int
    width: int


@contextmanager
def repeatable_masks() -> Iterator[None]:
    """The same dropout masks whenever an experiment is run: they are torch's global numbers."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


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


def difference(one: Derived, other: Derived) -> Derived:
    """`one` minus `other`, seed by seed."""
    pairs = zip(one.values, other.values, strict=True)
    return Derived(values=[a - b for a, b in pairs], arms=(*one.arms, *other.arms))


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
    trained_arms = {arm: _caveats(outcome, arm) for arm in others if arm in outcome.arms}
    return replace(
        outcome,
        arms={**{name: list(d.values) for name, d in derived.items()}, **others},
        measures={metric: outcome.arms, **outcome.measures},
        caveats=trained_arms | {name: _inherited(outcome, d.arms) for name, d in derived.items()},
        tuning=None,  # derived arms were not tuned; what `judge` would make of it is kept above
    )


def _caveats(outcome: Outcome, arm: str) -> list[str]:
    edge = [] if outcome.tuning is None else outcome.tuning.caveats(arm)
    return [*edge, *outcome.caveats.get(arm, ())]


def _inherited(outcome: Outcome, arms: Sequence[str]) -> list[str]:
    """Caveats of the arms behind a derived one, those of the tuning in one."""
    at_edge = () if outcome.tuning is None else outcome.tuning.at_edge
    edges = ", ".join(dict.fromkeys(arm for arm in arms if arm in at_edge))
    found = [f"tuned rates at the edge of the grid: {edges}"] if edges else []
    return list(dict.fromkeys([*found, *(c for arm in arms for c in outcome.caveats.get(arm, ()))]))
