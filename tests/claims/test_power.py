"""Power against the definition by simulation, Cohen's table, and its own meaning."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hpcourse.claims import paired_effect, paired_power, seeds_needed


@pytest.mark.parametrize(("d", "table"), [(0.2, 199), (0.5, 34), (0.8, 15), (1.0, 10)])
def test_seeds_needed_are_those_of_published_tables(d, table):
    # Paired t test, two-sided, 5 %, power 80 %: Cohen (1988), exact as in later software.
    assert seeds_needed(effect=d, spread=1.0) == table


@pytest.mark.parametrize(("seeds", "d"), [(3, 1.5), (10, 0.6), (40, 0.4)])
def test_power_is_the_share_of_student_intervals_above_zero(seeds, d):
    draws = np.random.default_rng(seeds).normal(d, 1.0, (20_000, seeds))
    lows = stats.ttest_1samp(draws, 0.0, axis=1).confidence_interval(0.95).low
    error = math.sqrt(0.25 / len(draws))
    assert paired_power(seeds, effect=d, spread=1.0) == pytest.approx(
        (lows > 0).mean(), abs=4 * error
    )


def test_the_claims_own_interval_has_about_that_power():
    runs, d = 500, 0.8
    seeds = seeds_needed(effect=d, spread=1.0)
    draws = np.random.default_rng(0).normal(d, 1.0, (runs, seeds))
    found = sum(paired_effect(row, np.zeros(seeds), resamples=499).low > 0 for row in draws)
    # 0.80 as the module says for 15 seeds; one in a thousand of either side is left to chance.
    assert stats.binom.ppf(0.001, runs, 0.78) <= found <= stats.binom.ppf(0.999, runs, 0.82)


@given(st.floats(0.05, 20), st.floats(0.1, 0.99), st.floats(0.5, 0.99))
def test_seeds_needed_are_the_fewest_that_reach_the_power(ratio, power, confidence):
    seeds = seeds_needed(effect=ratio, spread=1.0, power=power, confidence=confidence)
    assert paired_power(seeds, effect=ratio, spread=1.0, confidence=confidence) >= power
    if seeds > 2:
        assert paired_power(seeds - 1, effect=ratio, spread=1.0, confidence=confidence) < power


@given(st.floats(0.1, 10), st.floats(0.01, 100))
def test_the_unit_does_not_matter(ratio, unit):
    assert seeds_needed(effect=ratio * unit, spread=unit) == pytest.approx(
        seeds_needed(effect=ratio, spread=1.0), abs=1
    )


def test_extremes():
    assert seeds_needed(effect=1.0, spread=0.0) == 2
    assert seeds_needed(effect=1.0, spread=1e-12) == 2
    # The normal approximation, which is exact for many seeds.
    normal = (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) ** 2
    assert seeds_needed(effect=1e-3, spread=1.0) == pytest.approx(normal * 1e6, rel=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"effect": 0.0, "spread": 1.0}, "effect=0.0"),
        ({"effect": 1.0, "spread": -1.0}, "spread=-1.0"),
        ({"effect": 1.0, "spread": math.nan}, "spread=nan"),
        ({"effect": 1.0, "spread": 1.0, "power": 1.0}, "power=1.0"),
        ({"effect": 1.0, "spread": 1.0, "confidence": 0.0}, "confidence=0.0"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        seeds_needed(**arguments)


@pytest.mark.parametrize("seeds", [1, 0, 2.5])
def test_bad_seeds(seeds):
    with pytest.raises(ValueError, match=f"seeds={seeds}"):
        paired_power(seeds, effect=1.0, spread=1.0)
