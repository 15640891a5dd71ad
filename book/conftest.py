"""nbval skips a page, and says why, where a package that the page names as needed is missing."""

import functools
import importlib.util
import json
from pathlib import Path

import pytest


@functools.cache
def _missing(page: Path) -> list[str]:
    needs = json.loads(page.read_text())["metadata"].get("hpcourse", {}).get("needs", [])
    return [name for name in needs if importlib.util.find_spec(name) is None]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every cell of a page that cannot run here."""
    for item in items:
        if item.path.suffix == ".ipynb" and (missing := _missing(item.path)):
            item.add_marker(pytest.mark.skip(reason=f"{item.path.name} needs {missing}"))
