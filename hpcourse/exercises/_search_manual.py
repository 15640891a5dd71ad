"""Checks of the exercises on tuning by hand."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from hpcourse.exercises._judge import judge


def check_next_centre(answer: Callable[[float, float, float, float], float]) -> bool:
    """Check ``answer(centre, below, here, above)``.

    The losses are those of a tenth of the centre, the centre, and ten times the centre. It must
    return the next centre: the same one if it is the best, else half the way to the better side.
    """
    settings = [(1e-3, 2.0, 1.5, 1.2), (1e-3, 1.2, 1.5, 2.0), (5.5e-3, 1.3, 1.1, 2.3)]
    cases = []
    for centre, below, here, above in settings:
        sides = [centre, centre / 10, 10 * centre]
        best = sides[int(np.argmin([here, below, above]))]
        question = f"{centre=}, {below=}, {here=}, {above=}"
        cases.append((question, partial(answer, centre, below, here, above), (centre + best) / 2))
    return judge(cases)


def check_chosen_batch(answer: Callable[[int, Sequence[float]], int]) -> bool:
    """Check ``answer(first, losses)``.

    The losses are those of the batch sizes `first`, twice `first`, four times `first` and so on. It
    must return the size at which somebody stays who doubles it while that helps.
    """
    settings = [(32, [1.5, 1.2, 1.3, 0.9]), (32, [1.0, 1.1, 0.2]), (256, [3.0, 2.0, 1.0])]
    cases = []
    for first, losses in settings:
        rises = [k for k in range(len(losses) - 1) if losses[k + 1] >= losses[k]]
        stay = rises[0] if rises else len(losses) - 1
        cases.append((f"{first=}, {losses=}", partial(answer, first, losses), first * 2.0**stay))
    return judge(cases)


def check_decades_moved(answer: Callable[[float], float]) -> bool:
    """Check ``answer(factor)``.

    It must return by how many decades the centre moves, upwards positive, that goes half the way to
    `factor` times itself.
    """
    cases = [
        (f"{factor=}", partial(answer, factor), float(np.log10((1 + factor) / 2)))
        for factor in (10.0, 0.1, 10**0.5)
    ]
    return judge(cases)
