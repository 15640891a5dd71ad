"""Equal budgets by construction, the boundary check, and divergence."""

import math
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcourse.claims import log_grid, tune

GRID = (0.125, 0.25, 0.5, 1.0)
ONCE = ((0,),)  # one group, of the one tuning seed


class Recorder:
    """A score with a known best rate for each arm, which counts what it was asked."""

    def __init__(self, optima):
        self.optima = optima
        self.asked = Counter()

    def __call__(self, members):
        self.asked.update(members)
        return [[abs(math.log2(rate / self.optima[arm]))] for arm, rate in members]


@given(st.dictionaries(st.sampled_from("abc"), st.integers(-7, 4), min_size=1))
def test_every_arm_gets_the_same_candidates_once(exponents):
    score = Recorder({arm: 2.0**k for arm, k in exponents.items()})
    tuning = tune(tuple(exponents), GRID, score, groups=ONCE, widenings=3)
    assert score.asked == Counter({(arm, rate): 1 for arm in exponents for rate in tuning.rates})
    assert all(len(row) == len(tuning.rates) for row in tuning.scores.values())
    for arm, k in exponents.items():
        if -6 < k < 3:  # three steps of a factor two beyond the first grid, less the edge
            assert tuning.best[arm] == (2.0**k,)
            assert arm not in tuning.at_edge
        else:
            assert arm in tuning.at_edge
            assert tuning.widened == 3


def test_interior_best_rates_leave_the_grid_alone():
    tuning = tune(("a", "b"), GRID, Recorder({"a": 0.25, "b": 0.5}), groups=ONCE)
    assert (tuning.rates, tuning.widened, tuning.at_edge) == (GRID, 0, ())


def test_one_arm_at_the_edge_widens_the_grid_for_all():
    score = Recorder({"a": 1.0, "b": 0.25})
    tuning = tune(("a", "b"), GRID, score, groups=ONCE)
    assert tuning.rates == (*GRID, 2.0)
    assert score.asked["b", 2.0] == 1
    assert tuning.at_edge == ()


def test_diverged_rates_are_never_chosen():
    def score(members):
        return [
            [math.nan if rate > 0.3 else (math.inf if rate < 0.2 else 7.0)] for _, rate in members
        ]

    tuning = tune(("a",), GRID, score, groups=ONCE)
    assert tuning.best == {"a": (0.25,)}
    assert tuning.scores["a"] == (math.inf, 7.0, math.inf, math.inf)


def test_an_arm_that_always_diverges_is_an_error():
    with pytest.raises(ValueError, match="diverges at every rate, got arm='a'"):
        tune(("a",), GRID, lambda members: [[math.nan]] * len(members), groups=ONCE)


@pytest.mark.parametrize(
    ("arms", "rates", "message"),
    [
        ((), GRID, "needs an arm"),
        (("a",), (0.1,), "two or more rates"),
        (("a",), (0.2, 0.1), "ascending"),
        (("a",), (0.0, 0.1), "positive"),
    ],
)
def test_bad_input_is_refused_before_any_training(arms, rates, message):
    with pytest.raises(ValueError, match=message):
        tune(arms, rates, lambda members: pytest.fail("nothing should be scored"), groups=ONCE)


def test_no_group_is_refused():
    with pytest.raises(ValueError, match=r"needs a group of tuning seeds, got groups=\[\]"):
        tune(("a",), GRID, lambda members: pytest.fail("nothing should be scored"), groups=[])


def test_each_group_chooses_by_its_own_seeds():
    optima = (0.25, 0.5, 0.5)  # of the three tuning seeds

    def score(members):
        return [[math.log2(rate / best) ** 2 for best in optima] for _, rate in members]

    tuning = tune(("a",), GRID, score, groups=[(0,), (1, 2), (0, 1, 2)])
    assert tuning.best["a"] == (0.25, 0.5, 0.5)
    means = [sum(math.log2(rate / best) ** 2 for best in optima) / 3 for rate in GRID]
    assert tuning.scores["a"] == pytest.approx(means)


@given(st.floats(1e-4, 1.0), st.floats(1.5, 100), st.integers(2, 9))
def test_log_grid_has_equal_ratios_between_its_ends(low, span, count):
    grid = log_grid(low, low * span, count)
    assert (grid[0], grid[-1]) == pytest.approx((low, low * span))
    ratios = [b / a for a, b in pairwise(grid)]
    assert ratios == pytest.approx([span ** (1 / (count - 1))] * (count - 1))


@pytest.mark.parametrize(("low", "high", "count"), [(0.1, 0.1, 3), (0.1, 1.0, 1), (0.0, 1.0, 3)])
def test_bad_grids(low, high, count):
    with pytest.raises(ValueError, match="log_grid"):
        log_grid(low, high, count)
