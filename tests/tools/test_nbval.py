"""nbval compares the checked outputs of notebooks in their normal form."""

import re
import shutil
import subprocess
import sys
from operator import itemgetter
from pathlib import Path

import nbformat
import notebooks
from nbformat.v4 import new_code_cell, new_notebook, new_output

ROOT = Path(__file__).resolve().parents[2]


def checked(source: str, stored: str) -> nbformat.NotebookNode:
    outputs = [new_output("stream", name="stdout", text=stored)]
    return new_code_cell(source, outputs=outputs, metadata={"tags": ["nbval-check-output"]})


def test_a_checked_output_that_differs_fails(tmp_path):
    shutil.copy(ROOT / "book/conftest.py", tmp_path)
    shutil.copytree(ROOT / "book/_ext", tmp_path / "_ext")
    cells = [checked("print(1)", "1\n"), checked("print(2)", "3\n"), new_code_cell("4")]
    page = notebooks.write(notebooks.normalised(new_notebook(cells=cells)))
    (tmp_path / "page.ipynb").write_text(page)
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "-rA", "--color=no", "page.ipynb"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    verdicts = re.findall(r"^(PASSED|FAILED) page\.ipynb::Cell (\d)", done.stdout, re.MULTILINE)
    outcomes = [outcome for outcome, _ in sorted(verdicts, key=itemgetter(1))]
    assert outcomes == ["PASSED", "FAILED", "PASSED"]
