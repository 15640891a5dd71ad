"""Checks of the exercises about Bayesian optimisation."""

from collections.abc import Callable
from functools import partial
from math import exp, sqrt

import numpy as np
from scipy.stats import norm

from hpcourse.exercises._judge import Vector, judge


def check_expected_improvement(answer: Callable[[float, float, float], float]) -> bool:
    """Check ``answer(mean, std, best)``.

    The loss at a point is believed to be normal with this mean and standard deviation. It must
    return by how much the loss falls below `best` on average, where a loss above counts as 0.
    """
    settings = [(0.5, 0.1, 0.5), (0.4, 0.2, 0.5), (0.8, 0.2, 0.5), (0.0, 3.0, -1.0)]
    cases = []
    for mean, std, best in settings:
        z = (best - mean) / std
        right = float((best - mean) * norm.cdf(z) + std * norm.pdf(z))
        cases.append((f"{mean=}, {std=}, {best=}", partial(answer, mean, std, best), right))
    return judge(cases)


def check_posterior_of_one(answer: Callable[[float, float], tuple[float, float] | Vector]) -> bool:
    """Check ``answer(value, distance)``.

    A process of mean 0 and variance 1 has the kernel exp(-distance**2 / 2), and one value is known
    without noise. It must return mean and standard deviation at this distance from it.
    """
    settings = [(1.0, 0.0), (1.0, 1.0), (-2.0, 0.5), (3.0, 4.0)]
    cases = []
    for value, distance in settings:
        k = exp(-(distance**2) / 2)
        right = np.array([k * value, sqrt(1 - k * k)])
        cases.append((f"{value=}, {distance=}", partial(answer, value, distance), right))
    return judge(cases)


def check_still_behind(answer: Callable[[int, int], float]) -> bool:
    """Check ``answer(earlier, further)``.

    All losses are different and drawn independently. It must return the probability that none of
    `further` random trainings is better than the best of `earlier` ones.
    """
    settings = [(1, 1), (30, 30), (20, 60), (7, 0)]
    return judge(
        (
            f"{earlier=}, {further=}",
            partial(answer, earlier, further),
            earlier / (earlier + further),
        )
        for earlier, further in settings
    )
