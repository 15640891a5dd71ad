"""Regularised evolution: the best of a few, changed a little; the oldest dies.

References:
    Real, Aggarwal, Huang and Le (2019), Regularized Evolution for Image Classifier Architecture
    Search, arXiv:1802.01548, algorithm 1.
"""

from collections import deque
from collections.abc import Iterator

import numpy as np

from hpcourse._check import require, require_count
from hpcourse.search.searcher import History
from hpcourse.search.searchers._moves import moved
from hpcourse.search.space import Space, Unit
from hpcourse.search.trial import Suggestion, Trial

__all__ = ["Evolution"]

CHILDREN = 32
"""Changed configurations that are tried before a random one is taken."""


class Evolution:
    """Ageing evolution on a queue of the last trials.

    The first `population` configurations are drawn from the prior. From then on `tournament`
    members are drawn from the population, with replacement, and the best of them gets a child that
    differs in one hyperparameter. Each done trial joins the population, and the oldest member
    leaves it, however good it is: a lucky draw of a noisy objective does not rule for ever.

    Args:
        space: Where configurations live.
        seed: Seed of the search.
        noisy: Whether a configuration may be suggested again.
        population: Size of the population; P in the paper, which takes 100 for 20000 trials.
        tournament: Members of which the best is the parent; S in the paper.

    Raises:
        ValueError: If `population` or `tournament` is below one, or the tournament is larger.

    Examples:
        >>> from hpcourse.search import Box, Real, minimize
        >>> study = minimize(lambda trial: (trial.config["x"] - 2) ** 2,
        ...                  Evolution(Box({"x": Real(-5, 5)})), trials=100, progress=False)
        >>> 1.9 < study.best.config["x"] < 2.1
        True
    """

    def __init__(
        self,
        space: Space,
        *,
        seed: int = 0,
        noisy: bool = False,
        population: int = 20,
        tournament: int = 8,
    ) -> None:
        require_count("Evolution", population=population, tournament=tournament)
        fits = tournament <= population
        require(fits, "Evolution needs tournament <= population", tournament=tournament)
        self._history = History(space, seed, noisy=noisy)
        self._size, self._tournament = population, tournament
        self._members: deque[tuple[float, Unit]] = deque(maxlen=population)

    def ask(self) -> Suggestion | None:
        """The next configuration; None once a finite space is used up."""
        history = self._history
        rng = history.rng()
        grown = history.asked >= self._size and len(self._members) > 0
        point = history.first_new(self._children(rng) if grown else (), rng)
        return None if point is None else history.suggest(point)

    def tell(self, trial: Trial) -> None:
        """Take note of an ended trial; one that failed or was pruned leaves no children."""
        point = self._history.tell(trial)
        if trial.state == "done" and trial.value is not None:
            self._members.append((trial.value, point))

    def _children(self, rng: np.random.Generator) -> Iterator[Unit]:
        drawn = rng.integers(len(self._members), size=self._tournament)
        best = min(drawn, key=lambda member: self._members[member][0])
        parent = self._members[best][1]
        yield from moved(self._history.axes, np.tile(parent, (CHILDREN, 1)), rng)
