"""What the multi-fidelity searchers share: rungs of a ladder of budgets, and brackets of rungs.

A rung is a budget at which configurations are compared. Those that are best there go on to the next
rung: a trial of its own, which continues the checkpoint of its parent.
"""

from bisect import insort
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from hpcourse._check import require, require_count
from hpcourse.search.searcher import History
from hpcourse.search.space import Unit
from hpcourse.search.trial import Suggestion, Trial

__all__ = ["Brackets", "Draw", "Ladder", "Plan", "best", "ladder", "random_draw", "worth"]

Plan = Sequence[tuple[int, int]]
"""Trials and budget of each rung of a bracket, the lowest rung first."""

Draw = Callable[[History, int], Unit | None]
"""Where a new configuration lies that starts with a budget; None if there is none left."""

WORST = float("inf")


def ladder(where: str, *, min_budget: int, max_budget: int, eta: int) -> tuple[int, ...]:
    """Budgets of the rungs, ascending: `max_budget` over powers of `eta`, rounded.

    Args:
        where: Who asks, for messages.
        min_budget: No rung lies below it.
        max_budget: The highest rung.
        eta: Factor between neighbours; one of so many trials goes on.

    Raises:
        ValueError: If a budget is no integer of at least one, `eta` none of at least two, or
            `min_budget` exceeds `max_budget`.

    Examples:
        >>> ladder("Hyperband", min_budget=1, max_budget=81, eta=3)
        (1, 3, 9, 27, 81)
        >>> ladder("Hyperband", min_budget=2, max_budget=100, eta=4)
        (6, 25, 100)
    """
    require_count(where, min_budget=min_budget, max_budget=max_budget)
    fits = type(eta) is int and eta >= 2
    require(fits, f"{where} needs an integer eta >= 2", eta=eta)
    rising = min_budget <= max_budget
    ends = {"min_budget": min_budget, "max_budget": max_budget}
    require(rising, f"{where} needs min_budget <= max_budget", **ends)
    powers = [1]
    while min_budget * powers[-1] * eta <= max_budget:
        powers.append(powers[-1] * eta)
    return tuple(round(max_budget / power) for power in reversed(powers))


def worth(trial: Trial) -> float:
    """What a trial counts among others of its rung; only one that is done can go on."""
    return WORST if trial.state != "done" or trial.value is None else float(trial.value)


def best(values: Mapping[int, float], count: int) -> list[int]:
    """Numbers of the `count` lowest values, the earliest of equals; never of one that failed.

    Examples:
        >>> best({0: 0.5, 1: 0.2, 2: float("inf"), 3: 0.2}, 3)
        [1, 3, 0]
    """
    done = [number for number, value in values.items() if value < WORST]
    return sorted(done, key=lambda number: (values[number], number))[:count]


def random_draw(history: History, budget: int) -> Unit | None:
    """A configuration from the prior."""
    return history.first_new((), history.rng(), budget)


@dataclass
class _Rung:
    """The rung of a bracket that is being filled.

    Attributes:
        due: Parents of the trials still to start; None stands for a new configuration.
        running: Numbers of those that have not ended.
        values: What those were worth that have.
    """

    due: list[int | None]
    running: set[int] = field(default_factory=set)
    values: dict[int, float] = field(default_factory=dict)


class Brackets:
    """Synchronous halving, bracket after bracket: a rung ends before the next one starts.

    Args:
        history: Where everything is noted.
        plans: The brackets, which are repeated for ever.
        draw: Where new configurations come from.
    """

    def __init__(self, history: History, plans: Collection[Plan], draw: Draw = random_draw) -> None:
        self.history, self._plans, self._draw = history, tuple(plans), draw
        self._points: dict[int, Unit] = {}
        self._started = 0
        self._open(0)

    def _open(self, bracket: int) -> None:
        self._bracket = bracket % len(self._plans)
        self._level = 0
        self._rung = _Rung([None] * self._plans[self._bracket][0][0])
        self._points.clear()

    def ask(self) -> Suggestion | None:
        """The next trial of the rung; None while others of it run, or for want of configurations.

        A rung is filled up, closed when all its trials have ended, and followed by the next.
        """
        for _ in range(2 * len(self._plans) + 2):
            suggestion = self._start()
            if suggestion is not None or self._rung.running:
                return suggestion
            self._close()
        return None

    def tell(self, trial: Trial) -> None:
        """Take note of an ended trial."""
        asked = trial.number in self.history.pending
        self.history.tell(trial)
        if asked and trial.number not in self.history.pending:
            self._rung.running.remove(trial.number)
            self._rung.values[trial.number] = worth(trial)

    def _start(self) -> Suggestion | None:
        """Start the next trial that is due."""
        budget = self._plans[self._bracket][self._level][1]
        while self._rung.due:
            parent = self._rung.due[0]
            point = self._draw(self.history, budget) if parent is None else self._points[parent]
            if point is None:
                return None
            self._rung.due.pop(0)
            # In a finite space another bracket may have trained a configuration for as long.
            if parent is None or self.history.is_new(point, budget):
                number = self.history.asked
                suggestion = self.history.suggest(point, budget=budget, parent=parent)
                self._points[number] = self.history.pending[number]
                self._rung.running.add(number)
                return suggestion
        return None

    def _close(self) -> None:
        """Go on with the best of a rung that has ended, or with the next bracket."""
        plan = self._plans[self._bracket]
        above = self._level + 1
        chosen = best(self._rung.values, plan[above][0]) if above < len(plan) else []
        if chosen:
            self._level, self._rung = above, _Rung(list(chosen))
        else:
            self._open(self._bracket + 1)


