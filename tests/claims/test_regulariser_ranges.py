"""The claims about ranges: honest choices within them, and contrasts on errors made by hand."""

from functools import partial
from types import SimpleNamespace

import pytest

from hpcourse.claims import judge, regulariser_ranges
from hpcourse.claims._amounts import SIZES
from hpcourse.claims._regularisers import Plan
from hpcourse.claims.registry import Outcome
from hpcourse.claims.regulariser_ranges import (
    CLAIMS,
    DECAY_RANGES,
    DROPOUT_RANGES,
    DROPOUTS,
    WEIGHT_DECAYS,
    decay_settings,
    dropout_settings,
    searched,
)

BY_ID = {claim.id: claim for claim in CLAIMS}


def made(arms, validation, test):
    """A study and its outcome from errors (arm -> one value a seed)."""
    study = SimpleNamespace(final=lambda arm, metric: validation[arm])
    outcome = Outcome(seeds=(0, 1), arms={a: test[a] for a in arms}, device="cpu", seconds=1.0)
    return study, outcome


def test_the_validation_error_chooses_and_the_test_error_counts():
    validation = {"a": [1.0, 3.0], "b": [2.0, 2.0], "c": [0.0, 0.0]}
    test = {"a": [10.0, 11.0], "b": [20.0, 21.0], "c": [30.0, 31.0]}
    study, outcome = made("abc", validation, test)
    assert searched(study, outcome, ["a", "b"]).values == [10.0, 21.0]
    assert searched(study, outcome, ["a", "b", "c"]).values == [30.0, 31.0]
    assert searched(study, outcome, ["b"]).values == [20.0, 21.0]


@pytest.mark.parametrize("claim_id", BY_ID)
def test_ranges_are_compared_at_every_amount_of_data(monkeypatch, claim_id):
    """With errors of 40 below, 30 within and 35 above, each amount saves 10 and loses 5."""
    ranges = DECAY_RANGES if claim_id == "weight-decay-range" else DROPOUT_RANGES
    height = {v: e for r, e in zip(ranges.values(), (40, 30, 35), strict=True) for v in r}

    def fake(settings, plan):
        errors = {
            name: [height[s.weight_decay if s.dropout is None else s.dropout] + seed / 10] * 2
            for seed, (name, s) in enumerate(settings.items())
        }
        errors = {name: [round(e) for e in pair] for name, pair in errors.items()}
        return made(settings, errors, errors)

    monkeypatch.setattr(regulariser_ranges, "trained_settings", fake)
    claim = BY_ID[claim_id]
    evidence = judge(claim, "quick", claim.experiment("quick"))
    found = {comparison.arm: comparison.effect for comparison in evidence.comparisons}
    for signals in SIZES:
        assert found[f"saved with {signals} signals"] == pytest.approx(10, abs=2)
        assert found[f"lost above the range with {signals} signals"] == pytest.approx(5, abs=2)


@pytest.mark.parametrize(
    ("settings", "values", "ranges"),
    [
        (decay_settings, WEIGHT_DECAYS, DECAY_RANGES),
        (dropout_settings, DROPOUTS, DROPOUT_RANGES),
    ],
)
def test_every_value_belongs_to_one_range(settings, values, ranges):
    assert sorted(v for within in ranges.values() for v in within) == list(values)
    assert len(settings()) == len(values) * len(SIZES)


@pytest.mark.parametrize("claim_id", BY_ID)
def test_the_experiment_runs_at_a_tiny_budget(monkeypatch, claim_id):
    tiny = Plan(rates=(0.02, 0.06, 0.18), tuning_size=1, seeds=(0, 1), steps=3, width=3)
    monkeypatch.setitem(regulariser_ranges.PLANS, "quick", tiny)
    evidence = judge(BY_ID[claim_id], "quick", partial(BY_ID[claim_id].experiment, "quick")())
    assert len(evidence.comparisons) == 2 * len(SIZES)
    errors = evidence.measures["test error (%)"]
    assert all(0 < value <= 100 for values in errors.values() for value in values)
