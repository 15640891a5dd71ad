"""Checks of the exercises about multi-fidelity search."""

from collections.abc import Callable, Sequence
from functools import partial

from hpcourse.exercises._judge import Vector, empty, judge
from hpcourse.search.searchers._rungs import best
from hpcourse.search.searchers.hyperband import brackets


def check_bracket_cost(answer: Callable[[Sequence[int], Sequence[int]], float]) -> bool:
    """Check ``answer(sizes, budgets)``.

    A bracket of successive halving has so many trials with these budgets on its rungs, the lowest
    first. It must return how many epochs the bracket costs if every trial continues its parent.
    """
    plans = [plan for plan in brackets(max_budget=27) if len(plan) > 1]
    cases = []
    for plan in plans:
        sizes, budgets = (list(column) for column in zip(*plan, strict=True))
        before = [0, *budgets[:-1]]
        cost = sum(n * (b - a) for n, b, a in zip(sizes, budgets, before, strict=True))
        cases.append((f"{sizes=}, {budgets=}", partial(answer, sizes, budgets), float(cost)))
    return judge(cases)


def check_promotable(
    answer: Callable[[Sequence[float], Sequence[int], int], Sequence[int] | Vector],
) -> bool:
    """Check ``answer(losses, promoted, eta)``.

    Trials 0, 1, ... of a rung have ended with these losses, infinite if one failed; those in
    `promoted` have gone on. It must return the numbers of those that ASHA may let go on now, the
    best first: among the best 1 / eta of the rung, not failed, not promoted before.
    """
    failed = float("inf")
    settings: list[tuple[list[float], list[int], int]] = [
        ([0.3, 0.1], [], 3),
        ([0.3, 0.1, 0.2], [], 3),
        ([0.3, 0.1, 0.2, 0.4, 0.05, 0.6], [1], 3),
        ([0.5, 0.4, 0.3, 0.2], [], 2),
        ([failed, failed, failed, 0.9], [], 2),
    ]
    cases = []
    for losses, promoted, eta in settings:
        top = best(dict(enumerate(losses)), len(losses) // eta)
        expected = [number for number in top if number not in promoted]
        question = f"{losses=}, {promoted=}, {eta=}"
        cases.append((question, _listed(answer, losses, promoted, eta), str(expected)))
    return judge(cases)


def check_kept_best(answer: Callable[[int, int], float]) -> bool:
    """Check ``answer(rungs, eta)``.

    What is measured on the rungs below the top says nothing at all about the end. It must return
    the chance that a certain trial, say the one that would be the best, reaches the highest of so
    many rungs, where one of `eta` goes on at each but the highest.
    """
    settings = [(4, 3), (2, 3), (3, 2), (1, 3)]
    return judge(
        (f"{rungs=}, {eta=}", partial(answer, rungs, eta), eta ** float(1 - rungs))
        for rungs, eta in settings
    )


def _listed(
    answer: Callable[[Sequence[float], Sequence[int], int], Sequence[int] | Vector],
    losses: list[float],
    promoted: list[int],
    eta: int,
) -> Callable[[], object]:
    """The answer as text, so that lists of different lengths compare; empty ones stay empty."""

    def call() -> object:
        got = answer(losses, promoted, eta)
        return got if empty(got) else str([int(number) for number in got])

    return call
