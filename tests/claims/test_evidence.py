"""The record, its file, and what a crash in the middle of writing leaves."""

import json
import statistics
from dataclasses import replace

import pytest

from hpcourse.claims import Claim, Comparison, Evidence, Outcome, Tuning, judge, seeds_needed

CLAIM = Claim(
    id="warm-is-better",
    statement="Warm is better than cold.",
    source="none",
    claimed=("warm", "hot"),
    reference="cold",
    metric="error",
    unit="points",
    direction="lower",
    smallest_effect=0.5,
    experiment=lambda profile: OUTCOME,
    context=("mild",),
)
OUTCOME = Outcome(
    seeds=(3, 4, 5, 6, 7),
    arms={
        "cold": [10.0, 11.0, 12.0, 13.0, 14.0],
        "warm": [8.0, 9.1, 10.0, 10.9, 12.0],
        "hot": [9.0, 10.4, 11.0, 11.6, 13.0],
        "mild": [10.0, 11.0, 12.0, 13.0, 14.0],
    },
    device="cpu",
    seconds=1.23,
    settings={"rates": (0.1, 0.2), "best": {"warm": 0.123456789}},
    measures={"accuracy": {"warm": [0.5] * 5}},
    curves={"loss": {"warm": [[2.34567, None], [1.0, 0.5]]}},
)


@pytest.fixture
def evidence():
    return judge(CLAIM, "quick", OUTCOME)


def test_weakest_claimed_arm_decides_and_lower_is_better(evidence):
    assert [c.arm for c in evidence.comparisons] == ["warm", "hot", "mild"]
    assert [c.decides for c in evidence.comparisons] == [True, True, False]
    assert (evidence.arm, evidence.reference) == ("hot", "cold")
    assert evidence.effect == pytest.approx(1.0)
    assert evidence.verdict == "holds"
    assert evidence.comparisons[2].verdict == "fails"  # context decides nothing


def test_higher_is_better_turns_the_sign(evidence):
    opposite = judge(replace(CLAIM, direction="higher"), "quick", OUTCOME)
    assert (opposite.arm, opposite.verdict) == ("warm", "fails")
    for ours, theirs in zip(evidence.comparisons, opposite.comparisons, strict=True):
        assert theirs.effect == pytest.approx(-ours.effect)


def test_caveats_reach_verdict_and_record():
    flawed = {"warm": ["one run diverged"], "mild": ["context"]}
    noted = judge(CLAIM, "full", replace(OUTCOME, caveats=flawed))
    assert (noted.arm, noted.verdict) == ("warm", "holds with a caveat")
    assert noted.caveats == ("one run diverged",)
    assert "holds with a caveat (one run diverged); warm" in noted.summary()
    assert [c.caveats for c in noted.comparisons] == [("one run diverged",), (), ("context",)]
    reference = judge(CLAIM, "full", replace(OUTCOME, caveats={"cold": ["at the edge"]}))
    assert (reference.arm, reference.caveats) == ("hot", ("at the edge",))


def tuned(at_edge, arms=CLAIM.arms):
    return Tuning(
        rates=(0.1, 0.2),
        scores=dict.fromkeys(arms, (1.0, 2.0)),
        best=dict.fromkeys(arms, (0.1,)),
        widened=0,
        at_edge=at_edge,
    )


def test_a_best_rate_at_the_edge_of_its_range_is_a_caveat_without_the_experiments_doing():
    judged = judge(CLAIM, "full", replace(OUTCOME, tuning=tuned(("hot",))))
    assert judged.verdict == "holds with a caveat"
    assert judged.caveats == ("a best learning rate of hot at the edge of its range",)
    reference = judge(CLAIM, "full", replace(OUTCOME, tuning=tuned(("cold",))))
    assert [c.caveats for c in reference.comparisons] == [
        ("a best learning rate of cold at the edge of its range",)
    ] * 3
    assert judge(CLAIM, "full", replace(OUTCOME, tuning=tuned(()))).caveats == ()


def test_the_edge_is_told_once_beside_other_caveats():
    words = "a best learning rate of hot at the edge of its range"
    outcome = replace(OUTCOME, tuning=tuned(("hot",)), caveats={"hot": [words, "one run diverged"]})
    assert judge(CLAIM, "full", outcome).caveats == (words, "one run diverged")


