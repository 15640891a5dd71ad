"""The range test against a quadratic in closed form; its suggestion over seeds; side effects."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import cross_entropy

from hpcourse.data import batches, digits
from hpcourse.models import mlp
from hpcourse.training import RangeTest, RangeTests, range_test, range_tests

NOTHING = [(torch.zeros(1), torch.zeros(1))]
CURVATURES = st.floats(-3, 3).map(lambda exponent: 10**exponent)


def plain_sgd(parameters):
    return torch.optim.SGD(parameters)


class Quadratic(nn.Module):
    """The loss curvature / 2 * w**2, from w = 1: stable below the rate 2 / curvature."""

    def __init__(self, curvature):
        super().__init__()
        self.w = nn.Parameter(torch.ones((), dtype=torch.float64))
        self.curvature = curvature

    def forward(self, x):
        return self.curvature / 2 * self.w**2


def quadratic_test(curvature, **options):
    options = {"lr_min": 1e-4 / curvature, "lr_max": 1e2 / curvature, "smoothing": 0.5} | options
    return range_test(
        Quadratic(curvature), NOTHING, lambda out, y: out, make_optimizer=plain_sgd, **options
    )


@settings(max_examples=20)
@given(CURVATURES)
def test_the_curve_of_a_quadratic_is_the_closed_form(curvature):
    test = quadratic_test(curvature)
    factors = 1 - curvature * test.rates[:-1]
    weights = np.concatenate([[1.0], np.cumprod(factors)])
    np.testing.assert_allclose(test.losses, curvature / 2 * weights**2, rtol=1e-9, atol=1e-300)
    np.testing.assert_allclose(np.diff(np.log(test.rates)), np.log(1e6) / 199, rtol=1e-9)


@settings(max_examples=20)
@given(CURVATURES)
def test_divergence_begins_at_two_over_the_curvature(curvature):
    assert not quadratic_test(curvature, lr_max=1.99 / curvature).diverged
    test = quadratic_test(curvature)
    assert test.diverged
    assert test.rates[-1] > 2 / curvature
    growing = np.flatnonzero(np.diff(test.losses) > 0)
    # The loss after a step grows exactly where that step's rate is above the threshold.
    assert test.rates[growing].min() > 2 / curvature


@settings(max_examples=20)
@given(CURVATURES, st.sampled_from([0.0, 0.5, 0.9, 0.95]))
def test_the_suggestion_is_stable_and_scales_with_the_problem(curvature, smoothing):
    suggestion = quadratic_test(curvature, smoothing=smoothing).suggestion
    assert 1e-4 / curvature < suggestion < 2 / curvature
    unit = quadratic_test(1.0, smoothing=smoothing).suggestion
    assert math.isclose(suggestion * curvature, unit, rel_tol=1e-6)


def test_the_suggestion_is_where_half_of_the_fall_is_made():
    """By hand: from 4 down to 1, so 2.5, which lies a quarter of the way from 3 to 1."""
    smoothed = np.array([2.0, 4.0, 3.0, 1.0, 9.0])
    test = RangeTest(rates=10.0 ** np.arange(5), losses=smoothed, smoothed=smoothed, diverged=True)
    assert math.isclose(test.suggestion, 10**2.25)


def test_smoothing_is_the_corrected_moving_average():
    test = quadratic_test(1.0, smoothing=0.8)
    for last in range(0, len(test.losses), 17):
        weights = 0.8 ** np.arange(last, -1, -1)
        expected = np.average(test.losses[: last + 1], weights=weights)
        assert math.isclose(test.smoothed[last], expected, rel_tol=1e-9)
    test = quadratic_test(1.0, smoothing=0.0)
    np.testing.assert_array_equal(test.smoothed, test.losses)


def digits_test(seed):
    x, y = digits(seed=0).tensors().train
    data = batches(x, y, batch_size=64, seed=seed)
    return range_test(mlp([64, 32, 10], seed=seed), data, cross_entropy)


def test_on_real_data_the_suggestion_varies_less_than_the_steepest_descent():
    tests = range_tests(digits_test, seeds=range(5))
    steepest = [
        test.rates[np.argmin(np.gradient(test.smoothed, np.log(test.rates)))]
        for test in tests.tests
    ]
    assert tests.spread < np.std(np.log10(steepest), ddof=1)
    assert tests.spread < 0.1
    assert all(t.suggestion < t.rates[np.argmin(t.smoothed)] for t in tests.tests)


def test_several_tests_are_summarised_in_decades():
    def falling(centre):
        smoothed = np.array([3.0, 2.0, 1.0])
        return RangeTest(
            rates=centre * np.array([0.1, 1.0, 10.0]),
            losses=smoothed,
            smoothed=smoothed,
            diverged=False,
        )

    tests = RangeTests(tests=tuple(falling(centre) for centre in (1.0, 0.01, 0.1)))
    np.testing.assert_allclose(tests.suggestions, [1.0, 0.01, 0.1])
    assert math.isclose(tests.suggestion, 0.1)
    assert math.isclose(tests.spread, 1.0)


def test_the_model_and_the_random_numbers_are_left_alone():
    model = nn.Sequential(mlp([3, 8, 2], seed=0), nn.Dropout(0.5))
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    data = [(torch.ones(4, 3), torch.tensor([0, 1, 0, 1]))]
    before = torch.get_rng_state()
    tests = [range_test(model, data, cross_entropy, seed=seed, steps=20) for seed in (0, 0, 1)]
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(weights[name], t) for name, t in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    np.testing.assert_array_equal(tests[0].losses, tests[1].losses)
    assert not np.array_equal(tests[0].losses, tests[2].losses)


def test_batches_that_can_be_repeated_are_repeated():
    data = [
        (torch.ones(4, 3), torch.tensor([0, 1, 0, 1])),
        (torch.zeros(4, 3), torch.ones(4).long()),
    ]
    model = mlp([3, 2], seed=0)
    once = range_test(model, data * 5, cross_entropy, steps=10)
    again = range_test(model, data, cross_entropy, steps=10)
    np.testing.assert_array_equal(once.losses, again.losses)
    with pytest.raises(ValueError, match="range_test needs 10 batches, got batches=2"):
        range_test(model, iter(data), cross_entropy, steps=10)


def test_a_loss_that_never_falls_gives_no_suggestion():
    test = quadratic_test(1.0, lr_min=10.0, lr_max=100.0)
    with pytest.raises(ValueError, match=r"needs a loss that falls.* got lowest_at_rate=10\.0"):
        _ = test.suggestion


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr_min": 0.0}, "lr_min > 0, got lr_min=0.0"),
        ({"lr_max": math.inf}, "lr_max > 0, got lr_max=inf"),
        ({"lr_min": 1.0, "lr_max": 1.0}, "lr_min < lr_max, got lr_min=1.0, lr_max=1.0"),
        ({"steps": 0}, "steps >= 1, got steps=0"),
        ({"smoothing": 1.0}, r"smoothing in \[0, 1\), got smoothing=1.0"),
        ({"divergence": 1.0}, "divergence > 1, got divergence=1.0"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        quadratic_test(1.0, **options)


def test_a_first_loss_that_is_not_finite_and_single_seeds_are_named():
    with pytest.raises(ValueError, match="needs a finite first loss"):
        range_test(Quadratic(math.inf), NOTHING, lambda out, y: out)
    with pytest.raises(ValueError, match=r"two seeds or more, got seeds=\(3,\)"):
        range_tests(digits_test, seeds=[3])
