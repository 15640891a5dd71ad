"""The process against scikit-learn's, its kernel on mixed and conditional spaces, and its gain."""

import math
from decimal import Decimal, getcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import approx_fprime, check_grad
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from spaces import CONDITIONAL, FLAT, MIXED, SPACES

from hpcourse.search import Box, Choice, List, Real, When
from hpcourse.search.space import active, canonical
from hpcourse.search.surrogates.acquisition import Acquisition, ascend, log_improvement, maximise
from hpcourse.search.surrogates.gaussian_process import GaussianProcess, fit, whole_prior
from hpcourse.search.surrogates.kernels import MixedKernel

CUBE = Box({"x": List(Real(0.0, 1.0), 3)})
SEEDS = st.integers(0, 2**32 - 1)


def drawn(space, count, rng):
    return canonical(space.axes, rng.random((count, space.dimension)))


def process_on(space, count, rng, *, noise=0.01, mean=None):
    """A process of random parameters that knows random values; and the points."""
    kernel = MixedKernel(space.axes)
    points = drawn(space, count, rng)
    theta = np.append(rng.normal(0.5, 0.7, len(kernel.prior.mean)), [0.3, math.log(noise)])
    values = rng.standard_normal(count)
    return GaussianProcess(kernel, theta, kernel.features(points), values, mean=mean), points


# --- Kernel


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
@settings(max_examples=15, deadline=None)
@given(seed=SEEDS)
def test_the_kernel_is_a_correlation(space, seed):
    rng = np.random.default_rng(seed)
    kernel = MixedKernel(space.axes)
    theta = rng.normal(0, 2, len(kernel.prior.mean))
    rows = kernel.features(drawn(space, 25, rng))
    matrix = kernel(theta, rows, rows)
    assert np.allclose(matrix, matrix.T, rtol=0, atol=1e-15)
    assert np.allclose(np.diag(matrix), 1.0, rtol=0, atol=1e-15)
    assert matrix.min() >= 0
    assert np.linalg.eigvalsh(matrix).min() > -1e-12


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
@settings(max_examples=8, deadline=None)
@given(seed=SEEDS)
def test_the_kernels_derivatives_are_its_differences(space, seed):
    rng = np.random.default_rng(seed)
    kernel = MixedKernel(space.axes)
    theta = rng.normal(0, 1, len(kernel.prior.mean))
    rows = kernel.features(drawn(space, 8, rng))
    weight = rng.standard_normal((8, 8))
    weight += weight.T
    error = check_grad(
        lambda t: np.sum(weight * kernel(t, rows, rows)),
        lambda t: kernel.gradient(t, rows, weight),
        theta,
    )
    assert error < 1e-5
    values, pulled = kernel.vjp(theta, rows[:3], rows[3:])
    assert np.allclose(values, kernel(theta, rows[:3], rows[3:]), rtol=1e-14)
    columns = list(kernel.continuous.values())
    weight = weight[:3, 3:]
    for own, gradient in enumerate(pulled(weight)):
        found = approx_fprime(
            rows[own], lambda r, own=own: weight[own] @ kernel(theta, r[None], rows[3:])[0]
        )
        assert np.allclose(gradient[columns], found[columns], atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS)
def test_coordinates_that_do_not_count_change_nothing(seed):
    rng = np.random.default_rng(seed)
    process, _ = process_on(CONDITIONAL, 12, rng)
    acquisition = Acquisition(process, CONDITIONAL.axes, best=-1.0)
    points = rng.random((6, CONDITIONAL.dimension))
    counts = active(CONDITIONAL.axes, points)
    other = np.where(counts, points, rng.random(points.shape))
    assert not counts.all()
    assert np.array_equal(acquisition(points), acquisition(other))


def test_a_branch_shares_what_its_parameter_says():
    box = Box({"kind": Choice(("a", "b")), "depth": When("kind", "b", Real(0, 1))})
    kernel = MixedKernel(box.axes)
    rows = kernel.features(canonical(box.axes, np.array([[0.2, 0.5], [0.8, 0.1], [0.8, 0.9]])))
    for s in (0.1, 0.7):
        theta = np.array([-1e3, 50.0, math.log(s / (1 - s))])  # all kinds alike, no depths alike
        expected = [[1, s, s], [s, 1, s * s], [s, s * s, 1]]
        assert np.allclose(kernel(theta, rows, rows), expected, atol=1e-9)