def test_every_arm_is_tuned_or_none():
    with pytest.raises(ValueError, match=r"untuned=\['mild'\]"):
        judge(CLAIM, "full", replace(OUTCOME, tuning=tuned((), ("cold", "warm", "hot"))))


def test_differences_are_those_of_the_deciding_comparison(evidence):
    assert evidence.differences == pytest.approx([1.0, 0.6, 1.0, 1.4, 1.0])  # hot below cold
    assert statistics.mean(evidence.differences) == pytest.approx(evidence.effect)
    opposite = judge(replace(CLAIM, direction="higher"), "quick", OUTCOME)
    assert statistics.mean(opposite.differences) == pytest.approx(opposite.effect)


def test_power_is_that_of_the_smallest_effect_at_the_measured_spread(evidence):
    spread = statistics.stdev([1.0, 0.6, 1.0, 1.4, 1.0])
    assert evidence.seeds_needed == seeds_needed(effect=0.5, spread=spread)
    assert evidence.power_note() == (
        f"5 seeds run, about {evidence.seeds_needed} needed to see 0.5 points with 80 % power"
    )


def test_the_summary_of_an_undecided_claim_tells_of_its_power(evidence):
    assert "power" not in evidence.summary()
    undecided = replace(evidence, verdict="undecided")
    assert undecided.summary().endswith(f"; {evidence.power_note()}")


def test_the_command_names_claim_and_profile(evidence):
    words = "hpcourse claims run --profile quick --only warm-is-better --again"
    assert evidence.command == words


def test_a_small_effect_is_named_as_the_caveat():
    small = judge(replace(CLAIM, smallest_effect=1.1), "quick", OUTCOME)
    assert (small.arm, small.verdict) == ("hot", "holds with a caveat")
    assert small.caveats == ("below the smallest effect that matters, 1.1",)


def test_outcome_must_have_the_arms_of_the_claim():
    arms = {name: values for name, values in OUTCOME.arms.items() if name != "mild"}
    with pytest.raises(ValueError, match=r"missing_or_unknown=\['mild'\]"):
        judge(CLAIM, "quick", replace(OUTCOME, arms=arms))


def test_round_trip(evidence, tmp_path):
    path = evidence.write(tmp_path / "new" / "folder")
    assert path == tmp_path / "new" / "folder" / "warm-is-better.json"
    again = Evidence.read(path)
    assert again == evidence
    assert isinstance(again.comparisons[0], Comparison)
    assert again.settings == {"rates": [0.1, 0.2], "best": {"warm": 0.123457}}
    assert again.curves["loss"]["warm"] == [[2.346, None], [1.0, 0.5]]
    assert path.read_text(encoding="utf-8").count("\n") == len(vars(evidence)) + 2


def test_summary_is_one_line_with_verdict_interval_and_seeds(evidence):
    line = evidence.summary()
    assert "\n" not in line
    for part in ("warm-is-better: holds", "hot against cold", "+1 points", "5 seeds", "quick"):
        assert part in line


@pytest.mark.parametrize("broken", ["os.fsync", "pathlib.Path.replace"])
def test_crash_while_writing_leaves_the_old_file_whole(evidence, tmp_path, monkeypatch, broken):
    path = evidence.write(tmp_path)
    before = path.read_bytes()

    def crash(*_):
        raise OSError("disk full")

    monkeypatch.setattr(broken, crash)
    with pytest.raises(OSError, match="disk full"):
        replace(evidence, verdict="fails").write(tmp_path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]  # no half-written neighbour


def test_a_number_that_json_lacks_is_refused_and_the_old_file_stays(evidence, tmp_path):
    path = evidence.write(tmp_path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="not JSON compliant"):
        replace(evidence, effect=float("nan")).write(tmp_path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda record: record.pop("arms"), r"unknown fields \['arms'\], got path="),
        (lambda record: record.update(surprise=1), r"unknown fields \['surprise'\]"),
    ],
)
def test_files_with_other_fields_are_refused(evidence, tmp_path, change, message):
    path = evidence.write(tmp_path)
    record = json.loads(path.read_text(encoding="utf-8"))
    change(record)
    path.write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        Evidence.read(path)


@pytest.mark.parametrize(("text", "message"), [("{", "must be JSON"), ("[]", "JSON object")])
def test_files_that_are_no_records_are_refused(tmp_path, text, message):
    path = tmp_path / "odd.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=f"{message}.*odd.json"):
        Evidence.read(path)
