"""Asynchronous successive halving whose new configurations come from a TPE over all rungs.

References:
    Halving as in Li, Jamieson, Rostamizadeh, Gonina, Ben-tzur, Hardt, Recht and Talwalkar (2020), A
    System for Massively Parallel Hyperparameter Tuning, MLSys; a model beside it as in Falkner,
    Klein and Hutter (2018), BOHB, ICML, and Klein, Tiao, Lienart, Archambeau and Seeger (2020),
    Model-based Asynchronous Hyperparameter and Neural Architecture Search, arXiv:2003.10865. The
    ranking across rungs is our own.
"""

import math

import numpy as np

from hpcourse._check import is_finite, require
from hpcourse.search.searcher import History
from hpcourse.search.searchers._rungs import Ladder, ladder
from hpcourse.search.searchers.tpe import most_promising
from hpcourse.search.space import Matrix, Space
from hpcourse.search.trial import Suggestion, Trial

__all__ = ["HalvingTPE"]

GOOD_SHARE = 0.1
"""Share of all configurations that are good by their places, rounded up."""

TOP_SHARE = 0.15
"""Share of the highest rung that is good once it has enough trials, rounded up."""

CANDIDATES = 24
"""Points that are drawn for one suggestion."""


class HalvingTPE:
    """ASHA with a model: good after few trainings, as halving is, and after many, as TPE is.

    Trials go on as in `ASHA`. New configurations are drawn where the good ones so far are dense and
    the others are not, as `TPE` does. What is good is decided over all rungs at once: a
    configuration has the place that it takes in the highest rung it has reached. The values of two
    rungs are never compared, and nothing is thrown away: as those that go on are the best of their
    rung, the fifth of its rung stands for about the fifth of all, whichever rung it is. As soon as
    d + 2 trials have ended on the highest rung, d being the number of axes, the best of these are
    the good ones, and all else that was ever started is bad.

    Two shares guard against rungs that mislead: some configurations come from the prior, and some
    are trained to the end whatever their rungs say, once as many have been started as it takes for
    one to reach the highest rung. If low budgets say nothing, what those tell is left.

    Args:
        space: Where configurations live.
        seed: Seed of the search.
        noisy: Whether a configuration may be drawn again; only a finite space can have it.
        min_budget: The lowest rung lies at or above it.
        max_budget: Budget of the highest rung.
        eta: Factor between the budgets of rungs; one of so many trials goes on.
        random_share: Share of the new configurations that come from the prior.
        whole_share: Share of the new configurations that are trained to the end in any case.

    Attributes:
        budgets: Budgets of the rungs, ascending.

    Raises:
        ValueError: If a budget, `eta` or a share is out of range.

    Examples:
        >>> from hpcourse.search import Box, Real, minimize
        >>> def train(trial):
        ...     return (trial.config["u"] - 0.7) ** 2 + 1 / trial.budget
        >>> search = HalvingTPE(Box({"u": Real(0.0, 1.0)}), max_budget=9)
        >>> study = minimize(train, search, trials=60, progress=False)
        >>> study.best.budget, round(study.best.config["u"], 1)
        (9, 0.7)
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
        random_share: float = 0.15,
        whole_share: float = 0.1,
    ) -> None:
        self.budgets = ladder("HalvingTPE", min_budget=min_budget, max_budget=max_budget, eta=eta)
        for name, share in {"random_share": random_share, "whole_share": whole_share}.items():
            fits = is_finite(share) and 0 <= share <= 1
            require(fits, f"HalvingTPE needs {name} in [0, 1]", **{name: share})
        self._random_share, self._whole_share = random_share, whole_share
        self._ladder = Ladder(History(space, seed, noisy=noisy), self.budgets, eta)

    def ask(self) -> Suggestion | None:
        """The next trial; None once a finite space is used up and nothing can go on."""
        suggestion = self._ladder.promote()
        if suggestion is not None:
            return suggestion
        history = self._ladder.history
        rng = history.rng()
        modelled, whole = rng.random(2) >= (self._random_share, 1 - self._whole_share)
        # First as many as it takes for one to reach the highest rung.
        started = len(self._ladder.rungs[self.budgets[0]]) >= self._ladder.eta ** (
            len(self.budgets) - 1
        )
        points = self._promising(rng) if modelled else ()
        point = history.first_new(points, rng, self.budgets[0])
        return None if point is None else self._ladder.start(point, exempt=bool(whole and started))

    def tell(self, trial: Trial) -> None:
        """Take note of an ended trial."""
        self._ladder.tell(trial)

    def _promising(self, rng: np.random.Generator) -> Matrix:
        """Candidates of the model, the best first; none while fewer trials ended than axes + 2."""
        history = self._ladder.history
        least = history.space.dimension + 2
        numbers, good = self._ranked(), 0
        top = [number for _, number in self._ladder.rungs[self.budgets[-1]]]
        if len(top) >= least:
            good = math.ceil(TOP_SHARE * len(top))
            numbers = list(dict.fromkeys(top + numbers))
        elif len(numbers) >= least:
            good = math.ceil(GOOD_SHARE * len(numbers))
        points = np.array([self._ladder.point(number) for number in numbers])
        points = points.reshape(-1, history.space.dimension)
        if not good:
            return points[:0]
        running = np.array(list(history.pending.values())).reshape(-1, points.shape[1])
        bad = np.concatenate((points[good:], running))
        return most_promising(history.axes, points[:good], bad, rng, CANDIDATES)

    def _ranked(self) -> list[int]:
        """Each configuration's trial in its highest rung, by the place there.

        Of equal places the higher rung comes first: there a trial is compared with better ones.
        """
        placed = [
            (place, -budget, number)
            for budget, rung in self._ladder.rungs.items()
            for place, (_, number) in enumerate(rung)
            if number not in self._ladder.passed
        ]
        return [number for _, _, number in sorted(placed)]
