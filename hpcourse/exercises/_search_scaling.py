"""Checks of the exercises about searches with many workers."""

from collections.abc import Callable, Sequence
from functools import partial

from hpcourse.exercises._judge import judge
from hpcourse.search.scaling import simulate, speedup_bound


def check_useful_workers(answer: Callable[[float, float], int]) -> bool:
    """Check ``answer(trial_seconds, ask_seconds)``.

    The driver needs `ask_seconds` for each trial, one after the other. It must return the smallest
    number of workers beyond which another one makes the search no faster.
    """
    cases = []
    for trial_seconds, ask_seconds in [(10.0, 1.0), (3600.0, 2.0), (5.0, 2.0), (0.5, 1.0)]:
        most = speedup_bound(trial_seconds, ask_seconds, 10**6)
        workers = next(w for w in range(1, 10**6) if w >= most - 1e-9)
        name = f"{trial_seconds=}, {ask_seconds=}"
        cases.append((name, partial(answer, trial_seconds, ask_seconds), float(workers)))
    return judge(cases)


def check_results_known(answer: Callable[[int, int, int], int]) -> bool:
    """Check ``answer(number, workers, size)``.

    A search runs in order on `workers` workers, each of which scores `size` trials a call. It must
    return how many results the searcher knows when it suggests trial `number`.
    """
    settings = [
        (0, 1, 1),
        (10, 1, 1),
        (10, 4, 1),
        (2, 4, 1),
        (100, 4, 16),
        (63, 4, 16),
        (64, 4, 16),
    ]
    return judge(
        (
            f"{number=}, {workers=}, {size=}",
            partial(answer, number, workers, size),
            float(max(0, number + 1 - workers * size)),
        )
        for number, workers, size in settings
    )


def check_in_order_seconds(answer: Callable[[Sequence[float], int], float]) -> bool:
    """Check ``answer(durations, workers)``.

    Trial k lasts ``durations[k]`` seconds. Results are told in the order of the trials, and trial k
    is asked for once all trials up to ``k - workers`` have been told. It must return when the last
    trial ends; asking and telling take no time.
    """
    settings = [
        ([1.0, 1.0, 1.0], 1),
        ([3.0, 1.0, 1.0, 1.0], 2),
        ([1.0, 5.0, 1.0, 1.0, 1.0, 2.0], 2),
        ([2.0, 7.0, 1.0, 8.0, 2.0, 8.0, 1.0, 8.0], 3),
    ]
    return judge(
        (
            f"{durations=}, {workers=}",
            partial(answer, durations, workers),
            simulate(durations, workers, in_order=True),
        )
        for durations, workers in settings
    )
