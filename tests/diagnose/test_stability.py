import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcourse.diagnose import growth_factor, largest_stable_lr
from hpcourse.diagnose.surfaces import descend, ravine


@settings(max_examples=30)
@given(st.floats(1.0, 1e3), st.floats(0.0, 0.9))
def test_a_run_just_below_the_threshold_converges_and_just_above_it_diverges(highest, momentum):
    limit = largest_stable_lr(highest, momentum=momentum)
    sizes = []
    for factor in (0.98, 1.02):
        run = descend(ravine(highest), (0.0, 1.0), lr=factor * limit, steps=500, momentum=momentum)
        sizes.append(np.abs(run.path[-1, 1]))
    assert sizes[0] < 1e-3
    assert not sizes[1] < 1e3


@settings(max_examples=100)
@given(st.floats(0.1, 100), st.floats(0, 0.99))
def test_the_growth_factor_crosses_one_at_the_threshold(highest, momentum):
    limit = largest_stable_lr(highest, momentum=momentum)
    assert growth_factor(highest, lr=limit, momentum=momentum) == pytest.approx(1.0)
    assert growth_factor(highest, lr=0.99 * limit, momentum=momentum) < 1
    assert growth_factor(highest, lr=1.01 * limit, momentum=momentum) > 1


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("eigenvalue", [-2.0, -0.1, 0.5, 30.0])
def test_the_growth_factor_is_that_of_the_iteration_run(eigenvalue, momentum):
    lr, z, velocity = 0.05, 1.0, 0.0
    sizes = []
    for _ in range(400):
        velocity = momentum * velocity + eigenvalue * z
        z -= lr * velocity
        sizes.append(math.hypot(z, lr * velocity))
    measured = (sizes[-1] / sizes[199]) ** (1 / 200)
    factor = growth_factor(eigenvalue, lr=lr, momentum=momentum)
    assert measured == pytest.approx(factor, rel=0.02)


def test_without_momentum_it_is_the_factor_of_plain_descent():
    for eigenvalue in (-3.0, 0.0, 4.0, 50.0):
        assert growth_factor(eigenvalue, lr=0.1) == pytest.approx(abs(1 - 0.1 * eigenvalue))


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r"highest > 0, got highest=-1"):
        largest_stable_lr(-1.0)
    with pytest.raises(ValueError, match=r"0 <= momentum < 1, got momentum=1"):
        largest_stable_lr(1.0, momentum=1.0)
    with pytest.raises(ValueError, match=r"finite eigenvalue, got eigenvalue=inf"):
        growth_factor(math.inf, lr=0.1)
    with pytest.raises(ValueError, match=r"lr >= 0, got lr=-0.1"):
        growth_factor(1.0, lr=-0.1)
    with pytest.raises(ValueError, match=r"0 <= momentum < 1, got momentum=-0.1"):
        growth_factor(1.0, lr=0.1, momentum=-0.1)
