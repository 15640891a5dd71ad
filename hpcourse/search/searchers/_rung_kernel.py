"""The kernel of learning curves: how alike what two configurations reach at two budgets is."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from hpcourse.search.space import Matrix
from hpcourse.search.surrogates.kernels import Kernel, Prior

__all__ = ["RungKernel"]

Vector = NDArray[np.float64]
Whole = NDArray[np.intp]

GAP = (-1.2, 1.2)
"""Mean and standard deviation of the logarithm of the distance of neighbouring rungs."""

OWN = (-1.5, 1.0)
"""The same of the logit of the share that is a configuration's own."""

COMMON = (-1.0, 1.0)
"""The same of the logit of the share that all trainings of a rung have in common."""

NEW = -1
"""Number of a configuration that is nobody else's."""


class RungKernel:
    r"""A kernel over configurations and the rungs at which they are judged.

    .. math:: c [i = j] + (1 - c) \exp(-|t_i - t_j|) ((1 - s) k(x_i, x_j) + s [x_i = x_j])

    The first bracket is one where the rungs are equal, so that each rung has a level of its own;
    the second one where the configurations are, for what a kernel of smooth functions cannot
    follow. The places t of the rungs rise by distances that are fitted: rungs near each other agree
    on what is good, and one that lies far below the highest says nothing of it.

    The parameters are those of the kernel k of configurations, then the logarithms of the
    distances between neighbouring rungs, then the logits of s and c.

    Args:
        inner: The kernel k.
        rungs: Number of rungs.
    """

    def __init__(self, inner: Kernel, rungs: int) -> None:
        self.inner, self.rungs = inner, rungs

    @property
    def prior(self) -> Prior:
        """Neighbouring rungs correlate by about .7."""
        more = np.array([GAP] * (self.rungs - 1) + [OWN, COMMON])
        inner = self.inner.prior
        return Prior(np.append(inner.mean, more[:, 0]), np.append(inner.std, more[:, 1]))

    @property
    def continuous(self) -> Mapping[int, int]:
        """As of the kernel of configurations, whose features come first."""
        return self.inner.continuous

    def features(self, points: Matrix) -> Matrix:
        """Rows for new configurations at the highest rung."""
        count = len(points)
        return self.rows(points, np.full(count, NEW), np.full(count, self.rungs - 1))

    def rows(self, points: Matrix, numbers: Whole, rungs: Whole) -> Matrix:
        """Features of points (n, dimension) with the configurations' numbers and their rungs."""
        return np.column_stack([self.inner.features(points), numbers, rungs])

    def __call__(self, theta: Vector, a: Matrix, b: Matrix) -> Matrix:
        """Correlations (len(a), len(b)) of two sets of features."""
        _, own, common = self._more(theta)
        within, across = self._across(theta, a, b)
        smooth = self.inner(self._inner(theta), a[:, :-2], b[:, :-2])
        alike = (1 - own) * smooth + own * _same(a, b)
        return common * within + (1 - common) * across * alike

    def gradient(self, theta: Vector, a: Matrix, weight: Matrix) -> Vector:
        """Gradient of ``sum(weight * kernel(theta, a, a))``; (parameters,)."""
        gaps, own, common = self._more(theta)
        within, across = self._across(theta, a, a)
        inner, same = self._inner(theta), _same(a, a)
        smooth = self.inner(inner, a[:, :-2], a[:, :-2])
        alike = (1 - own) * smooth + own * same
        pull = weight * (1 - common) * across
        on = a[:, -1:] == np.arange(self.rungs)
        pairs = on.T @ (pull * alike) @ on  # sums over the pairs of two rungs
        by_gap = [
            -gaps[k] * (pairs[: k + 1, k + 1 :].sum() + pairs[k + 1 :, : k + 1].sum())
            for k in range(self.rungs - 1)
        ]
        by_own = own * (1 - own) * np.sum(pull * (same - smooth))
        by_common = common * (1 - common) * np.sum(weight * (within - across * alike))
        by_inner = self.inner.gradient(inner, a[:, :-2], pull * (1 - own))
        return np.concatenate([by_inner, by_gap, [by_own, by_common]])

    def vjp(self, theta: Vector, a: Matrix, b: Matrix) -> tuple[Matrix, Callable[[Matrix], Matrix]]:
        """Correlations (len(a), len(b)), and what gives the gradient of their weighted sum."""
        _, own, common = self._more(theta)
        within, across = self._across(theta, a, b)
        smooth, inner = self.inner.vjp(self._inner(theta), a[:, :-2], b[:, :-2])
        alike = (1 - own) * smooth + own * _same(a, b)
        factor = (1 - common) * (1 - own) * across

        def backward(weights: Matrix) -> Matrix:
            return np.hstack([inner(weights * factor), np.zeros((len(a), 2))])

        return common * within + (1 - common) * across * alike, backward

    def _inner(self, theta: Vector) -> Vector:
        return theta[: -self.rungs - 1]

    def _more(self, theta: Vector) -> tuple[Vector, float, float]:
        """Distances between neighbouring rungs, and the two shares."""
        own, common = expit(theta[-2:])
        return np.exp(theta[-self.rungs - 1 : -2]), float(own), float(common)

    def _across(self, theta: Vector, a: Matrix, b: Matrix) -> tuple[Matrix, Matrix]:
        """Whether two rungs are equal, and how much they agree."""
        place = np.append(0.0, np.cumsum(self._more(theta)[0]))
        left, right = a[:, -1].astype(int), b[:, -1].astype(int)
        apart = np.abs(place[left][:, None] - place[right])
        return (left[:, None] == right).astype(float), np.exp(-apart)


def _same(a: Matrix, b: Matrix) -> Matrix:
    """1 where two rows are of the same configuration."""
    mine = a[:, -2][:, None]
    return np.asarray((mine == b[:, -2]) & (mine != NEW), dtype=float)
