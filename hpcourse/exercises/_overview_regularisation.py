"""Checks of the exercises on regularisation and depth."""

from collections.abc import Callable
from functools import partial

from hpcourse.exercises._judge import judge


def check_variance_ratio(answer: Callable[[float, float, float], float]) -> bool:
    """Check ``answer(mean, variance, rate)``.

    It must return the variance at inference over the variance in training of a unit directly
    behind inverted dropout: variance / ((variance + mean**2) / (1 - rate) - mean**2).
    """
    settings = [(0.0, 1.0, 0.5), (3.0, 1.0, 0.5), (-1.0, 0.25, 0.2), (2.0, 5.0, 0.0)]
    return judge(
        (
            f"{mean=}, {variance=}, {rate=}",
            partial(answer, mean, variance, rate),
            variance / ((variance + mean**2) / (1 - rate) - mean**2),
        )
        for mean, variance, rate in settings
    )


def check_mlp_parameters(answer: Callable[[int, int, int, int], float]) -> bool:
    """Check ``answer(inputs, width, depth, outputs)``.

    It must return the number of weights and biases of a fully connected network with `depth`
    hidden layers of one width.
    """
    settings = [(40, 64, 1, 10), (40, 64, 3, 10), (784, 10, 2, 5)]
    return judge(
        (
            f"{inputs=}, {width=}, {depth=}, {outputs=}",
            partial(answer, inputs, width, depth, outputs),
            (inputs + 1) * width + (depth - 1) * (width + 1) * width + (width + 1) * outputs,
        )
        for inputs, width, depth, outputs in settings
    )


def check_shrinkage(answer: Callable[[float, float, int], float]) -> bool:
    """Check ``answer(lr, weight_decay, steps)``.

    It must return what plain gradient descent with L2 weight decay leaves of a weight whose loss
    has no gradient, as a fraction: (1 - lr * weight_decay) ** steps.
    """
    settings = [(0.1, 5e-4, 700), (0.1, 5e-4, 100_000), (0.01, 0.03, 700), (1.0, 0.0, 10)]
    return judge(
        (
            f"{lr=}, {weight_decay=}, {steps=}",
            partial(answer, lr, weight_decay, steps),
            (1 - lr * weight_decay) ** steps,
        )
        for lr, weight_decay, steps in settings
    )
