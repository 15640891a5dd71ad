"""Narrowing random search: the whole space, then ever smaller boxes around the best.

References:
    A. Ferlitsch (2021), Deep Learning Patterns and Practices, section 10.2.3.
"""

import numpy as np

from hpcourse._check import require, require_count
from hpcourse.search.domains import Domain
from hpcourse.search.searcher import TRIES, History
from hpcourse.search.space import Matrix, Space, Unit
from hpcourse.search.trial import Suggestion, Trial

__all__ = ["Narrowing"]

HALVINGS = 40
"""Steps of the search for the place of a value; more than the digits of a unit interval."""


class Narrowing:
    """Draws at random from the whole space, then from boxes around the best.

    A round draws `size` configurations. The first round draws from the whole space; the second one
    from a box around its best: every number between ``1 / factor`` and `factor` times its best
    value. As long as a round improves on the best, the next box lies around the new best and is
    half as wide on the logarithmic scale; after a round that does not, the search begins anew with
    the whole space.

    What has no natural ratio is narrowed by its place instead: a number that is not positive to a
    quarter of the unit interval on either side, an ordered choice of other things to its
    neighbours. An unordered choice keeps its best value.

    Args:
        space: Where configurations live.
        seed: Seed of the search.
        noisy: Whether a configuration may be drawn again.
        size: Trials of a round.
        factor: Half the width of the first box, as a ratio; above 1.

    Raises:
        ValueError: If `size` is below one, or `factor` not above one.

    Examples:
        >>> from hpcourse.search import Box, Real
        >>> search = Narrowing(Box({"lr": Real(1e-4, 1e-1, log=True)}), size=1)
        >>> first = search.ask().config
        >>> search.tell(Trial(number=0, config=first, seed=0, state="done", value=1.0))
        >>> 0.5 <= search.ask().config["lr"] / first["lr"] <= 2
        True
    """

    def __init__(
        self,
        space: Space,
        *,
        seed: int = 0,
        noisy: bool = False,
        size: int = 5,
        factor: float = 2.0,
    ) -> None:
        self._history = History(space, seed, noisy=noisy)
        require_count("Narrowing", size=size)
        require(factor > 1, "Narrowing needs factor > 1", factor=factor)
        self._size, self._factor = size, factor
        self._level = 0  # 0 is the whole space
        self._told = 0  # in this round
        self._start = self._best = np.inf  # before this round, and now
        self._centre: Unit | None = None

    @property
    def box(self) -> tuple[Unit, Unit]:
        """Lower and upper ends (dimension,) of what is drawn from now."""
        axes = self._history.axes
        if self._level == 0 or self._centre is None:
            return np.zeros(len(axes)), np.ones(len(axes))
        factor = float(self._factor ** (0.5 ** (self._level - 1)))
        pairs = zip(axes, self._centre, strict=True)
        ends = np.array([around(axis.domain, float(u), factor) for axis, u in pairs])
        return ends.reshape(-1, 2)[:, 0], ends.reshape(-1, 2)[:, 1]

    def ask(self) -> Suggestion | None:
        """The next configuration; None once a finite space is used up."""
        rng = self._history.rng()
        low, high = self.box
        drawn: Matrix = low + rng.random((TRIES, len(low))) * (high - low)
        point = self._history.first_new(drawn, rng)
        return None if point is None else self._history.suggest(point)

    def tell(self, trial: Trial) -> None:
        """Take note of an ended trial; the last one of a round decides where the next one draws."""
        point = self._history.tell(trial)
        value = self._history.values[-1]
        if value < self._best:
            self._best, self._centre = float(value), point
        self._told += 1
        if self._told == self._size:
            improved = self._best < self._start
            self._level = self._level + 1 if improved else 0
            if not improved:  # begin anew, not in the same basin
                self._best, self._centre = np.inf, None
            self._start, self._told = self._best, 0


def around(domain: Domain, u: float, factor: float) -> tuple[float, float]:
    """Ends of the part of the unit interval where values are within a ratio of that at `u`."""
    if not domain.ordered:
        return u, u
    value = domain.decode(u)
    if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
        return _place(domain, value / factor), _place(domain, value * factor, above=True)
    if not domain.levels:
        return max(u - 0.25, 0.0), min(u + 0.25, 1.0)
    code = int(domain.codes(u))
    low, high = domain.edges([max(code - 1, 0), min(code + 1, domain.levels - 1)])
    return float(low[0]), float(high[1])


def _place(domain: Domain, value: float, *, above: bool = False) -> float:
    """Where in the unit interval the values reach a number, or with `above` where they pass it."""
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        found = domain.decode(middle)
        if found < value or (above and found == value):
            low = middle
        else:
            high = middle
    return (low + high) / 2
