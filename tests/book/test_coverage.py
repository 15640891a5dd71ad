"""Every page, function and test that the coverage page names exists."""

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "book" / "appendix" / "coverage.md"
TEXT = PAGE.read_text(encoding="utf-8")


def rows() -> list[list[str]]:
    """The cells of the table's rows, without its heading."""
    lines = [line for line in TEXT.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_table_is_complete():
    table = rows()
    assert len(table) > 10
    assert all(len(row) == 5 for row in table)


@pytest.mark.parametrize("page", sorted(set(re.findall(r"\[\]\(([^)]+)\)", TEXT))))
def test_every_page_exists(page):
    assert (PAGE.parent / page).is_file()


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\{py:func\}`~([\w.]+)`", TEXT))))
def test_every_function_exists(name):
    module, _, function = name.rpartition(".")
    assert function in importlib.import_module(module).__all__


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`(tests/[\w/]+\.py)`", TEXT))))
def test_every_test_exists(path):
    assert (ROOT / path).is_file()


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row[0]} {row[1]}")
def test_every_function_is_mentioned_in_a_test_named_beside_it(row):
    functions = re.findall(r"`~[\w.]+\.(\w+)`", row[3])
    tests = re.findall(r"`([\w/]+\.py)`", row[4])
    sources = "".join((ROOT / path).read_text(encoding="utf-8") for path in tests)
    assert [name for name in functions if not re.search(rf"\b{name}\b", sources)] == []
