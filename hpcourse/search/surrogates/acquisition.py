"""Expected improvement and where it is largest."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import erfcx, log_ndtr, ndtr

from hpcourse.search.domains import Domain, middles
from hpcourse.search.space import Axis, Matrix, active, canonical
from hpcourse.search.surrogates.gaussian_process import GaussianProcess, Posterior

__all__ = ["Acquisition", "log_gain", "log_improvement", "maximise"]

Vector = NDArray[np.float64]

LOG_ROOT = 0.5 * np.log(2 * np.pi)

FAR = -50.0
"""Below it the logarithm comes from the asymptotic series, above from the scaled error function."""

ROUNDS = 4
"""How often numbers and separate values are improved by turns."""

FINALISTS = 2
"""Number of points, the best ones, that are improved after the first round."""

STEPS = 50
"""Largest number of steps of one gradient ascent."""

GAIN = 1e-2
"""Smallest gain of a round for which there is another one."""

LEVELS = 16
"""Largest number of values of one coordinate that are tried in an exchange."""

SERIES = (1.0, -3.0, 15.0, -105.0, 945.0, -10395.0)
"""Coefficients of ``h(z) = phi(z) (1 / z^2 - 3 / z^4 + 15 / z^6 - ...)``."""


def log_improvement(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithm of ``h(z) = phi(z) + z Phi(z)``, exact far in the tail.

    A normal variable of mean m and deviation s falls below b by ``s h((b - m) / s)`` on average.
    After Ament et al. (2023), Unexpected Improvements to Expected Improvement for Bayesian
    Optimization, equation 9.

    Examples:
        >>> log_improvement(np.array([0.0, -10.0, -1e6])).round(4).tolist()
        [-0.9189, -55.5531, -500000000028.55]
    """
    z = np.asarray(z, float)
    near, far = np.maximum(z, -1.0), np.minimum(z, FAR)
    middle = np.clip(z, FAR, -1.0)
    upper = np.log(np.exp(-0.5 * near * near - LOG_ROOT) + near * ndtr(near))
    ratio = 1 + middle * np.sqrt(np.pi / 2) * erfcx(-middle / np.sqrt(2))
    lower = -0.5 * middle * middle - LOG_ROOT + np.log(ratio)
    square = 1 / (far * far)
    tail = sum(coefficient * square**k for k, coefficient in enumerate(SERIES))
    lowest = -0.5 * far * far - LOG_ROOT + np.log(square * tail)
    return np.asarray(np.where(z > -1, upper, np.where(z > FAR, lower, lowest)))


def log_gain(found: Posterior, best: float) -> Vector:
    """Log expected improvement below a value, of what is known at some points; (points,)."""
    return np.asarray(np.log(found.std) + log_improvement((best - found.mean) / found.std))


class Acquisition:
    """Log expected improvement of a process below a value, over the cube.

    Args:
        process: Posterior of the objective.
        axes: Axes of the space.
        best: Value to fall below.
    """

    def __init__(self, process: GaussianProcess, axes: Sequence[Axis], best: float) -> None:
        self.process, self.axes, self.best = process, tuple(axes), best

    def features(self, points: Matrix) -> Matrix:
        """What the process's kernel compares of points (n, dimension)."""
        return self.process.kernel.features(canonical(self.axes, points))

    def __call__(self, points: Matrix) -> Vector:
        """Log expected improvement at points (n, dimension)."""
        return log_gain(self.process.predict(self.features(points)), self.best)

    def slopes(self, rows: Matrix) -> tuple[Vector, Matrix]:
        """Values (m,) and gradients (m, features) at features of points (m, features)."""
        found, by_features = self.process.vjp(rows)
        z = (self.best - found.mean) / found.std
        log_h = log_improvement(z)
        # EI = std h(z): its derivative is -Phi(z) by the mean and phi(z) by the deviation
        down = np.exp(log_ndtr(z) - log_h)
        wide = np.exp(-0.5 * z * z - LOG_ROOT - log_h)
        return np.log(found.std) + log_h, by_features(-down / found.std, wide / found.std)


def ascend(acquisition: Acquisition, points: Matrix) -> Matrix:
    """Local maxima over the continuous coordinates that count, from points (n, dimension).

    L-BFGS-B maximises the sum over all points at once. As each moves on its own, so do they, and
    the arithmetic is done for all together. One that becomes worse is left where it was.
    """
    places = acquisition.process.kernel.continuous
    free = np.zeros(points.shape, dtype=bool)
    free[:, list(places)] = active(acquisition.axes, points)[:, list(places)]
    if not free.any():
        return points
    owners, axes = np.nonzero(free)
    columns = np.array([places[axis] for axis in axes.tolist()])
    rows = acquisition.features(points)

    def loss(part: Vector) -> tuple[float, Vector]:
        rows[owners, columns] = part
        values, gradients = acquisition.slopes(rows)
        return -float(np.sum(values)), -gradients[owners, columns]

    result = minimize(
        loss,
        points[free],
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, 1.0)] * len(owners),
        options={"maxiter": STEPS, "ftol": 1e-6},
    )
    reached = points.copy()
    reached[free] = np.clip(result.x, 0.0, 1.0)
    better = acquisition(reached) > acquisition(points)
    return np.where(better[:, None], reached, points)


def exchange(acquisition: Acquisition, points: Matrix, rng: np.random.Generator) -> Matrix:
    """Put each separate coordinate that counts to its best value, one after the other.

    All points (n, dimension) move at once, each on its own. A coordinate with many values tries
    near ones and some drawn at random.
    """
    axes = acquisition.axes
    for column, axis in enumerate(axes):
        if axis.domain.levels < 2 or not active(axes, points)[:, column].any():
            continue
        tried = np.array([_alternatives(axis.domain, place, rng) for place in points[:, column]])
        moved = np.repeat(points[:, None], tried.shape[1], axis=1)
        moved[:, :, column] = tried
        score = acquisition(moved.reshape(-1, len(axes))).reshape(tried.shape)
        points = moved[np.arange(len(points)), np.argmax(score, axis=1)]
    return points


def _alternatives(domain: Domain, place: float, rng: np.random.Generator) -> Vector:
    """Places to try of separate values, the own one first; at most LEVELS."""
    own = int(domain.codes(place))
    if domain.levels <= LEVELS:
        codes = np.arange(domain.levels)
        codes[[0, own]] = own, 0
    else:
        near = own + np.array([0, -4, -2, -1, 1, 2, 4]) if domain.ordered else np.array([own])
        drawn = rng.integers(domain.levels, size=LEVELS - len(near))
        codes = np.clip(np.append(near, drawn), 0, domain.levels - 1)
    return middles(domain, codes)


def maximise(acquisition: Acquisition, starts: Matrix, rng: np.random.Generator) -> Matrix:
    """Local maxima from some starts, the best first; numbers and separate values by turns."""
    separate = any(axis.domain.levels > 1 for axis in acquisition.axes)
    points, before = starts.copy(), np.full(len(starts), -np.inf)
    score = acquisition(points)
    going = np.arange(len(starts))
    for _ in range(ROUNDS if separate else 1):
        before[going] = score[going]
        points[going] = ascend(acquisition, points[going])
        if separate:
            points[going] = exchange(acquisition, points[going], rng)
        score[going] = acquisition(points[going])
        best = np.argsort(-score, kind="stable")[:FINALISTS]
        going = best[score[best] > before[best] + GAIN]
        if not len(going):
            break
    return points[np.argsort(-score, kind="stable")]
