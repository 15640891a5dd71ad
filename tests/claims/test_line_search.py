"""What the two searches along a line are charged, against counting by hand."""

import numpy as np
import pytest

from hpcourse.claims import line_search, run
from hpcourse.claims.line_search import MOST, Plan, convex_cost, cost, real_cost, two_valleys
from hpcourse.search import golden_section


def test_a_grid_is_charged_for_being_safe():
    # Near is [0.4, 0.6]: one value hits, two miss (0.25, 0.75), three hit, four miss, then all hit.
    found = cost(lambda x: abs(x - 0.5), lambda x: abs(x - 0.5) <= 0.1)
    assert found.grid == 5
    # The first two places of golden sections are 0.382 and 0.618, the third 0.236 or 0.764.
    places = []
    golden_section(lambda x: places.append(x) or abs(x - 0.5), 0.0, 1.0, tolerance=1e-3)
    first = next(k for k, x in enumerate(places, start=1) if abs(x - 0.5) <= 0.1)
    assert found.golden == first
    assert found.saved == pytest.approx(np.log10(5 / first))


def test_who_never_comes_near_pays_the_most():
    found = cost(lambda x: x, lambda x: x > 0.9999)
    assert (found.golden, found.grid) == (MOST, MOST)
    assert found.saved == 0


def test_convex_functions_are_always_found():
    rng = np.random.default_rng(0)
    costs = [convex_cost(rng) for _ in range(50)]
    assert max(each.golden for each in costs) <= 11
    assert min(each.grid for each in costs) > 20


def test_the_narrow_valley_is_the_deeper_one():
    for seed in range(10):
        curve = two_valleys(np.random.default_rng(seed))
        values = np.array([curve(x) for x in np.linspace(0, 1, 2001)])
        assert values.min() == pytest.approx(0.25, abs=0.01)
        assert 0 < np.mean(values < 0.4) < 0.05


def test_a_curve_of_measurements_is_read_off_between_them():
    losses = np.abs(np.linspace(0, 1, 21) - 0.62)
    found = real_cost(losses)
    assert found.golden <= 4
    assert found.grid <= 12


def test_evidence(monkeypatch):
    plan = Plan(seeds=(1, 2, 3, 4, 5), rates=9, steps=2, functions=3)
    monkeypatch.setitem(line_search.PLANS, "quick", plan)
    evidence = run("binary-beats-grid-1d")
    assert {c.arm for c in evidence.comparisons if c.decides} == {"saved, convex", "saved, real"}
    curves = evidence.curves["validation loss (nats)"]["real"]
    assert np.shape(curves) == (5, 9)
    assert evidence.settings["missed"]["convex"] == 0
