"""BOHB: Hyperband whose new configurations come from a model of the highest rung that is known.

References:
    Falkner, Klein and Hutter (2018), BOHB: Robust and Efficient Hyperparameter Optimization at
    Scale, ICML, section 4 and algorithm 2.
"""

from dataclasses import dataclass

import numpy as np

from hpcourse.search.searcher import History
from hpcourse.search.searchers._rungs import Brackets, ladder, worth
from hpcourse.search.searchers.hyperband import brackets
from hpcourse.search.searchers.tpe import most_promising
from hpcourse.search.space import Matrix, Space, Unit
from hpcourse.search.trial import Suggestion, Trial

__all__ = ["BOHB"]

RANDOM_SHARE = 1 / 3
GOOD_SHARE = 0.15
CANDIDATES = 64


class BOHB:
    """Hyperband's brackets, filled by tree-structured Parzen search.

    The model is fitted to the trials of one budget alone, the highest that at least d + 3 of them
    have ended at, where d is the number of axes; values of different rungs are never mixed. A third
    of the configurations is drawn from the prior.

    Args:
        space: Where configurations live.
        seed: Seed of the search.
        noisy: Whether a configuration may be drawn again; only a finite space can have it.
        min_budget: The lowest rung lies at or above it.
        max_budget: Budget of the highest rung of every bracket.
        eta: Factor between the budgets of rungs; one of so many trials goes on.

    Attributes:
        brackets: Trials and budget of each rung of each bracket.

    Raises:
        ValueError: If a budget or `eta` is out of range.

    Examples:
        >>> from hpcourse.search import Box, Real
        >>> search = BOHB(Box({"lr": Real(1e-4, 1e-1, log=True)}), max_budget=3)
        >>> search.brackets
        (((3, 1), (1, 3)), ((2, 3),))
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
        budgets = ladder("BOHB", min_budget=min_budget, max_budget=max_budget, eta=eta)
        self.brackets = brackets(min_budget=min_budget, max_budget=max_budget, eta=eta)
        self._brackets = Brackets(
            History(space, seed, noisy=noisy), self.brackets, _HighestRung(budgets)
        )

    def ask(self) -> Suggestion | None:
        """The next trial; None while others of its rung run."""
        return self._brackets.ask()

    def tell(self, trial: Trial) -> None:
        """Take note of an ended trial."""
        self._brackets.tell(trial)


@dataclass(frozen=True)
class _HighestRung:
    """Draws new configurations by a model of the highest budget with enough trials."""

    budgets: tuple[int, ...]

    def __call__(self, history: History, budget: int) -> Unit | None:
        rng = history.rng()
        modelled = rng.random() >= RANDOM_SHARE
        return history.first_new(self._promising(history, rng) if modelled else (), rng, budget)

    def _promising(self, history: History, rng: np.random.Generator) -> Matrix:
        """Candidates of the model, the best first; none while no rung has enough trials."""
        least = history.space.dimension + 1
        points, values = self._rung(history, least + 2)
        if not len(points):
            return points
        order = np.argsort(values, kind="stable")
        # Algorithm 2 and equation 3: either set has at least `least` points, or they overlap.
        good = max(least, int(GOOD_SHARE * len(points)))
        bad = max(least, len(points) - good)
        axes = history.axes
        return most_promising(axes, points[order[:good]], points[order[-bad:]], rng, CANDIDATES)

    def _rung(self, history: History, least: int) -> tuple[Matrix, Unit]:
        """Points and values of the highest budget with at least so many ended trials."""
        trials, points = history.trials, history.points
        spent = np.array([trial.budget or self.budgets[-1] for trial in trials])
        for budget in reversed(self.budgets):
            rows = np.flatnonzero(spent == budget)
            if len(rows) >= least:
                return points[rows], np.array([worth(trials[row]) for row in rows])
        return np.empty((0, history.space.dimension)), np.empty(0)