def test_categories_are_equal_or_not():
    box = Box({"a": Choice(("x", "y", "z")), "b": Choice((1, 2))})
    kernel = MixedKernel(box.axes)
    points = canonical(box.axes, np.array([[0.1, 0.1], [0.5, 0.1], [0.9, 0.1], [0.1, 0.9]]))
    rows = kernel.features(points)
    theta = np.log([0.5, 2.0])
    r = math.sqrt(5 * 0.5)
    one = (1 + r + r * r / 3) * math.exp(-r)
    found = kernel(theta, rows, rows)
    assert np.allclose(found[0, 1:3], one)
    assert np.isclose(found[1, 2], one)
    assert found[0, 3] < one


# --- Process


@pytest.mark.parametrize("seed", range(3))
def test_the_posterior_and_the_likelihood_are_scikit_learns(seed):
    rng = np.random.default_rng(seed)
    process, points = process_on(CUBE, 20, rng, mean=0.0)
    lengths = np.exp(-process.theta[:3] / 2)
    theirs = ConstantKernel(process.scale) * Matern(lengths, nu=2.5) + WhiteKernel(process.noise)
    oracle = GaussianProcessRegressor(theirs, optimizer=None, alpha=0.0).fit(points, process.values)
    value, gradient = process.log_likelihood()
    expected, slopes = oracle.log_marginal_likelihood(oracle.kernel_.theta, eval_gradient=True)
    assert value == pytest.approx(expected, rel=1e-10)
    # They order scale, lengths, noise, and take logarithms of lengths, not of their inverse squares
    assert np.allclose(gradient[[3, 0, 1, 2, 4]], slopes * [1, -0.5, -0.5, -0.5, 1], rtol=1e-8)
    new = drawn(CUBE, 30, rng)
    mean, std = oracle.predict(new, return_std=True)
    found = process.predict(process.kernel.features(new))
    assert np.allclose(found.mean, mean, rtol=1e-9, atol=1e-10)
    assert np.allclose(found.std**2 + process.noise, std**2, rtol=1e-9)


@pytest.mark.parametrize("space", [MIXED, CONDITIONAL], ids=["mixed", "conditional"])
def test_the_gradient_of_the_likelihood_is_its_difference(space):
    process, _ = process_on(space, 15, np.random.default_rng(1))

    def at(theta):
        # The most likely mean moves with theta, which changes nothing to first order.
        return GaussianProcess(process.kernel, theta, process.rows, process.values).log_likelihood()

    found = approx_fprime(process.theta, lambda theta: at(theta)[0], 1e-6)
    assert np.allclose(at(process.theta)[1], found, rtol=1e-4, atol=1e-4)


def test_the_most_likely_mean_maximises_the_likelihood():
    process, _ = process_on(FLAT, 15, np.random.default_rng(2))
    kept = process.kernel, process.theta, process.rows, process.values
    at = [
        GaussianProcess(*kept, mean=process.mean + d).log_likelihood()[0] for d in (-0.01, 0, 0.01)
    ]
    assert at[1] > max(at[0], at[2])


def test_extending_a_process_equals_starting_anew():
    rng = np.random.default_rng(3)
    process, _ = process_on(CONDITIONAL, 12, rng, mean=0.4)
    more, values = process.kernel.features(drawn(CONDITIONAL, 5, rng)), rng.standard_normal(5)
    rows = np.vstack([process.rows, more])
    anew = GaussianProcess(
        process.kernel, process.theta, rows, np.append(process.values, values), mean=0.4
    )
    one_by_one = process
    for row, value in zip(more, values, strict=True):
        one_by_one = one_by_one.extended(row[None], np.array([value]))
    new = process.kernel.features(drawn(CONDITIONAL, 9, rng))
    for found in (process.extended(more, values), one_by_one):
        assert np.allclose(found.factor, anew.factor, atol=1e-12)
        assert np.allclose(found.predict(new).mean, anew.predict(new).mean, atol=1e-10)
        assert np.allclose(found.predict(new).std, anew.predict(new).std, atol=1e-10)


def test_the_order_of_the_trials_does_not_matter():
    rng = np.random.default_rng(4)
    process, _ = process_on(CONDITIONAL, 20, rng)
    order = rng.permutation(20)
    prior = whole_prior(process.kernel, noisy=False)
    new = process.kernel.features(drawn(CONDITIONAL, 9, rng))
    found = []
    for rows, values in (
        (process.rows, process.values),
        (process.rows[order], process.values[order]),
    ):
        theta = fit(process.kernel, prior, rows, values, [prior.mean])
        fixed = GaussianProcess(process.kernel, process.theta, rows, values).predict(new)
        fitted = GaussianProcess(process.kernel, theta, rows, values).predict(new)
        found.append((fixed, fitted))
    assert np.allclose(found[0][0].mean, found[1][0].mean, rtol=0, atol=1e-10)
    assert np.allclose(found[0][1].mean, found[1][1].mean, rtol=0, atol=1e-3)


