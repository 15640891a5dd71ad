import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from hpcourse.diagnose import (
    classify,
    dense_hessian,
    extreme_eigenvalues,
    flat_loss,
    gradient,
    gradient_norm,
    hessian_operator,
    hvp,
)

# Forward mode compiles its decompositions with torch.jit, which warns of its own deprecation.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")


def rosenbrock(x: torch.Tensor) -> torch.Tensor:
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def point(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def quadratic(eigenvalues, seed: int = 0):
    """A quadratic with the eigenvalues given and random eigenvectors, and its matrix."""
    n = len(eigenvalues)
    basis, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((n, n)))
    matrix = torch.from_numpy(basis * np.asarray(eigenvalues, dtype=float) @ basis.T)
    return (lambda x: x @ matrix @ x / 2), matrix


@pytest.fixture(scope="module")
def network():
    """A small trained-looking net in float64: its loss and its parameters."""
    draw = torch.Generator().manual_seed(1)
    inputs = torch.randn(30, 3, generator=draw)
    targets = torch.randint(0, 2, (30,), generator=draw)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 2))
    batches = list(zip(inputs.split(8), targets.split(8), strict=True))
    return flat_loss(model, functional.cross_entropy, batches, dtype=torch.float64)


def test_gradient_equals_torch():
    x = point(-1.2, 1.0, 0.3)
    expected = torch.func.grad(rosenbrock)(x)
    torch.testing.assert_close(gradient(rosenbrock, x), expected)
    assert gradient_norm(rosenbrock, x) == pytest.approx(float(expected.norm()))


def test_hessian_equals_torch_func(network):
    for f, x in ((rosenbrock, point(-1.2, 1.0, 0.3)), network):
        expected = torch.func.hessian(f)(x)
        torch.testing.assert_close(dense_hessian(f, x), expected)
        v = torch.sin(torch.arange(len(x), dtype=torch.float64))
        torch.testing.assert_close(hvp(f, x, v), expected @ v)
        forward = torch.func.jvp(torch.func.grad(f), (x,), (v,))[1]
        torch.testing.assert_close(hvp(f, x, v), forward)


@settings(max_examples=30)
@given(st.lists(st.floats(-2, 2), min_size=6, max_size=6), st.floats(-3, 3))
def test_products_are_linear_and_symmetric(values, scale):
    x, v, w = point(*values[:2]), point(*values[2:4]), point(*values[4:])
    both = hvp(rosenbrock, x, v + scale * w)
    alone = hvp(rosenbrock, x, v) + scale * hvp(rosenbrock, x, w)
    torch.testing.assert_close(both, alone, rtol=1e-9, atol=1e-9)
    left, right = w @ hvp(rosenbrock, x, v), v @ hvp(rosenbrock, x, w)
    torch.testing.assert_close(left, right, rtol=1e-9, atol=1e-9)


def test_a_linear_function_has_no_curvature():
    x = point(1.0, 2.0, 3.0)
    assert torch.equal(hvp(torch.sum, x, x), torch.zeros_like(x))
    assert torch.equal(dense_hessian(torch.sum, x), torch.zeros(3, 3, dtype=torch.float64))
    x = point(0.3, 0.5)
    torch.testing.assert_close(hvp(lambda x: x[0] ** 2 + x[1], x, point(1, 1)), point(2, 0))


def test_works_without_grad_mode_and_leaves_the_point_alone():
    x = point(-1.2, 1.0)
    with torch.no_grad():
        inside = hvp(rosenbrock, x, x)
    torch.testing.assert_close(inside, hvp(rosenbrock, x, x))
    assert not x.requires_grad
    assert not inside.requires_grad


def test_lanczos_ends_equal_the_dense_spectrum(network):
    f, x = network
    assert len(x) > 20  # beyond the dense fallback
    exact = np.linalg.eigvalsh(torch.func.hessian(f)(x).numpy())
    radius = np.abs(exact).max()
    ends = extreme_eigenvalues(hessian_operator(f, x), k=3, tol=1e-10)
    np.testing.assert_allclose(ends.lowest, exact[:3], atol=1e-9 * radius)
    np.testing.assert_allclose(ends.highest, exact[::-1][:3], atol=1e-9 * radius)


def test_float32_is_enough_for_the_sign(network):
    f, x = network
    exact = np.linalg.eigvalsh(torch.func.hessian(f)(x).numpy())
    single = hessian_operator(lambda y: f(y.double()).float(), x.float())
    ends = extreme_eigenvalues(single)
    np.testing.assert_allclose(
        [ends.lowest[0], ends.highest[0]], exact[[0, -1]], atol=1e-5 * np.abs(exact).max()
    )


