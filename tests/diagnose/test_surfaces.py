import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcourse.diagnose import classify, extreme_eigenvalues, growth_factor, hessian_operator
from hpcourse.diagnose.surfaces import (
    descend,
    double_well,
    ravine,
    steps_to_escape,
    strict_saddle,
)
from hpcourse.schedules import exponential_decay

SURFACES = [strict_saddle(0.3), strict_saddle(), double_well(), double_well(0.38), ravine(7.0)]


@pytest.mark.parametrize("surface", SURFACES, ids=lambda surface: surface.name)
def test_gradient_and_values_equal_torch(surface):
    points = np.random.default_rng(0).uniform(-2, 2, (30, 2))
    tensor = torch.from_numpy(points).requires_grad_()
    value = surface(tensor)
    np.testing.assert_allclose(surface(points), value.detach().numpy(), rtol=1e-14)
    (slope,) = torch.autograd.grad(value.sum(), tensor)
    np.testing.assert_allclose(surface.gradient(points), slope.numpy(), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("surface", SURFACES, ids=lambda surface: surface.name)
def test_the_known_critical_points_are_what_they_are_called(surface):
    for points, kind in ((surface.minima, "minimum"), (surface.saddles, "saddle")):
        for p in points:
            found = classify(surface, torch.from_numpy(p))
            assert found.kind == kind
            assert found.gradient_norm < 1e-12
    heights = surface(surface.minima)
    assert (np.diff(heights) >= -1e-12).all()
    grid = np.stack(np.meshgrid(np.linspace(-3, 3, 301), np.linspace(-3, 3, 301)), axis=-1)
    assert surface(grid).min() >= heights[0] - 1e-12


def test_the_eigenvalues_are_those_of_the_docstrings():
    for surface, at, expected in (
        (strict_saddle(0.3), (0.0, 0.0), (-0.3, 1.0)),
        (ravine(7.0), (1.0, 2.0), (1.0, 7.0)),
    ):
        operator = hessian_operator(surface, torch.tensor(at, dtype=torch.float64))
        ends = extreme_eigenvalues(operator)
        assert (ends.lowest[0], ends.highest[0]) == pytest.approx(expected)


@settings(max_examples=30)
@given(st.floats(0.1, 2.0), st.floats(0.01, 0.5), st.floats(0.0, 0.9))
def test_near_the_saddle_the_distance_grows_as_the_formula_says(curvature, lr, momentum):
    surface, steps, start = strict_saddle(curvature), 300, 1e-200  # so small that y⁴ is nothing
    plain = descend(surface, (0.5, start), lr=lr, steps=steps).path[:, 1]
    predicted = start * (1 + lr * curvature) ** np.arange(steps + 1)
    np.testing.assert_allclose(plain, predicted, rtol=1e-9)
    heavy = descend(surface, (0.5, start), lr=lr, steps=steps, momentum=momentum).path[:, 1]
    factor = growth_factor(-curvature, lr=lr, momentum=momentum)
    assert heavy[-1] / heavy[-2] == pytest.approx(factor, rel=1e-9)


@pytest.mark.parametrize("lr", [0.01, 0.1, 0.5])
@pytest.mark.parametrize("start", [1e-2, 1e-6])
def test_the_escape_takes_as_long_as_theory_says(lr, start):
    surface = strict_saddle()
    path = descend(surface, (0.0, start), lr=lr, steps=5000).path
    steps = steps_to_escape(surface, path)
    level = math.sqrt(1 - math.sqrt(0.5))  # where the loss is half-way down
    fastest = math.log(level / start) / math.log(1 + lr)
    slowest = math.log(level / start) / math.log(1 + lr * (1 - level**2))
    assert fastest <= steps <= math.ceil(slowest)
    assert path[int(steps), 1] >= level > path[int(steps) - 1, 1]


def test_exactly_on_the_ridge_only_noise_escapes():
    surface = strict_saddle()
    still = descend(surface, (1.0, 0.0), lr=0.1, steps=300)
    assert still.losses[-1] == pytest.approx(0.0, abs=1e-12)
    assert steps_to_escape(surface, still.path) == math.inf
    noisy = descend(surface, np.tile([1.0, 0.0], (20, 1)), lr=0.1, steps=300, noise=0.01)
    assert np.isfinite(steps_to_escape(surface, noisy.path)).all()


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("schedule", [0.05, exponential_decay(0.05, 10, 0.5)])
def test_the_update_is_that_of_torch_sgd(momentum, schedule):
    surface = double_well()
    p = torch.tensor([1.8, 1.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([p], lr=1.0, momentum=momentum)
    expected = [p.detach().clone()]
    for step in range(30):
        optimizer.param_groups[0]["lr"] = schedule(step) if callable(schedule) else schedule
        optimizer.zero_grad()
        surface(p).backward()
        optimizer.step()
        expected.append(p.detach().clone())
    run = descend(surface, (1.8, 1.0), lr=schedule, steps=30, momentum=momentum)
    np.testing.assert_allclose(run.path, torch.stack(expected).numpy(), rtol=1e-12)
    np.testing.assert_allclose(run.losses, surface(run.path))


def test_many_starts_run_as_if_alone():
    surface, starts = double_well(), np.array([[[1.5, 1.0], [-0.2, 0.3]]])
    together = descend(surface, starts, lr=0.1, steps=20, momentum=0.5)
    assert together.path.shape == (21, 1, 2, 2)
    assert together.losses.shape == (21, 1, 2)
    alone = descend(surface, (-0.2, 0.3), lr=0.1, steps=20, momentum=0.5)
    np.testing.assert_array_equal(together.path[:, 0, 1], alone.path)


def test_the_noise_has_the_deviation_asked_for_and_follows_the_seed():
    starts = np.zeros((20000, 2))
    run = descend(ravine(1.0), starts, lr=0.5, steps=1, noise=3.0, seed=7)
    assert run.path[1].std() == pytest.approx(0.5 * 3.0, rel=0.02)
    again = descend(ravine(1.0), starts, lr=0.5, steps=1, noise=3.0, seed=7)
    np.testing.assert_array_equal(run.path, again.path)
    other = descend(ravine(1.0), starts, lr=0.5, steps=1, noise=3.0, seed=8)
    assert not np.array_equal(run.path, other.path)


def test_in_the_ravine_a_large_rate_jumps_from_wall_to_wall():
    calm, jumping, climbing = (
        descend(ravine(20.0), (3.0, 1.0), lr=lr, steps=30).path[:, 1] for lr in (0.04, 0.09, 0.11)
    )
    assert (calm > 0).all()
    assert (jumping[:-1] * jumping[1:] < 0).all()
    assert (np.diff(np.abs(jumping)) < 0).all()
    assert (np.diff(np.abs(climbing)) > 0).all()


def test_a_diverging_run_goes_on_quietly():
    run = descend(double_well(), (2.0, 0.0), lr=10.0, steps=50)
    assert run.path.shape == (51, 2)
    assert not np.isfinite(run.losses[-1])


def test_bad_input_is_named():
    surface = strict_saddle()
    with pytest.raises(ValueError, match=r"curvature > 0, got curvature=0"):
        strict_saddle(0.0)
    with pytest.raises(ValueError, match=r"tilt < 2/\(3√3\), got tilt=0.4"):
        double_well(0.4)
    with pytest.raises(ValueError, match=r"condition >= 1, got condition=0.5"):
        ravine(0.5)
    with pytest.raises(ValueError, match=r"shape \(..., 2\), got start=\(1, 2, 3\)"):
        descend(surface, (1, 2, 3), lr=0.1, steps=1)
    with pytest.raises(ValueError, match=r"integer steps >= 1, got steps=0"):
        descend(surface, (1, 2), lr=0.1, steps=0)
    with pytest.raises(ValueError, match=r"rates lr >= 0, got lr=-0.1"):
        descend(surface, (1, 2), lr=-0.1, steps=1)
    with pytest.raises(ValueError, match=r"momentum < 1, got momentum=1.0"):
        descend(surface, (1, 2), lr=0.1, steps=1, momentum=1.0)
    with pytest.raises(ValueError, match=r"noise >= 0, got noise=-1"):
        descend(surface, (1, 2), lr=0.1, steps=1, noise=-1)
    with pytest.raises(ValueError, match=r"needs a saddle, got surface='ravine'"):
        steps_to_escape(ravine(), [(1, 2)])
    with pytest.raises(ValueError, match=r"fraction < 1, got fraction=1"):
        steps_to_escape(surface, [(1, 2)], fraction=1)
    with pytest.raises(ValueError, match=r"\(steps \+ 1, ..., 2\), got shape=\(2,\)"):
        steps_to_escape(surface, (1, 2))
