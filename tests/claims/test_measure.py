"""Measuring many claims: resumable, one failure alone, and in several processes."""

from dataclasses import replace

import pytest
from toy import CALLS, TOY, experiment

from hpcourse.claims import (
    Outcome,
    find,
    is_current,
    judge,
    learning_rate,
    load,
    measure,
    measure_in_processes,
    saddle,
)
from hpcourse.claims.measure import _result


def broken(profile):
    raise ArithmeticError(f"no result at {profile}")


BROKEN = replace(TOY, id="never-ends-well", experiment=broken)


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setattr(learning_rate, "CLAIMS", (TOY, BROKEN))
    CALLS.clear()


def test_a_claim_is_measured_once_and_then_kept(tmp_path):
    first = measure("new-beats-old", "full", folder=tmp_path)
    assert (first.state, first.error, CALLS) == ("measured", "", ["full"])
    assert first.seconds > 0
    assert first.evidence == load("new-beats-old", tmp_path)
    second = measure("new-beats-old", "full", folder=tmp_path)
    assert (second.state, second.evidence, CALLS) == ("kept", first.evidence, ["full"])
    third = measure("new-beats-old", "full", folder=tmp_path, again=True)
    assert (third.state, CALLS) == ("measured", ["full", "full"])


@pytest.mark.parametrize("text", ["{", "[]", "{}"])
def test_a_damaged_file_is_measured_anew(tmp_path, text):
    (tmp_path / "new-beats-old.json").write_text(text, encoding="utf-8")
    assert measure("new-beats-old", folder=tmp_path).state == "measured"
    assert load("new-beats-old", tmp_path).claim == "new-beats-old"


@pytest.mark.parametrize(
    "change",
    [
        {"statement": "New is much better than old."},
        {"source": "another test"},
        {"metric": "error"},
        {"unit": "percent"},
        {"direction": "lower"},
        {"smallest_effect": 2.0},
        {"reference": "new", "claimed": ("old",)},
        {"context": ("third",)},
        {"seeds": {"quick": (4, 5, 6)}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_evidence_of_another_protocol_is_out_of_date(change):
    evidence = judge(TOY, "quick", experiment("quick"))
    assert is_current(evidence, TOY, "quick")
    assert not is_current(evidence, replace(TOY, **change), "quick")


def test_evidence_of_another_profile_or_version_is_out_of_date():
    evidence = judge(TOY, "quick", experiment("quick"))
    assert not is_current(evidence, TOY, "full")
    older = replace(evidence, versions={**evidence.versions, "hpcourse": "0.0.1"})
    assert not is_current(older, TOY, "quick")
    # Where no seeds are registered, any will do.
    assert is_current(evidence, replace(TOY, seeds={}), "quick")


def test_a_claim_that_raises_is_reported_and_stores_nothing(tmp_path):
    report = measure("never-ends-well", folder=tmp_path)
    assert (report.state, report.evidence) == ("failed", None)
    assert "ArithmeticError: no result at quick" in report.error
    assert list(tmp_path.iterdir()) == []


def test_other_seeds_than_the_registered_ones_are_a_failure(tmp_path, monkeypatch):
    monkeypatch.setattr(learning_rate, "CLAIMS", (replace(TOY, seeds={"quick": (7, 8, 9)}),))
    report = measure("new-beats-old", folder=tmp_path)
    assert report.state == "failed"
    assert "registered=(7, 8, 9)" in report.error
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_is_no_failure_of_the_claim(tmp_path, monkeypatch):
    def interrupted(profile):
        raise KeyboardInterrupt

    monkeypatch.setattr(learning_rate, "CLAIMS", (replace(TOY, experiment=interrupted),))
    with pytest.raises(KeyboardInterrupt):
        measure("new-beats-old", folder=tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("newer",), "no such claim"), (("new-beats-old", "fast"), "profile='fast'")],
)
def test_bad_requests_are_raised_before_any_work(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        measure(*arguments, folder=tmp_path)
    assert CALLS == []


def test_processes_keep_what_is_current(tmp_path, monkeypatch):
    # A new process sees the book's own claims, whose evidence is stored as if just measured.
    monkeypatch.undo()
    ids = ["cosine-vs-step", "noise-helps", "saddle-escape"]
    for claim_id in ids:
        current(claim_id).write(tmp_path)
    reports = list(measure_in_processes(ids, "full", jobs=2, folder=tmp_path))
    assert {report.claim: report.state for report in reports} == dict.fromkeys(ids, "kept")
    together = [report.claim for report in reports if report.claim != "saddle-escape"]
    assert together == ["cosine-vs-step", "noise-helps"]


def current(claim_id):
    """Evidence that is current for a registered claim, without its experiment."""
    claim = find(claim_id)
    seeds = claim.seeds["full"]
    arms = {arm: [float(i + j * i) for i in seeds] for j, arm in enumerate(claim.arms)}
    outcome = Outcome(seeds=seeds, arms=arms, device="cpu", seconds=0.0)
    return judge(claim, "full", outcome)


def test_a_process_that_dies_fails_the_claims_that_it_had():
    class Lost:
        def exception(self):
            return RuntimeError("killed")

    reports = _result(Lost(), ["one", "two"])
    assert [(r.claim, r.state) for r in reports] == [("one", "failed"), ("two", "failed")]
    assert all("killed" in report.error for report in reports)


@pytest.mark.parametrize(
    ("ids", "options", "message"),
    [
        (["newer"], {"jobs": 2}, "no such claim"),
        (["new-beats-old"], {"jobs": 0}, "jobs=0"),
        (["new-beats-old"], {"jobs": 2, "profile": "fast"}, "profile='fast'"),
    ],
)
def test_bad_requests_start_no_process(ids, options, message):
    with pytest.raises(ValueError, match=message):
        measure_in_processes(ids, **options)


def test_the_saddle_is_the_same_each_time(tmp_path, monkeypatch):
    """The same seeds give the same file, but for the seconds it took."""
    monkeypatch.undo()
    budget = saddle.Budget(seeds=(1, 2), steps=30)
    monkeypatch.setitem(saddle.BUDGETS, "quick", budget)
    claim = replace(find("saddle-escape"), seeds={})
    first, second = (
        replace(judge(claim, "quick", claim.experiment("quick")), seconds=0.0) for _ in range(2)
    )
    paths = first.write(tmp_path / "first"), second.write(tmp_path / "second")
    assert paths[0].read_bytes() == paths[1].read_bytes()
