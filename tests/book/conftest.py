"""Where the book's notebooks and its built pages are."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools")]


@pytest.fixture(scope="session")
def root() -> Path:
    """Root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def built() -> Path:
    """Folder of the built book; the test is skipped where there is none."""
    html = ROOT / "book/_build/html"
    if not (html / "index.html").exists():
        pytest.skip("the book is not built (make book)")
    return html