class Ladder:
    """Asynchronous halving: rungs that are never full, from which the best go on at any time.

    A trial that was never asked for is compared with the others of its budget, those without a
    budget at the highest rung, but does not go on: whether its checkpoint exists is not known.

    Args:
        history: Where everything is noted.
        budgets: Budgets of the rungs, ascending.
        eta: One of so many trials of a rung goes on.

    Attributes:
        rungs: Value and number of the ended trials by budget, ascending; a foreign one has a number
            below zero.
        passed: Numbers of the trials that were continued by one that has ended.
    """

    def __init__(self, history: History, budgets: Sequence[int], eta: int) -> None:
        self.history, self.budgets, self.eta = history, tuple(budgets), eta
        self.rungs: dict[int, list[tuple[float, int]]] = {budget: [] for budget in self.budgets}
        self.passed: set[int] = set()
        self._promoted: set[int] = set()
        self._exempt: set[int] = set()
        self._gone: set[int] = set()  # promoted or failed
        self._asked: dict[int, int] = {}
        self._points: dict[int, Unit] = {}

    def point(self, number: int) -> Unit:
        """Where the configuration of a trial lies."""
        return self._points[number]

    def budget(self, number: int) -> int:
        """Budget of a trial that was asked for."""
        return self._asked[number]

    def is_paused(self, number: int) -> bool:
        """Whether a trial is done, below the highest rung, and was not continued."""
        budget = self._asked.get(number, self.budgets[-1])
        return budget < self.budgets[-1] and number not in self._gone

    def go_on(self, number: int) -> Suggestion | None:
        """Continue a paused trial; None if its configuration was trained for as long elsewhere."""
        above = self._above(self._asked[number])
        fits = self._first_to_go([number], above) is not None
        return self._continue(number, above) if fits else None

    def _above(self, budget: int) -> int:
        return self.budgets[self.budgets.index(budget) + 1]

    def promote(self) -> Suggestion | None:
        """Continue an exempt trial, else the best that may go on, from the highest rung."""
        steps = list(pairwise(self.budgets))[::-1]
        for budget, above in steps:
            waiting = (n for value, n in self.rungs[budget] if n in self._exempt and value < WORST)
            number = self._first_to_go(waiting, above)
            if number is not None:
                return self._continue(number, above)
        for budget, above in steps:
            rung = self.rungs[budget]
            top = (n for value, n in rung[: len(rung) // self.eta] if n >= 0 and value < WORST)
            number = self._first_to_go(top, above)
            if number is not None:
                return self._continue(number, above)
        return None

    def start(self, point: Unit, *, exempt: bool = False) -> Suggestion:
        """Start a new configuration at the lowest rung; an exempt one goes on in any case."""
        if exempt:
            self._exempt.add(self.history.asked)
        return self._start(point, self.budgets[0])

    def _first_to_go(self, numbers: Iterable[int], above: int) -> int | None:
        for number in numbers:
            # In a finite space the configuration may have been trained for as long before.
            new = number not in self._promoted and self.history.is_new(self._points[number], above)
            if new:
                return number
        return None

    def _continue(self, number: int, above: int) -> Suggestion:
        self._promoted.add(number)
        self._gone.add(number)
        if number in self._exempt:
            self._exempt.add(self.history.asked)
        return self._start(self._points[number], above, parent=number)

    def _start(self, point: Unit, budget: int, parent: int | None = None) -> Suggestion:
        number = self.history.asked
        suggestion = self.history.suggest(point, budget=budget, parent=parent)
        self._points[number] = self.history.pending[number]
        self._asked[number] = budget
        return suggestion

    def tell(self, trial: Trial) -> None:
        """Take note of an ended trial."""
        asked = trial.number in self.history.pending
        point = self.history.tell(trial)
        number = trial.number
        if not asked or number in self.history.pending:
            number = -len(self.history.trials)
            self._points[number] = point
        elif trial.parent is not None:
            self.passed.add(trial.parent)
        budget = self.budgets[-1] if trial.budget is None else trial.budget
        if worth(trial) == WORST:
            self._gone.add(number)
        if budget in self.rungs:
            insort(self.rungs[budget], (worth(trial), number))
