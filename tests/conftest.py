"""What every test shares; makes `toy` and `stacks` importable by their names."""

import sys
from pathlib import Path

import matplotlib as mpl
import pytest
import torch
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

mpl.use("Agg")

# No deadline, for machines differ in speed; the same examples every run, so failures repeat.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip GPU tests, with the reason, where there is no CUDA device."""
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
