"""The sequences are scipy's, and more even than random points."""

import numpy as np
import pytest
from scipy.stats import qmc

from hpcourse.search import Box, QuasiRandom, Random, Real

CUBE = Box({name: Real(0.0, 1.0) for name in "abc"})


def points(searcher, count):
    return np.array([list(searcher.ask().config.values()) for _ in range(count)])


@pytest.mark.parametrize(("name", "engine"), [("sobol", qmc.Sobol), ("halton", qmc.Halton)])
def test_the_sequence_is_scipys(name, engine):
    found = points(QuasiRandom(CUBE, seed=5, sequence=name), 256)
    assert np.allclose(found, engine(3, seed=5).random(256), atol=1e-12)


@pytest.mark.parametrize("name", ["sobol", "halton"])
def test_it_is_more_even_than_chance(name):
    for seed in range(3):
        even = qmc.discrepancy(points(QuasiRandom(CUBE, seed=seed, sequence=name), 64))
        assert even < 0.5 * qmc.discrepancy(points(Random(CUBE, seed=seed), 64))


def test_an_unknown_sequence_is_named():
    with pytest.raises(ValueError, match="sequence='latin'"):
        QuasiRandom(CUBE, sequence="latin")
