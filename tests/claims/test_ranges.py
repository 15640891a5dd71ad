"""The study of learning-rate ranges at a tiny budget; regions and costs against closed forms."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from hpcourse.claims import ranges, run
from hpcourse.claims.ranges import (
    ALLOWANCE,
    BATCH,
    CHANCE,
    ON_DIGITS,
    OPTIMISERS,
    PLANS,
    Losses,
    Plan,
    cost,
    good_region,
    inside,
    overlap,
    rates_study,
    suggested,
)
from hpcourse.data import batches, digits
from hpcourse.models import mlp
from hpcourse.schedules import cosine_decay
from hpcourse.search import cap

TINY = Plan(rates=(1e-3, 1e-2, 1e-1), seeds=(0, 1), steps=8)
TORCH = {
    "SGD": torch.optim.SGD,
    "momentum": lambda parameters, lr: torch.optim.SGD(parameters, lr, momentum=0.9),
    "Adagrad": torch.optim.Adagrad,
    "Adadelta": torch.optim.Adadelta,
    "RMSprop": torch.optim.RMSprop,
    "Adam": torch.optim.Adam,
    "Adamax": torch.optim.Adamax,
    "Nadam": torch.optim.NAdam,
}


@pytest.fixture(scope="module")
def study():
    return rates_study(TINY)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_each_optimiser_is_torchs_own_at_its_defaults(study, name):
    data = digits().tensors()
    model = mlp((64, 32, 10), seed=1)
    optimizer = TORCH[name](model.parameters(), lr=1.0)
    schedule = cosine_decay(0.01, TINY.steps)
    feed = iter(batches(*data.train, batch_size=BATCH, seed=1, epochs=None))
    for step in range(TINY.steps):
        optimizer.param_groups[0]["lr"] = schedule(step)
        x, y = next(feed)
        optimizer.zero_grad()
        cross_entropy(model(x), y).backward()
        optimizer.step()
    with torch.no_grad():
        expected = cross_entropy(model(data.validation.x), data.validation.y).item()
    found = study[f"{name}, digits"].validation[1, 1]
    assert found == pytest.approx(min(expected, CHANCE), rel=1e-4)


def test_all_optimisers_get_the_same_runs(study):
    assert tuple(study) == (*OPTIMISERS, *ON_DIGITS)
    shapes = {losses.test.shape for losses in study.values()}
    assert shapes == {(3, 2)} == {losses.validation.shape for losses in study.values()}


def test_evidence(study, monkeypatch):
    monkeypatch.setitem(ranges.PLANS, "quick", TINY)
    monkeypatch.setattr(ranges, "rates_study", lambda plan: study)
    evidence = run("lr-ranges")
    assert evidence.seeds == TINY.seeds
    assert {c.arm for c in evidence.comparisons if c.decides} == set(OPTIMISERS)
    for arm in (*OPTIMISERS, *ON_DIGITS):
        lost = evidence.measures["test loss that the suggestion costs (nats)"][arm]
        assert np.add(evidence.arms[arm], lost) == pytest.approx(ALLOWANCE, rel=1e-4)
        low, high = evidence.settings["good_region"][arm]
        assert TINY.rates[0] * 0.9999 < low < high < TINY.rates[-1] * 1.0001


def test_a_best_rate_at_the_edge_is_told(study, monkeypatch):
    falling = np.array([[2.0, 2.0], [1.5, 1.5], [1.0, 1.0]])
    inner = Losses(validation=falling[[0, 2, 1]], test=falling)
    damaged = dict.fromkeys(study, inner) | {"SGD": Losses(validation=falling, test=falling)}
    monkeypatch.setitem(ranges.PLANS, "quick", TINY)
    monkeypatch.setattr(ranges, "rates_study", lambda plan: damaged)
    evidence = run("lr-ranges")
    assert evidence.settings["best_rate_at_edge"] == ["SGD"]
    assert {c.arm: c.caveats for c in evidence.comparisons if c.caveats} == {
        "SGD": ("a best learning rate at the edge of its range",)
    }


def test_the_grids_hold_every_suggested_range():
    for profile, count in (("quick", 2), ("full", 4)):
        for name in OPTIMISERS:
            assert inside(PLANS[profile].rates, *suggested(name)).sum() == count
    assert suggested("Adam, digits") == suggested("Adam") == (1e-3, 1e-2)
    assert not set(PLANS["quick"].seeds) & set(PLANS["full"].seeds)
    assert len(PLANS["quick"].seeds) >= 5
    assert len(PLANS["full"].seeds) >= 20


def test_the_cost_is_measured_on_the_test_part():
    validation = np.array([[3.0] * 3, [1.0] * 3, [2.0] * 3])
    test = np.array([[3.3] * 3, [1.2, 1.3, 1.4], [2.0] * 3])
    losses = Losses(validation=validation, test=test)
    assert cost(losses, np.array([True, True, False])) == pytest.approx([0.0] * 3)
    assert cost(losses, np.array([True, False, False])) == pytest.approx([2.1, 2.0, 1.9])


def test_nothing_counts_as_worse_than_chance():
    found = cap([1.0, np.nan, np.inf, 1e30], at=CHANCE)
    assert found.tolist() == [1.0, CHANCE, CHANCE, CHANCE]


@given(st.floats(-3, 1), st.floats(0.5, 4), st.floats(0.05, 1.0))
def test_the_region_of_a_v_is_known(centre, slope, margin):
    """Such a loss stays within the margin for margin / slope decades on either side."""
    logs = np.sort(np.append(np.linspace(-8, 6, 57), centre))
    low, high = good_region(10**logs, 2.0 + slope * np.abs(logs - centre), margin)
    assert np.log10(low) == pytest.approx(centre - margin / slope, abs=1e-6)
    assert np.log10(high) == pytest.approx(centre + margin / slope, abs=1e-6)


def test_a_region_ends_where_the_rates_end_and_skips_other_valleys():
    assert good_region([0.01, 0.1, 1.0], [1.0, 1.0, 1.0], 0.5) == pytest.approx((0.01, 1.0))
    low, high = good_region([1e-3, 1e-2, 1e-1, 1.0], [1.1, 3.0, 1.0, 3.0], 0.5)
    assert 1e-2 < low < 1e-1 < high < 1.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.1, 1.0], [1.0], 0.5), r"rates=\(2,\), losses=\(1,\)"),
        (([0.1, 1.0], [1.0, 2.0], 0.0), "margin > 0, got margin=0.0"),
    ],
)
def test_regions_of_bad_input_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        good_region(*arguments)


@given(st.floats(-5, 2), st.floats(0.1, 3), st.floats(-5, 2), st.floats(0.1, 3))
def test_overlap_is_symmetric_and_no_longer_than_either(a, width, b, other):
    one, two = (10**a, 10 ** (a + width)), (10**b, 10 ** (b + other))
    assert overlap(one, two) == overlap(two, one)
    assert 0 <= overlap(one, two) <= min(width, other) + 1e-9
    assert overlap(one, one) == pytest.approx(width)
