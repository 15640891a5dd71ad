"""The catalogue as tables."""

import html
from collections.abc import Callable, Sequence
from typing import Literal

from hpcourse.catalogue._queries import known_as
from hpcourse.catalogue._records import Hyperparameter
from hpcourse.catalogue._rows import HYPERPARAMETERS

Line = tuple[str, ...]
View = Literal["tiers", "effects", "ranges", "disagreements"]
Markup = Literal["markdown", "html"]


def table(
    view: View = "effects",
    rows: Sequence[Hyperparameter] = HYPERPARAMETERS,
    *,
    markup: Markup = "markdown",
) -> str:
    """The catalogue as the text of a table, every hyperparameter of `rows` in at least one line.

    Args:
        view: "tiers" (14.2.4), "effects" (14.2.5), "ranges" (14.2.6 and the other sources, one
            line a suggestion), or "disagreements".
        rows: What to print, for example ``by_tier(1)``.
        markup: "markdown" or "html".

    Raises:
        ValueError: If there is no such view or markup.

    Examples:
        >>> from hpcourse.catalogue import by_tier
        >>> print(table("tiers", by_tier(2)))
        | Hyperparameter | Tier | Class | Source |
        |---|---|---|---|
        | batch size | 2 | optimisation | DL500 14.2.4, 14.2.5, 14.2.6 |
        | momentum | 2 | optimisation | DL500 14.2.4, 14.2.5 |
    """
    header, lines = _VIEWS[known_as("view", view, list(_VIEWS))]
    form = {"markdown": _markdown, "html": _html}
    write = form[known_as("markup", markup, list(form))]
    return write(header, [line for row in rows for line in lines(row)])


def _tiers(row: Hyperparameter) -> list[Line]:
    tier = "not ranked" if row.tier is None else str(row.tier)
    return [(row.name, tier, row.kind, row.source)]


def _effects(row: Hyperparameter) -> list[Line]:
    return [(row.name, row.capacity, row.reason, row.caution, row.source)]


def _ranges(row: Hyperparameter) -> list[Line]:
    if not row.ranges:
        return [(row.name, "", "none suggested", "", row.source)]
    name = f"{row.name} (sources disagree)" if row.disagreement else row.name
    return [
        (name, each.context, str(each), each.note if each.note != str(each) else "", each.source)
        for each in row.ranges
    ]


def _disagreements(row: Hyperparameter) -> list[Line]:
    return [(row.name, row.disagreement or "none", row.source)]


_VIEWS: dict[str, tuple[Line, Callable[[Hyperparameter], list[Line]]]] = {
    "tiers": (("Hyperparameter", "Tier", "Class", "Source"), _tiers),
    "effects": (
        ("Hyperparameter", "A larger value and capacity", "Reason", "Caution", "Source"),
        _effects,
    ),
    "ranges": (("Hyperparameter", "Context", "Suggestion", "Note", "Source"), _ranges),
    "disagreements": (("Hyperparameter", "Disagreement", "Source"), _disagreements),
}


def _markdown(header: Line, lines: Sequence[Line]) -> str:
    """A pipe table."""
    texts = [f"| {' | '.join(map(_pipe, line))} |" for line in (header, *lines)]
    return "\n".join((texts[0], "|---" * len(header) + "|", *texts[1:]))


def _pipe(text: str) -> str:
    return text.replace("|", "\\|")


def _html(header: Line, lines: Sequence[Line]) -> str:
    """A table element with a header row."""
    head = "".join(f"<th>{html.escape(text)}</th>" for text in header)
    body = "\n".join(
        f"<tr>{''.join(f'<td>{html.escape(text)}</td>' for text in line)}</tr>" for line in lines
    )
    # The book's theme styles tables of this class.
    return (
        f'<table class="table">\n<thead>\n<tr>{head}</tr>\n</thead>\n'
        f"<tbody>\n{body}\n</tbody>\n</table>"
    )
