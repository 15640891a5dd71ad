"""Line searches against scipy and theory, on intervals that do not start at zero."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from hpcourse.search import (
    Bisection,
    Box,
    GoldenSection,
    Real,
    TernarySearch,
    Trial,
    bisect,
    golden_section,
    ternary,
)
from hpcourse.search.searchers._line import Noise, Seen

GOLDEN = (math.sqrt(5) - 1) / 2
SHIFTS = (-700.0, 0.0, 13.0)


class Counted:
    """A function that remembers where it was evaluated."""

    def __init__(self, function):
        self.function, self.at = function, []

    def __call__(self, x):
        self.at.append(x)
        return self.function(x)


@pytest.mark.parametrize("shift", SHIFTS)
@pytest.mark.parametrize("find", [golden_section, ternary])
def test_the_minimum_is_scipys(find, shift):
    def loss(x):
        return (x - shift - math.e) ** 2 + 0.3 * abs(x - shift - math.e) ** 3

    line = find(loss, shift + 1, shift + 9, tolerance=1e-5)
    oracle = minimize_scalar(loss, bracket=(shift + 1, shift + 3, shift + 9), method="golden")
    assert line.x == pytest.approx(oracle.x, abs=8e-5)
    assert line.low <= line.x <= line.high
    assert line.high - line.low <= 8e-5 * (1 + 1e-6)


@pytest.mark.parametrize("tolerance", [0.3, 0.1, 1e-3, 1e-6])
def test_evaluations_are_those_of_theory(tolerance):
    steps = math.ceil(math.log(tolerance, GOLDEN))
    for find, expected in (
        (golden_section, steps + 1),
        (ternary, 2 * math.ceil(math.log(tolerance, 2 / 3))),
        (bisect, math.ceil(math.log2(1 / tolerance))),
    ):
        loss = Counted(lambda x: (x - 5.1) ** 2 - 0.01)
        assert find(loss, 5.0, 8.0, tolerance=tolerance).evaluations == expected == len(loss.at)


@given(at=st.floats(0.02, 0.98), shift=st.sampled_from(SHIFTS), power=st.floats(0.3, 4.0))
def test_a_unimodal_minimum_is_always_held(at, shift, power):
    minimum = shift + 20 * at
    for find in (golden_section, ternary):
        line = find(lambda x: abs(x - minimum) ** power, shift, shift + 20, tolerance=1e-3)
        assert line.low - 1e-9 <= minimum <= line.high + 1e-9


@given(at=st.floats(0.001, 0.999), shift=st.sampled_from(SHIFTS))
def test_bisection_finds_the_threshold(at, shift):
    threshold = shift + 50 * at
    line = bisect(lambda x: math.atan(x - threshold), shift, shift + 50, tolerance=2**-12)
    assert line.x == line.low <= threshold <= line.high
    assert line.high - line.low == pytest.approx(50 * 2**-12)
    assert line.evaluations == 12


def test_on_the_logarithm():
    threshold = bisect(lambda x: x - 3e-4, 1e-6, 1.0, log=True, tolerance=1e-3)
    assert threshold.x == pytest.approx(3e-4, rel=6 * math.log(10) * 1e-3)
    line = golden_section(lambda x: math.log(x / 3e-4) ** 2, 1e-6, 1.0, log=True)
    assert line.x == pytest.approx(3e-4, rel=0.02)
    with pytest.raises(ValueError, match="low > 0, got low=0"):
        bisect(lambda x: x, 0.0, 1.0, log=True)


def two_valleys(x):
    """A wide valley at 2 and, deeper, a narrow one at 8."""
    return min((x - 2) ** 2 / 10, 20 * (x - 8) ** 2 - 1)


def test_two_valleys_lead_astray():
    for find in (golden_section, ternary):
        line = find(two_valleys, 0.0, 10.0)
        assert line.x == pytest.approx(2, abs=0.05)
        assert two_valleys(8.0) < two_valleys(line.x) - 0.9


def test_plain_bisection_on_values_finds_no_minimum():
    loss = Counted(lambda x: (x - 7.0) ** 2 + 1.0)  # never at most zero
    assert bisect(loss, 0.0, 10.0).high < 0.01  # it runs to the end, away from 7


def test_repeating_makes_noisy_comparisons_right():
    def found(repeats, seed):
        rng = np.random.default_rng(seed)
        line = golden_section(
            lambda x: (x - 4.2) ** 2 + rng.normal(0, 0.5), 1.0, 9.0, tolerance=0.1, repeats=repeats
        )
        return abs(line.x - 4.2), line.evaluations

    plain, repeated = (np.array([found(r, seed) for seed in range(40)]) for r in (1, 20))
    assert np.mean(repeated[:, 0]) < 0.6 * np.mean(plain[:, 0])
    assert plain[:, 1].max() == 6
    assert 6 * 20 > repeated[:, 1].mean() > 2 * 6


def test_a_comparison_keeps_its_level():
    wrong = 0
    for seed in range(300):
        rng, seen = np.random.default_rng(seed), Seen(Noise(repeats=12, confidence=0.9))
        steps = seen.compare(0.0, 1.0)
        asked = next(steps)
        try:
            while True:
                asked = steps.send([rng.normal(place, 1.0) for place in asked])
        except StopIteration as end:
            decided = min(len(v) for v in seen.values.values()) < 12
            wrong += decided and not end.value
    assert wrong <= 0.1 * 300


def test_no_noise_needs_two_evaluations_to_be_seen():
    loss = Counted(lambda x: (x - 4.2) ** 2)
    golden_section(loss, 1.0, 9.0, tolerance=0.1, repeats=10)
    assert max(loss.at.count(x) for x in loss.at) == 2


@pytest.mark.parametrize(
    ("searcher", "function"),
    [(Bisection, bisect), (TernarySearch, ternary), (GoldenSection, golden_section)],
)
def test_a_searcher_goes_where_its_function_goes(searcher, function):
    loss = Counted(lambda x: math.log10(x / 2e-3) * (abs(math.log10(x / 2e-3)) + 1))
    if function is not bisect:
        loss = Counted(lambda x: abs(math.log10(x / 2e-3)))
    function(loss, 1e-5, 1e-1, log=True, tolerance=0.01)
    search = searcher(Box({"lr": Real(1e-5, 1e-1, log=True)}), tolerance=0.01)
    found = []
    while (suggestion := search.ask()) is not None:
        found.append(suggestion.config["lr"])
        value = loss.function(found[-1])
        trial = Trial(
            number=len(found) - 1, config=suggestion.config, seed=0, state="done", value=value
        )
        search.tell(trial)
    assert np.allclose(found, loss.at, rtol=1e-9)


def test_a_noisy_searcher_asks_again():
    search = GoldenSection(Box({"x": Real(2.0, 3.0)}), noisy=True, repeats=4)
    rng, asked = np.random.default_rng(0), []
    while (suggestion := search.ask()) is not None:
        asked.append(suggestion.config["x"])
        trial = Trial(
            number=len(asked) - 1,
            config=suggestion.config,
            seed=0,
            state="done",
            value=float(rng.normal()),
        )
        search.tell(trial)
    assert max(asked.count(x) for x in asked) == 4
