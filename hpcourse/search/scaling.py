"""How much faster a search gets with more workers, and what it costs.

A search asks, evaluates and is told. Asking and telling happen in the driver, one after the other;
evaluations happen side by side. `simulate` plays both in simulated time, by the rules of
`minimize`, so that designs can be compared without waiting.

References:
    Amdahl (1967), Validity of the single processor approach to achieving large scale computing
    capabilities, AFIPS: the serial part bounds the speed-up.
"""

import heapq
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student_t

from hpcourse._check import require, require_count, require_non_negative, require_positive
from hpcourse.search.domains import Real
from hpcourse.search.driver import minimize
from hpcourse.search.searcher import Searcher
from hpcourse.search.searchers import Random
from hpcourse.search.space import Box, Space
from hpcourse.search.trial import Trial

__all__ = [
    "Sleeping",
    "Timing",
    "Valley",
    "best_curves",
    "by_round",
    "geometric_ratio",
    "measure",
    "simulate",
    "speedup_bound",
]

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Sleeping:
    """An objective that computes nothing and takes its time, as work on another device does.

    Attributes:
        seconds: Mean duration of a trial.
        spread: Standard deviation of the logarithm of the durations, which the trials' seeds fix; 0
            makes all equal.

    Raises:
        ValueError: If `seconds` is not positive or `spread` is negative.

    Examples:
        >>> trial = Trial(number=0, config={"x": 0.7}, seed=1)
        >>> Sleeping(0.01, spread=0.5).duration(trial) == Sleeping(0.01, spread=0.5).duration(trial)
        True
        >>> Sleeping(0.001)(trial)
        0.7
    """

    seconds: float
    spread: float = 0.0

    def __post_init__(self) -> None:
        """Check the fields."""
        require_positive("Sleeping", seconds=self.seconds)
        require_non_negative("Sleeping", spread=self.spread)

    def duration(self, trial: Trial) -> float:
        """How long a trial takes, in seconds."""
        return self.draw(trial.seed)

    def draw(self, seed: int) -> float:
        """A duration, in seconds: lognormal with mean `seconds`."""
        shift = np.random.default_rng(seed).normal(-self.spread / 2, 1)
        return float(self.seconds * np.exp(self.spread * shift))

    def __call__(self, trial: Trial) -> float:
        """Sleep, and return the trial's ``x``."""
        time.sleep(self.duration(trial))
        return float(trial.config["x"])


@dataclass(frozen=True)
class Valley:
    """A quadratic valley with its lowest point, of value 0, at a place that the seed draws.

    The axes of the valley are turned against those of the space, and each is twice as steep as
    the one before.

    Attributes:
        dimension: Number of hyperparameters, ``x0``, ``x1``, ...
        seed: Seed of the place and the directions.

    Raises:
        ValueError: If `dimension` is below one.

    Examples:
        >>> valley = Valley(2, seed=3)
        >>> study = minimize(valley, Random(valley.space), trials=200, progress=False)
        >>> 0 < study.best.value < 0.05
        True
    """

    dimension: int
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the fields."""
        require_count("Valley", dimension=self.dimension)

    @property
    def space(self) -> Box:
        """Every hyperparameter between -1 and 1."""
        return Box({f"x{k}": Real(-1.0, 1.0) for k in range(self.dimension)})

    def __call__(self, trial: Trial) -> float:
        """Height at the trial's configuration."""
        rng = np.random.default_rng(self.seed)
        place = rng.uniform(-0.6, 0.6, self.dimension)
        turn = np.linalg.qr(rng.standard_normal((self.dimension, self.dimension)))[0]
        x = np.array([trial.config[f"x{k}"] for k in range(self.dimension)])
        return float(2.0 ** np.arange(self.dimension) @ (turn @ (x - place)) ** 2)


@dataclass(frozen=True, kw_only=True)
class Timing:
    """One measured search.

    Attributes:
        workers: Number of calls at a time.
        seconds: Wall time of the search.
        work: Sum of the trials' own durations, in seconds.
        trials: Number of trials.
    """

    workers: int
    seconds: float
    work: float
    trials: int

    @property
    def speedup(self) -> float:
        """How many times faster than the trials one after the other without any overhead."""
        return self.work / self.seconds

    @property
    def overhead(self) -> float:
        """Seconds of a worker per trial that are no evaluation but asking, sending and waiting."""
        return (self.seconds * self.workers - self.work) / self.trials


def measure(
    objective: Sleeping,
    *,
    trials: int,
    workers: int,
    executor: Executor | None = None,
    in_order: bool = True,
) -> Timing:
    """Time a random search over `objective`, after a short one that wakes the workers.

    Raises:
        ValueError: If a number is out of range.

    Examples:
        >>> timing = measure(Sleeping(0.002), trials=10, workers=1)
        >>> 0 < timing.speedup < 1
        True
    """
    require_count("measure", trials=trials, workers=workers)
    _search(Sleeping(1e-3), 2 * workers, workers, executor, in_order)
    begin = time.perf_counter()
    work = _search(objective, trials, workers, executor, in_order)
    seconds = time.perf_counter() - begin
    return Timing(workers=workers, seconds=seconds, work=work, trials=trials)


