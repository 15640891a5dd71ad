"""The median rule: a training that is worse than most at the same point is not continued.

References:
    Golovin, Solnik, Moitra, Kochanski, Karro and Sculley (2017), Google Vizier: A Service for
    Black-Box Optimization, KDD, section 3.2.2.
"""

from collections import deque
from dataclasses import dataclass, replace
from statistics import median

from hpcourse._check import require, require_count
from hpcourse.search.searcher import Searcher
from hpcourse.search.searchers._rungs import ladder, worth
from hpcourse.search.trial import Suggestion, Trial

__all__ = ["MedianRule"]

FOREIGN = 2**40
"""Number under which the searcher is told of the first trial that was never asked for."""


@dataclass(frozen=True)
class _Part:
    """One stretch of a training.

    Attributes:
        suggestion: What was asked for.
        inner: Number of the training for the searcher that suggested it.
        level: Place of the budget among all.
    """

    suggestion: Suggestion
    inner: int
    level: int


class MedianRule:
    """Trains what another searcher suggests, in stretches, and stops what is worse than the median.

    Each stretch is a trial that continues the one before. A training is continued to the next
    budget unless its value is above the median of what the trainings before it had at the same
    budget. The searcher is told once of each training: done at the highest budget, or pruned with
    its last value, or failed.

    Args:
        searcher: Suggests configurations, without budgets.
        min_budget: The first stretch ends at or above it.
        max_budget: Budget of a whole training.
        eta: Factor between the budgets at which a training is judged.
        warmup: How many trainings have to reach a budget before one is stopped there.

    Attributes:
        budgets: Budgets at which stretches end, ascending.

    Raises:
        ValueError: If a budget or `eta` is out of range, or `warmup` is below one.

    Examples:
        >>> from hpcourse.search import Box, Random, Real
        >>> rule = MedianRule(Random(Box({"lr": Real(1e-4, 1e-1, log=True)})), max_budget=9)
        >>> rule.budgets, rule.ask().budget
        ((1, 3, 9), 1)
    """

    def __init__(
        self,
        searcher: Searcher,
        *,
        min_budget: int = 1,
        max_budget: int = 27,
        eta: int = 3,
        warmup: int = 5,
    ) -> None:
        self.budgets = ladder("MedianRule", min_budget=min_budget, max_budget=max_budget, eta=eta)
        require_count("MedianRule", warmup=warmup)
        self._searcher, self._warmup = searcher, warmup
        self._values: dict[int, list[float]] = {budget: [] for budget in self.budgets}
        self._due: deque[_Part] = deque()
        self._parts: list[_Part] = []
        self._running: set[int] = set()
        self._trainings = self._foreign = 0

    def ask(self) -> Suggestion | None:
        """The next stretch of a training that goes on, else the first one of another."""
        part = self._due.popleft() if self._due else self._new()
        if part is None:
            return None
        self._running.add(len(self._parts))
        self._parts.append(part)
        return part.suggestion

    def _new(self) -> _Part | None:
        suggestion = self._searcher.ask()
        if suggestion is None:
            return None
        plain = suggestion.budget is None
        require(plain, "MedianRule needs a searcher without budgets", budget=suggestion.budget)
        self._trainings += 1
        return _Part(replace(suggestion, budget=self.budgets[0]), self._trainings - 1, 0)

    def tell(self, trial: Trial) -> None:
        """Take note of an ended trial."""
        require(trial.state != "running", "tell needs an ended trial", number=trial.number)
        part = self._part(trial)
        if part is None:
            self._searcher.tell(replace(trial, number=FOREIGN + self._foreign, budget=None))
            self._foreign += 1
            return
        running = trial.number in self._running
        require(running, "tell needs a trial that was not told before", number=trial.number)
        self._running.remove(trial.number)
        above = part.level + 1
        if trial.state == "done" and above < len(self.budgets):
            if self._goes_on(trial):
                self._due.append(self._next(part, trial.number))
                return
            trial = replace(trial, state="pruned")
        self._searcher.tell(replace(trial, number=part.inner, budget=None, parent=None))

    def _part(self, trial: Trial) -> _Part | None:
        """The stretch that a trial was, or None if it was never asked for."""
        if trial.number >= len(self._parts):
            return None
        part = self._parts[trial.number]
        own = part.suggestion.config == trial.config and part.suggestion.budget == trial.budget
        return part if own else None

    def _goes_on(self, trial: Trial) -> bool:
        """Whether a trial is no worse than the median of those before it."""
        value, before = worth(trial), self._values[trial.budget or 0]
        better = len(before) < self._warmup or value <= median(before)
        before.append(value)
        return better

    def _next(self, part: _Part, parent: int) -> _Part:
        """The stretch after one."""
        budget = self.budgets[part.level + 1]
        going_on = replace(part.suggestion, budget=budget, parent=parent)
        return replace(part, suggestion=going_on, level=part.level + 1)
