"""The ledger: every claim beside its stored evidence, corrected for being one test of several.

A p-value below 0.05 turns up in one of twenty tests of nothing. `read_ledger` therefore adjusts the
p-values of a chapter (the claims of one page) by Holm's method: held against 0.05, the adjusted
values keep the chance of a single false alarm in the whole chapter at 5 %. They are computed anew
from all evidence that is stored, since the number of tests belongs to the chapter and not to a
claim. The verdict rests on the interval alone; an adjusted p-value above 0.05 beside a verdict
that holds is a reason for doubt, and a note says so.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hpcourse.claims.evidence import Evidence
from hpcourse.claims.registry import Claim, claims
from hpcourse.claims.runner import evidence_folder, load
from hpcourse.claims.statistics import holm

NOT_MEASURED = "not yet measured"
SIGNIFICANT = 0.05
NBSP = "\u00a0"  # keeps a number and its unit on one line
BADGES = {
    "holds": "holds",
    "holds with a caveat": "caveat",
    "undecided": "undecided",
    "fails": "fails",
}


@dataclass(frozen=True, kw_only=True)
class LedgerRow:
    """One claim of the ledger.

    Attributes:
        claim: The claim as registered.
        evidence: What is stored for it, or None.
        adjusted_p: Its p-value after Holm's correction inside the chapter; None without evidence.
        tests: How many claims of the chapter have evidence, and share the correction.
    """

    claim: Claim
    evidence: Evidence | None = None
    adjusted_p: float | None = None
    tests: int = 0

    @property
    def verdict(self) -> str:
        """The verdict, or that there is none yet."""
        return NOT_MEASURED if self.evidence is None else self.evidence.verdict

    @property
    def notes(self) -> list[str]:
        """What to know beside the verdict, such as caveats, and doubt after the correction."""
        if self.evidence is None or self.adjusted_p is None:
            return []
        notes = list(self.evidence.caveats)
        if self.verdict == "undecided":
            notes.append(self.evidence.power_note())
        if self.verdict.startswith("holds") and self.adjusted_p > SIGNIFICANT:
            notes.append(f"p above {SIGNIFICANT} after the correction inside the chapter")
        if self.evidence.profile == "quick":
            notes.append("quick profile only")
        return notes


def read_ledger(folder: Path | str | None = None) -> tuple[LedgerRow, ...]:
    """All claims in the book's order with what is stored for them.

    Args:
        folder: Where evidence is kept; the book's (`evidence_folder`) if None.

    Raises:
        FileNotFoundError: If no folder is given and the book's is not found.
        ValueError: If a file is not evidence.
    """
    where = evidence_folder() if folder is None else Path(folder)
    found = {claim_id: _stored(claim_id, where) for claim_id in claims()}
    chapters: dict[str, list[Evidence]] = defaultdict(list)
    for claim in claims().values():
        if (evidence := found[claim.id]) is not None:
            chapters[_chapter(claim)].append(evidence)
    adjusted = {
        evidence.claim: p
        for chapter in chapters.values()
        for evidence, p in zip(chapter, holm([e.p_value for e in chapter]), strict=True)
    }
    return tuple(
        LedgerRow(
            claim=claim,
            evidence=found[claim.id],
            adjusted_p=adjusted.get(claim.id),
            tests=len(chapters[_chapter(claim)]),
        )
        for claim in claims().values()
    )


def describe(row: LedgerRow) -> str:
    """A row in full, several lines for a terminal."""
    claim, evidence = row.claim, row.evidence
    lines = [f"{claim.id}: {row.verdict}", f"  {claim.statement}", f"  source   {claim.source}"]
    if claim.page:
        lines.append(f"  page     {claim.page}")
    if evidence is None:
        return "\n".join(
            [*lines, f"  measure  hpcourse claims run --profile full --only {claim.id}"]
        )
    lines += [
        f"  effect   {_effect(evidence)}, {evidence.arm} against {evidence.reference}",
        f"           positive supports the claim; {evidence.smallest_effect:g} would matter",
        f"  p        {evidence.p_value:.2g}; {row.adjusted_p:.2g} by Holm over {_tests(row)}",
        f"  power    {evidence.power_note()}",
        *(f"  caveat   {caveat}" for caveat in evidence.caveats),
        f"  cost     {evidence.seconds:,.0f} s, {evidence.profile} profile, {evidence.device}",
        f"  again    {evidence.command}",
    ]
    return "\n".join(lines)


def ledger_markdown(rows: Sequence[LedgerRow], *, book: str = "..") -> str:
    """The ledger as a table in Markdown, one row a claim.

    Args:
        rows: From `read_ledger`.
        book: Where the pages lie, as seen from the page that shows the table.

    Examples:
        >>> print(ledger_markdown(read_ledger()[:1]).splitlines()[0])
        | claim | result | p | cost |
    """
    lines = ["| claim | result | p | cost |", "|---|---|---|---|"]
    for row in rows:
        cells = (_claim_cell(row, book), _result_cell(row), _p_cell(row), _cost_cell(row))
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines)


def ledger_effects(rows: Sequence[LedgerRow]) -> list[tuple[str, float, float, float, float]]:
    """Rows for `hpcourse.plots.plot_effects`, each in units of its smallest effect of interest.

    Args:
        rows: From `read_ledger`; those without evidence are left out.

    Returns:
        Label, effect, low and high end of the interval, and 1.0 for the smallest effect.
    """
    measured = [(row.evidence, row.claim.smallest_effect) for row in rows if row.evidence]
    return [(e.claim, e.effect / unit, e.low / unit, e.high / unit, 1.0) for e, unit in measured]


def _claim_cell(row: LedgerRow, book: str) -> str:
    claim = row.claim
    name = f"[`{claim.id}`]({book}/{claim.page}.ipynb)" if claim.page else f"`{claim.id}`"
    command = "" if row.evidence is None else f"<br>`{row.evidence.command}`"
    return f"{name}<br>{claim.statement}<br>*{claim.source}*{command}"


def _result_cell(row: LedgerRow) -> str:
    if row.evidence is None:
        return NOT_MEASURED
    badge = f'<span class="verdict-{BADGES[row.verdict]}">{row.verdict}</span>'
    effect = _effect(row.evidence).replace(", ", f",{NBSP}")
    return "<br>".join([badge, effect, *row.notes])


def _p_cell(row: LedgerRow) -> str:
    if row.evidence is None:
        return ""
    return f"p{NBSP}{row.evidence.p_value:.2g}, <br>Holm{NBSP}{row.adjusted_p:.2g}"


def _cost_cell(row: LedgerRow) -> str:
    if row.evidence is None:
        return ""
    run, needed = len(row.evidence.seeds), row.evidence.seeds_needed
    cost = (f"{run} seeds", f"{needed:,} needed", f"{row.evidence.seconds:,.0f} s")
    return ", <br>".join(entry.replace(" ", NBSP) for entry in cost)


def _effect(evidence: Evidence) -> str:
    return f"{evidence.effect:+.3g} {evidence.unit} [{evidence.low:+.3g}, {evidence.high:+.3g}]"


def _tests(row: LedgerRow) -> str:
    return "the 1 claim of its page" if row.tests == 1 else f"the {row.tests} claims of its page"


def _chapter(claim: Claim) -> str:
    """The claim's page; a claim without one is a chapter of its own."""
    return claim.page or claim.id


def _stored(claim_id: str, folder: Path) -> Evidence | None:
    try:
        return load(claim_id, folder)
    except FileNotFoundError:
        return None
