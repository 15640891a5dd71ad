"""Pages take their verdicts from the evidence: none is typed that differs, none is left out.

The checks read the pages' sources and the stored evidence; they need no built book.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import get_args

import notebooks
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from notebook_rules import CLOSING, code_cells, tags

from hpcourse.claims import Verdict, claims, read_ledger

BOOK = Path(__file__).resolve().parents[2] / "book"
VERDICTS = get_args(Verdict)
# "holds with a caveat" must be tried before "holds".
TYPED = re.compile(rf"\b({'|'.join(sorted(VERDICTS, key=len, reverse=True))})\b", re.IGNORECASE)
GLUED = re.compile(r"\{glue:\w+\}`[^`]*`")
SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n\s*\n|\n(?=[|*-])")
PAGES = sorted({claim.page for claim in claims().values()})
TEXTS = [*notebooks.notebook_paths(BOOK.parent), *sorted(BOOK.rglob("[!_]*.md"))]


def stored() -> dict[str, str]:
    """Verdict of each claim that has evidence."""
    rows = read_ledger(BOOK / "evidence")
    return {row.claim.id: row.evidence.verdict for row in rows if row.evidence}


def typed(text: str, verdicts: Mapping[str, str], ids: set[str]) -> Iterator[str]:
    """Sentences and rows that name one claim and type a verdict which is not its own."""
    for sentence in SENTENCE.split(text):
        words = GLUED.sub("", sentence)
        named = {claim_id for claim_id in ids if f"`{claim_id}`" in words}
        if len(named) != 1:
            continue
        (claim_id,) = named
        # Other code, such as an id that contains one of the words, is no verdict.
        for found in TYPED.findall(re.sub(r"`[^`]*`", "", words)):
            if found.lower() != (verdict := verdicts.get(claim_id)):
                yield f"types {found!r} beside {claim_id}, whose verdict is {verdict!r}"


def told(page: NotebookNode, claim_ids: list[str]) -> Iterator[str]:
    """Claims of the page that its text does not name beside the verdict from the evidence."""
    text = "\n\n".join(cell.source for cell in page.cells if cell.cell_type == "markdown")
    for claim_id in claim_ids:
        together = [part for part in SENTENCE.split(text) if f"`{claim_id}`" in part]
        if not any(f"{{glue:text}}`{claim_id}-verdict`" in part for part in together):
            yield f"names no `{claim_id}` beside its {{glue:text}}`{claim_id}-verdict`"


def glued_by_hand(page: NotebookNode) -> Iterator[str]:
    """Verdicts that code hands to the text as a typed word."""
    for node in nodes(code_cells(page)):
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if str(text_of(key)).endswith("-verdict") and text_of(value) is not None:
                    yield f"glues {text_of(key)!r} as the typed {text_of(value)!r}"


def pinned(page: NotebookNode, claim_ids: list[str], verdicts: Mapping[str, str]) -> Iterator[str]:
    """Claims of the page whose verdict its closing cell does not assert, or asserts wrongly."""
    closing = [cell for cell in code_cells(page) if CLOSING in tags(cell)]
    loaded = names_of_claims(page)
    found = {pair for node in nodes(closing) for pair in assertions(node, loaded)}
    for claim_id, verdict in sorted(found):
        if claim_id in claims() and verdict != verdicts.get(claim_id):
            yield f"pins {claim_id} to {verdict!r}, its verdict is {verdicts.get(claim_id)!r}"
    for claim_id in sorted(set(claim_ids) - {claim_id for claim_id, _ in found}):
        yield f"pins no verdict of {claim_id} in its closing cell"


def assertions(node: ast.AST, loaded: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Claim and verdict, where a node says ``{"claim": "holds"}`` or ``... == "holds"``."""
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if text_of(key) and text_of(value) in VERDICTS:
                yield str(text_of(key)), str(text_of(value))
    if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq):
        verdict = text_of(node.comparators[0])
        inside = list(ast.walk(node.left))
        ids = {str(text_of(part)) for part in inside} & {*claims()}
        ids |= {loaded[part.id] for part in inside if getattr(part, "id", None) in loaded}
        if verdict in VERDICTS and len(ids) == 1:
            yield ids.pop(), str(verdict)


def names_of_claims(page: NotebookNode) -> dict[str, str]:
    """Variables that hold the evidence of one claim: ``stored = claims.load("...")``."""
    return {
        target.id: str(text_of(node.value.args[0]))
        for node in nodes(code_cells(page))
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Call)
        and ast.unparse(node.value.func).endswith("load")
        and node.value.args
        and text_of(node.value.args[0]) in claims()
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def nodes(cells: list[NotebookNode]) -> Iterator[ast.AST]:
    """All parts of the syntax of the cells, line magics left out."""
    for cell in cells:
        lines = [line for line in cell.source.splitlines() if not line.lstrip().startswith("%")]
        yield from ast.walk(ast.parse("\n".join(lines)))


