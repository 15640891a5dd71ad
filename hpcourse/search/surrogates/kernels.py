"""Kernels of Gaussian processes over the unit cube: how alike two configurations are.

A kernel has unit variance, so that it is a correlation, and its parameters have a normal prior. The
one of a search space compares numbers by their distance, categories by whether they are equal, and
conditional coordinates only where both points have them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import accumulate
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.special import expit

from hpcourse.search.space import Axis, Matrix, active

__all__ = ["Kernel", "MixedKernel", "Prior", "matern"]

Vector = NDArray[np.float64]

SENSITIVITY = (0.0, 1.5)
"""Mean and standard deviation of the logarithm of an inverse squared lengthscale."""

SHARED = (0.0, 1.5)
"""The same of the logit of the correlation between points with and without an axis."""


@dataclass(frozen=True)
class Prior:
    """Independent normal distributions of a kernel's parameters.

    Attributes:
        mean: Means (parameters,).
        std: Standard deviations (parameters,).
    """

    mean: Vector
    std: Vector


class Kernel(Protocol):
    """A correlation of configurations, with parameters that can be fitted.

    Another kernel, for example one of the edit distance of architectures, serves in place of
    `MixedKernel` if it has these members.
    """

    @property
    def prior(self) -> Prior:
        """What its parameters are like before anything was seen."""
        ...

    @property
    def continuous(self) -> Mapping[int, int]:
        """Column of the features that holds a continuous coordinate, by its axis."""
        ...

    def features(self, points: Matrix) -> Matrix:
        """What is compared of canonical points (n, dimension): one row for each."""
        ...

    def __call__(self, theta: Vector, a: Matrix, b: Matrix) -> Matrix:
        """Correlations (len(a), len(b)) of two sets of features; 1 of a row with itself."""
        ...

    def gradient(self, theta: Vector, a: Matrix, weight: Matrix) -> Vector:
        """Gradient of ``sum(weight * kernel(theta, a, a))``, `weight` symmetric; (parameters,)."""
        ...

    def vjp(self, theta: Vector, a: Matrix, b: Matrix) -> tuple[Matrix, Callable[[Matrix], Matrix]]:
        """Correlations (len(a), len(b)) of two sets of features, and their vector-Jacobian product.

        That is a function of weights (len(a), len(b)): the gradient of
        ``sum(weights * correlations)`` by the features `a`, of their shape. Only the columns of
        continuous coordinates matter.
        """
        ...


def matern(squares: Matrix) -> tuple[Matrix, Matrix]:
    """Matérn kernel of smoothness 5/2 and its derivative by the squared distance.

    ``k = (1 + r + r^2 / 3) exp(-r)`` with ``r^2 = 5 squares``; Rasmussen and Williams (2006),
    Gaussian Processes for Machine Learning, equation 4.17.

    Args:
        squares: Squared distances in units of the lengthscale.

    Examples:
        >>> value, slope = matern(np.array([0.0, 1.0]))
        >>> value.round(4).tolist(), slope.round(4).tolist()
        ([1.0, 0.524], [-0.8333, -0.2882])
    """
    r = np.sqrt(5 * squares)
    decay = np.exp(-r)
    linear = (1 + r) * decay
    return linear + r * r / 3 * decay, -5 / 6 * linear


@dataclass(frozen=True)
class _Group:
    """Axes that count under the same conditions.

    Attributes:
        columns: Numbers of the axes.
        owners: Position of the axis that each feature belongs to.
        conditional: Whether there are points without these axes.
        own: Where its parameters stand: a sensitivity for each axis, then what is shared.
        rows: Where its features stand: numbers and categories, then whether the group counts.
    """

    columns: tuple[int, ...]
    owners: NDArray[np.intp]
    conditional: bool
    own: slice
    rows: slice


@dataclass(frozen=True)
class _Factor:
    """A group's factor of the kernel between two sets of points, and its derivatives.

    Attributes:
        value: The factor (n, m).
        by_square: Its derivative by the squared distance within the group.
        by_shared: Its derivative by what is shared; None without conditions.
    """

    value: Matrix
    by_square: Matrix
    by_shared: Callable[[], Matrix] | None


class MixedKernel:
    """Matérn 5/2 kernel with one lengthscale an axis, over mixed and conditional spaces.

    Axes that count under the same conditions form a group, and the kernel is a product over groups.
    A group's factor is ``s^2 + (1 - s^2) m`` between two points that have it, where m is a Matérn
    kernel of their distance; it is s between a point that has it and one that has not, and 1
    between two that have not. So what does not count never matters, and s in (0, 1), which is
    learned, says how much a point tells of those outside of its branch. It is positive
    semidefinite: with v = s where the group counts and 1 elsewhere, the factor is ``v v'`` plus
    ``(1 - s^2) m`` among the points that have the group. Axes that always count have s = 0;
    without conditions this is the usual kernel.

    The squared distance is ``sum w_i d_i`` with sensitivities ``w_i = 1 / lengthscale_i^2``, where
    d_i is the squared difference of numbers, and 1 for different categories (Hamming distance).
    The parameters are the logarithms of the w_i and the logits of the s, group by group.

    Args:
        axes: Axes of the space.

    Examples:
        >>> from hpcourse.search import Box, Choice, Real, When
        >>> box = Box({"kind": Choice(("a", "b")), "depth": When("kind", "b", Real(0, 1))})
        >>> kernel = MixedKernel(box.axes)
        >>> rows = kernel.features(np.array([[0.25, 0.5], [0.75, 0.1], [0.75, 0.9]]))
        >>> kernel(np.zeros(3), rows, rows).round(3).tolist()
        [[1.0, 0.262, 0.262], [0.262, 1.0, 0.733], [0.262, 0.733, 1.0]]
    """

    def __init__(self, axes: Sequence[Axis]) -> None:
        self.axes = tuple(axes)
        self.continuous: dict[int, int] = {}
        groups: list[_Group] = []
        for conditions in dict.fromkeys(axis.conditions for axis in self.axes):
            groups.append(self._group(conditions, groups[-1] if groups else None))
        self._groups = tuple(groups)

    def _group(self, conditions: object, before: _Group | None) -> _Group:
        columns = tuple(k for k, axis in enumerate(self.axes) if axis.conditions == conditions)
        widths = [max(1, _categories(self.axes[column])) for column in columns]
        parameter, row = (before.own.stop, before.rows.stop) if before else (0, 0)
        for column, start in zip(columns, np.cumsum([row, *widths]).tolist(), strict=False):
            if self.axes[column].domain.levels == 0:
                self.continuous[column] = start
        extra = int(bool(conditions))
        return _Group(
            columns,
            np.repeat(np.arange(len(widths)), widths),
            bool(conditions),
            slice(parameter, parameter + len(columns) + extra),
            slice(row, row + sum(widths) + extra),
        )

    @property
    def prior(self) -> Prior:
        """Lengthscales around one, half shared between branches."""
        rows = []
        for group in self._groups:
            rows += [SENSITIVITY] * len(group.columns) + [SHARED] * group.conditional
        mean, std = np.array(rows).reshape(-1, 2).T
        return Prior(mean, std)

    def features(self, points: Matrix) -> Matrix:
        """Numbers, categories and activity of canonical points, group by group."""
        counts = active(self.axes, points)
        parts = [np.empty((len(points), 0))]
        for group in self._groups:
            parts += [_features(self.axes[column], points[:, column]) for column in group.columns]
            if group.conditional:
                parts.append(counts[:, [group.columns[0]]].astype(float))
        return np.hstack(parts)

    def __call__(self, theta: Vector, a: Matrix, b: Matrix) -> Matrix:
        """Correlations (len(a), len(b)) of two sets of features."""
        return _product(self._factors(theta, a, b))

    def gradient(self, theta: Vector, a: Matrix, weight: Matrix) -> Vector:
        """Gradient of ``sum(weight * kernel(theta, a, a))``; (parameters,)."""
        factors = self._factors(theta, a, a)
        result = np.zeros(len(theta))
        for group, factor, others in zip(self._groups, factors, _others(factors), strict=True):
            pull = weight * others * factor.by_square
            # sum_ij H_ij (f_i - f_j)^2 = 2 (sum_i (H 1)_i f_i^2 - f' H f), a column at a time
            numbers = a[:, group.rows][:, : len(group.owners)]
            spread = 2 * np.sum((pull.sum(1)[:, None] * numbers - pull @ numbers) * numbers, axis=0)
            own = result[group.own]  # a view
            sensitivities = np.exp(theta[group.own][: len(group.columns)])
            own[: len(group.columns)] = sensitivities * np.bincount(group.owners, spread)
            if factor.by_shared is not None:
                own[-1] = np.sum(weight * others * factor.by_shared())
        return result

    def vjp(self, theta: Vector, a: Matrix, b: Matrix) -> tuple[Matrix, Callable[[Matrix], Matrix]]:
        """Correlations (len(a), len(b)), and their vector-Jacobian product by the features `a`."""
        factors = self._factors(theta, a, b)

        def pulled(weights: Matrix) -> Matrix:
            result = np.zeros(a.shape)
            for group, factor, others in zip(self._groups, factors, _others(factors), strict=True):
                pull = weights * others * factor.by_square
                span = slice(group.rows.start, group.rows.start + len(group.owners))
                # sum_j H_ij (a_i - b_j) = (H 1)_i a_i - (H b)_i, a column at a time
                spread = pull.sum(1)[:, None] * a[:, span] - pull @ b[:, span]
                result[:, span] = 2 * np.exp(theta[group.own][group.owners]) * spread
            return result

        return _product(factors), pulled

    def _factors(self, theta: Vector, a: Matrix, b: Matrix) -> list[_Factor]:
        return [
            _factor(group, theta[group.own], a[:, group.rows], b[:, group.rows])
            for group in self._groups
        ]


def _categories(axis: Axis) -> int:
    """Number of categories of an axis; 0 where it is a number."""
    return 0 if axis.domain.ordered else axis.domain.levels


def _features(axis: Axis, places: Vector) -> Matrix:
    """A number as it is, categories such that two of them lie at distance one."""
    count = _categories(axis)
    if not count:
        return places[:, None]
    codes = axis.domain.codes(places)
    return np.asarray((codes[:, None] == np.arange(count)) / np.sqrt(2))


def _factor(group: _Group, theta: Vector, a: Matrix, b: Matrix) -> _Factor:
    """The factor of one group, from its own parameters and features."""
    scales = np.exp(theta[group.owners] / 2)
    count = len(scales)
    value, by_square = matern(cdist(a[:, :count] * scales, b[:, :count] * scales, "sqeuclidean"))
    if not group.conditional:
        return _Factor(value, by_square, None)
    s = float(expit(theta[-1]))
    here, there = a[:, count], b[:, count]
    left = (1 - s * s) * here[:, None] * there[None, :]
    level = (1 + (s - 1) * here)[:, None] * (1 + (s - 1) * there)[None, :]

    def by_shared() -> Matrix:
        both, differ = here[:, None] * there, here[:, None] != there
        return np.asarray(s * (1 - s) * (2 * s * both * (1 - value) + differ))

    return _Factor(level + left * value, left * by_square, by_shared)


def _product(factors: Sequence[_Factor]) -> Matrix:
    """The kernel from its factors."""
    return reduce(np.multiply, [factor.value for factor in factors])


def _others(factors: Sequence[_Factor]) -> list[Matrix]:
    """For each factor the product of all others."""
    values = [factor.value for factor in factors]
    one = np.ones((1, 1))
    before = accumulate(values[:-1], np.multiply, initial=one)
    after = list(accumulate(values[:0:-1], np.multiply, initial=one))
    return [left * right for left, right in zip(before, reversed(after), strict=True)]
