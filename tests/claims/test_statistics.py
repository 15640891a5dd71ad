"""The interval against enumeration, scipy and simulation; the tests and the rule against theory."""

import functools
import math
from collections import Counter
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hpcourse.claims import holm, paired_effect, sign_flip_p_value, verdict

STRENGTH = {"fails": 0, "undecided": 1, "holds with a caveat": 2, "holds": 3}
numbers = st.floats(-100, 100, allow_nan=False).map(lambda x: round(x, 3))


def pairs(least=5, most=12):
    return st.lists(st.tuples(numbers, numbers), min_size=least, max_size=most)


def exact_bootstrap_t(d, confidence):
    """The studentised interval from all n**n resamples."""
    rows = np.array(list(product(d, repeat=len(d))))
    errors = rows.std(axis=1, ddof=1)
    keep = errors > 1e-9
    t = (rows[keep].mean(axis=1) - d.mean()) / errors[keep]
    tail = (1 - confidence) / 2
    low, high = np.quantile(t, [tail, 1 - tail])
    return d.mean() - high * d.std(ddof=1), d.mean() - low * d.std(ddof=1)


def test_interval_equals_the_enumerated_bootstrap():
    d = np.array([0.3, 1.1, -0.4, 2.0, 0.9, 1.6])
    result = paired_effect(d + 5, np.full(6, 5.0), confidence=0.8, resamples=100_000, seed=3)
    low, high = exact_bootstrap_t(d, 0.8)
    assert result.effect == pytest.approx(d.mean())
    # Quantiles of few distinct values: within a thirtieth of the interval's length.
    assert (result.low, result.high) == pytest.approx((low, high), abs=(high - low) / 30)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_interval_is_students_where_resamples_have_no_spread(n):
    d = np.random.default_rng(n).normal(size=n)
    expected = stats.ttest_1samp(d, 0.0).confidence_interval(0.9)
    result = paired_effect(d, np.zeros(n), confidence=0.9)
    assert (result.low, result.high) == pytest.approx((expected.low, expected.high))


def test_interval_is_a_point_where_all_seeds_agree():
    result = paired_effect([3.5, 2.5, 1.5], [2.5, 1.5, 0.5])
    assert (result.effect, result.low, result.high) == (1.0, 1.0, 1.0)


@given(pairs(), st.floats(-50, 50), st.floats(0.01, 100))
def test_interval_follows_shift_scale_and_swap(values, shift, factor):
    a, b = (np.array(column) for column in zip(*values, strict=True))
    base = paired_effect(a, b, resamples=299)
    assert base.low <= base.effect <= base.high
    size = 1e-6 + np.abs(a).max() + np.abs(b).max() + abs(shift)
    swapped = paired_effect(b, a, resamples=299)
    assert (-swapped.high, -swapped.low) == pytest.approx((base.low, base.high), abs=1e-6 * size)
    assert swapped.p_value == base.p_value
    scaled = paired_effect(factor * a, factor * b, resamples=299)
    expected = (factor * base.low, factor * base.high)
    assert (scaled.low, scaled.high) == pytest.approx(expected, abs=1e-6 * size * factor)
    moved = paired_effect(a + shift, b, resamples=299)
    expected = (base.low + shift, base.high + shift)
    if np.ptp(a - b) > 1e-3:
        assert (moved.low, moved.high) == pytest.approx(expected, abs=1e-4 * size)


RUNS = 1000
SHAPES = {  # differences with a mean of zero
    "normal": lambda g, n: g.normal(size=n),
    "uniform": lambda g, n: g.uniform(-1, 1, n),
    "student": lambda g, n: g.standard_t(3, n),
    "laplace": lambda g, n: g.laplace(size=n),
    "exponential": lambda g, n: g.exponential(size=n) - 1,
}


@functools.cache
def simulate(shape, n):
    """Effects of `RUNS` samples of n differences whose true mean is zero."""
    generator = np.random.default_rng(n)
    draws = [SHAPES[shape](generator, n) for _ in range(RUNS)]
    return [paired_effect(d, np.zeros(n), resamples=499, seed=i) for i, d in enumerate(draws)]


def chance(count, share):
    """Whether `count` of `RUNS` is more than luck (one in a thousand) above a true share."""
    return stats.binom.sf(count - 1, RUNS, share)


@pytest.mark.parametrize("n", [5, 20])
@pytest.mark.parametrize(
    ("shape", "least"),  # what the module's table admits
    [("normal", 0.945), ("uniform", 0.95), ("student", 0.92), ("exponential", 0.92)],
)
def test_coverage_is_what_the_module_says(shape, least, n):
    missed = sum(not r.low <= 0 <= r.high for r in simulate(shape, n))
    assert chance(missed, 1 - least) > 1e-3
    assert chance(RUNS - missed, 0.97) > 1e-3  # nor much wider than it need be


@pytest.mark.parametrize("n", [5, 20])
@pytest.mark.parametrize(
    ("shape", "most"),
    [("normal", 0.026), ("uniform", 0.02), ("student", 0.038), ("laplace", 0.039)],
)
def test_equal_arms_are_called_different_as_rarely_as_the_module_says(shape, most, n):
    verdicts = [verdict(r.effect, r.low, r.high, 1e-6) for r in simulate(shape, n)]
    # With so small an effect of interest the interval alone decides: the rule at its worst.
    assert chance(sum(v.startswith("holds") for v in verdicts), most) > 1e-3