def _search(
    objective: Sleeping, trials: int, workers: int, executor: Executor | None, in_order: bool
) -> float:
    """Run a search; the seconds that its trials took."""
    study = minimize(
        objective,
        Random(Box({"x": Real(0.0, 1.0)})),
        trials=trials,
        workers=workers,
        executor=executor,
        in_order=in_order,
        progress=False,
    )
    return sum(trial.seconds for trial in study.trials)


def best_curves(
    make: Callable[[Space, int], Searcher], *, workers: int, trials: int, seeds: int
) -> Vector:
    """Best value so far of a searcher on as many valleys of four dimensions, (seeds, trials).

    Results are told in order, so that no time has to pass: a search on threads that return at once
    is the one that a cluster would have made.

    Args:
        make: Space and seed to a fresh searcher.
        workers: Number of trials at a time.
        trials: Number of trials of each search.
        seeds: Number of valleys, each with its own seed for valley and searcher.

    Raises:
        ValueError: If a number is below one.
    """
    require_count("best_curves", workers=workers, trials=trials, seeds=seeds)
    curves = []
    with ThreadPoolExecutor(workers) as threads:
        for seed in range(seeds):
            valley = Valley(4, seed)
            searcher = make(valley.space, seed)
            study = minimize(
                valley,
                searcher,
                trials=trials,
                executor=threads,
                workers=workers,
                progress=False,
            )
            curves.append(study.best_so_far)
    return np.array(curves)


def by_round(curves: Vector, workers: int) -> Vector:
    """Best values after each round of `workers` trials instead of after each trial.

    Args:
        curves: One search a row, (searches, trials).
        workers: Number of trials at a time.

    Returns:
        Of the same shape; NaN beyond the last round.

    Raises:
        ValueError: If `workers` is below one.

    Examples:
        >>> by_round(np.array([[4.0, 3.0, 2.0, 1.0]]), workers=2)
        array([[ 3.,  1., nan, nan]])
    """
    require_count("by_round", workers=workers)
    ends = curves[:, workers - 1 :: workers]
    result = np.full(curves.shape, np.nan)
    result[:, : ends.shape[1]] = ends
    return result


def geometric_ratio(one: Vector, other: Vector) -> tuple[float, float, float]:
    """Geometric mean of ``one / other`` over paired runs, (n,) each, with its 95 % interval.

    Raises:
        ValueError: Unless both are positive, of one length and at least two.

    Examples:
        >>> ratio, low, high = geometric_ratio(np.array([2.0, 4.0, 8.0]), np.array([1.0, 2.0, 4.0]))
        >>> ratio, low, high
        (2.0, 2.0, 2.0)
    """
    a, b = np.asarray(one, float), np.asarray(other, float)
    fits = a.shape == b.shape and a.ndim == 1 and a.size >= 2 and min(a.min(), b.min()) > 0
    require(bool(fits), "geometric_ratio needs two or more positive pairs", one=one, other=other)
    logs = np.log(a / b)
    reach = float(student_t.ppf(0.975, a.size - 1) * logs.std(ddof=1) / np.sqrt(a.size))
    mean, low, high = np.exp(logs.mean() + np.array([0.0, -reach, reach]))
    return float(mean), float(low), float(high)


def speedup_bound(trial_seconds: float, ask_seconds: float, workers: int) -> float:
    """Largest speed-up of `workers` when every trial costs the driver `ask_seconds`.

    A worker delivers a trial every ``ask + trial`` seconds at best, and the driver can serve one
    every ``ask``: ``min(workers, (ask + trial) / ask)``.

    Raises:
        ValueError: If a number is out of range.

    Examples:
        >>> speedup_bound(9.0, 1.0, 4), speedup_bound(9.0, 1.0, 64)
        (4.0, 10.0)
    """
    require_positive("speedup_bound", trial_seconds=trial_seconds)
    require_non_negative("speedup_bound", ask_seconds=ask_seconds)
    require_count("speedup_bound", workers=workers)
    if ask_seconds == 0:
        return float(workers)
    return min(float(workers), (ask_seconds + trial_seconds) / ask_seconds)


def simulate(
    durations: Sequence[float], workers: int, *, in_order: bool, ask_seconds: float = 0.0
) -> float:
    """Seconds that a search takes whose trial k lasts ``durations[k]``.

    Args:
        durations: Seconds of each trial.
        workers: Number of trials at a time.
        in_order: Whether trial k waits for trial ``k - workers``, as in `minimize`.
        ask_seconds: What the driver needs for each trial, one after the other.

    Raises:
        ValueError: If a number is out of range.

    Examples:
        >>> durations = [3.0, 1.0, 1.0, 1.0]
        >>> simulate(durations, 2, in_order=False), simulate(durations, 2, in_order=True)
        (3.0, 4.0)
    """
    require_count("simulate", workers=workers)
    require_non_negative("simulate", ask_seconds=ask_seconds)
    ok = len(durations) > 0 and all(duration >= 0 for duration in durations)
    require(ok, "simulate needs durations >= 0", durations=durations)
    ends: list[float] = []  # of each trial
    running: list[float] = []  # ends of the trials that hold a worker
    driver = 0.0  # when the driver is free
    for number, duration in enumerate(durations):
        free = heapq.heappop(running) if len(running) == workers else 0.0
        if in_order and number >= workers:
            free = max(free, ends[number - workers])
        driver = max(driver, free) + ask_seconds
        ends.append(driver + duration)
        heapq.heappush(running, ends[-1])
    return max(ends)
