"""Searchers that are written as procedures: "evaluate these, look at the values, go on".

A plan is a generator. It yields points that may be evaluated at the same time, and receives their
values. A plan keeps no state between two asks: it is run again from its start with the values that
are known by then, up to the first point that nobody has evaluated. So a search resumes, can be
pickled, and uses what it was told of trials that it never asked for, all without bookkeeping.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Sequence
from typing import Any

import numpy as np

from hpcourse.search.searcher import History
from hpcourse.search.space import Unit, canonical
from hpcourse.search.trial import Suggestion

Plan = Generator[Sequence[Unit | float], list[float], Any]
"""Yields points (dimension,), or places of a one-dimensional space, and receives their values."""


def follow(history: History, plan: Plan) -> Suggestion | None:
    """Suggest the first point of a plan that was not evaluated and is not running.

    Where the objective is noisy, a point that the plan asks for again is evaluated again.

    Args:
        history: What was asked and told.
        plan: A fresh plan; it is run up to its first open question.

    Returns:
        None where the plan waits for running trials, or has ended.
    """
    told: dict[bytes, list[float]] = defaultdict(list)
    for row, value in zip(history.points, history.values, strict=True):
        told[row.tobytes()].append(float(value))
    running = Counter(point.tobytes() for point in history.pending.values())
    used: Counter[bytes] = Counter()
    values: list[float] = []
    try:
        asked = next(plan)
        while True:
            values.clear()
            for given in asked:
                point = canonical(history.axes, np.atleast_1d(given)[None])[0]
                key = point.tobytes()
                place = used[key] if history.noisy else 0
                used[key] += 1
                if place < len(told[key]):
                    values.append(told[key][place])
                elif place >= len(told[key]) + running[key]:
                    return history.suggest(point)
            if len(values) < len(asked):
                return None
            asked = plan.send(list(values))
    except StopIteration:
        return None


def carry_out(plan: Plan, function: Callable[[Any], float]) -> tuple[Any, int]:
    """Run a plan to its end with a function; what it returns, and how many evaluations it took."""
    evaluations = 0
    try:
        asked = next(plan)
        while True:
            evaluations += len(asked)
            asked = plan.send([float(function(point)) for point in asked])
    except StopIteration as end:
        return end.value, evaluations
