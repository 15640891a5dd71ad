"""Checks of the exercises on grids, random search and golden sections."""

import math
from collections.abc import Callable
from functools import partial

from hpcourse.exercises._judge import judge


def check_trials_for_the_best(answer: Callable[[float, float], int]) -> bool:
    """Check ``answer(share, confidence)``.

    It must return how many random trials are needed for at least one of them to be among the best
    `share` of all configurations with a probability of at least `confidence`.
    """
    settings = [(0.05, 0.95), (0.01, 0.9), (0.2, 0.5)]
    return judge(
        (
            f"{share=}, {confidence=}",
            partial(answer, share, confidence),
            float(math.ceil(math.log(1 - confidence) / math.log(1 - share))),
        )
        for share, confidence in settings
    )


def check_golden_evaluations(answer: Callable[[float], int]) -> bool:
    """Check ``answer(tolerance)``.

    It must return how many evaluations golden sections need until the interval is at most
    `tolerance` times as wide as at first. The first two evaluations allow the first cut.
    """
    golden = (math.sqrt(5) - 1) / 2
    return judge(
        (
            f"{tolerance=}",
            partial(answer, tolerance),
            1.0 + math.ceil(math.log(tolerance) / math.log(golden)),
        )
        for tolerance in (0.1, 0.01, 1e-4)
    )


def check_chance_of_the_grid(answer: Callable[[int, float], float]) -> bool:
    """Check ``answer(values, width)``.

    Good values of the one hyperparameter that matters are an interval of `width`, at most half of
    a cell of the grid, somewhere in [0, 1] with every place equally likely. It must return the
    probability that one of the `values` of the grid, at the middles of equal parts, is good.
    """
    settings = [(3, 0.1), (3, 0.15), (9, 0.05)]
    return judge(
        (
            f"{values=}, {width=}",
            partial(answer, values, width),
            values * width / (1 - width),
        )
        for values, width in settings
    )
