"""Hyperband: successive halving at every trade-off between many and long trainings.

References:
    Li, Jamieson, DeSalvo, Rostamizadeh and Talwalkar (2018), Hyperband: A Novel Bandit-Based
    Approach to Hyperparameter Optimization, JMLR 18(185), algorithm 1.
"""

from hpcourse.search.searcher import History
from hpcourse.search.searchers._rungs import Brackets, Plan, ladder
from hpcourse.search.searchers.halving import halving_plan
from hpcourse.search.space import Space
from hpcourse.search.trial import Suggestion, Trial

__all__ = ["Hyperband", "brackets"]


def brackets(*, min_budget: int = 1, max_budget: int = 27, eta: int = 3) -> tuple[Plan, ...]:
    """Trials and budget of each rung of each bracket, the most aggressive bracket first.

    Bracket s of S + 1 starts with ``ceil((S + 1) / (s + 1) * eta**s)`` configurations at the budget
    ``max_budget / eta**s`` (algorithm 1), so that all brackets cost about the same if each trial
    starts from nothing.

    Raises:
        ValueError: If a budget or `eta` is out of range.

    Examples:
        >>> for bracket in brackets(max_budget=9):
        ...     print(bracket)
        ((9, 1), (3, 3), (1, 9))
        ((5, 3), (1, 9))
        ((3, 9),)
    """
    budgets = ladder("Hyperband", min_budget=min_budget, max_budget=max_budget, eta=eta)
    count = len(budgets)
    return tuple(
        # -(-a // b) rounds a / b up without the rounding of floats.
        halving_plan(-(-count * eta**s // (s + 1)), budgets[count - 1 - s :], eta)
        for s in reversed(range(count))
    )


class Hyperband:
    """Runs brackets of successive halving in turn, from the most to the least aggressive.

    How early a training tells how good it will become differs from problem to problem. The first
    bracket starts many configurations at the lowest budget, the last one trains a few to the end.
    `ask` gives None while trials of a rung run and none is left to start.

    Args:
        space: Where configurations live.
        seed: Seed of the search.
        noisy: Whether a configuration may be drawn again; only a finite space can have it.
        min_budget: The lowest rung lies at or above it.
        max_budget: Budget of the highest rung of every bracket.
        eta: Factor between the budgets of rungs; one of so many trials goes on.

    Attributes:
        brackets: Trials and budget of each rung of each bracket; see `brackets`.

    Raises:
        ValueError: If a budget or `eta` is out of range.

    Examples:
        >>> from hpcourse.search import Box, Real
        >>> search = Hyperband(Box({"lr": Real(1e-4, 1e-1, log=True)}), max_budget=3)
        >>> search.brackets
        (((3, 1), (1, 3)), ((2, 3),))
        >>> search.ask().budget
        1
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
        self.brackets = brackets(min_budget=min_budget, max_budget=max_budget, eta=eta)
        self._brackets = Brackets(History(space, seed, noisy=noisy), self.brackets)

    def ask(self) -> Suggestion | None:
        """The next trial; None while others of its rung run."""
        return self._brackets.ask()

    def tell(self, trial: Trial) -> None:
        """Take note of an ended trial."""
        self._brackets.tell(trial)