@pytest.mark.parametrize("rest", [(), (2.0,) * 30])
@pytest.mark.parametrize(
    ("ends", "kind"),
    [((1.0, 5.0), "minimum"), ((-1.0, 5.0), "saddle"), ((0.0, 5.0), "degenerate")],
)
def test_kind_follows_the_spectrum(ends, kind, rest):
    f, matrix = quadratic((*ends, *rest))
    found = classify(f, torch.zeros(len(matrix), dtype=torch.float64))
    assert found.kind == kind
    assert (found.lowest, found.highest) == pytest.approx((ends[0], ends[1]), abs=1e-5)
    upside_down = classify(lambda x: -f(x), torch.zeros(len(matrix), dtype=torch.float64))
    assert upside_down.kind == {"minimum": "maximum"}.get(kind, kind)


def test_the_escape_direction_is_the_lowest_eigenvector():
    f, matrix = quadratic(np.linspace(-2.0, 9.0, 40))
    found = classify(f, torch.zeros(40, dtype=torch.float64))
    d = torch.from_numpy(found.escape_direction)
    torch.testing.assert_close(matrix @ d, found.lowest * d, rtol=0, atol=1e-4)
    assert float(d.norm()) == pytest.approx(1.0)
    assert f(0.1 * d) < 0
    assert f(-0.1 * d) < 0


@pytest.mark.parametrize("offset", [-0.3, 0.3])
def test_off_the_saddle_the_direction_points_downhill(offset):
    def f(x):
        return x[0] ** 2 - x[1] ** 2

    x = point(0.0, offset)
    found = classify(f, x)
    assert found.kind == "not critical"
    assert f(x + 0.1 * torch.from_numpy(found.escape_direction)) < f(x)


def test_the_verdict_does_not_depend_on_the_unit_of_the_loss():
    f, _ = quadratic((-1.0, 4.0))
    for scale in (1e-9, 1.0, 1e9):
        near, far = point(1e-4, 1e-4), point(0.1, 0.1)
        assert classify(lambda x, s=scale: s * f(x), near).kind == "saddle"
        assert classify(lambda x, s=scale: s * f(x), far).kind == "not critical"


def test_a_flat_function_is_degenerate_and_a_slope_is_not_critical():
    x = point(1.0, 2.0)
    assert classify(lambda x: 0 * x.sum(), x).kind == "degenerate"
    assert classify(torch.sum, x).kind == "not critical"
    assert classify(lambda x: (x**3).sum(), point(0.0, 0.0)).kind == "degenerate"


def test_equal_weights_are_a_critical_point_of_a_network_that_symmetry_makes_a_saddle():
    inputs = torch.linspace(-1, 1, 11, dtype=torch.float64).unsqueeze(1)

    def f(w):  # tanh(x w1) v1 + tanh(x w2) v2, fitted to x: at zero nothing distinguishes the units
        return ((torch.tanh(inputs * w[:2]) @ w[2:] - inputs[:, 0]) ** 2).mean()

    found = classify(f, torch.zeros(4, dtype=torch.float64))
    second_moment = float((inputs**2).mean())
    assert found.kind == "saddle"
    assert (found.lowest, found.highest) == pytest.approx((-2 * second_moment, 2 * second_moment))


def test_bad_input_is_named():
    x = point(1.0, 2.0)
    with pytest.raises(ValueError, match=r"v in the shape of x, got v=\(3,\)"):
        hvp(rosenbrock, x, point(1, 2, 3))
    for call in (gradient, gradient_norm, dense_hessian, hessian_operator, classify):
        with pytest.raises(ValueError, match=r"flat real vector x, got shape=\(1, 2\)"):
            call(rosenbrock, x.unsqueeze(0))
        with pytest.raises(ValueError, match=r"flat real vector x, .*dtype=torch\.int64"):
            call(rosenbrock, torch.tensor([1, 2]))
    with pytest.raises(ValueError, match=r"one number, got shape=\(2,\)"):
        gradient(lambda x: x**2, x)
    with pytest.raises(ValueError, match=r"gradient_tol >= 0, got gradient_tol=-1"):
        classify(rosenbrock, x, gradient_tol=-1)
    with pytest.raises(ValueError, match=r"eigenvalue_tol > 0, got eigenvalue_tol=nan"):
        classify(rosenbrock, x, eigenvalue_tol=float("nan"))
