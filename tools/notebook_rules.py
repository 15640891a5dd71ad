"""The rules of the book that a notebook can be checked for without running it.

Every rule takes a notebook and yields one sentence for each place that breaks it.
"""

import ast
import builtins
import re
import statistics
from collections.abc import Iterator

from nbformat import NotebookNode

INSTALL, CHECKED = "colab-install", "nbval-check-output"
EXERCISE, SOLUTION, CLOSING = "exercise", "solution", "closing"
MAX_CELLS, MAX_LINES, MEDIAN_LINES = 25, 20, 8

DRAWS = re.compile(r"\bplt\.(subplots|figure|subplot_mosaic|show)\(")
CHECK_CALL = re.compile(r"\bcheck_\w+\(")
SILENT = re.compile(r"(plt\.show|plt\.close|glue|print)\(")
TIME_TO_RUN = re.compile(r"time to run", re.IGNORECASE)


def tags(cell: NotebookNode) -> list[str]:
    """Return the tags of a cell."""
    return list(cell.metadata.get("tags", []))


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """Return the code that the page's author wrote: all but the install cell."""
    return [c for c in notebook.cells if c.cell_type == "code" and INSTALL not in tags(c)]


def problems(notebook: NotebookNode) -> Iterator[str]:
    """Yield every break of a rule."""
    for rule in (opening, sizes, figures, closing, exercises, checked_outputs):
        yield from rule(notebook)


def opening(notebook: NotebookNode) -> Iterator[str]:
    """A page begins with its title and says how long it runs."""
    cells = notebook.cells
    if not cells or not re.match(r"# +\S", cells[0].source) or cells[0].cell_type != "markdown":
        yield "the first cell must be Markdown that begins with the page's title, '# ...'"
    codes = [index for index, cell in enumerate(cells) if cell.cell_type == "code"]
    before = "\n".join(cell.source for cell in cells[: codes[0] if codes else len(cells)])
    if not TIME_TO_RUN.search(before):
        yield "the text before the first code must state the time to run"


def sizes(notebook: NotebookNode) -> Iterator[str]:
    """Code cells are few and short."""
    cells = code_cells(notebook)
    lines = [len(cell.source.splitlines()) for cell in cells]
    if len(cells) > MAX_CELLS:
        yield f"{len(cells)} code cells, at most {MAX_CELLS} are allowed"
    for cell, count in zip(cells, lines, strict=True):
        if count > MAX_LINES:
            yield f"{count} lines in the cell {_name(cell)}, at most {MAX_LINES} are allowed"
    median = statistics.median(lines or [0])
    if median > MEDIAN_LINES:
        yield f"code cells have {median:g} lines in the median, at most {MEDIAN_LINES} are allowed"


def figures(notebook: NotebookNode) -> Iterator[str]:
    """A cell that draws says in words what the figure shows, and carries a label and a caption."""
    for cell in code_cells(notebook):
        shown = not {"remove-cell", "remove-output", EXERCISE, SOLUTION} & {*tags(cell)}
        settings = cell.metadata.get("mystnb", {})
        figure = settings.get("figure", {})
        if shown and (DRAWS.search(cell.source) or figure):
            if not settings.get("image", {}).get("alt"):
                yield f"the figure of the cell {_name(cell)} needs mystnb.image.alt"
            if not figure.get("caption"):
                yield f"the figure of the cell {_name(cell)} needs mystnb.figure.caption"
            if not figure.get("name", "").startswith("fig-"):
                yield f"the figure of the cell {_name(cell)} needs mystnb.figure.name, 'fig-...'"
            if _prints_value(cell.source):
                yield f"the cell {_name(cell)} prints a value beside its figure: end it with ';'"


def closing(notebook: NotebookNode) -> Iterator[str]:
    """The last code of a page asserts what its text says, out of the reader's sight."""
    cells = code_cells(notebook)
    if not cells or CLOSING not in tags(cells[-1]):
        yield f"the last code cell must be tagged {CLOSING!r}"
    for cell in cells:
        if CLOSING in tags(cell):
            if "remove-cell" not in tags(cell):
                yield f"the closing cell {_name(cell)} must be tagged 'remove-cell' too"
            if not _has_assertion(cell.source):
                yield f"the closing cell {_name(cell)} asserts nothing"


def exercises(notebook: NotebookNode) -> Iterator[str]:
    """Every exercise has a check and a folded solution; both run on their own."""
    open_exercise: NotebookNode | None = None
    for cell in code_cells(notebook):
        kinds = {EXERCISE, SOLUTION} & {*tags(cell)}
        if not kinds:
            continue
        yield from _answer_cell(cell)
        if EXERCISE in kinds:
            if open_exercise:
                yield f"the exercise {_name(open_exercise)} has no solution"
            open_exercise = cell
        elif open_exercise:
            open_exercise = None
        else:
            yield f"the solution {_name(cell)} follows no exercise"
    if open_exercise:
        yield f"the exercise {_name(open_exercise)} has no solution"


def _answer_cell(cell: NotebookNode) -> Iterator[str]:
    """What holds for an exercise's stub and for its solution alike."""
    if not CHECK_CALL.search(cell.source):
        yield f"the cell {_name(cell)} calls no check_ function"
    if missing := sorted(free_names(cell.source)):
        yield f"the cell {_name(cell)} must import or define {', '.join(missing)} itself"
    if SOLUTION in tags(cell):
        if "hide-cell" not in tags(cell):
            yield f"the solution {_name(cell)} must be tagged 'hide-cell'"
        if not _has_assertion(cell.source):
            yield f"the solution {_name(cell)} must assert its check"


def checked_outputs(notebook: NotebookNode) -> Iterator[str]:
    """A checked output exists and is text."""
    for cell in code_cells(notebook):
        if CHECKED not in tags(cell):
            continue
        if not cell.outputs:
            yield f"the output of the cell {_name(cell)} is not stored: `tools/notebooks.py record`"
        for output in cell.outputs:
            text = output.get("name") == "stdout" or set(output.get("data", {})) == {"text/plain"}
            if not text:
                yield f"the output of the cell {_name(cell)} is checked but not text alone"


def free_names(source: str) -> set[str]:
    """Return the names that `source` reads but never binds.

    The order of statements and the scopes of functions are left out of account, so that a name
    bound anywhere in the cell counts as known.
    """
    nodes = list(ast.walk(ast.parse(source)))
    names = [node for node in nodes if isinstance(node, ast.Name)]
    bound = {node.id for node in names if not isinstance(node.ctx, ast.Load)}
    bound |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    bound |= {node.name for node in nodes if isinstance(node, definition)}
    bound |= {node.name for node in nodes if isinstance(node, ast.ExceptHandler) and node.name}
    aliases = [node for node in nodes if isinstance(node, ast.alias)]
    bound |= {(alias.asname or alias.name).split(".")[0] for alias in aliases}
    return {node.id for node in names} - bound - set(dir(builtins))


def _prints_value(source: str) -> bool:
    """Whether the last statement is an expression that leaves a value, as `ax.plot(x)` does."""
    last = ast.parse(source).body[-1]
    silent = source.rstrip().endswith(";") or SILENT.match(ast.unparse(last))
    return isinstance(last, ast.Expr) and not silent


def _has_assertion(source: str) -> bool:
    return any(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(source)))


def _name(cell: NotebookNode) -> str:
    """Quote the first line of a cell that is not a comment."""
    lines = [line for line in cell.source.splitlines() if line and not line.startswith("#")]
    return repr(lines[0] if lines else cell.source)
