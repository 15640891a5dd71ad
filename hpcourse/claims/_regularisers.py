"""What the claims about regularisers and depth share."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from hpcourse.claims.study import Budget

PAGE = "overview/regularisation-and-depth"
CHANCE = math.log(10)  # nats, for ten classes


@dataclass(frozen=True, kw_only=True)
class Plan(Budget):
    """A budget, and the size of the trainings.

    Attributes:
        steps: Updates of each training.
        width: Units of each hidden layer.
    """

    steps: int
    width: int


@contextmanager
def repeatable_masks() -> Iterator[None]:
    """The same dropout masks whenever an experiment is run: they are torch's global numbers."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield
