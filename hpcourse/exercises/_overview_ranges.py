"""Checks of the exercises on parameters, risks, and ranges of hyperparameters."""

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from hpcourse.exercises._judge import judge

KINDS = {
    "weights of a kernel": "parameter",
    "number of kernels": "network",
    "bias of a layer": "parameter",
    "kernel size": "network",
    "learning rate": "optimisation",
    "dropout rate": "regularisation",
    "scale of batch norm": "parameter",
    "batch size": "optimisation",
    "weight decay": "regularisation",
    "weight of an auxiliary loss": "optimisation",
    "activation": "network",
}


def check_convolution_parameters(answer: Callable[[int, int, int, int, bool], int]) -> bool:
    """Check ``answer(channels, kernels, height, width, bias)``.

    It must return how many parameters a convolution has: for each kernel one weight for every
    input channel and position, and a bias if there is one.
    """
    settings = [(1, 16, 3, 3, True), (16, 32, 3, 3, False), (64, 8, 7, 1, True), (3, 1, 1, 1, True)]
    return judge(
        (
            f"{channels=}, {kernels=}, {height=}, {width=}, {bias=}",
            partial(answer, channels, kernels, height, width, bias),
            kernels * (channels * height * width + bias),
        )
        for channels, kernels, height, width, bias in settings
    )


def check_kind(answer: Callable[[str], str]) -> bool:
    """Check ``answer(name)``.

    It must return ``"parameter"``, or the class of a hyperparameter: ``"network"``,
    ``"optimisation"`` or ``"regularisation"``. The names asked are those of `KINDS`.
    """
    return judge((f"{name!r}", partial(answer, name), kind) for name, kind in KINDS.items())


def check_risk_gap(
    answer: Callable[[Sequence[float], Sequence[float], Sequence[int]], float],
) -> bool:
    """Check ``answer(losses, probabilities, sample)``.

    A world of a few cases: case i has loss ``losses[i]`` and is met with probability
    ``probabilities[i]``; a training set of the cases ``sample`` has been drawn. It must return the
    expected risk minus the empirical risk.
    """
    settings: list[tuple[list[float], list[float], list[int]]] = [
        ([0.0, 1.0], [0.5, 0.5], [0, 0, 0, 1]),
        ([0.1, 0.2, 3.0], [0.6, 0.3, 0.1], [0, 1, 0, 1, 0]),
        ([2.0, 0.5, 1.0], [0.2, 0.2, 0.6], [0, 0, 1, 2]),
    ]
    return judge(
        (
            f"{losses=}, {probabilities=}, {sample=}",
            partial(answer, losses, probabilities, sample),
            float(np.dot(losses, probabilities) - np.mean([losses[i] for i in sample])),
        )
        for losses, probabilities, sample in settings
    )


def check_middle(answer: Callable[[float, float], float]) -> bool:
    """Check ``answer(low, high)``: the middle of a range on a logarithmic axis."""
    settings = [(1e-3, 1e-1), (1e-3, 1e-2), (2.0, 32.0)]
    return judge(
        (f"{low=}, {high=}", partial(answer, low, high), math.sqrt(low * high))
        for low, high in settings
    )


def check_candidates(answer: Callable[[float, float, int], Sequence[float]]) -> bool:
    """Check ``answer(low, high, per_decade)``.

    It must return the candidates from `low` to `high`, both included, at equal ratios, with
    `per_decade` steps in a decade. The ranges span whole decades.
    """
    settings = [(1e-3, 1e-2, 3), (1e-5, 1e2, 1), (0.5, 50.0, 4)]
    cases = []
    for low, high, per_decade in settings:
        count = round(per_decade * math.log10(high / low)) + 1
        question = f"{low=}, {high=}, {per_decade=} ({count} candidates)"
        expected = np.geomspace(low, high, count)
        cases.append((question, partial(answer, low, high, per_decade), expected))
    return judge(cases)


def check_decades_of_decay(answer: Callable[[float, int], float]) -> bool:
    """Check ``answer(decay, updates)``.

    It must return by how many decades a rate with Keras' old ``decay`` argument, lr / (1 + decay *
    update), falls in so many updates.
    """
    settings = [(1e-6, 10_000), (1e-3, 10_000), (1e-3, 9_000), (0.1, 90)]
    return judge(
        (f"{decay=}, {updates=}", partial(answer, decay, updates), math.log10(1 + decay * updates))
        for decay, updates in settings
    )
