"""The searcher to take without thinking: a Gaussian process, and with many trials Parzen search."""

import numpy as np

from hpcourse.search.searcher import History
from hpcourse.search.searchers.tpe import GOOD_SHARE, MOST_GOOD, most_promising
from hpcourse.search.space import Matrix, Space
from hpcourse.search.surrogates.improvement import Turns, quasi_random
from hpcourse.search.surrogates.kernels import MixedKernel
from hpcourse.search.trial import Suggestion, Trial

__all__ = ["Auto"]

START = 10
"""Number of quasi-random trials."""

PATIENCE = 20
"""Trials without a better value after which every third one comes from Parzen search."""

MANY = 500
"""Number of ended trials from which all come from it, because the process becomes slow."""

CANDIDATES = 24


class Auto:
    """The default searcher: the best of this package's for the number of trials that there are.

    The first trials are quasi-random. Then a Gaussian process suggests, as in `GP`, which needs the
    fewest trials, on mixed and conditional spaces too. While it finds nothing better, every third
    suggestion is that of tree-structured Parzen search, as in `TPE`, which assumes less about the
    objective. After some hundreds of trials, where the process becomes slow, that is left alone.

    Args:
        space: Where configurations live.
        seed: Seed of the search.
        noisy: Whether evaluating a configuration twice says more than once.

    Raises:
        ValueError: If `seed` is no integer of at least zero.

    Examples:
        >>> from hpcourse.search import Box, Real, minimize
        >>> search = Auto(Box({"x": Real(-4.0, 8.0)}), seed=1)
        >>> study = minimize(lambda t: (t.config["x"] - 1) ** 2, search, trials=15, progress=False)
        >>> abs(study.best.config["x"] - 1) < 0.01
        True
    """

    def __init__(self, space: Space, *, seed: int = 0, noisy: bool = False) -> None:
        self._history = History(space, seed, noisy=noisy)
        self._model = Turns.of(MixedKernel(space.axes), noisy=noisy)
        self._last_gain = 0  # number of ended trials when the best value was found

    def ask(self) -> Suggestion | None:
        """The next configuration; None once a finite space is used up."""
        history, rng, model = self._history, self._history.rng(), self._model
        told = len(history.trials)
        if told == 0 or max(told, history.asked) < START:
            points = quasi_random(history)
        elif told >= MANY or (told - self._last_gain >= PATIENCE and history.asked % 3 == 0):
            points = _parzen(history, rng)
        else:
            points, model = model.promising(history, rng)
        point = history.first_new(points, rng)
        if point is None:
            return None
        self._model = model
        return history.suggest(point)

    def tell(self, trial: Trial) -> None:
        """Take note of an ended trial."""
        history = self._history
        before = history.values.min(initial=np.inf)
        history.tell(trial)
        if history.values[-1] < before:
            self._last_gain = len(history.trials)


def _parzen(history: History, rng: np.random.Generator) -> Matrix:
    """Points that tree-structured Parzen search finds promising, the best first."""
    order = np.argsort(history.values, kind="stable")
    good = min(int(np.ceil(GOOD_SHARE * np.isfinite(history.values).sum())), MOST_GOOD)
    points = history.points[order]
    running = np.array(list(history.pending.values())).reshape(-1, points.shape[1])
    bad = np.concatenate((points[good:], running))
    return most_promising(history.axes, points[:good], bad, rng, CANDIDATES)
