"""Gaussian process regression: the posterior, the marginal likelihood, and its fit.

References:
    Rasmussen and Williams (2006), Gaussian Processes for Machine Learning, chapters 2 and 5.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, lapack, solve_triangular
from scipy.optimize import minimize

from hpcourse.search.space import Matrix
from hpcourse.search.surrogates.kernels import Kernel, Prior

__all__ = ["GaussianProcess", "Posterior", "conditioned", "fit", "whole_prior"]

Vector = NDArray[np.float64]

SCALE = (0.0, 1.0)
"""Mean and standard deviation of the logarithm of the variance of the standardised values."""

NOISE = {False: (-10.0, 3.0), True: (-4.0, 2.0)}
"""The same of the variance of the noise, for objectives that are said to be exact or noisy."""

WIDTH = 5.0
"""Standard deviations of the prior within which parameters are fitted."""

QUIET = -18.5
"""Smallest logarithm of the noise, so that covariances can be factorised."""


@dataclass(frozen=True)
class Posterior:
    """Normal distributions of the function at some points.

    Attributes:
        mean: Means (points,).
        std: Standard deviations (points,), without the noise of an evaluation.
    """

    mean: Vector
    std: Vector


def whole_prior(kernel: Kernel, *, noisy: bool) -> Prior:
    """Prior of a process's parameters: the kernel's, the log variance and the log noise."""
    own, tail = kernel.prior, np.array([SCALE, NOISE[noisy]])
    return Prior(np.append(own.mean, tail[:, 0]), np.append(own.std, tail[:, 1]))


def _cholesky(matrix: Matrix) -> Matrix:
    """Lower triangular factor.

    Raises:
        numpy.linalg.LinAlgError: If the matrix is not positive definite.
    """
    factor, info = lapack.dpotrf(matrix, lower=1, clean=1)
    if info:
        raise LinAlgError("not positive definite")
    return np.asarray(factor)


class GaussianProcess:
    """A process of constant mean, given its parameters and some values.

    Args:
        kernel: Correlation of two points.
        theta: The kernel's parameters, then the logarithms of the variance and of the noise's.
        rows: Features of the points where values are known (n, features).
        values: The values (n,).
        mean: Mean of the process; None for the most likely one.

    Raises:
        numpy.linalg.LinAlgError: If the covariance cannot be factorised.
    """

    def __init__(
        self,
        kernel: Kernel,
        theta: Vector,
        rows: Matrix,
        values: Vector,
        *,
        mean: float | None = None,
        factor: Matrix | None = None,
    ) -> None:
        self.kernel, self.theta, self.rows, self.values = kernel, theta, rows, values
        self.factor = _cholesky(self._covariance()) if factor is None else factor
        ones = self._solve(np.ones(len(rows)))
        self.mean = float(ones @ values / np.sum(ones)) if mean is None else mean
        self.weights = self._solve(values - self.mean)

    @property
    def scale(self) -> float:
        """Variance of the function."""
        return float(np.exp(self.theta[-2]))

    @property
    def noise(self) -> float:
        """Variance of the noise."""
        return float(np.exp(self.theta[-1]))

    def predict(self, rows: Matrix) -> Posterior:
        """What is known of the function at further points, from their features (m, features)."""
        cross = self.scale * self.kernel(self.theta[:-2], rows, self.rows)
        reduced = solve_triangular(self.factor, cross.T, lower=True, check_finite=False)
        left = np.maximum(self.scale - np.sum(reduced**2, axis=0), self.scale * 1e-12)
        return Posterior(self.mean + cross @ self.weights, np.sqrt(left))

    def vjp(self, rows: Matrix) -> tuple[Posterior, Callable[[Vector, Vector], Matrix]]:
        """What is known at further points, and its vector-Jacobian product by their features.

        That is a function of weights of the means and of the standard deviations (m,): the gradient
        of the weighted sum by the features (m, features).
        """
        cross, pulled = self.kernel.vjp(self.theta[:-2], rows, self.rows)
        solved = self._solve(self.scale * cross.T).T
        left = self.scale * np.maximum(1 - np.sum(cross * solved, axis=1), 1e-12)
        found = Posterior(self.mean + self.scale * cross @ self.weights, np.sqrt(left))

        def by_features(mean: Vector, std: Vector) -> Matrix:
            return pulled(
                self.scale * (mean[:, None] * self.weights - (std / found.std)[:, None] * solved)
            )

        return found, by_features

    def extended(self, rows: Matrix, values: Vector) -> "GaussianProcess":
        """The process that knows further values too, from an extended Cholesky factor.

        Its mean stays.
        """
        cross = self.scale * self.kernel(self.theta[:-2], self.rows, rows)
        own = self.scale * self.kernel(self.theta[:-2], rows, rows) + self.noise * np.eye(len(rows))
        below = solve_triangular(self.factor, cross, lower=True, check_finite=False).T
        corner = _cholesky(own - below @ below.T)
        factor = np.block([[self.factor, np.zeros_like(below.T)], [below, corner]])
        together = np.vstack([self.rows, rows]), np.append(self.values, values)
        return GaussianProcess(self.kernel, self.theta, *together, mean=self.mean, factor=factor)

    def log_likelihood(self) -> tuple[float, Vector]:
        """Log marginal likelihood and its gradient by `theta`; equations 5.8 and 5.9.

        The mean counts as given; at the most likely one the gradient is that of the profile too.
        """
        centred = self.values - self.mean
        value = -0.5 * float(centred @ self.weights) - float(np.sum(np.log(np.diag(self.factor))))
        value -= 0.5 * len(centred) * np.log(2 * np.pi)
        inverse = np.asarray(lapack.dpotri(self.factor, lower=1)[0])
        inverse = inverse + np.tril(inverse, -1).T
        pull = 0.5 * (np.outer(self.weights, self.weights) - inverse)
        own = self.scale * self.kernel.gradient(self.theta[:-2], self.rows, pull)
        noise = self.noise * float(np.trace(pull))
        # tr(pull (scale K + noise I)) = (centred' weights - n) / 2
        scale = 0.5 * (float(centred @ self.weights) - len(centred)) - noise
        return value, np.append(own, [scale, noise])

    def _covariance(self) -> Matrix:
        covariance = self.scale * self.kernel(self.theta[:-2], self.rows, self.rows)
        return covariance + self.noise * np.eye(len(self.rows))

    def _solve(self, right: Vector) -> Vector:
        return np.asarray(lapack.dpotrs(self.factor, right, lower=1)[0]).reshape(right.shape)


def conditioned(kernel: Kernel, theta: Vector, rows: Matrix, values: Vector) -> GaussianProcess:
    """The process given values; with more noise if its covariance cannot be factorised."""
    theta = theta.copy()
    while True:
        try:
            return GaussianProcess(kernel, theta, rows, values)
        except LinAlgError:
            theta[-1] += 1.0


def fit(
    kernel: Kernel,
    prior: Prior,
    rows: Matrix,
    values: Vector,
    starts: Iterable[Vector],
    *,
    width: float = WIDTH,
    steps: int = 60,
    tolerance: float = 1e-6,
) -> Vector:
    """Parameters of the highest posterior density, by L-BFGS-B from several starts.

    Args:
        kernel: Correlation of two points.
        prior: Of all parameters, see `whole_prior`.
        rows: Features (n, features).
        values: Values (n,).
        starts: Parameters to start from.
        width: Standard deviations of the prior within which parameters stay.
        steps: Largest number of steps from one start.
        tolerance: Relative gain of a step below which it ends.

    Returns:
        The best parameters that were found (parameters,).
    """
    low = prior.mean - width * prior.std
    low[-1] = max(low[-1], QUIET)
    high = prior.mean + width * prior.std

    def loss(theta: Vector) -> tuple[float, Vector]:
        away = (theta - prior.mean) / prior.std
        try:
            value, gradient = GaussianProcess(kernel, theta, rows, values).log_likelihood()
        except LinAlgError:
            return 1e10, -away
        return 0.5 * float(away @ away) - value, away / prior.std - gradient

    found: list[tuple[float, int, Vector]] = []
    for start in starts:
        result = minimize(
            loss,
            np.clip(start, low, high),
            jac=True,
            method="L-BFGS-B",
            bounds=list(zip(low, high, strict=True)),
            options={"maxiter": steps, "ftol": tolerance},
        )
        found.append((float(result.fun), len(found), np.asarray(result.x)))
    return min(found)[2]
