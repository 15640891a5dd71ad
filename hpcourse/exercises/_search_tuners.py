"""Checks of the exercises about KerasTuner, NNI and optuna."""

from collections.abc import Callable, Mapping
from functools import partial

from hpcourse.exercises._judge import judge


def check_best_choice(answer: Callable[[Mapping[float, float], str], float]) -> bool:
    """Check ``answer(scores, direction)``.

    `scores` maps the value of a hyperparameter to its trial's score, and `direction` is ``"max"``
    or ``"min"``. It must return the value of the best trial.
    """
    printed = {0.0001: 0.4927, 0.01: 0.2861, 0.1: 0.106}
    cases = [(printed, "max", 0.0001), (printed, "min", 0.1), ({3.0: -1.0}, "max", 3.0)]
    return judge(
        (f"{scores}, {direction!r}", partial(answer, scores, direction), best)
        for scores, direction, best in cases
    )


def check_expected_distinct(answer: Callable[[int, int], float]) -> bool:
    """Check ``answer(size, trials)``.

    A search draws `trials` configurations out of `size`, each time any of them and all equally
    likely. It must return how many different ones it tries on average.
    """
    settings = [(6, 12), (6, 1), (100, 100), (24, 50)]
    return judge(
        (
            f"{size=}, {trials=}",
            partial(answer, size, trials),
            size * (1 - (1 - 1 / size) ** trials),
        )
        for size, trials in settings
    )
