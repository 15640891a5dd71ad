"""The leaves of a regression tree as boxes of the unit cube, and their exact marginals.

A tree is constant on each leaf, and its leaves tile the cube; integrals over the cube are sums over
leaves. Trees are rewritten in uniform coordinates first: a threshold becomes the probability of
falling below it, so that a category with k codes and a continuous column are treated alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Index = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Column:
    """What a tree does along one coordinate.

    Attributes:
        edges: (m + 1,) ascending, 0 and 1 included; the tree is constant between neighbours.
        start: (leaves,) index of each leaf's lower edge.
        stop: (leaves,) index of each leaf's upper edge.
        length: (leaves,) length of each leaf's side.
    """

    edges: Vector
    start: Index
    stop: Index
    length: Vector


@dataclass(frozen=True, eq=False)
class Boxes:
    """The leaves of one tree, their values centred by the tree's mean.

    Attributes:
        mean: Integral of the tree over the cube.
        values: (leaves,) prediction minus `mean`.
        volumes: (leaves,) summing to one.
        columns: One a coordinate.
    """

    mean: float
    values: Vector
    volumes: Vector
    columns: tuple[Column, ...]

    @property
    def variance(self) -> float:
        """Variance of the prediction at a uniform point of the cube."""
        return float(self.volumes @ self.values**2)


def boxes(tree: Any, levels: Sequence[int]) -> Boxes:
    """The leaves of scikit-learn's `tree` (the ``tree_`` of an estimator).

    Args:
        tree: A fitted tree of one output.
        levels: Number of codes of each column, 0 where it is continuous on [0, 1].
    """
    low, high = _corners(tree, levels)
    leaf = tree.children_left < 0
    low, high, predictions = low[leaf], high[leaf], tree.value[leaf, 0, 0]
    volumes = (high - low).prod(axis=1)
    mean = float(volumes @ predictions)
    columns = tuple(_column(low[:, j], high[:, j]) for j in range(len(levels)))
    return Boxes(mean, predictions - mean, volumes, columns)


def marginal(tree: Boxes, j: int) -> Vector:
    """The centred prediction, all coordinates but `j` integrated out, on each cell of `j`; (m,)."""
    column = tree.columns[j]
    density = _divide(tree.values * tree.volumes, column.length)
    cells = column.edges.size
    steps = np.bincount(column.start, density, cells) - np.bincount(column.stop, density, cells)
    return np.asarray(np.cumsum(steps)[:-1])


def main_variance(tree: Boxes, j: int) -> float:
    """Variance of the marginal of coordinate `j`."""
    return float(np.diff(tree.columns[j].edges) @ marginal(tree, j) ** 2)


def pair_variance(tree: Boxes, i: int, j: int) -> float:
    """Variance of the joint marginal of coordinates `i` and `j`, main effects included."""
    a, b = tree.columns[i], tree.columns[j]
    density = _divide(tree.values * tree.volumes, a.length * b.length)
    rows, width = a.edges.size, b.edges.size
    # Each leaf covers a rectangle of cells: mark its corners, then sum along both directions.
    corners = np.concatenate((a.start, a.stop, a.start, a.stop)) * width
    corners += np.concatenate((b.start, b.stop, b.stop, b.start))
    marks = np.concatenate((density, density, -density, -density))
    grid = np.bincount(corners, marks, rows * width).reshape(rows, width)
    joint = grid.cumsum(axis=0).cumsum(axis=1)[:-1, :-1]
    return float(np.diff(a.edges) @ joint**2 @ np.diff(b.edges))


def _corners(tree: Any, levels: Sequence[int]) -> tuple[Matrix, Matrix]:
    """Lower and upper corners of all nodes in uniform coordinates, each (nodes, dimension)."""
    low = np.zeros((tree.node_count, len(levels)))
    high = np.ones_like(low)
    cut = _uniform(tree.threshold, np.asarray(levels)[np.maximum(tree.feature, 0)])
    parents = np.flatnonzero(tree.children_left[:1] >= 0)  # the root, unless it is a leaf
    while parents.size:  # one round a level of the tree
        left, right = tree.children_left[parents], tree.children_right[parents]
        for child in (left, right):
            low[child], high[child] = low[parents], high[parents]
        feature = tree.feature[parents]
        high[left, feature] = low[right, feature] = cut[parents]
        children = np.concatenate((left, right))
        parents = children[tree.children_left[children] >= 0]
    return low, high


def _uniform(threshold: Vector, levels: Index) -> Vector:
    """Probability of a coordinate at or below `threshold`: of k codes, those up to it."""
    codes = (np.floor(threshold) + 1) / np.maximum(levels, 1)
    return np.asarray(np.clip(np.where(levels > 0, codes, threshold), 0, 1))


def _column(low: Vector, high: Vector) -> Column:
    """The cells of one coordinate from its leaves' ends."""
    edges = np.unique(np.concatenate((low, high)))
    return Column(edges, np.searchsorted(edges, low), np.searchsorted(edges, high), high - low)


def _divide(mass: Vector, length: Vector) -> Vector:
    """``mass / length``; zero for a leaf without extent, which carries no weight."""
    return np.divide(mass, length, out=np.zeros_like(mass), where=length > 0)
