"""Quasi-random search: points that fill the cube more evenly than random ones.

References:
    Niederreiter (1992), Random Number Generation and Quasi-Monte Carlo Methods; Owen (1998),
    Scrambling Sobol' and Niederreiter-Xing Points, Journal of Complexity 14.
"""

from typing import Literal, get_args

import numpy as np
from scipy.stats import qmc

from hpcourse._check import require
from hpcourse.search.searcher import TRIES, History
from hpcourse.search.space import Matrix, Space
from hpcourse.search.trial import Suggestion, Trial

__all__ = ["QuasiRandom"]

SequenceName = Literal["sobol", "halton"]


class QuasiRandom:
    """Goes through a scrambled low-discrepancy sequence, whatever it is told.

    Args:
        space: Where configurations live.
        seed: Seed of the scrambling.
        noisy: Whether a configuration may come again; only a finite space can have it.
        sequence: ``"sobol"`` or ``"halton"``. Of Sobol's, the first 2^m points are the most even.

    Raises:
        ValueError: If the sequence is unknown.

    Examples:
        >>> from hpcourse.search import Box, Real
        >>> search = QuasiRandom(Box({"x": Real(0.0, 1.0), "y": Real(0.0, 1.0)}), seed=2)
        >>> quarters = [int(search.ask().config["x"] * 4) for _ in range(4)]
        >>> sorted(quarters)  # one in each quarter
        [0, 1, 2, 3]
    """

    def __init__(
        self, space: Space, *, seed: int = 0, noisy: bool = False, sequence: SequenceName = "sobol"
    ) -> None:
        self._history = History(space, seed, noisy=noisy)
        known = sequence in get_args(SequenceName)
        require(
            known, f"QuasiRandom needs a sequence of {get_args(SequenceName)}", sequence=sequence
        )
        self._sequence = sequence
        self._next = 0
        self._drawn: Matrix = np.empty((0, space.dimension))

    def ask(self) -> Suggestion | None:
        """The next point of the sequence that is new; None once a finite space is used up."""
        for place in range(self._next, self._next + TRIES):
            point = self._point(place)
            if self._history.is_new(point):
                self._next = place + 1
                return self._history.suggest(point)
        left = self._history.first_new((), self._history.rng())
        return None if left is None else self._history.suggest(left)

    def tell(self, trial: Trial) -> None:
        """Take note of an ended trial."""
        self._history.tell(trial)

    def _point(self, place: int) -> Matrix:
        """A point of the sequence, which is drawn anew, twice as long, where it was too short."""
        if place >= len(self._drawn):
            history = self._history
            engine = qmc.Sobol if self._sequence == "sobol" else qmc.Halton
            count = 2 ** max(6, (place + 1).bit_length())
            width = history.space.dimension
            drawn = engine(max(width, 1), seed=history.seed).random(count)
            self._drawn = np.asarray(drawn[:, :width])
        return np.asarray(self._drawn[place])
