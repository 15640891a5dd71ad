"""Checks of the exercises about hyperopt and hyperas."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from hpcourse.exercises._judge import judge


def check_lognormal_arguments(answer: Callable[[float, float], tuple[float, float]]) -> bool:
    """Check ``answer(median, factor)``.

    It must return the `mu` and `sigma` of a lognormal distribution with this median, of which 95 %
    lies between ``median / factor`` and ``median * factor``; 1.96 standard deviations hold that.
    """
    settings = [(0.005, 10.0), (1.0, 2.0), (1e-4, 3.0)]
    return judge(
        (
            f"{median=}, {factor=}",
            partial(answer, median, factor),
            np.array([math.log(median), math.log(factor) / 1.96]),
        )
        for median, factor in settings
    )


def check_lowest_loss(answer: Callable[[Sequence[dict[str, Any]]], float]) -> bool:
    """Check ``answer(results)``.

    A result is a dict with a `status`, and with a `loss` if that is ``"ok"``. It must return the
    lowest loss of those that are ok, or infinity if none is.
    """
    ok: list[dict[str, Any]] = [{"status": "ok", "loss": loss} for loss in (2.0, 0.5, 3.0)]
    failed: list[dict[str, Any]] = [{"status": "fail"}, {"status": "fail", "loss": 0.1}]
    cases: list[tuple[list[dict[str, Any]], float]] = [
        (ok, 0.5),
        ([*failed, *ok], 0.5),
        (failed, math.inf),
        ([], math.inf),
    ]
    return judge((f"{results}", partial(answer, results), lowest) for results, lowest in cases)
