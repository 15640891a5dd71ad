"""A small book, executed and built as the real one is.

Its notebook reads a value from its own `hpcourse` and notes each run in a file, so that the tests
can tell what ran and what a page shows.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).resolve().parents[2]
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
READ = """\
import sys
sys.path.insert(0, "..")
import hpcourse
with open("../runs.txt", "a") as runs:
    runs.write("page\\n")
print("value", hpcourse.VALUE)"""
MEET = """\
import pathlib, time
pathlib.Path("{own}.met").touch()
deadline = time.monotonic() + 60
while not pathlib.Path("{other}.met").exists():
    assert time.monotonic() < deadline, "the other notebook never started"
    time.sleep(0.05)"""


def write_page(path: Path, code: str, prose: str = "Some prose.") -> None:
    cells = [new_markdown_cell(f"# {path.stem}\n\n{prose}"), new_code_cell(code)]
    path.write_text(nbformat.writes(new_notebook(cells=cells)))


def write_toc(book: Path, *pages: str) -> None:
    chapters = [{"file": page} for page in pages]
    toc = {"format": "jb-book", "root": "index", "chapters": chapters}
    (book / "_toc.yml").write_text(yaml.safe_dump(toc))


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A book of one notebook with the settings and the extension of the real book."""
    book = tmp_path / "book"
    shutil.copytree(ROOT / "book/_ext", book / "_ext")
    shutil.copytree(ROOT / "book/_static", book / "_static")
    shutil.copy(ROOT / "_config.yml", book)
    (book / "references.bib").write_text("")
    (book / "index.md").write_text("# Index\n")
    (tmp_path / "hpcourse").mkdir()
    (tmp_path / "hpcourse/__init__.py").write_text("VALUE = 1\n")
    (tmp_path / "requirements.lock").write_text("")
    write_page(book / "page.ipynb", READ)
    write_toc(book, "page")
    return book


def run(*command: object) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"HPCOURSE_PROFILE": "quick", "HPCOURSE_DEVICE": "cpu"}
    words = [str(word) for word in command]
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=False)


def execute(book: Path, workers: int = 1) -> subprocess.CompletedProcess[str]:
    script = ROOT / "tools/execute_book.py"
    return run(sys.executable, script, "--book", book, "--workers", workers)


def build(book: Path) -> str:
    """Build strictly and return the page."""
    program = Path(sys.executable).with_name("jupyter-book")
    done = run(program, "build", "-W", "-n", "--keep-going", book)
    assert done.returncode == 0, done.stdout + done.stderr
    return (book / "_build/html/page.html").read_text()


def runs(book: Path) -> int:
    return len((book.parent / "runs.txt").read_text().splitlines())


def test_the_build_executes_nothing_until_something_changes(book):
    done = execute(book)
    assert done.returncode == 0, done.stderr
    assert "executed: page.ipynb" in done.stdout
    assert runs(book) == 1

    assert "value 1" in build(book)
    assert runs(book) == 1, "the build must take what was executed before"

    write_page(book / "page.ipynb", READ, prose="Other prose.")
    page = build(book)
    assert "Other prose." in page
    assert "value 1" in page
    assert runs(book) == 1, "prose alone must not execute anything"

    (book.parent / "hpcourse/__init__.py").write_text("VALUE = 2\n")
    page = build(book)
    assert "value 2" in page, "a change in the package must not leave a stale page"
    assert "value 1" not in page
    assert runs(book) == 2


def test_a_failing_notebook_fails_with_its_traceback(book):
    write_page(book / "page.ipynb", "rate = 1 / 0")
    done = execute(book)
    assert done.returncode == 1
    assert "FAILED: page.ipynb" in done.stdout
    assert str(book / "page.ipynb") in done.stderr
    assert "ZeroDivisionError: division by zero" in COLOUR.sub("", done.stderr)


def test_two_notebooks_run_at_the_same_time(book):
    for own, other in [("one", "two"), ("two", "one")]:
        write_page(book / f"{own}.ipynb", MEET.format(own=own, other=other))
    write_toc(book, "one", "two")
    done = execute(book, workers=2)
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()[:2]) == ["executed: one.ipynb", "executed: two.ipynb"]
    assert not (book.parent / "runs.txt").exists(), "page.ipynb is not in the table of contents"
