"""Search along one hyperparameter: bisection, ternary search and golden-section search.

All three shrink an interval by a constant factor with each step, so that their cost grows with the
logarithm of the precision, where that of a grid grows with the precision itself. They need
something for it: bisection a constraint that is monotone, the other two a loss that is unimodal.

Each is a function of a callable and a searcher of a space of one ordered axis. All work on the
unit interval, so that a logarithmic axis is searched on its logarithm.

Where evaluations are noisy, a comparison is made with repeated evaluations. Two points are told
apart by Welch's test of their means, and a mean from zero by Student's test, each after every
further evaluation from the second on. The test's level is divided by the number of looks
(Bonferroni), so that a comparison of two points that differ is wrong with probability at most
``1 - confidence``. When `repeats` evaluations of each point have not decided, the lower mean wins.

References:
    J. Kiefer (1953), Sequential minimax search for a maximum, Proceedings of the AMS 4.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from hpcourse._check import require, require_finite, require_positive
from hpcourse.search.searcher import History
from hpcourse.search.searchers._line import (
    Noise,
    Steps,
    bisection_steps,
    golden_steps,
    step_count,
    ternary_steps,
)
from hpcourse.search.searchers._procedure import carry_out, follow
from hpcourse.search.space import Space
from hpcourse.search.trial import Suggestion, Trial

__all__ = [
    "Bisection",
    "GoldenSection",
    "Line",
    "TernarySearch",
    "bisect",
    "golden_section",
    "ternary",
]


@dataclass(frozen=True, kw_only=True)
class Line:
    """Where a line search ended.

    Attributes:
        x: The best point; of `bisect` the largest that is known to be feasible, or `low`.
        low: Lower end of the last interval.
        high: Upper end of the last interval.
        evaluations: Number of evaluations spent.
    """

    x: float
    low: float
    high: float
    evaluations: int


def bisect(
    constraint: Callable[[float], float],
    low: float,
    high: float,
    *,
    tolerance: float = 1e-3,
    log: bool = False,
    repeats: int = 1,
    confidence: float = 0.95,
) -> Line:
    """Find where a rising constraint stops to hold, in ``ceil(log2(1 / tolerance))`` evaluations.

    Args:
        constraint: At most zero where a point is feasible; it must rise. Where a falling one is
            given, write it for ``-x``.
        low: Lower end, taken for feasible without asking; above zero with `log`.
        high: Upper end, taken for infeasible.
        tolerance: Width of the last interval as a share of the first.
        log: Whether to halve ratios instead of differences.
        repeats: Most evaluations of one point; more than 1 where evaluations are noisy.
        confidence: Of a comparison, see the module.

    Raises:
        ValueError: If an argument is out of range.

    Examples:
        >>> line = bisect(lambda x: x**2 - 50.0, 0.0, 16.0, tolerance=1 / 16)
        >>> line.low, line.high, line.evaluations
        (7.0, 8.0, 4)
    """
    noise = Noise(repeats=repeats, confidence=confidence)
    return _along(bisection_steps(tolerance, noise), constraint, low, high, log)


def ternary(
    loss: Callable[[float], float],
    low: float,
    high: float,
    *,
    tolerance: float = 1e-3,
    log: bool = False,
    repeats: int = 1,
    confidence: float = 0.95,
) -> Line:
    """Find the minimum of a unimodal loss; each two evaluations leave 2/3 of the interval.

    Args:
        loss: Falls up to its minimum and rises after it.
        low: Lower end; above zero with `log`.
        high: Upper end.
        tolerance: Width of the last interval as a share of the first.
        log: Whether to divide ratios instead of differences.
        repeats: Most evaluations of one point; more than 1 where evaluations are noisy.
        confidence: Of a comparison, see the module.

    Raises:
        ValueError: If an argument is out of range.

    Examples:
        >>> line = ternary(lambda x: (x - 12.0) ** 2, 10.0, 20.0, tolerance=0.01)
        >>> abs(line.x - 12) < 0.1, line.evaluations
        (True, 24)
    """
    noise = Noise(repeats=repeats, confidence=confidence)
    return _along(ternary_steps(tolerance, noise), loss, low, high, log)


def golden_section(
    loss: Callable[[float], float],
    low: float,
    high: float,
    *,
    tolerance: float = 1e-3,
    log: bool = False,
    repeats: int = 1,
    confidence: float = 0.95,
) -> Line:
    """Find the minimum of a unimodal loss; each evaluation but the first leaves 0.618.

    Args:
        loss: Falls up to its minimum and rises after it.
        low: Lower end; above zero with `log`.
        high: Upper end.
        tolerance: Width of the last interval as a share of the first.
        log: Whether to divide ratios instead of differences.
        repeats: Most evaluations of one point; more than 1 where evaluations are noisy.
        confidence: Of a comparison, see the module.

    Raises:
        ValueError: If an argument is out of range.

    Examples:
        >>> line = golden_section(lambda x: (x - 12.0) ** 2, 10.0, 20.0, tolerance=0.01)
        >>> abs(line.x - 12) < 0.1, line.evaluations
        (True, 11)
    """
    noise = Noise(repeats=repeats, confidence=confidence)
    return _along(golden_steps(tolerance, noise), loss, low, high, log)


def _along(
    steps: Steps, function: Callable[[float], float], low: float, high: float, log: bool
) -> Line:
    """Carry out a search between two numbers."""
    require_finite("A line search", low=low, high=high)
    require(low < high, "A line search needs low < high", low=low, high=high)
    if log:
        require_positive("A line search with log", low=low)

    def at(place: float) -> float:
        if log:
            return float(low * (high / low) ** place)
        return low + place * (high - low)

    ends, evaluations = carry_out(steps, lambda place: function(at(place)))
    x, left, right = (at(place) for place in ends)
    return Line(x=x, low=left, high=right, evaluations=evaluations)


class _AlongOneAxis(ABC):
    """A searcher that follows steps along the one axis of its space.

    Which steps is all that the three below differ in.
    """

    @staticmethod
    @abstractmethod
    def _steps(tolerance: float, noise: Noise) -> Steps:
        """What to evaluate next, given the values so far."""

    def __init__(
        self,
        space: Space,
        *,
        seed: int = 0,
        noisy: bool = False,
        tolerance: float = 0.01,
        repeats: int = 8,
        confidence: float = 0.95,
    ) -> None:
        noise = Noise(repeats=repeats, confidence=confidence)
        ordered = space.dimension == 1 and space.axes[0].domain.ordered
        names, name = [axis.name for axis in space.axes], type(self).__name__
        require(ordered, f"{name} needs a space of one ordered axis", axes=names)
        step_count(tolerance, 0.5)
        self._history = History(space, seed, noisy=noisy)
        self._tolerance = tolerance
        self._noise = noise if noisy else Noise()

    def ask(self) -> Suggestion | None:
        """The next point; None while it waits for values, and at the end."""
        return follow(self._history, self._steps(self._tolerance, self._noise))

    def tell(self, trial: Trial) -> None:
        """Take note of an ended trial; a failed one is worse than all, or infeasible."""
        self._history.tell(trial)


class Bisection(_AlongOneAxis):
    """Bisection as a searcher: a trial's value is the constraint, feasible where at most zero.

    Args:
        space: One ordered axis, along which the constraint rises.
        seed: Seed of the search, which draws nothing.
        noisy: Whether evaluations are noisy and repeated.
        tolerance: Width of the last interval as a share of the unit interval.
        repeats: Most evaluations of one point, where they are noisy.
        confidence: Of a comparison, see the module.

    Raises:
        ValueError: If the space has not one ordered axis, or an argument is out of range.

    Examples:
        >>> from hpcourse.search import Box, Real
        >>> search = Bisection(Box({"alpha": Real(0.0, 1.0)}))
        >>> search.ask().config
        {'alpha': 0.5}
    """

    _steps = staticmethod(bisection_steps)


class TernarySearch(_AlongOneAxis):
    """Ternary search as a searcher; it asks for two trials at a time.

    Args:
        space: One ordered axis, along which the loss is unimodal.
        seed: Seed of the search, which draws nothing.
        noisy: Whether evaluations are noisy and repeated.
        tolerance: Width of the last interval as a share of the unit interval.
        repeats: Most evaluations of one point, where they are noisy.
        confidence: Of a comparison, see the module.

    Raises:
        ValueError: If the space has not one ordered axis, or an argument is out of range.

    Examples:
        >>> from hpcourse.search import Box, Real
        >>> search = TernarySearch(Box({"x": Real(0.0, 3.0)}))
        >>> [round(search.ask().config["x"], 9) for _ in range(2)]
        [1.0, 2.0]
    """

    _steps = staticmethod(ternary_steps)


class GoldenSection(_AlongOneAxis):
    """Golden-section search as a searcher.

    Args:
        space: One ordered axis, along which the loss is unimodal.
        seed: Seed of the search, which draws nothing.
        noisy: Whether evaluations are noisy and repeated.
        tolerance: Width of the last interval as a share of the unit interval.
        repeats: Most evaluations of one point, where they are noisy.
        confidence: Of a comparison, see the module.

    Raises:
        ValueError: If the space has not one ordered axis, or an argument is out of range.

    Examples:
        >>> from hpcourse.search import Box, Real
        >>> search = GoldenSection(Box({"lr": Real(1e-4, 1e-1, log=True)}))
        >>> [round(search.ask().config["lr"], 6) for _ in range(2)]
        [0.001399, 0.007147]
    """

    _steps = staticmethod(golden_steps)
