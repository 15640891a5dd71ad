"""Spearman's correlation, its test and its interval against scipy and simulation."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from hpcourse.claims import rank_correlation

values = st.integers(-20, 20).map(float)


def pairs(least, most):
    return st.lists(st.tuples(values, values), min_size=least, max_size=most)


def columns(drawn):
    x, y = (np.array(column) for column in zip(*drawn, strict=True))
    assume(np.ptp(x) > 0 and np.ptp(y) > 0)
    return x, y


@given(pairs(3, 15))
def test_correlation_is_scipys(drawn):
    x, y = columns(drawn)
    result = rank_correlation(x, y, resamples=99)
    assert result.correlation == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)
    assert -1 <= result.low <= result.correlation <= result.high <= 1
    assert 0 < result.p_value <= 1


@settings(max_examples=20, deadline=None)  # scipy's enumeration is slow
@given(pairs(3, 5))
def test_small_samples_have_scipys_exact_p_value(drawn):
    x, y = columns(drawn)
    expected = stats.permutation_test(
        (y,),
        lambda order: abs(stats.spearmanr(x, order).statistic),
        permutation_type="pairings",
        alternative="greater",
        n_resamples=math.inf,
    )
    assert rank_correlation(x, y, resamples=99).p_value == pytest.approx(expected.pvalue, abs=1e-12)


def test_larger_samples_estimate_the_p_value():
    generator = np.random.default_rng(5)
    x = generator.normal(size=30)
    y = 0.4 * x + generator.normal(size=30)
    expected = stats.spearmanr(x, y).pvalue  # Student's approximation, good at 30 pairs
    result = rank_correlation(x, y)
    assert result.p_value == pytest.approx(expected, rel=0.1, abs=4 * math.sqrt(expected / 9999))
    assert rank_correlation(x, x, resamples=99).p_value == 0.01  # never zero


@given(pairs(4, 10))
def test_only_the_order_counts(drawn):
    x, y = columns(drawn)
    plain = rank_correlation(x, y, resamples=199)
    assert rank_correlation(np.exp(x / 10), y**3, resamples=199) == plain
    mirrored = rank_correlation(x, -y, resamples=199)
    assert mirrored.correlation == pytest.approx(-plain.correlation)
    assert (-mirrored.high, -mirrored.low) == pytest.approx((plain.low, plain.high))
    assert mirrored.p_value == plain.p_value


@pytest.mark.parametrize(("n", "rho"), [(10, 0.0), (10, 0.9), (30, 0.5)])
def test_coverage_is_about_nominal(n, rho):
    runs, generator = 400, np.random.default_rng(n)
    true = 6 / math.pi * math.asin(rho / 2)  # Spearman's of normal pairs with Pearson's rho
    hits = 0
    for i in range(runs):
        x, noise = generator.normal(size=(2, n))
        y = rho * x + math.sqrt(1 - rho**2) * noise
        result = rank_correlation(x, y, resamples=299, seed=i)
        hits += result.low <= true <= result.high
    assert hits >= stats.binom.ppf(0.001, runs, 0.94)
    assert hits <= stats.binom.ppf(0.999, runs, 0.985)


def test_equal_seeds_give_equal_results():
    x, y = np.random.default_rng(0).normal(size=(2, 12))
    assert rank_correlation(x, y, seed=3) == rank_correlation(x, y, seed=3)
    assert rank_correlation(x, y, seed=3) != rank_correlation(x, y, seed=4)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([1.0, 2.0], [1.0, 2.0], "x=2, y=2"),
        ([1.0, 2.0, 3.0], [1.0, 2.0], "same length"),
        ([1.0, math.nan, 3.0], [1.0, 2.0, 3.0], "finite x"),
        ([1.0, 2.0, 3.0], [5.0, 5.0, 5.0], "y with an order"),
        ([[1.0, 2.0, 3.0]], [1.0, 2.0, 3.0], r"x of shape \(n,\)"),
    ],
)
def test_bad_lists(x, y, message):
    with pytest.raises(ValueError, match=message):
        rank_correlation(x, y)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"confidence": 0.0}, "confidence=0.0"), ({"resamples": 0}, "resamples=0")],
)
def test_bad_settings(arguments, message):
    with pytest.raises(ValueError, match=message):
        rank_correlation([1, 2, 3], [1, 3, 2], **arguments)
