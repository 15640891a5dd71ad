"""nbval skips a page, and says why, where a package that the page names as needed is missing."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "_ext"))
from execution_cache import missing_needs


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every cell of a page that cannot run here."""
    for item in items:
        if item.path.suffix == ".ipynb" and (missing := missing_needs(item.path)):
            item.add_marker(pytest.mark.skip(reason=f"{item.path.name} needs {missing}"))
