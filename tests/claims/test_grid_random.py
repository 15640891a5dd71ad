"""The claims on grids at tiny budgets; evaluation counts against the real searchers."""

import numpy as np
import pytest

from hpcourse.claims import grid_random, run
from hpcourse.claims._searching import CHANCE, Losses, side_by_side, train_signals
from hpcourse.claims.grid_random import (
    TOLERANCE,
    Plan,
    grid_evaluations,
    mean_evaluations,
    narrowing_arms,
    nine_arms,
    pair_space,
    random_evaluations,
)
from hpcourse.search import Box, Grid, Random, Real


@pytest.mark.parametrize("matters", [[0], [1], [2], [0, 1, 2]])
def test_a_grid_is_charged_what_the_searcher_spends(matters):
    cube = Box({name: Real(0.0, 1.0) for name in "abc"})
    for seed in range(5):
        best = np.random.default_rng(seed).random(3)
        grid = Grid(cube, points=5)
        points = np.array([list(grid.ask().config.values()) for _ in range(len(grid))])
        near = (np.abs(points - best)[:, matters] <= TOLERANCE + 1e-12).all(axis=1)
        assert grid_evaluations(best, matters) == 1 + near.argmax()


def test_random_search_is_charged_as_theory_says():
    rng = np.random.default_rng(0)
    best = np.array([0.5, 0.4, 0.6])
    for matters in ([1], [0, 2]):
        counts = [random_evaluations(best, matters, rng) for _ in range(2000)]
        share = (2 * TOLERANCE) ** len(matters)
        assert np.mean(counts) == pytest.approx(1 / share, rel=0.1)


def test_growth_without_importance():
    found = mean_evaluations(seed=1, functions=300)
    slopes = {k: np.polyfit(range(5), np.log10(v), 1)[0] for k, v in found.items()}
    assert abs(slopes["random, one matters"]) < 0.05
    assert slopes["grid, one matters"] > 0.4
    assert slopes["random, all matter"] > 0.6


def test_ranges_of_a_seed_are_shared_and_four_decades_wide():
    for seed in range(20):
        box = pair_space(seed, "forgets")
        rate = box.axes[0].domain
        assert rate.high / rate.low == pytest.approx(1e4)
        assert 1e-5 <= rate.low <= 1e-3
        assert box == pair_space(seed, "forgets")


def test_searches_side_by_side_are_the_searches_alone():
    box = Box({"lr": Real(1e-3, 1.0, log=True)})

    def score(configs, seeds):
        values = np.array([abs(np.log10(c["lr"]) + 1) for c in configs])
        return Losses(validation=values, test=values + np.array(seeds) / 1e6)

    together = side_by_side(
        [(Random(box, seed=s), 100 * s) for s in (1, 2)], score, trials=5, size=2
    )
    for seed, found in zip((1, 2), together, strict=True):
        search = Random(box, seed=seed)
        assert found.configs == [search.ask().config for _ in range(5)]
        assert np.allclose(
            np.subtract(found.test, found.validation), (100 * seed + np.arange(5)) / 1e6
        )
        assert found.best_test == found.test[int(np.argmin(found.validation))]


def test_trainings_depend_on_their_own_configuration_and_seed():
    configs = [{"lr": 0.1}, {"lr": 0.1, "width": 16}, {"lr": 1e6}]
    whole = train_signals(configs, [3, 4, 5], steps=12)
    alone = train_signals(configs[1:2], [4], steps=12)
    assert whole.validation[1] == pytest.approx(alone.validation[0], rel=1e-4)
    assert whole.test[2] == pytest.approx(CHANCE)
    assert whole.validation[0] < CHANCE


@pytest.mark.parametrize(
    ("name", "plans", "arms", "trials"),
    [
        ("random-beats-grid-unimportant-dims", "NINE", nine_arms, 9),
        ("narrowing-helps", "ROUNDS", narrowing_arms, 25),
    ],
)
def test_every_arm_has_the_same_budget(monkeypatch, name, plans, arms, trials):
    plan = Plan(seeds=(1, 2, 3, 4, 5), steps=1)
    monkeypatch.setitem(getattr(grid_random, plans), "quick", plan)

    def quick(configs, seeds, *, steps):
        values = np.array([abs(np.log10(c["lr"]) + 2) for c in configs])
        return Losses(validation=values, test=values)

    monkeypatch.setattr(grid_random, "train_signals", quick)
    evidence = run(name)
    curves = evidence.curves["best validation loss so far (nats)"]
    assert set(curves) == set(arms())
    assert {len(curve) for rows in curves.values() for curve in rows} == {trials}
    assert evidence.settings["trainings"] == trials


def test_growth_evidence(monkeypatch):
    plan = Plan(seeds=(1, 2, 3, 4, 5), functions=40)
    monkeypatch.setitem(grid_random.GROWTH, "quick", plan)
    decided = {c.arm: c.effect for c in run("grid-exponential").comparisons if c.decides}
    assert min(decided.values()) > 0.3