def test_fitted_parameters_find_what_matters():
    rng = np.random.default_rng(5)
    kernel = MixedKernel(CUBE.axes)
    points = drawn(CUBE, 60, rng)
    values = np.sin(6 * points[:, 0]) + 0.1 * rng.standard_normal(60)
    prior = whole_prior(kernel, noisy=False)
    theta = fit(kernel, prior, kernel.features(points), values, [prior.mean])
    assert theta[0] > max(theta[1:3]) + 2
    assert math.exp(theta[-1]) == pytest.approx(0.01, rel=0.6)


# --- Expected improvement


def reference(z):
    """Logarithm of ``phi(z) + z Phi(z)`` with 50 digits, by the series of Phi around zero."""
    getcontext().prec = 60 + int(z * z)
    z = Decimal(z)
    term, total, k = z, Decimal(0), 0
    while abs(term) > Decimal(10) ** -getcontext().prec:
        total += term
        k += 1
        term *= z * z / (2 * k + 1)
    pi = Decimal(
        "3.14159265358979323846264338327950288419716939937510582097494459230781640628620899"
    )
    phi = (-z * z / 2).exp() / (2 * pi).sqrt()
    return float((phi + z * (Decimal("0.5") + phi * total)).ln())


@pytest.mark.parametrize("z", [3.0, 0.5, 0.0, -0.5, -0.999999, -1.000001, -2.0, -4.0, -7.0, -10.0])
def test_log_improvement_is_exact(z):
    assert log_improvement(z) == pytest.approx(reference(z), rel=1e-12)


def test_log_improvement_is_exact_far_in_the_tail():
    for z in (-12.0, -30.0, -49.999, -50.001, -100.0, -1e4):
        # h(z) = phi(z) integral of t exp(-t^2 / 2 - |z| t), of which the last factor is of size one
        integral = quad(lambda t, z=z: t * math.exp(-t * t / 2 / z / z - t), 0, 60, epsabs=1e-16)[0]
        expected = -z * z / 2 - math.log(2 * math.pi) / 2 + math.log(integral) - 2 * math.log(-z)
        assert log_improvement(z) == pytest.approx(expected, rel=1e-13, abs=1e-9)


@pytest.mark.parametrize(("mean", "std", "best"), [(0.3, 0.5, 0.1), (-2.0, 0.1, -2.4), (5, 3, 9)])
def test_expected_improvement_is_the_integral(mean, std, best):
    def gain(y):
        return (best - y) * math.exp(-0.5 * ((y - mean) / std) ** 2) / std / math.sqrt(2 * math.pi)

    expected = quad(gain, mean - 12 * std, best)[0]
    found = std * math.exp(log_improvement((best - mean) / std))
    assert found == pytest.approx(expected, rel=1e-7)


@settings(max_examples=10, deadline=None)
@given(seed=SEEDS)
def test_the_slope_of_the_acquisition_is_its_difference(seed):
    rng = np.random.default_rng(seed)
    process, _ = process_on(CONDITIONAL, 12, rng)
    acquisition = Acquisition(process, CONDITIONAL.axes, best=float(process.values.min()))
    points = rng.random((3, CONDITIONAL.dimension))
    rows = acquisition.features(points)
    values, slopes = acquisition.slopes(rows)
    assert np.allclose(values, acquisition(points), rtol=1e-9)
    columns = list(process.kernel.continuous.values())
    for row, slope in zip(rows, slopes, strict=True):
        found = approx_fprime(row, lambda r: acquisition.slopes(r[None])[0][0], 1e-7)
        assert np.allclose(slope[columns], found[columns], rtol=1e-3, atol=1e-3)
    assert np.isfinite(values).all()


def test_ascent_moves_what_counts_and_maxima_are_no_worse_than_their_starts():
    rng = np.random.default_rng(6)
    process, _ = process_on(CONDITIONAL, 15, rng)
    acquisition = Acquisition(process, CONDITIONAL.axes, best=float(process.values.min()))
    starts = rng.random((4, CONDITIONAL.dimension))
    reached = ascend(acquisition, starts)
    free = np.isin(np.arange(CONDITIONAL.dimension), list(process.kernel.continuous))
    assert not np.any((reached != starts) & ~(free & active(CONDITIONAL.axes, starts)))
    assert np.all(acquisition(reached) >= acquisition(starts))
    assert np.any(acquisition(reached) > acquisition(starts) + 0.01)
    alone = np.vstack([ascend(acquisition, start[None]) for start in starts])
    assert np.allclose(acquisition(reached), acquisition(alone), atol=0.05)
    found = acquisition(maximise(acquisition, starts, rng))
    assert np.all(np.diff(found) <= 0)
    assert found[0] >= acquisition(starts).max()