def text_of(node: ast.AST | None) -> str | None:
    """The value of a string constant."""
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return node.value if is_text else None


@pytest.mark.parametrize("page", PAGES)
def test_a_page_tells_glues_and_pins_the_verdicts_of_its_claims(page):
    notebook = notebooks.read(BOOK / f"{page}.ipynb")
    ids = [claim.id for claim in claims().values() if claim.page == page]
    assert list(told(notebook, ids)) == []
    assert list(glued_by_hand(notebook)) == []
    assert list(pinned(notebook, ids, stored())) == []


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.relative_to(BOOK).as_posix())
def test_no_text_types_another_verdict(path):
    if path.suffix == ".md":
        texts = [path.read_text(encoding="utf-8")]
    else:
        texts = [c.source for c in notebooks.read(path).cells if c.cell_type == "markdown"]
    assert [found for text in texts for found in typed(text, stored(), {*claims()})] == []


# The checks themselves, on made-up pages.

ID, TRUTH = "saddle-escape", {"saddle-escape": "holds"}


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("So `saddle-escape` fails.", "fails"),
        ("`saddle-escape`: **undecided**", "undecided"),
        ("| `saddle-escape` | +0.1 | **Fails** |", "Fails"),
        ("`saddle-escape` holds with a caveat.", "holds with a caveat"),
        ("`saddle-escape` holds.", None),
        ("`saddle-escape` is {glue:text}`saddle-escape-fails`.", None),
        ("`saddle-escape` is told. The fixed rate fails.", None),
        ("| `saddle-escape` | holds |\n| `noise-helps` | fails |", "fails"),
        ("`saddle-escape` beside `cosine-vs-step`: one holds, one fails.", None),
        ("`symmetric-init-fails` and `saddle-escape`", None),
        ("Nothing holds or fails here.", None),
    ],
)
def test_typed_verdicts_are_seen(text, wrong):
    found = list(typed(text, TRUTH, {ID, "noise-helps", "cosine-vs-step"}))
    assert [repr(wrong) in line for line in found] == ([] if wrong is None else [True])


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        ("Verdict of `saddle-escape`: **{glue:text}`saddle-escape-verdict`**.", True),
        ("| `saddle-escape` | x | {glue:text}`saddle-escape-verdict` |", True),
        ("Verdict of `saddle-escape`: **holds**.", False),
        ("`saddle-escape` is told. Verdict: {glue:text}`saddle-escape-verdict`.", False),
        ("{glue:text}`saddle-escape-verdict`", False),
    ],
)
def test_untold_verdicts_are_seen(text, complete):
    page = new_notebook(cells=[new_markdown_cell(text)])
    assert (list(told(page, [ID])) == []) == complete


def test_verdicts_glued_by_hand_are_seen():
    honest = 'glue({"saddle-escape-verdict": stored.verdict, "seeds": 5})'
    typed_in = 'glue({"saddle-escape-verdict": "holds"})'
    assert list(glued_by_hand(new_notebook(cells=[new_code_cell(honest)]))) == []
    assert len(list(glued_by_hand(new_notebook(cells=[new_code_cell(typed_in)])))) == 1


@pytest.mark.parametrize(
    ("code", "problems"),
    [
        ('assert verdicts == {"saddle-escape": "holds"}', 0),
        ('assert stored["saddle-escape"].verdict == "holds"', 0),
        ('assert claims.load("saddle-escape").verdict == "holds"', 0),
        ('evidence = claims.load("saddle-escape")\nassert evidence.verdict == "holds"', 0),
        ('assert verdicts == {"saddle-escape": "fails"}', 1),
        ('assert stored["saddle-escape"].verdict == "undecided"', 1),
        ('evidence = load("saddle-escape")\nassert evidence.verdict == "fails"', 1),
        ('assert evidence.verdict == "holds"', 1),  # of which claim?
        ("assert True", 1),
    ],
)
def test_wrong_and_missing_pins_are_seen(code, problems):
    cell = new_code_cell(code, metadata={"tags": [CLOSING]})
    assert len(list(pinned(new_notebook(cells=[cell]), [ID], TRUTH))) == problems
    # Only the closing cell pins.
    assert len(list(pinned(new_notebook(cells=[new_code_cell(code)]), [ID], TRUTH))) == 1


def test_a_verdict_that_changes_in_the_evidence_fails_the_page_that_pins_the_old_one():
    page = notebooks.read(BOOK / "training/learning-rate-schedules.ipynb")
    truth = stored()
    turned = {**truth, "cosine-vs-step": "holds"}
    assert truth["cosine-vs-step"] != "holds"
    assert list(pinned(page, ["cosine-vs-step"], turned)) != []
