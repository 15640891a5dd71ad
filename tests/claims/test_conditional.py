"""The imagined loss is the same in both spaces, and blind to what does not count."""

import numpy as np
import pytest

from hpcourse.claims.conditional import FLAT, TREE, UNITS, imagined_loss
from hpcourse.search import Trial


def loss(config):
    return imagined_loss(Trial(number=0, config=config, seed=0))


def flattened(config, rng):
    """A configuration of the tree with some value for what does not exist in it."""
    widths = [*config["units"], *rng.integers(4, 257, len(UNITS)).tolist()]
    flat = {"momentum": float(rng.uniform(0, 0.99)), **config}
    del flat["units"]
    return flat | {f"units{k}": widths[k] for k in range(len(UNITS))}


def test_both_spaces_have_the_same_loss():
    rng = np.random.default_rng(0)
    for u in rng.random((50, TREE.dimension)):
        config = TREE.decode(u)
        flat = flattened(config, rng)
        FLAT.encode(flat)  # a configuration of the flat space
        assert loss(flat) == pytest.approx(loss(config))


def test_the_best_is_the_lowest():
    best = {"optimizer": "sgd", "lr": 0.1, "momentum": 0.9, "layers": 2, "units": [64, 32]}
    points = np.random.default_rng(1).random((500, TREE.dimension))
    assert loss(best) == 0 < min(loss(TREE.decode(u)) for u in points)
    for change in ({"lr": 0.2}, {"momentum": 0.5}, {"units": [64, 40]}):
        assert loss(best | change) > 0
