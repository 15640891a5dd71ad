"""Asynchronous successive halving: a configuration goes on as soon as it is among the best.

References:
    Li, Jamieson, Rostamizadeh, Gonina, Ben-tzur, Hardt, Recht and Talwalkar (2020), A System for
    Massively Parallel Hyperparameter Tuning, MLSys, algorithm 2.
"""

from hpcourse.search.searcher import History
from hpcourse.search.searchers._rungs import Ladder, ladder, random_draw
from hpcourse.search.space import Space
from hpcourse.search.trial import Suggestion, Trial

__all__ = ["ASHA"]


class ASHA:
    """Continues a trial that is among the best 1 / `eta` of its rung, else starts a new one.

    No worker ever waits for a rung to fill. What that costs is that a configuration may go on that
    would not have among all of its rung.

    Args:
        space: Where configurations live.
        seed: Seed of the search.
        noisy: Whether a configuration may be drawn again; only a finite space can have it.
        min_budget: The lowest rung lies at or above it.
        max_budget: Budget of the highest rung.
        eta: Factor between the budgets of rungs; one of so many trials goes on.

    Attributes:
        budgets: Budgets of the rungs, ascending.

    Raises:
        ValueError: If a budget or `eta` is out of range.

    Examples:
        >>> from hpcourse.search import Box, Real
        >>> search = ASHA(Box({"lr": Real(1e-4, 1e-1, log=True)}), max_budget=3)
        >>> for number, value in enumerate((0.3, 0.1, 0.2)):
        ...     trial = search.ask()
        ...     search.tell(Trial(number=number, config=trial.config, seed=0, budget=trial.budget,
        ...                       state="done", value=value))
        >>> after = search.ask()
        >>> after.budget, after.parent
        (3, 1)
    """

    def __init__(
        self,
        space: Space,
        *,
        seed: int = 0,
        noisy: bool = False,
        min_budget: int = 1,
        max_budget: int = 27,
        eta: int = 3,
    ) -> None:
        self.budgets = ladder("ASHA", min_budget=min_budget, max_budget=max_budget, eta=eta)
        self._ladder = Ladder(History(space, seed, noisy=noisy), self.budgets, eta)

    def ask(self) -> Suggestion | None:
        """The next trial; None once a finite space is used up and nothing can go on."""
        history = self._ladder.history
        suggestion = self._ladder.promote()
        if suggestion is None:
            point = random_draw(history, self.budgets[0])
            suggestion = None if point is None else self._ladder.start(point)
        return suggestion

    def tell(self, trial: Trial) -> None:
        """Take note of an ended trial."""
        self._ladder.tell(trial)
