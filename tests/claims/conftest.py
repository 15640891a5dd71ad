"""What the tests of claims share."""

import pytest

from hpcourse.claims import Outcome


@pytest.fixture
def outcome_of():
    """Makes an outcome of arms, one value a seed, and of whatever else is known."""

    def make(arms, **known):
        seeds = tuple(range(len(next(iter(arms.values())))))
        return Outcome(seeds=seeds, arms=arms, device="cpu", seconds=1.0, **known)

    return make
