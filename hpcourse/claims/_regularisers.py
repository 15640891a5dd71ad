"""What the claims about regularisers and depth share."""

import math
from dataclasses import dataclass

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
