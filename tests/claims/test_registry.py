"""Registered claims, their lookup, and the stored evidence that belongs to them."""

from dataclasses import replace
from pathlib import Path

import pytest

from hpcourse.claims import (
    batch_one,
    center,
    claims,
    claims_by_module,
    defaults,
    depth,
    dropout,
    find,
    focal,
    large_batch,
    load,
    paired_effect,
    regulariser_ranges,
    saddle,
    variance_shift,
    verdict,
)

FOLDER = Path(__file__).parents[2] / "book" / "evidence"
IDS = tuple(claims())


def test_the_claims_of_the_learning_rate_part_are_registered():
    part = {"saddle-escape", "schedule-beats-constant", "cosine-vs-step", "restarts-help"}
    assert part | {"noise-helps"} <= set(IDS)


def test_find_returns_the_claim_of_that_id():
    assert all(find(claim_id).id == claim_id for claim_id in IDS)


@pytest.mark.parametrize(
    ("claim_id", "message"),
    [
        ("cosine-vs-steps", r"did you mean cosine-vs-step\?.*claim_id='cosine-vs-steps'"),
        ("zzz", "known: .*saddle-escape, .*claim_id='zzz'"),
    ],
)
def test_unknown_ids_list_near_names(claim_id, message):
    with pytest.raises(ValueError, match=message):
        find(claim_id)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "Two Words"),
        ("id", ""),
        ("id", "größe"),
        ("statement", "  "),
        ("source", ""),
        ("claimed", ()),
        ("context", ("fixed",)),
        ("direction", "sideways"),
        ("smallest_effect", 0.0),
        ("smallest_effect", float("nan")),
        ("seeds", {"medium": (1, 2)}),
    ],
)
def test_malformed_claims(field, value):
    with pytest.raises(ValueError, match=f"Claim needs.*{field if field != 'context' else 'arms'}"):
        replace(find("saddle-escape"), **{field: value})


@pytest.mark.parametrize("claim_id", IDS)
def test_every_claim_names_its_page_and_fixes_its_seeds(claim_id):
    claim = find(claim_id)
    assert claim.page
    assert len(set(claim.seeds["quick"])) >= 5
    assert len(set(claim.seeds["full"])) >= 20


@pytest.mark.parametrize(
    "budgets",
    [
        batch_one.PLANS,
        center.PLANS,
        defaults.ADAM.budgets,
        defaults.MOMENTUM.budgets,
        depth.PLANS,
        dropout.PLANS,
        focal.PLANS,
        large_batch.PLANS,
        regulariser_ranges.PLANS,
        variance_shift.PLANS,
    ],
)
def test_tuning_and_profiles_use_seeds_of_their_own(budgets):
    used = [seed for b in budgets.values() for seed in (*b.seeds, *b.tuning_seeds)]
    assert len(set(used)) == len(used)


def test_claims_by_module_are_all_claims_in_order():
    grouped = [claim.id for claims_of in claims_by_module().values() for claim in claims_of]
    assert tuple(grouped) == IDS


def test_ids_are_distinct(monkeypatch):
    monkeypatch.setattr(saddle, "CLAIMS", saddle.CLAIMS * 2)
    with pytest.raises(ValueError, match="distinct ids, got id='saddle-escape'"):
        claims()


@pytest.fixture(params=IDS)
def stored(request):
    return load(request.param, FOLDER)


def test_stored_evidence_is_of_the_registered_claim(stored):
    claim = find(stored.claim)
    for name in ("statement", "source", "reference", "metric", "unit", "direction"):
        assert getattr(stored, name) == getattr(claim, name)
    assert stored.smallest_effect == claim.smallest_effect
    assert tuple(stored.arms) == claim.arms
    assert stored.profile == "full"
    assert stored.seeds == tuple(claim.seeds["full"])
    assert all(len(values) == len(stored.seeds) for values in stored.arms.values())


def test_stored_numbers_follow_from_the_stored_raw_values(stored):
    for comparison in stored.comparisons:
        better, worse = stored.arms[comparison.arm], stored.arms[stored.reference]
        if stored.direction == "lower":
            better, worse = worse, better
        result = paired_effect(better, worse, confidence=stored.confidence)
        expected = (result.effect, result.low, result.high, result.p_value)
        found = (comparison.effect, comparison.low, comparison.high, comparison.p_value)
        assert found == pytest.approx(expected, rel=1e-6)
        assert comparison.verdict == verdict(
            comparison.effect,
            comparison.low,
            comparison.high,
            stored.smallest_effect,
            caveats=comparison.caveats,
        )


def test_stored_arms_had_equal_budgets_and_interior_rates(stored):
    best = stored.settings.get("best_rate", {})
    scores = stored.settings.get("validation_loss_by_rate", {})
    assert {len(row) for row in scores.values()} <= {len(stored.settings.get("rates", ()))}
    for rate in best.values():
        assert stored.settings["rates"][0] < rate < stored.settings["rates"][-1]


def test_stored_rates_at_an_edge_are_caveats(stored):
    """An arm tells of its own edge and of the reference's, a contrast of those behind it alone."""
    edges = {*stored.settings.get("best_rate_at_edge", ())}
    tuned = stored.settings.get("validation_loss_by_rate", stored.arms)
    for comparison in stored.comparisons:
        told = [caveat for caveat in comparison.caveats if "at the edge of" in caveat]
        if comparison.arm in tuned:
            assert len(told) == len({comparison.arm, stored.reference} & edges)
        else:
            assert all(any(arm in caveat for arm in edges) for caveat in told)


def test_stored_files_stay_small(stored):
    assert (FOLDER / f"{stored.claim}.json").stat().st_size < 200_000
