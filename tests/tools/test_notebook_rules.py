"""The rules of the book: a good page passes, and each fault is found and named."""

from collections.abc import Callable

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from notebook_rules import free_names, problems

FIGURE = {
    "image": {"alt": "A falling curve"},
    "figure": {"name": "fig-page-curve", "caption": "The rate falls."},
}
STUB = "from hpcourse.exercises import check_answer\n\nanswer = ...\ncheck_answer(answer)"
SOLUTION = "from hpcourse.exercises import check_answer\n\nassert check_answer(42)"


def code(source: str, *tags: str, **mystnb: object) -> NotebookNode:
    return new_code_cell(source, metadata={"tags": list(tags), "mystnb": mystnb})


def checked(output: NotebookNode) -> NotebookNode:
    metadata = {"tags": ["nbval-check-output"]}
    return new_code_cell("print(1)", metadata=metadata, outputs=[output])


PICTURE = new_output("display_data", {"image/png": "iVBO", "text/plain": "x"})
TEXT = new_output("stream", name="stdout", text="1\n")


def good_page() -> NotebookNode:
    return new_notebook(
        cells=[
            new_markdown_cell("# A page\n\nTime to run: 20 s."),
            code("%pip install x\n" * 30, "colab-install", "remove-cell"),
            code("fig, ax = plt.subplots()\nax.plot(x);", **FIGURE),
            code(STUB, "exercise"),
            code(SOLUTION, "solution", "hide-cell"),
            code("assert effect > 0", "closing", "remove-cell"),
        ]
    )


FAULTS: dict[str, tuple[Callable[[list[NotebookNode]], object], str]] = {
    "no title": (lambda c: c[0].update(source="Time to run: 1 s"), "page's title"),
    "no time": (lambda c: c[0].update(source="# A page"), "time to run"),
    "time too late": (
        lambda c: (c[0].update(source="# A page"), c.append(new_markdown_cell("Time to run: 1 s"))),
        "time to run",
    ),
    "long cell": (lambda c: c[2].update(source="x = 1\n" * 21), "21 lines in the cell 'x = 1'"),
    "long cells": (
        lambda c: [c.insert(2, code("x = 1\n" * 9)) for _ in range(9)],
        "9 lines in the",
    ),
    "many cells": (lambda c: [c.insert(2, code("x = 1")) for _ in range(22)], "26 code cells"),
    "no alt text": (lambda c: c[2].metadata.mystnb.pop("image"), "mystnb.image.alt"),
    "no caption": (lambda c: c[2].metadata.mystnb.figure.pop("caption"), "mystnb.figure.caption"),
    "no label": (lambda c: c[2].metadata.mystnb.figure.update(name="curve"), "mystnb.figure.name"),
    "printed value": (lambda c: c[2].update(source="plt.subplots()"), "end it with ';'"),
    "no closing": (lambda c: c.pop(), "last code cell must be tagged 'closing'"),
    "closing in sight": (lambda c: c[-1].metadata.update(tags=["closing"]), "'remove-cell' too"),
    "closing says nothing": (lambda c: c[-1].update(source="x = 1"), "asserts nothing"),
    "no solution": (lambda c: c.pop(4), "has no solution"),
    "next exercise first": (lambda c: c.insert(4, code(STUB, "exercise")), "has no solution"),
    "no exercise": (lambda c: c.pop(3), "follows no exercise"),
    "no check": (lambda c: c[3].update(source="answer = ..."), "calls no check_ function"),
    "open solution": (lambda c: c[4].metadata.update(tags=["solution"]), "'hide-cell'"),
    "doubtful solution": (lambda c: c[4].update(source=STUB), "must assert its check"),
    "borrowed name": (
        lambda c: c[4].update(source="assert check_answer(limit)"),
        "must import or define check_answer, limit itself",
    ),
    "unstored output": (
        lambda c: c.insert(2, code("print(1)", "nbval-check-output")),
        "is not stored",
    ),
    "checked picture": (lambda c: c.insert(2, checked(PICTURE)), "not text alone"),
}


def test_a_good_page_keeps_every_rule():
    assert list(problems(good_page())) == []


@pytest.mark.parametrize(("spoil", "message"), FAULTS.values(), ids=FAULTS.keys())
def test_each_fault_is_named(spoil, message):
    page = good_page()
    spoil(page.cells)
    found = list(problems(page))
    assert any(message in problem for problem in found), found


def test_a_checked_output_of_text_is_fine():
    page = good_page()
    page.cells.insert(2, checked(TEXT))
    assert list(problems(page)) == []


@pytest.mark.parametrize(
    "last", ["plt.show()", "glue('x', 1)", "line = ax.plot(x)", "plt.plot(x);"]
)
def test_a_figure_may_end_in_what_prints_nothing(last):
    page = good_page()
    page.cells[2].source = f"fig, ax = plt.subplots()\n{last}"
    assert list(problems(page)) == []


def test_an_empty_notebook_is_reported():
    assert any("title" in problem for problem in problems(new_notebook()))


@pytest.mark.parametrize(
    ("source", "free"),
    [
        ("import numpy as np\nnp.zeros(len([1]))", set()),
        ("from math import pi as circle\ncircle", set()),
        ("import a.b\na.b.c", set()),
        ("def f(x, *args, y=1, **rest):\n    return x + y + sum(args) + rest['z']\nf(1)", set()),
        ("class A:\n    pass\n[A() for i in range(3) if i]", set()),
        ("try:\n    pass\nexcept ValueError as error:\n    print(error)", set()),
        ("with open('x') as file:\n    (a, b), *c = file\n    print(a, b, c)", set()),
        ("lambda rate: rate * scale", {"scale"}),
        ("total += step", {"step"}),
    ],
)
def test_free_names(source, free):
    assert free_names(source) == free
