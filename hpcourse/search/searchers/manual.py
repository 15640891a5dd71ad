"""The manual procedure, automated: learning rate, batch size, learning rate again, schedule.

References:
    A. Ferlitsch (2021), Deep Learning Patterns and Practices, section 10.2.1.
"""

from collections.abc import Generator, Sequence

import numpy as np

from hpcourse._check import require, require_count
from hpcourse.search.domains import middles
from hpcourse.search.searcher import History
from hpcourse.search.searchers._procedure import follow
from hpcourse.search.space import Axis, Space, Unit, canonical
from hpcourse.search.trial import Config, Suggestion, Trial

__all__ = ["Manual"]

SMALL_DATA = 50_000
SMALL_BATCH, LARGE_BATCH = 32, 256

Asking = Generator[Sequence[Unit], list[float], Unit]


class Manual:
    """Does what an experienced person does who tunes by hand, then ends.

    1. Coarse learning rate: try a centre, a decade above and a decade below. If the centre is the
       best, keep it; else go half the way to the better side (from 0.001 towards 0.01 that is
       0.0055) and try again.
    2. Batch size: double it while that helps.
    3. Fine learning rate: as before from the rate found, with half a decade above and below.
    4. Schedule: try the values of its axis in their order, until one helps.

    Everything else stays as in `start`. Rates beyond the ends of their range are put to the end.

    Args:
        space: Where configurations live.
        seed: Seed of the search, which draws nothing.
        noisy: Whether a repeated question is evaluated again.
        rate: Name of the learning rate's axis.
        batch: Name of the batch size's axis; None leaves stage 2 out.
        schedule: Name of the axis of schedules, the one used so far first; None leaves stage 4
            out.
        samples: Size of the training set: below 50,000 the first batch size is 32, else 256.
        centre: The first learning rate.
        start: A whole configuration for what is not tuned; its learning rate and batch size do
            not matter. None takes the middle of the space and the first schedule.
        rounds: Most centres of a stage.

    Raises:
        ValueError: If an axis does not exist, or cannot hold the first batch size.

    Examples:
        >>> from hpcourse.search import Box, Real
        >>> search = Manual(Box({"lr": Real(1e-5, 1.0, log=True)}), batch=None)
        >>> [round(search.ask().config["lr"], 6) for _ in range(3)]
        [0.001, 0.01, 0.0001]
    """

    def __init__(
        self,
        space: Space,
        *,
        seed: int = 0,
        noisy: bool = False,
        rate: str = "lr",
        batch: str | None = "batch_size",
        schedule: str | None = None,
        samples: int = 1,
        centre: float = 1e-3,
        start: Config | None = None,
        rounds: int = 8,
    ) -> None:
        self._history = History(space, seed, noisy=noisy)
        require_count("Manual", samples=samples, rounds=rounds)
        self._rate, self._centre, self._rounds = _column(space, rate), centre, rounds
        self._batch = None if batch is None else _column(space, batch)
        self._schedule = None if schedule is None else _column(space, schedule)
        middle = np.full(space.dimension, 0.5)
        self._start = middle if start is None else space.encode(start)
        self._put(self._start, self._rate, centre)
        if self._batch is not None:
            smallest = SMALL_BATCH if samples < SMALL_DATA else LARGE_BATCH
            self._put(self._start, self._batch, smallest)
        if self._schedule is not None and start is None:
            self._start[self._schedule] = _middle(space.axes[self._schedule], 0)

    def ask(self) -> Suggestion | None:
        """The next trial; None while its stage waits for values, and when the procedure ends."""
        return follow(self._history, self._plan())

    def tell(self, trial: Trial) -> None:
        """Take note of an ended trial; a failed one is worse than all."""
        self._history.tell(trial)

    def _plan(self) -> Asking:
        point = yield from self._tune_rate(self._start, factor=10.0)
        if self._batch is not None:
            point = yield from self._tune_batch(point, self._batch)
        point = yield from self._tune_rate(point, factor=10.0**0.5)
        if self._schedule is not None:
            point = yield from self._tune_schedule(point, self._schedule)
        return point

    def _tune_rate(self, point: Unit, *, factor: float) -> Asking:
        for _ in range(self._rounds):
            centre = self._value(point, self._rate)
            sides = (centre * factor, centre / factor)
            points = [point, *(self._with(point, self._rate, side) for side in sides)]
            values = yield points
            better = int(np.argmin(values))  # the centre, if it equals the best
            if better == 0:
                break
            halfway = (centre + self._value(points[better], self._rate)) / 2
            point = self._with(point, self._rate, halfway)
        return point

    def _tune_batch(self, point: Unit, column: int) -> Asking:
        while True:
            size = self._value(point, column)
            doubled = self._with(point, column, 2 * size, whole=True)
            if self._value(doubled, column) != 2 * size:
                return point  # the space has no such batch size
            now, then = yield [point, doubled]
            if not then < now:
                return point
            point = doubled

    def _tune_schedule(self, point: Unit, column: int) -> Asking:
        for code in range(1, self._history.axes[column].domain.levels):
            other = point.copy()
            other[column] = _middle(self._history.axes[column], code)
            now, then = yield [point, other]
            if then < now:
                return other
        return point

    def _value(self, point: Unit, column: int) -> float:
        return float(self._history.axes[column].domain.decode(float(point[column])))

    def _with(self, point: Unit, column: int, value: float, *, whole: bool = False) -> Unit:
        """A copy with another value, or with the nearest end of the range."""
        domain, changed = self._history.axes[column].domain, point.copy()
        try:
            changed[column] = domain.encode(round(value) if whole else value)
        except ValueError:
            changed[column] = float(value > self._value(point, column))
        return np.asarray(canonical(self._history.axes, changed[None])[0])

    def _put(self, point: Unit, column: int, value: float) -> None:
        axis = self._history.axes[column]
        try:
            point[column] = axis.domain.encode(value)
        except ValueError as error:
            raise ValueError(f"Manual starts {axis.name!r} there: {error}") from None


def _column(space: Space, name: str) -> int:
    names = [axis.name for axis in space.axes]
    require(name in names, f"Manual needs an axis of {names}", name=name)
    return names.index(name)


def _middle(axis: Axis, code: int) -> float:
    """Place of a separate value."""
    require(axis.domain.levels > 0, "Manual needs a schedule of separate values", name=axis.name)
    return float(middles(axis.domain, code))