@pytest.mark.parametrize("n", [5, 20])
def test_an_effect_that_matters_is_rarely_said_to_fail(n):
    smallest = 0.5
    shifted = [
        (r.effect + smallest, r.low + smallest, r.high + smallest) for r in simulate("normal", n)
    ]
    verdicts = [verdict(*values, smallest) for values in shifted]
    assert chance(verdicts.count("fails"), 0.028) > 1e-3


def test_many_equal_arms_of_a_chapter_raise_few_false_alarms_after_holm():
    p_values = [r.p_value for r in simulate("normal", 20)]
    chapters = [p_values[i : i + 5] for i in range(0, RUNS, 5)]
    alarms = sum(min(holm(chapter)) <= 0.05 for chapter in chapters)
    assert stats.binom.sf(alarms - 1, len(chapters), 0.05) > 1e-3
    assert sum(min(chapter) <= 0.05 for chapter in chapters) > alarms


@given(st.lists(numbers, min_size=2, max_size=8))
def test_sign_flip_equals_scipys_exact_permutation_test(d):
    values = np.array(d)
    expected = stats.permutation_test(
        (values, np.zeros_like(values)),
        lambda x, y: abs((x - y).sum()),
        permutation_type="samples",
        alternative="greater",
        n_resamples=math.inf,
    )
    assert sign_flip_p_value(values) == pytest.approx(expected.pvalue, abs=1e-12)


def test_sign_flip_with_random_patterns_estimates_the_exact_value():
    d = [3, 1, 4, 1, -5, 9, 2, 6, -5, 3, 5, 8, 9, -7, 9, 3, 2, 3, 8, 4, -6, 2, 6]
    counts = Counter({0: 1})
    for value in d:  # distribution of the signed sum, by convolution
        counts = sum(
            (Counter({s + k * value: c for s, c in counts.items()}) for k in (-1, 1)), Counter()
        )
    exact = Fraction(sum(c for s, c in counts.items() if abs(s) >= abs(sum(d))), 2 ** len(d))
    p = sign_flip_p_value(d, resamples=100_000, seed=1)
    assert p == pytest.approx(float(exact), abs=4 * math.sqrt(float(exact) / 100_000))
    assert p == sign_flip_p_value(d, resamples=100_000, seed=1)
    assert sign_flip_p_value([1.0] * 40, resamples=99) == 0.01  # never zero


def test_holm_rejects_exactly_what_the_step_down_procedure_rejects():
    generator = np.random.default_rng(0)
    for _ in range(200):
        p = generator.uniform(0, 0.1, generator.integers(1, 7)).tolist()
        rejected, order = set(), sorted(range(len(p)), key=p.__getitem__)
        for rank, index in enumerate(order):
            if p[index] > 0.05 / (len(p) - rank):
                break
            rejected.add(index)
        assert {i for i, q in enumerate(holm(p)) if q <= 0.05} == rejected


@given(st.lists(st.floats(0, 1), max_size=6))
def test_holm_lies_between_raw_and_bonferroni(p):
    for raw, adjusted in zip(p, holm(p), strict=True):
        assert raw <= adjusted <= min(1.0, len(p) * max(p))


intervals = st.tuples(numbers, numbers, numbers).map(sorted)
smallest = st.floats(0.001, 100)


@given(intervals, smallest)
def test_rule_matches_its_meaning(interval, delta):
    low, effect, high = interval
    found = verdict(effect, low, high, delta)
    matters_excluded, nothing_excluded = high < delta, low > 0
    assert (found == "fails") == matters_excluded
    assert (found == "undecided") == (not matters_excluded and not nothing_excluded)
    assert (found == "holds") == (not matters_excluded and nothing_excluded and effect >= delta)


@given(intervals, smallest, st.floats(0, 50))
def test_better_data_never_weaken_the_verdict(interval, delta, lift):
    low, effect, high = interval
    before = verdict(effect, low, high, delta)
    after = verdict(effect + lift, low + lift, high + lift, delta)
    assert STRENGTH[after] >= STRENGTH[before]


@given(intervals, smallest)
def test_caveats_weaken_holds_alone(interval, delta):
    low, effect, high = interval
    plain, noted = (
        verdict(effect, low, high, delta),
        verdict(effect, low, high, delta, caveats=["x"]),
    )
    assert noted == ("holds with a caveat" if plain == "holds" else plain)


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ([1.0, 2.0], [1.0], "a=2, b=1"),
        ([1.0], [1.0], "two or more seeds"),
        ([1.0, math.nan], [1.0, 2.0], "finite a"),
        ([1.0, 2.0], [math.inf, 2.0], "finite b"),
        ([[1.0, 2.0]], [1.0, 2.0], r"a of shape \(n,\)"),
    ],
)
def test_bad_pairs(a, b, message):
    with pytest.raises(ValueError, match=message):
        paired_effect(a, b)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"confidence": 1.0}, "confidence=1.0"), ({"resamples": 0}, "resamples=0")],
)
def test_bad_settings(arguments, message):
    with pytest.raises(ValueError, match=message):
        paired_effect([1.0, 2.0], [0.0, 0.0], **arguments)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((math.nan, 0.0, 1.0, 0.5), "effect=nan"),
        ((2.0, 0.0, 1.0, 0.5), "low <= effect <= high"),
        ((0.5, 0.0, 1.0, 0.0), "smallest_effect=0.0"),
    ],
)
def test_bad_verdicts(values, message):
    with pytest.raises(ValueError, match=message):
        verdict(*values)


def test_bad_p_values():
    with pytest.raises(ValueError, match=r"p_value=1.5"):
        holm([0.1, 1.5])
    with pytest.raises(ValueError, match="finite differences"):
        sign_flip_p_value([1.0, math.nan])
    with pytest.raises(ValueError, match="shape"):
        sign_flip_p_value([])
