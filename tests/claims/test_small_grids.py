"""What a curve lets one expect, against searches along it; the grid's training."""

import math

import numpy as np
import pytest

from hpcourse.claims.small_grids import batch_losses, expected_above_best, score_grid
from hpcourse.search import Trial

PLACES = np.linspace(-4, 1, 26)
LOSSES = 1 + np.abs(PLACES + 0.8) ** 1.5


@pytest.mark.parametrize("trials", [1, 9, 40])
def test_the_expectation_is_what_many_searches_find(trials):
    rng = np.random.default_rng(0)
    lows = (-3.4, -4.2)
    found = [
        np.interp(low + 4 * rng.random((20_000, trials)), PLACES, LOSSES).min(axis=1).mean()
        for low in lows
    ]
    grid, draws = expected_above_best(PLACES, LOSSES, trials=trials, lows=lows)
    assert draws == pytest.approx(np.mean(found) - LOSSES.min(), abs=0.02)
    middles = np.array(lows)[:, None] + 4 * np.array([1, 3, 5]) / 6
    lowest = np.interp(middles, PLACES, LOSSES).min(axis=1)
    assert grid == pytest.approx(lowest.mean() - LOSSES.min())


def test_a_grid_is_no_better_for_more_trials_of_the_same_values():
    few, many = (expected_above_best(PLACES, LOSSES, trials=n, lows=[-3]) for n in (3, 81))
    assert few[0] == many[0]
    assert many[1] < few[1]


def test_nothing_to_expect_is_refused():
    with pytest.raises(ValueError, match=r"needs a range, got lows=\[\]"):
        expected_above_best(PLACES, LOSSES, trials=1, lows=[])
    with pytest.raises(ValueError, match="trials"):
        expected_above_best(PLACES, LOSSES, trials=0, lows=[0])


def test_a_grid_is_trained_as_it_says():
    configs = [{"lr": 0.05}, {"lr": 0.05, "seed": 1}, {"lr": 0.05, "dropout": 0.7}, {"lr": 1e-9}]
    trials = [Trial(number=k, config=config, seed=0) for k, config in enumerate(configs)]
    plain, other, dropped, still = score_grid(trials, batch_size=64, epochs=2)
    assert max(plain, other) < dropped < still
    assert plain != other
    assert score_grid(trials, batch_size=64, epochs=2) == [plain, other, dropped, still]
    assert still == pytest.approx(math.log(10), abs=0.05)  # untrained


def test_losses_by_batch_are_in_their_places():
    found = batch_losses((200, 800), (1e3, 0.05), seeds=(0, 4))
    assert found.shape == (2, 2, 2)
    assert found[:, 0] == pytest.approx(math.log(10))  # diverged
    trial = Trial(number=0, config={"lr": 0.05, "seed": 4}, seed=0)
    for place, size in enumerate((200, 800)):
        assert found[place, 1, 1] == pytest.approx(score_grid([trial], batch_size=size)[0])
