import math
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize as minimize_scipy
from scipy.stats import ttest_rel

from hpcourse.search import Box, Random, Real, Trial, minimize
from hpcourse.search.scaling import (
    Sleeping,
    Timing,
    Valley,
    best_curves,
    by_round,
    geometric_ratio,
    measure,
    simulate,
    speedup_bound,
)

durations = st.lists(st.floats(0, 10), min_size=1, max_size=30)


def trial(seed):
    return Trial(number=0, config={"x": 0.5}, seed=seed)


@given(durations, st.integers(1, 6), st.floats(0, 2))
def test_a_simulated_search_lies_between_its_bounds(seconds, workers, ask):
    ordered, free = (
        simulate(seconds, workers, in_order=in_order, ask_seconds=ask) for in_order in (True, False)
    )
    n = len(seconds)
    least = max(max(seconds) + ask, sum(seconds) / workers, n * ask + seconds[-1])
    assert least <= free + 1e-9
    assert free <= ordered + 1e-9
    assert ordered <= sum(seconds) + n * ask + 1e-9


@given(durations, st.floats(0, 2))
def test_one_worker_takes_the_sum_and_enough_take_the_longest(seconds, ask):
    for in_order in (True, False):
        one = simulate(seconds, 1, in_order=in_order, ask_seconds=ask)
        assert one == pytest.approx(sum(seconds) + ask * len(seconds))
        all_at_once = simulate(seconds, len(seconds), in_order=in_order)
        assert all_at_once == max(seconds)


@pytest.mark.parametrize("workers", [1, 2, 5, 10, 40])
@pytest.mark.parametrize("ask", [0.0, 0.05, 0.5])
def test_equal_trials_reach_the_bound_in_the_long_run(workers, ask):
    trials = 4000
    seconds = simulate([1.0] * trials, workers, in_order=True, ask_seconds=ask)
    serial = trials * (1.0 + ask)
    assert serial / seconds == pytest.approx(speedup_bound(1.0, ask, workers), rel=0.02)


def test_the_simulation_is_what_minimize_does():
    # The durations are far apart, so that the order of events is sure on a busy machine.
    seconds = [0.3, 0.02, 0.02, 0.15, 0.02, 0.02]
    for in_order in (True, False):
        assert simulate(seconds, 2, in_order=in_order) < sum(seconds)
        # In order, trial 2 waits for trial 0; otherwise the second worker takes it at once.
        assert (ended_order(seconds, in_order).index(0) == 1) == in_order


def ended_order(seconds, in_order):
    ended = []

    def objective(trial):
        time.sleep(seconds[trial.number])
        ended.append(trial.number)
        return 1.0

    with ThreadPoolExecutor(2) as executor:
        minimize(
            objective,
            Random(Box({"x": Real(0.0, 1.0)})),
            trials=len(seconds),
            workers=2,
            executor=executor,
            in_order=in_order,
            progress=False,
        )
    return ended


def test_durations_follow_the_trials_seeds():
    objective = Sleeping(2.0, spread=0.5)
    found = np.array([objective.duration(trial(seed)) for seed in range(4000)])
    assert found.mean() == pytest.approx(2.0, rel=0.05)
    assert np.log(found).std() == pytest.approx(0.5, rel=0.05)
    assert objective.duration(trial(3)) == found[3]
    assert Sleeping(2.0).duration(trial(3)) == 2.0


def test_a_timing_is_counted_in_work():
    timing = Timing(workers=4, seconds=3.0, work=9.0, trials=30)
    assert timing.speedup == 3.0
    assert timing.overhead == pytest.approx(0.1)
    with ThreadPoolExecutor(2) as executor:
        found = measure(Sleeping(0.02), trials=6, workers=2, executor=executor)
    assert found.work >= 0.12
    assert found.overhead > 0
    assert found.speedup < 2


def test_a_valley_has_one_lowest_point_of_value_zero():
    valley = Valley(3, seed=5)
    numbers = [f"x{k}" for k in range(3)]

    def value(x):
        return valley(Trial(number=0, config=dict(zip(numbers, x.tolist(), strict=True)), seed=0))

    found = minimize_scipy(value, np.zeros(3), tol=1e-12)
    assert found.fun == pytest.approx(0, abs=1e-9)
    assert np.abs(found.x).max() <= 0.6
    # Curvatures along the valley's own directions: twice the scales 1, 2 and 4.
    steps = 1e-3 * np.eye(3)
    hessian = [
        [value(found.x + a + b) - value(found.x + a) - value(found.x + b) for a in steps]
        for b in steps
    ]
    assert np.linalg.eigvalsh(np.array(hessian) / 1e-6) == pytest.approx([2, 4, 8], rel=1e-4)


def test_curves_are_those_of_searches_in_order_and_by_round_keeps_the_ends():
    def make(space, seed):
        return Random(space, seed=seed)

    one, four = (best_curves(make, workers=w, trials=12, seeds=3) for w in (1, 4))
    assert np.array_equal(one, four)  # random search learns nothing
    assert (np.diff(one, axis=1) <= 0).all()
    assert np.array_equal(by_round(four, 4)[:, :3], four[:, [3, 7, 11]])
    assert np.isnan(by_round(four, 4)[:, 3:]).all()


def test_a_ratio_has_the_interval_of_the_paired_t_test():
    rng = np.random.default_rng(0)
    one, other = rng.lognormal(0.5, 1, 8), rng.lognormal(0, 1, 8)
    test = ttest_rel(np.log(one), np.log(other))
    ratio, low, high = geometric_ratio(one, other)
    assert ratio == pytest.approx(np.exp(np.log(one).mean() - np.log(other).mean()))
    assert (low, high) == pytest.approx(tuple(np.exp(test.confidence_interval())))
    with pytest.raises(ValueError, match="geometric_ratio needs two or more positive pairs"):
        geometric_ratio(np.array([1.0]), np.array([2.0]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Sleeping(0.0), "Sleeping needs seconds > 0, got seconds=0.0"),
        (lambda: Sleeping(1.0, spread=-1), "Sleeping needs spread >= 0, got spread=-1"),
        (lambda: simulate([], 1, in_order=True), "simulate needs durations >= 0"),
        (lambda: simulate([math.nan], 1, in_order=True), "simulate needs durations >= 0"),
        (lambda: simulate([1.0], 0, in_order=True), "simulate needs an integer workers >= 1"),
        (lambda: speedup_bound(0.0, 1.0, 2), "speedup_bound needs trial_seconds > 0"),
        (lambda: measure(Sleeping(1.0), trials=0, workers=1), "measure needs an integer trials"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
