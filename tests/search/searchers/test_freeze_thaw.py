"""The search that freezes and thaws trainings, its kernel, and what it keeps of a history."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcourse.search import ASHA, Box, Choice, FreezeThaw, Random, Real, Trial
from hpcourse.search.searchers._curve_model import KNOWN, CurveModel, Judged, informative, scores
from hpcourse.search.searchers._rung_kernel import RungKernel
from hpcourse.search.surrogates.kernels import MixedKernel

SPACE = Box({"x": Real(0.0, 1.0), "y": Real(0.0, 1.0)})
MIXED = Box({"x": Real(0.0, 1.0), "kind": Choice(("a", "b", "c"))})
FINITE = Box({"x": Choice((0.1, 0.2, 0.3), ordered=True), "y": Choice((1, 2), ordered=True)})


def gap(config):
    return (config["x"] - 0.8) ** 2 + (config["y"] - 0.3) ** 2


def curve(config, budget):
    """Far points learn faster, near ones become better."""
    return gap(config) + (1 - gap(config)) / (1 + budget)


def misleading(config, budget):
    """Below the highest budget the worst looks best."""
    return gap(config) if budget == 27 else -gap(config)


def run(searcher, epochs, of):
    """The ended trials of a search that spends so many epochs, and what it has spent."""
    trials, spent = [], 0
    while spent < epochs and (asked := searcher.ask()) is not None:
        before = 0 if asked.parent is None else trials[asked.parent].budget
        spent += asked.budget - before
        trials.append(
            Trial(
                number=len(trials),
                config=asked.config,
                seed=0,
                budget=asked.budget,
                parent=asked.parent,
                state="done",
                value=of(asked.config, asked.budget),
            )
        )
        searcher.tell(trials[-1])
    return trials


def lowest(trials):
    return min(gap(trial.config) for trial in trials if trial.budget == 27)


# --- The kernel


def rows_of(kernel, space, count, rng):
    points = rng.random((count, len(space.axes)))
    points[1] = points[0]
    numbers = np.arange(count)
    numbers[1] = 0
    return kernel.rows(points, numbers, rng.integers(kernel.rungs, size=count))


@pytest.mark.parametrize("space", [SPACE, MIXED], ids=["numbers", "mixed"])
@pytest.mark.parametrize("seed", range(3))
def test_the_kernel_is_a_correlation_and_its_gradient_that_of_differences(space, seed):
    rng = np.random.default_rng(seed)
    kernel = RungKernel(MixedKernel(space.axes), 4)
    theta = kernel.prior.mean + kernel.prior.std * rng.standard_normal(len(kernel.prior.mean))
    rows = rows_of(kernel, space, 12, rng)
    matrix = kernel(theta, rows, rows)
    assert np.allclose(np.diag(matrix), 1)
    assert np.allclose(matrix, matrix.T)
    assert np.linalg.eigvalsh(matrix).min() > -1e-9
    weight = rng.standard_normal((12, 12))
    weight += weight.T
    found, step = kernel.gradient(theta, rows, weight), 1e-5
    for place, move in enumerate(np.eye(len(theta)) * step):
        up, down = (np.sum(weight * kernel(theta + by, rows, rows)) for by in (move, -move))
        assert found[place] == pytest.approx((up - down) / (2 * step), rel=1e-4, abs=1e-5)


def test_the_gradient_by_new_configurations_is_that_of_differences():
    rng = np.random.default_rng(5)
    kernel = RungKernel(MixedKernel(SPACE.axes), 3)
    theta, rows = kernel.prior.mean, rows_of(kernel, SPACE, 8, rng)
    new, step, weights = kernel.features(rng.random((2, 2))), 1e-6, rng.standard_normal((2, 8))
    values, backward = kernel.vjp(theta, new, rows)
    assert np.allclose(values, kernel(theta, new, rows))
    gradient = backward(weights)
    assert gradient.shape == new.shape
    for row in range(2):
        for column in kernel.continuous.values():
            move = np.zeros_like(new)
            move[row, column] = step
            up, down = (np.sum(weights * kernel(theta, new + by, rows)) for by in (move, -move))
            assert gradient[row, column] == pytest.approx((up - down) / (2 * step), abs=1e-6)


def test_equal_configurations_are_more_alike_than_equal_points_and_near_rungs_than_far_ones():
    kernel = RungKernel(MixedKernel(SPACE.axes), 4)
    points = np.full((4, 2), 0.5)
    rows = kernel.rows(points, np.array([7, 7, 7, 8]), np.array([3, 2, 0, 2]))
    alike = kernel(kernel.prior.mean, rows, rows)[0]
    assert alike[0] == pytest.approx(1)
    assert alike[1] > alike[2] > 0
    assert alike[1] > alike[3]


# --- The model


@given(st.lists(st.integers(0, 60), min_size=2, max_size=4).filter(any))
def test_scores_rise_with_the_place_and_are_those_of_the_largest_rung(sizes):
    found = scores([[(float(k), k) for k in range(size)] for size in sizes])
    most = max(sizes)
    for score, size in zip(found, sizes, strict=True):
        assert len(score) == size
        assert np.all(np.diff(score) > 0)
        assert np.allclose(score, found[sizes.index(most)][:size])


@given(st.integers(1, 500), st.integers(0, 9))
def test_the_highest_rungs_and_the_best_are_kept(count, seed):
    rng = np.random.default_rng(seed)
    rungs = np.sort(rng.geometric(0.7, count) - 1)
    values = rng.standard_normal(count)
    kept = informative(rungs, values)
    assert len(set(kept.tolist())) == len(kept) == min(count, KNOWN)
    assert np.argmin(values) in kept
    best = np.lexsort((values, -rungs))[0]
    assert best in kept


@pytest.mark.parametrize("tells", [True, False])
def test_the_model_learns_whether_low_rungs_tell(tells):
    """What it expects of the highest rung follows the lowest one, or not, as the pairs say."""
    rng = np.random.default_rng(0)
    points = rng.random((40, 2))
    value = rng.standard_normal(40)  # nothing that a smooth function could follow
    high = value if tells else rng.standard_normal(40)
    judged = Judged(
        points=np.vstack([points, points[:25]]),
        numbers=np.concatenate([np.arange(40), np.arange(25)]),
        rungs=np.repeat([0, 1], [40, 25]),
        scores=np.concatenate([value, high[:25]]),
    )
    model = CurveModel.of(SPACE.axes, 2).fitted_to(judged, 65)
    process = model.process(judged, np.empty((0, 0)))
    paused = np.arange(25, 40)
    rows = model.kernel.rows(points[paused], paused, np.ones(15, dtype=int))
    slope = np.polyfit(value[paused], process.predict(rows).mean, 1)[0]
    assert slope > 0.8 if tells else abs(slope) < 0.4


# --- The search


def test_it_begins_as_asynchronous_halving():
    ours, theirs = (run(make(SPACE, seed=3), 60, curve) for make in (FreezeThaw, ASHA))
    assert ours == theirs


def test_it_finds_more_than_random_search_with_the_same_epochs():
    def whole(config, budget):
        return gap(config)

    ours, theirs = [], []
    for seed in range(5):
        ours.append(lowest(run(FreezeThaw(SPACE, seed=seed), 27 * 12, curve)))
        drawn, search = [], Random(SPACE, seed=seed)
        for number in range(12):
            config = search.ask().config
            value = whole(config, 27)
            trial = Trial(number=number, config=config, seed=0, state="done", value=value)
            drawn.append(value)
            search.tell(trial)
        theirs.append(min(drawn))
    assert np.median(ours) < 0.2 * np.median(theirs)


def test_rungs_that_mislead_do_not_stop_it():
    ours = [lowest(run(FreezeThaw(SPACE, seed=seed), 27 * 30, misleading)) for seed in range(3)]
    theirs = [lowest(run(ASHA(SPACE, seed=seed), 27 * 30, misleading)) for seed in range(3)]
    assert np.median(ours) < 0.1 * np.median(theirs)


def test_a_finite_space_is_trained_to_the_end_and_ends():
    def of(config, budget):
        return config["x"] * config["y"] + 1 / budget

    search = FreezeThaw(FINITE, seed=0, max_budget=9)
    trials = run(search, 10**6, of)
    assert search.ask() is None
    assert len({(trial.config["x"], trial.config["y"]) for trial in trials}) == 6
    assert sum(trial.budget == 9 for trial in trials) == 6


def test_trials_of_an_earlier_study_guide_it():
    search, rng = FreezeThaw(SPACE, seed=1), np.random.default_rng(0)
    for number in range(40):
        config = SPACE.decode(rng.random(2))
        value = (config["x"] - 0.2) ** 2
        search.tell(
            Trial(number=900 + number, config=config, seed=0, budget=27, state="done", value=value)
        )
    trials = run(search, 300, lambda config, budget: (config["x"] - 0.2) ** 2)
    late = np.array([trial.config["x"] for trial in trials[45:]])
    assert len(late) > 20
    assert np.mean(np.abs(late - 0.2) < 0.1) > 0.6  # of the prior: 0.2


@pytest.mark.parametrize("workers", [2, 7])
def test_parallel_asks_differ(workers):
    search = FreezeThaw(SPACE, seed=2, max_budget=9)
    running, asked = [], []
    for number in range(80):
        suggestion = search.ask()
        key = (suggestion.config["x"], suggestion.config["y"], suggestion.budget)
        assert key not in asked
        asked.append(key)
        running.append((number, suggestion))
        if len(running) == workers:
            ended, suggestion = running.pop(0)
            search.tell(
                Trial(
                    number=ended,
                    config=suggestion.config,
                    seed=0,
                    budget=suggestion.budget,
                    parent=suggestion.parent,
                    state="done",
                    value=curve(suggestion.config, suggestion.budget),
                )
            )
    assert {budget for *_, budget in asked} == {1, 3, 9}
    assert not any(math.isnan(x) for x, *_ in asked)
