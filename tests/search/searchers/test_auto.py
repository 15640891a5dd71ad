"""The default searcher is the Gaussian process, and Parzen search where that is stuck or slow."""

import numpy as np
import pytest

from hpcourse.search import GP, Auto, Box, Random, Real, Trial
from hpcourse.search.searchers import auto

PLANE = Box({"x": Real(0.0, 1.0), "y": Real(0.0, 1.0)})


def bowl(config):
    return (config["x"] - 0.3) ** 2 + 2 * (config["y"] - 0.6) ** 2


def configs(searcher, count, objective):
    found = []
    for number in range(count):
        found.append(searcher.ask().config)
        value = objective(found[-1])
        searcher.tell(Trial(number=number, config=found[-1], seed=0, state="done", value=value))
    return found


def test_at_first_it_is_the_gaussian_process():
    count = auto.START + 6
    assert configs(Auto(PLANE, seed=3), count, bowl) == configs(GP(PLANE, seed=3), count, bowl)


def test_parzen_search_takes_turns_while_nothing_better_is_found():
    count = auto.START + auto.PATIENCE + 4

    def stuck(config):
        """One good point in the corner that quasi-random search starts from, and a plateau."""
        return 0.0 if config == first else 1.0

    first = GP(PLANE, seed=1).ask().config
    found = configs(Auto(PLANE, seed=1), count, stuck)
    expected = configs(GP(PLANE, seed=1), count, stuck)
    same = [one == other for one, other in zip(found, expected, strict=True)]
    change = 1 + auto.PATIENCE  # the first trial was the best one
    assert all(same[:change])
    assert not all(same[change : change + 2])


def test_with_many_trials_the_process_is_left_alone():
    searcher, rng = Auto(PLANE, seed=0), np.random.default_rng(0)
    for number in range(auto.MANY):
        config = PLANE.decode(rng.random(2))
        searcher.tell(Trial(number=number, config=config, seed=0, state="done", value=bowl(config)))
    found = configs(searcher, 20, bowl)
    with_random = configs(Random(PLANE, seed=0), 20, bowl)
    assert np.median([bowl(c) for c in found]) < np.median([bowl(c) for c in with_random]) / 10


def test_it_finds_the_minimum_of_a_bowl():
    found = configs(Auto(PLANE, seed=5), 25, bowl)
    assert min(map(bowl, found)) == pytest.approx(0.0, abs=1e-5)
