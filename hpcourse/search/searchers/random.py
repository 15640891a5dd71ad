"""Random search: every configuration is drawn from the prior.

References:
    Bergstra and Bengio (2012), Random Search for Hyper-Parameter Optimization, JMLR 13.
"""

from hpcourse.search.searcher import History
from hpcourse.search.space import Space
from hpcourse.search.trial import Suggestion, Trial

__all__ = ["Random"]


class Random:
    """Draws every configuration from the space's prior, whatever it is told.

    Args:
        space: Where configurations live.
        seed: Seed of the search.
        noisy: Whether a configuration may be drawn again; only a finite space can have it.

    Examples:
        >>> from hpcourse.search import Box, Real
        >>> search = Random(Box({"lr": Real(1e-4, 1e-1, log=True)}), seed=1)
        >>> 1e-4 <= search.ask().config["lr"] <= 1e-1
        True
    """

    def __init__(self, space: Space, *, seed: int = 0, noisy: bool = False) -> None:
        self._history = History(space, seed, noisy=noisy)

    def ask(self) -> Suggestion | None:
        """The next configuration; None once a finite space is used up."""
        point = self._history.first_new((), self._history.rng())
        return None if point is None else self._history.suggest(point)

    def tell(self, trial: Trial) -> None:
        """Take note of an ended trial."""
        self._history.tell(trial)
