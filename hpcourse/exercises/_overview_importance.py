"""Checks of the exercises about the importance of hyperparameters."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from hpcourse.exercises._judge import Vector, judge


def check_variance_shares(
    answer: Callable[[Sequence[float], Sequence[float]], Sequence[float] | Vector],
) -> bool:
    """Check ``answer(slopes, widths)``.

    The loss is a sum of ``slope * x``, one for each hyperparameter x, which is uniform on a range
    of this width. It must return every hyperparameter's share of the variance, in the same order.
    """
    settings: list[tuple[list[float], list[float]]] = [
        ([1.0, 1.0], [1.0, 1.0]),
        ([3.0, 1.0], [1.0, 1.0]),
        ([2.0, -1.0, 0.5], [1.0, 4.0, 2.0]),
    ]
    cases = []
    for slopes, widths in settings:
        variances = (np.array(slopes) * np.array(widths)) ** 2 / 12
        cases.append(
            (
                f"{slopes=}, {widths=}",
                partial(answer, slopes, widths),
                variances / variances.sum(),
            )
        )
    return judge(cases)


def check_effective_rate(answer: Callable[[float, float, int], float]) -> bool:
    """Check ``answer(lr, momentum, steps)``.

    It must return by how much heavy-ball descent moves a weight in step number `steps`, the first
    being 1, when the gradient has been 1 all along: lr (1 - momentum**steps) / (1 - momentum).
    """
    settings = [(0.1, 0.9, 1), (0.1, 0.9, 10), (0.01, 0.99, 1000), (0.5, 0.0, 7)]
    return judge(
        (
            f"{lr=}, {momentum=}, {steps=}",
            partial(answer, lr, momentum, steps),
            lr * float(np.sum(momentum ** np.arange(steps))),
        )
        for lr, momentum, steps in settings
    )


def check_narrowed_range(answer: Callable[[float, float], float]) -> bool:
    """Check ``answer(share, wanted)``.

    Over a range with the optimum in its middle the loss is a parabola in one hyperparameter,
    which explains `share` of the variance; the others add to it and stay as they are. It must
    return the factor by which the range shrinks around the optimum when the share becomes `wanted`.
    The variance of a parabola goes with the fourth power of the width.
    """
    settings = [(0.5, 0.5), (0.8, 0.2), (0.6, 0.05)]
    return judge(
        (
            f"{share=}, {wanted=}",
            partial(answer, share, wanted),
            (wanted / (1 - wanted) * (1 - share) / share) ** 0.25,
        )
        for share, wanted in settings
    )
