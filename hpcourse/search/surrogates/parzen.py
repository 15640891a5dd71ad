"""Mixtures of product kernels over the unit cube: the densities of tree-structured Parzen search.

Density is meant with respect to the prior, under which the cube is uniform: 1 everywhere is the
prior itself. On an axis of separate values the density of a value is its probability by that of its
prior, that is by the width of its cell.

References:
    Bergstra, Bardenet, Bengio and Kégl (2011), Algorithms for Hyper-Parameter Optimization, section
    4. The product kernels follow Falkner, Klein and Hutter (2018), BOHB, section 3.2.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from hpcourse.search.space import Axis, Matrix, active, canonical

__all__ = ["Parzen"]

Vector = NDArray[np.float64]

SMALLEST = 1e-300
"""Probability below which a kernel does not fall, so that its logarithm is finite."""


class Parzen:
    r"""A mixture of one product kernel a point, and of the prior.

    .. math:: p(x) = w_0 + \sum_i w_i \prod_{d \in A(x) \cap A(x_i)} k_d(x_d \mid x_{id})

    The product runs over the axes that count at both `x` and the kernel's point. On all others the
    kernel is the prior, whose density is 1; so `p` integrates to one over a conditional space, and
    a kernel says nothing on axes that its point does not have.

    A kernel is a normal cut off at the ends of [0, 1]; on ordered separate values the mass that it
    has in their cells. On categories it keeps the point's own with probability ``1 - s`` and draws
    from the prior with probability ``s``, where s is the smoothing.

    Args:
        axes: Axes of the cube.
        points: Where the kernels stand, canonical; (n, dimension).
        weights: Weights of the kernels, then of the prior; (n + 1,), of sum 1.
        spread: Standard deviation of the normal, or smoothing of the categories, of each kernel
            and axis; (n, dimension) or (dimension,).
    """

    def __init__(
        self, axes: Sequence[Axis], points: Matrix, weights: Vector, spread: NDArray[np.float64]
    ) -> None:
        self.axes, self.points, self.weights = axes, points, weights
        self.spread = np.broadcast_to(np.asarray(spread, float), points.shape)
        self.counts = active(axes, points)
        levels = np.array([axis.domain.levels for axis in axes])
        ordered = np.array([axis.domain.ordered for axis in axes], dtype=bool)
        self._smooth = np.flatnonzero(levels == 0).tolist()
        self._ordered = np.flatnonzero((levels > 0) & ordered).tolist()
        self._named = np.flatnonzero((levels > 0) & ~ordered).tolist()
        self._below = ndtr(-points / self.spread)
        self._mass = ndtr((1 - points) / self.spread) - self._below

    def log_density(self, x: Matrix) -> Vector:
        """Logarithm of the density at canonical points (m, dimension); (m,)."""
        both = self.log_kernels(x)
        top = np.maximum(both.max(axis=1, initial=-np.inf), 0.0)
        np.subtract(both, top[:, None], out=both)
        np.exp(both, out=both)
        sums = both @ self.weights[:-1] + self.weights[-1] * np.exp(-top)
        return np.asarray(np.log(sums) + top)

    def log_kernels(self, x: Matrix) -> Matrix:
        """Logarithm of each kernel's density at canonical points; (m, n)."""
        counts = active(self.axes, x)
        logs = self._log_smooth(x, counts)
        for axis in self._ordered:
            logs += self._log_ordered(axis, x, counts)
        for axis in self._named:
            logs += self._log_named(axis, x, counts)
        return logs

    def sample(self, rng: np.random.Generator, count: int) -> Matrix:
        """Points drawn from the mixture, canonical; (count, dimension)."""
        kernel = rng.choice(len(self.weights), size=count, p=self.weights)
        prior = rng.random((count, len(self.axes)))
        if not len(self.points):
            return canonical(self.axes, prior)
        # The prior is drawn instead of a kernel where the kernel says nothing.
        own = np.minimum(kernel, len(self.points) - 1)
        used = self.counts[own] & (kernel < len(self.points))[:, None]
        mean, spread = self.points[own], self.spread[own]
        share = np.clip(self._below[own] + prior * self._mass[own], 0, 1)
        near = np.clip(mean + spread * ndtri(share), 0, 1)
        named = self._named
        kept = rng.random((count, len(named))) >= spread[:, named]
        near[:, named] = np.where(kept, mean[:, named], prior[:, named])
        return canonical(self.axes, np.where(used, near, prior))

    def _log_smooth(self, x: Matrix, counts: NDArray[np.bool_]) -> Matrix:
        """Logarithms of the kernels on continuous axes, as one product of matrices.

        The square of ``(x - mean) / spread`` is a sum of products of what depends on x alone and
        what depends on the kernel alone.
        """
        axes = self._smooth
        at, on = x[:, axes], counts[:, axes].astype(float)
        mean, spread, own = self.points[:, axes], self.spread[:, axes], self.counts[:, axes]
        sharp = own / spread**2
        # Norm of the kernel, 0 where the axis does not count.
        norm = np.log(np.sqrt(2 * np.pi) * spread * self._mass[:, axes])
        own_part = -0.5 * sharp * mean**2 - np.where(own, norm, 0.0)
        left = np.concatenate((at**2 * on, at * on, on), axis=1)
        right = np.concatenate((-0.5 * sharp, sharp * mean, own_part), axis=1)
        return np.asarray(left @ right.T)

    def _log_ordered(self, axis: int, x: Matrix, counts: NDArray[np.bool_]) -> Matrix:
        """Logarithms of the kernels on one axis of ordered separate values."""
        domain = self.axes[axis].domain
        codes, where = np.unique(domain.codes(x[:, axis]), return_inverse=True)
        low, high = (ends[:, None] for ends in domain.edges(codes))
        mean, spread = self.points[:, axis], self.spread[:, axis]
        mass = ndtr((high - mean) / spread) - ndtr((low - mean) / spread)
        share = mass / (self._mass[:, axis] * (high - low))
        logs = np.log(np.maximum(share, SMALLEST))
        return np.asarray((logs * self.counts[:, axis])[where] * counts[:, axis, None])

    def _log_named(self, axis: int, x: Matrix, counts: NDArray[np.bool_]) -> Matrix:
        """Logarithms of the kernels on one axis of categories."""
        domain = self.axes[axis].domain
        mine, smoothing = domain.codes(self.points[:, axis]), self.spread[:, axis]
        codes, where = np.unique(domain.codes(x[:, axis]), return_inverse=True)
        low, high = domain.edges(codes)
        kept = (mine == codes[:, None]) * (1 - smoothing) / (high - low)[:, None]
        logs = np.log(np.maximum(kept + smoothing, SMALLEST))
        return np.asarray((logs * self.counts[:, axis])[where] * counts[:, axis, None])
