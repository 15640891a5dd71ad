"""Successive halving: many short trainings, of which the best are continued.

References:
    Jamieson and Talwalkar (2016), Non-stochastic Best Arm Identification and Hyperparameter
    Optimization, AISTATS.
"""

from hpcourse._check import require, require_count
from hpcourse.search.searcher import History
from hpcourse.search.searchers._rungs import Brackets, Plan, ladder
from hpcourse.search.space import Space
from hpcourse.search.trial import Suggestion, Trial

__all__ = ["SuccessiveHalving"]


class SuccessiveHalving:
    """Trains random configurations for a short time and the best 1 / `eta` of them for longer.

    A rung ends before the next one starts: `ask` gives None while trials of a rung run and none is
    left to start. After the last rung it begins anew with other configurations.

    Args:
        space: Where configurations live.
        seed: Seed of the search.
        noisy: Whether a configuration may be drawn again; only a finite space can have it.
        min_budget: The lowest rung lies at or above it.
        max_budget: Budget of the highest rung.
        eta: Factor between the budgets of rungs, and between their sizes.
        size: Configurations of the lowest rung; None for the fewest of which one reaches the top.

    Attributes:
        plan: Trials and budget of each rung, the lowest first.

    Raises:
        ValueError: If a budget or `eta` is out of range, or `size` lets none reach the top.

    Examples:
        >>> from hpcourse.search import Box, Real
        >>> search = SuccessiveHalving(Box({"lr": Real(1e-4, 1e-1, log=True)}), max_budget=9)
        >>> search.plan
        ((9, 1), (3, 3), (1, 9))
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
        size: int | None = None,
    ) -> None:
        budgets = ladder("SuccessiveHalving", min_budget=min_budget, max_budget=max_budget, eta=eta)
        least = eta ** (len(budgets) - 1)
        wanted = least if size is None else size
        require_count("SuccessiveHalving", size=wanted)
        require(wanted >= least, f"SuccessiveHalving needs size >= {least}", size=size)
        self.plan = halving_plan(wanted, budgets, eta)
        self._brackets = Brackets(History(space, seed, noisy=noisy), [self.plan])

    def ask(self) -> Suggestion | None:
        """The next trial; None while others of its rung run."""
        return self._brackets.ask()

    def tell(self, trial: Trial) -> None:
        """Take note of an ended trial."""
        self._brackets.tell(trial)


def halving_plan(size: int, budgets: tuple[int, ...], eta: int) -> Plan:
    """Trials and budget of each rung if one of `eta` trials goes on.

    Examples:
        >>> halving_plan(34, (3, 9, 27, 81), 3)
        ((34, 3), (11, 9), (3, 27), (1, 81))
    """
    return tuple((size // eta**level, budget) for level, budget in enumerate(budgets))
