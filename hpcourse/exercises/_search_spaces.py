"""Checks of the exercises about search spaces."""

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from scipy.stats import norm, uniform

from hpcourse.exercises._judge import Vector, judge

Pair = tuple[float, float]


def check_lognormal(answer: Callable[[float, float], Sequence[float] | Vector]) -> bool:
    """Check ``answer(median, factor)``.

    It must return mean and standard deviation of the natural logarithm of a lognormal number that
    has this median, and of which 95 % lie within `factor` of it, above or below.
    """
    cases = []
    for median, factor in ((0.005, 10.0), (1.0, 2.0), (3e-4, 100.0)):
        expected = [math.log(median), math.log(factor) / norm.ppf(0.975)]
        question = f"{median=}, {factor=}"
        cases.append((question, partial(answer, median, factor), np.array(expected)))
    return judge(cases, rtol=1e-3)


def check_quantised(answer: Callable[[float, float, float, float], float]) -> bool:
    """Check ``answer(low, high, q, value)``.

    It must return the probability of one multiple of `q` where x is uniform from low to high and
    the value is ``q * round(x / q)``.
    """
    settings = [(0.0, 10.0, 2.0, 4.0), (0.0, 10.0, 2.0, 0.0), (0.0, 11.0, 4.0, 12.0)]
    settings += [(1.0, 3.0, 1.0, 3.0), (0.3, 2.2, 0.5, 0.5), (0.0, 1.0, 0.5, 2.0)]
    cases = []
    for low, high, q, value in settings:
        law = uniform(low, high - low)
        expected = float(law.cdf(value + q / 2) - law.cdf(value - q / 2))
        question = f"{low=}, {high=}, {q=}, {value=}"
        cases.append((question, partial(answer, low, high, q, value), expected))
    return judge(cases)


def check_trials_to_hit(answer: Callable[[Sequence[Pair], Sequence[Pair], float], int]) -> bool:
    """Check ``answer(ranges, good, chance)``.

    Hyperparameters are drawn uniformly on the log scale from `ranges`, pairs of ends; `good` has
    the part of each range, within it, that does. It must return the smallest number of random
    trials of which at least one lies in all good parts with probability `chance` or more.
    """
    settings: list[tuple[list[Pair], list[Pair], float]] = [
        ([(1e-4, 1.0)], [(0.01, 0.1)], 0.95),
        ([(1e-3, 1.0), (1e-6, 1e-2)], [(0.1, 1.0), (1e-4, 1e-2)], 0.95),
        ([(1e-8, 1e4), (1e-4, 1.0), (1e-12, 1.0)], [(0.1, 1.0), (0.01, 1.0), (1e-6, 1e-3)], 0.9),
    ]
    cases = []
    for ranges, good, chance in settings:
        share = math.prod(map(_log_share, ranges, good))
        expected = math.ceil(math.log1p(-chance) / math.log1p(-share))
        question = f"{ranges=}, {good=}, {chance=}"
        cases.append((question, partial(answer, ranges, good, chance), float(expected)))
    return judge(cases)


def _log_share(ends: Pair, good: Pair) -> float:
    return math.log(good[1] / good[0]) / math.log(ends[1] / ends[0])
