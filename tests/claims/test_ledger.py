"""The ledger: stored evidence beside the registered claims, corrected page by page."""

from dataclasses import replace

import pytest

from hpcourse.claims import (
    Claim,
    Outcome,
    describe,
    find,
    holm,
    judge,
    learning_rate,
    ledger_effects,
    ledger_markdown,
    load,
    read_ledger,
    saddle,
)

SEEDS = tuple(range(8))
OLD = [1.0, 1.4, 2.0, 1.1, 0.9, 1.7, 1.2, 1.3]


def claim(name, page, gain):
    """A claim whose new arm gains `gain` with an alternating deviation of 0.5."""
    new = [value + gain + (0.5 if i % 2 else -0.5) for i, value in enumerate(OLD)]
    outcome = Outcome(
        seeds=SEEDS, arms={"new": new, "old": OLD}, device="cpu, a test", seconds=1234.5
    )
    return Claim(
        id=name,
        statement=f"New gains | {gain}.",
        source="a test",
        claimed=("new",),
        reference="old",
        metric="score",
        unit="points",
        direction="higher",
        smallest_effect=0.5,
        experiment=lambda profile: outcome,
        page=page,
    )


A, B, C, D = (
    claim("a-wins", "part/one", 1.0),
    claim("b-close", "part/one", 0.25),
    claim("c-alone", "part/two", 0.25),
    claim("d-later", "part/one", 0.25),
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(saddle, "CLAIMS", (A, B))
    monkeypatch.setattr(learning_rate, "CLAIMS", (C, D))
    monkeypatch.setattr("hpcourse.claims.registry.MODULES", ("saddle", "learning_rate"))
    for each in (A, B, C):
        judge(each, "full", each.experiment("full")).write(tmp_path)
    return tmp_path


def test_every_registered_claim_has_a_row_in_the_books_order(folder):
    rows = read_ledger(folder)
    assert [row.claim.id for row in rows] == ["a-wins", "b-close", "c-alone", "d-later"]
    assert [row.verdict for row in rows][:2] == ["holds", "undecided"]
    assert rows[0].evidence == load("a-wins", folder)
    assert (rows[3].evidence, rows[3].verdict, rows[3].notes) == (None, "not yet measured", [])


def test_holm_is_applied_inside_each_page_over_what_is_stored(folder):
    a, b, c, d = read_ledger(folder)
    raw = [a.evidence.p_value, b.evidence.p_value]
    assert [a.adjusted_p, b.adjusted_p] == holm(raw)
    assert a.adjusted_p == 2 * a.evidence.p_value
    assert c.adjusted_p == c.evidence.p_value == b.evidence.p_value
    assert [row.tests for row in (a, b, c, d)] == [2, 2, 1, 2]
    assert d.adjusted_p is None


def test_claims_without_a_page_are_chapters_of_their_own(folder, monkeypatch):
    monkeypatch.setattr(saddle, "CLAIMS", (replace(A, page=""), replace(B, page="")))
    a, b, *_ = read_ledger(folder)
    assert a.adjusted_p == a.evidence.p_value
    assert b.adjusted_p == b.evidence.p_value


def test_notes_tell_of_caveats_power_and_doubt(folder):
    a, b, *_ = read_ledger(folder)
    assert a.notes == []
    assert b.notes == [b.evidence.power_note()]
    doubtful = replace(a, adjusted_p=0.06, evidence=replace(a.evidence, caveats=("odd",)))
    assert doubtful.notes == ["odd", "p above 0.05 after the correction inside the chapter"]
    quick = replace(a, evidence=replace(a.evidence, profile="quick"))
    assert quick.notes == ["quick profile only"]


def test_description_says_all_that_is_known(folder):
    a, b, _, d = read_ledger(folder)
    text = describe(a)
    for part in (
        "a-wins: holds",
        "New gains | 1.0.",
        "source   a test",
        "page     part/one",
        "+1 points [",
        "new against old",
        "0.5 would matter",
        f"{a.evidence.p_value:.2g}; {a.adjusted_p:.2g} by Holm over the 2 claims of its page",
        a.evidence.power_note(),
        "1,234 s, full profile, cpu, a test",
        "hpcourse claims run --profile full --only a-wins --again",
    ):
        assert part in text
    assert "caveat" not in text
    noted = replace(b, evidence=replace(b.evidence, caveats=("first", "second")))
    assert describe(noted).count("  caveat   ") == 2
    assert describe(d).splitlines()[0] == "d-later: not yet measured"
    assert "--only d-later" in describe(d)


def test_markdown_has_one_row_a_claim_with_link_verdict_numbers_and_command(folder):
    rows = read_ledger(folder)
    lines = ledger_markdown(rows, book="up").splitlines()
    assert len(lines) == 2 + len(rows)
    unescaped = [line.replace("\\|", "") for line in lines]
    assert {line.count("|") for line in unescaped} == {5}
    a, b, _, d = lines[2:]
    for part in (
        "[`a-wins`](up/part/one.ipynb)",
        "New gains \\| 1.0.",
        '<span class="verdict-holds">holds</span>',
        "+1 points",
        "8 seeds",
        f"`{rows[0].evidence.command}`",
    ):
        assert part.replace(" ", "") in a.replace(" ", "").replace("\u00a0", "")
    assert rows[1].evidence.power_note() in b
    assert "not yet measured" in d
    assert ledger_markdown([replace(rows[0], claim=replace(A, page=""))]).count("](") == 0


def test_effects_are_in_units_of_the_smallest_that_matters(folder):
    effects = ledger_effects(read_ledger(folder))
    assert [label for label, *_ in effects] == ["a-wins", "b-close", "c-alone"]
    label, effect, low, high, smallest = effects[0]
    evidence = load(label, folder)
    assert (effect, smallest) == (pytest.approx(2.0), 1.0)
    assert (low, high) == pytest.approx((evidence.low / 0.5, evidence.high / 0.5))


def test_damaged_evidence_is_an_error_that_names_the_file(folder):
    (folder / "b-close.json").write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match=r"b-close\.json"):
        read_ledger(folder)


def test_the_books_own_evidence_makes_a_ledger():
    rows = read_ledger()
    assert find("saddle-escape") in [row.claim for row in rows]
    assert all(row.adjusted_p >= row.evidence.p_value for row in rows if row.evidence)
