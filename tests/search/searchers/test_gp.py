"""What Gaussian process search finds, and what it makes of failures, noise and other kernels."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spaces import CONDITIONAL, MIXED

from hpcourse.search import GP, Box, Choice, Random, Real, Trial, When
from hpcourse.search.surrogates.improvement import warped
from hpcourse.search.surrogates.kernels import MixedKernel, Prior

PLANE = Box({"x": Real(-5.0, 10.0), "y": Real(0.0, 15.0)})


def branin(config):
    x, y = config["x"], config["y"]
    valley = y - 5.1 / (4 * math.pi**2) * x * x + 5 / math.pi * x - 6
    return valley**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


def branches(config):
    if config["kind"] == "deep":
        return 0.1 + (config["rate"] - 0.3) ** 2 + (config["depth"] - 0.8) ** 2
    return 0.2 + (config["rate"] - 0.3) ** 2 + abs(config["width"] - 0.4)


BRANCHES = Box(
    {
        "rate": Real(0.0, 1.0),
        "kind": Choice(("wide", "deep")),
        "width": When("kind", "wide", Real(0.0, 1.0)),
        "depth": When("kind", "deep", Real(0.0, 1.0)),
    }
)


def values_of(searcher, objective, count):
    """Values in the order in which they were found."""
    found = []
    for number in range(count):
        config = searcher.ask().config
        value = objective(config)
        state = {"state": "done", "value": value}
        if not math.isfinite(value):
            state = {"state": "failed", "error": "diverged"}
        searcher.tell(Trial(number=number, config=config, seed=0, **state))
        found.append(value)
    return found


@pytest.mark.parametrize(
    ("space", "objective", "lowest"), [(PLANE, branin, 0.397887), (BRANCHES, branches, 0.1)]
)
def test_it_is_far_better_than_random_search(space, objective, lowest):
    regrets = np.array(
        [
            [min(values_of(kind(space, seed=seed), objective, 30)) - lowest for seed in range(3)]
            for kind in (GP, Random)
        ]
    )
    assert np.all(regrets > -1e-5)
    assert np.median(regrets[0]) < np.median(regrets[1]) / 10


@pytest.mark.parametrize("space", [MIXED, CONDITIONAL], ids=["mixed", "conditional"])
def test_trials_that_run_keep_others_away(space):
    searcher = GP(space, seed=0, start=4)
    values_of(searcher, lambda config: math.log(config.get("lr", 1.0) + config.get("layers", 0)), 6)
    batch = [json.dumps(searcher.ask().config, sort_keys=True) for _ in range(6)]
    assert len(set(batch)) == len(batch)


@settings(max_examples=50, deadline=None)
@given(
    values=st.lists(st.integers(-1000, 1000), min_size=2, max_size=30, unique=True),
    skew=st.sampled_from([1, 3, 5]),
    log=st.booleans(),
)
def test_warped_values_keep_their_order_whatever_their_unit(values, skew, log):
    values = np.array(values, float) ** skew
    found = warped(values, log=log)
    assert np.array_equal(np.argsort(found), np.argsort(values))
    assert found.mean() == pytest.approx(0, abs=1e-9)
    assert found.std() == pytest.approx(1)
    assert np.allclose(warped(3 * values + 7, log=log), found, atol=1e-4)
    failed = warped(np.append(values, np.inf), log=log)
    assert failed[-1] == failed.max() == failed[np.argmax(values)]


def test_equal_values_say_nothing():
    for log in (False, True):
        assert warped(np.full(3, 5.0), log=log).tolist() == [0, 0, 0]
        assert warped(np.full(3, np.inf), log=log).tolist() == [0, 0, 0]


def test_failures_are_avoided():
    def often_fails(config):
        return math.inf if config["x"] > 0 else config["x"] ** 2 / 100 + config["y"]

    found = values_of(GP(PLANE, seed=1, start=8), often_fails, 24)
    share = np.mean(np.isinf(found[8:]))
    assert share < 0.5 * 10 / 15  # of what random search would see fail


def test_with_noise_the_lowest_value_alone_does_not_count():
    def noisy_bowl(config):
        noise = 0.3 * math.sin(1e4 * config["x"] + 1e3 * config["y"])
        return ((config["x"] - 4) / 5) ** 2 + ((config["y"] - 9) / 5) ** 2 + noise

    for seed in range(2):
        searcher = GP(PLANE, seed=seed, noisy=True)
        values_of(searcher, noisy_bowl, 25)
        last = [searcher.ask().config for _ in range(3)]
        assert np.median([math.hypot(c["x"] - 4, c["y"] - 9) for c in last]) < 4


class Halves:
    """All points of one half alike: a kernel of another space than a box."""

    def __init__(self):
        self.prior = Prior(np.zeros(1), np.ones(1))
        self.continuous = {}

    def features(self, points):
        return (points[:, :1] > 0.5).astype(float)

    def __call__(self, theta, a, b):
        return np.exp(-np.exp(theta[0]) * np.abs(a - b.T))

    def gradient(self, theta, a, weight):
        far = np.exp(theta[0]) * np.abs(a - a.T)
        return np.array([np.sum(weight * -far * np.exp(-far))])

    def vjp(self, theta, a, b):
        return self(theta, a, b), lambda weights: np.zeros(a.shape)


def test_another_kernel_decides_what_is_alike():
    searcher = GP(PLANE, seed=0, kernel=Halves(), start=6)
    found = values_of(searcher, lambda config: 1.0 + (config["x"] > 2.5), 16)
    assert np.mean(np.array(found[8:]) == 1.0) > 0.8


def test_another_kernel_of_the_space_is_used():
    def rest(kernel):
        searcher = GP(PLANE, seed=0, kernel=kernel, start=4)
        return values_of(searcher, branin, 6)

    assert rest(None) == rest(MixedKernel(PLANE.axes)) != rest(Halves())


def test_a_bad_start_is_named():
    with pytest.raises(ValueError, match="GP needs an integer start >= 1, got start=0"):
        GP(PLANE, start=0)
