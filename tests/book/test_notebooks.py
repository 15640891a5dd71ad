"""The notebooks of the book: their form, and their exercises."""

import ast
from pathlib import Path

import notebooks
import pytest
from notebook_rules import EXERCISE, SOLUTION, tags

ROOT = Path(__file__).resolve().parents[2]
PATHS = notebooks.notebook_paths(ROOT)


def answer_cells(tag: str) -> list[object]:
    """Return the text of every cell with `tag`, named by its notebook and its place there."""
    return [
        pytest.param(cell.source, id=f"{path.stem}-{number}")
        for path in PATHS
        for number, cell in enumerate(notebooks.read(path).cells)
        if tag in tags(cell)
    ]


def run_cell(source: str) -> object:
    """Run a cell on its own, in an empty namespace, and return the value of its last expression."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    namespace: dict[str, object] = {"__name__": "__main__"}
    exec(compile(tree, "<cell>", "exec"), namespace)
    if last is None:
        return None
    return eval(compile(ast.Expression(last.value), "<cell>", "eval"), namespace)


def test_there_are_notebooks():
    assert PATHS


@pytest.mark.parametrize(
    "command", [["normalise", "--check"], ["colab", "--check"], ["lint"]], ids=lambda c: c[0]
)
def test_form(command, capsys):
    status = notebooks.main(command)
    assert status == 0, capsys.readouterr().out


@pytest.mark.parametrize("source", answer_cells(EXERCISE))
def test_an_empty_answer_is_not_yet_right(source):
    assert run_cell(source) is False


@pytest.mark.parametrize("source", answer_cells(SOLUTION))
def test_the_solution_is_right(source):
    run_cell(source)
