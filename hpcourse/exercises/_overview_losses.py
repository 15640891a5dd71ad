"""Checks of the exercises about loss coefficients and batch size."""

import math
from collections.abc import Callable
from functools import partial

from hpcourse.exercises._judge import judge


def check_focal_factor(answer: Callable[[float, bool, float, float], float]) -> bool:
    """Check ``answer(probability, positive, gamma, alpha)``.

    `probability` is what the network gives to "positive", and `positive` tells whether that is
    right. It must return what the focal loss multiplies the sample's cross-entropy by: alpha (for a
    negative 1 - alpha) times the probability of the wrong answer to the power gamma.
    """
    settings = [
        (0.9, True, 2.0, 0.25),
        (0.01, False, 2.0, 0.25),
        (0.3, True, 0.0, 0.5),
        (0.8, False, 1.0, 0.75),
    ]
    return judge(
        (
            f"{probability=}, {positive=}, {gamma=}, {alpha=}",
            partial(answer, probability, positive, gamma, alpha),
            alpha * (1 - probability) ** gamma if positive else (1 - alpha) * probability**gamma,
        )
        for probability, positive, gamma, alpha in settings
    )


def check_auxiliary_weight(answer: Callable[[float, float, float], float]) -> bool:
    """Check ``answer(main, auxiliary, decades)``.

    It must return the weight with which an auxiliary loss of the value `auxiliary` lies `decades`
    decades above a main loss of the value `main`, or below it where `decades` is negative.
    """
    settings = [(2.3, 0.46, 0), (2.3, 460.0, -1), (0.5, 1e-3, 2), (1.2, 3.0, -1.5)]
    return judge(
        (
            f"{main=}, {auxiliary=}, {decades=}",
            partial(answer, main, auxiliary, decades),
            main * 10**decades / auxiliary,
        )
        for main, auxiliary, decades in settings
    )


def check_epochs_for_updates(answer: Callable[[int, int, int], int]) -> bool:
    """Check ``answer(samples, batch_size, updates)``.

    It must return the least number of whole epochs with at least so many updates, where the last
    batch of an epoch may be smaller than the others and still counts as an update.
    """
    settings = [(3200, 32, 1000), (3200, 800, 1000), (3200, 1024, 1000), (50_000, 128, 391)]
    return judge(
        (
            f"{samples=}, {batch_size=}, {updates=}",
            partial(answer, samples, batch_size, updates),
            math.ceil(updates / math.ceil(samples / batch_size)),
        )
        for samples, batch_size, updates in settings
    )
