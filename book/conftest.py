"""How nbval treats a page: it compares checked outputs, and skips what cannot run here."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "_ext"))
from execution_cache import missing_needs


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every cell of a page that cannot run here, and have checked outputs compared."""
    for item in items:
        if item.path.suffix != ".ipynb":
            continue
        if missing := missing_needs(item.path):
            item.add_marker(pytest.mark.skip(reason=f"{item.path.name} needs {missing}"))
        # nbval compares nothing in a cell without an execution count, and the book stores none.
        if "nbval-check-output" in item.cell.metadata.get("tags", []):
            item.cell.execution_count = 1
