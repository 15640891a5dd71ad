"""Which hyperparameters matter: functional ANOVA over a random forest.

A forest is fitted to the trials. Each of its trees is constant on boxes, so the mean over all other
hyperparameters, and with it the variance that one hyperparameter or a pair explains, is an exact
sum over the tree's leaves: nothing is sampled. Shares are taken tree by tree.

The forest is bagged over rows and offers every column at every split. On known functions (additive,
products, Ishigami, a valley along two hyperparameters; with and without noise) it came closer to
the true shares than bagged extremely randomised trees at 300 and 1500 points, though not at 100;
offering only a part of the columns hides interactions, and larger leaves changed little. Expect
errors of a few hundredths on smooth functions at 300 points, of a tenth and more where the effect
is all interaction; the out-of-bag score tells such cases.

References:
    Hutter, Hoos and Leyton-Brown (2014), An Efficient Approach for Assessing Hyperparameter
    Importance, ICML, algorithms 1 and 2.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata
from sklearn.ensemble import RandomForestRegressor

from hpcourse._check import require, require_count, require_finite
from hpcourse.search._axes import encode
from hpcourse.search._boxes import Boxes, boxes, main_variance, marginal, pair_variance
from hpcourse.search._inputs import checked_levels, checked_names, checked_points, checked_values
from hpcourse.search.domains import Domain, middles
from hpcourse.search.trial import Config

__all__ = ["Importance", "Marginal", "cap", "config_importance", "fanova", "ranks"]

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

RESOLUTION = 100  # points of the curve of a continuous hyperparameter


@dataclass(frozen=True, kw_only=True, eq=False)
class Marginal:
    """Predicted value against one hyperparameter, averaged over all others.

    Attributes:
        values: (m,) settings of the hyperparameter.
        mean: (m,) mean over the trees, in the unit of the trials' values.
        std: (m,) standard deviation over the trees.
    """

    values: tuple[Any, ...]
    mean: Vector
    std: Vector


@dataclass(frozen=True, kw_only=True, eq=False)
class Importance:
    """Shares of the variance of the forest's prediction over the whole space.

    Attributes:
        main: Share explained by a hyperparameter alone, mean over the trees, in column order.
        main_std: Standard deviation of these shares over the trees.
        pairs: Share that a pair explains beyond its two main effects; names in column order.
        pairs_std: Standard deviation of these shares over the trees.
        total_variance: Variance of a tree's prediction, mean over the trees, in squared units.
        oob_r2: R^2 of the forest on trials which its trees have not seen; at most 1, and NaN where
            every tree has seen every trial. Near zero or below, the forest knows nothing of the
            values and the shares mean nothing.
        curves: Marginal of every hyperparameter.
    """

    main: Mapping[str, float]
    main_std: Mapping[str, float]
    pairs: Mapping[tuple[str, str], float]
    pairs_std: Mapping[tuple[str, str], float]
    total_variance: float
    oob_r2: float
    curves: Mapping[str, Marginal]

    @property
    def order(self) -> tuple[str, ...]:
        """Names by main effect, largest first."""
        return tuple(sorted(self.main, key=self.main.__getitem__, reverse=True))

    @property
    def higher_order(self) -> float:
        """Share left to interactions of three and more hyperparameters."""
        return max(0.0, 1.0 - sum(self.main.values()) - sum(self.pairs.values()))


def fanova(
    points: ArrayLike,
    values: ArrayLike,
    *,
    names: Sequence[str] | None = None,
    levels: Mapping[str, int] | None = None,
    trees: int = 64,
    leaf_size: int = 1,
    seed: int = 0,
) -> Importance:
    """Importance of every column of `points`, and of every pair, for `values`.

    The variance is that over the whole unit cube, whatever part of it the points cover: use points
    drawn at random, not those of a search that has settled. A constant column has share zero.

    Args:
        points: (n, dimension), n >= 4, in the unit cube; columns named in `levels` hold codes.
        values: (n,) finite. For trials that diverged see `cap` and `ranks`.
        names: Names of the columns; "x0", "x1", ... if None.
        levels: Number k of codes 0..k-1 of each discrete or categorical column. Its codes are
            equally likely, and their order does not matter to a tree that is deep enough.
        trees: Number of trees.
        leaf_size: Fewest trials of a leaf; 3 where repeated trials differ much.
        seed: Seed of the forest.

    Raises:
        ValueError: If a shape, name, point or value is wrong, or all values are equal.

    Examples:
        >>> import numpy as np
        >>> points = np.random.default_rng(0).random((200, 3))
        >>> found = fanova(points, 3 * points[:, 0] + points[:, 1], names=["lr", "beta", "depth"])
        >>> found.order[:2], round(found.main["lr"], 1), found.oob_r2 > 0.95
        (('lr', 'beta'), 0.9, True)
    """
    x, y = checked_points(points), checked_values(values)
    require(len(x) == len(y), "fanova needs one value a point", points=len(x), values=len(y))
    columns = checked_names(names, x.shape[1])
    counts = checked_levels(levels or {}, columns, x)
    require_count("fanova", trees=trees, leaf_size=leaf_size)
    centre, scale = float(y.mean()), float(y.std())
    forest = RandomForestRegressor(trees, min_samples_leaf=leaf_size, random_state=seed)
    forest.fit(x, (y - centre) / scale)
    every = [boxes(estimator.tree_, counts) for estimator in forest.estimators_]
    parts = [tree for tree in every if tree.variance > 0]
    require(bool(parts), "fanova needs a forest that splits", n=len(y), leaf_size=leaf_size)
    main, pairs = _shares(parts)
    twos = list(combinations(columns, 2))
    return Importance(
        main=dict(zip(columns, main.mean(axis=0).tolist(), strict=True)),
        main_std=dict(zip(columns, main.std(axis=0).tolist(), strict=True)),
        pairs=dict(zip(twos, pairs.mean(axis=0).tolist(), strict=True)),
        pairs_std=dict(zip(twos, pairs.std(axis=0).tolist(), strict=True)),
        total_variance=scale**2 * float(np.mean([tree.variance for tree in every])),
        oob_r2=_out_of_bag_r2(forest, x, (y - centre) / scale),
        curves={name: _curve(every, j, counts[j], centre, scale) for j, name in enumerate(columns)},
    )


def config_importance(
    configs: Sequence[Config],
    values: ArrayLike,
    axes: Mapping[str, Domain],
    *,
    trees: int = 64,
    leaf_size: int = 1,
    seed: int = 0,
) -> Importance:
    """Importance of the hyperparameters named in `axes`, with curves in their own units.

    Args:
        configs: n configurations; hyperparameters that `axes` does not name are left out.
        values: (n,) finite. For trials that diverged see `cap` and `ranks`.
        axes: How each hyperparameter was drawn: a domain such as `Real` or `Choice`.
        trees: Number of trees.
        leaf_size: Fewest trials of a leaf.
        seed: Seed of the forest.

    Raises:
        ValueError: If a configuration lacks a hyperparameter or holds one outside of its axis, and
            as `fanova`.

    Examples:
        >>> from hpcourse.search import Real, Choice
        >>> axes = {"lr": Real(1e-4, 1, log=True), "optimizer": Choice(("sgd", "adam"))}
        >>> configs = [{"lr": 10**-k, "optimizer": o} for k in range(5) for o in ("sgd", "adam")]
        >>> losses = [(k - 2) ** 2 for k in range(5) for _ in range(2)]
        >>> found = config_importance(configs, losses, axes)
        >>> found.order[0], found.curves["optimizer"].values
        ('lr', ('sgd', 'adam'))
    """
    require(len(axes) > 0, "config_importance needs at least one axis", axes=axes)
    levels = {name: axis.levels for name, axis in axes.items() if axis.levels}
    found = fanova(
        encode(configs, axes),
        values,
        names=tuple(axes),
        levels=levels,
        trees=trees,
        leaf_size=leaf_size,
        seed=seed,
    )
    curves = {
        name: replace(found.curves[name], values=tuple(axis.decode(u) for u in _units(axis)))
        for name, axis in axes.items()
    }
    return replace(found, curves=curves)


def cap(values: ArrayLike, *, at: float) -> Vector:
    """`values` with everything above `at`, and all that is not finite, put to `at`.

    A diverged training is then as bad as one that learned nothing: give the loss of a constant
    guess, for example ``log(classes)``. The shares speak of the capped values.

    Raises:
        ValueError: If `at` is not finite.

    Examples:
        >>> cap([0.5, float("nan"), 900.0], at=2.3).tolist()
        [0.5, 2.3, 2.3]
    """
    require_finite("cap", at=at)
    y = np.asarray(values, dtype=np.float64)
    return np.minimum(np.where(np.isfinite(y), y, at), at)


def ranks(values: ArrayLike) -> Vector:
    """Ranks of `values` on (0, 1], the smallest first, ties averaged, all not finite last.

    No training is so bad that it outweighs the others. The shares speak of the ranks.

    Raises:
        ValueError: If `values` is empty or not a vector.

    Examples:
        >>> ranks([0.5, float("nan"), 900.0, 0.1]).tolist()
        [0.5, 1.0, 0.75, 0.25]
    """
    y = np.asarray(values, dtype=np.float64)
    require(y.ndim == 1 and y.size > 0, "ranks needs shape (n,)", shape=y.shape)
    return np.asarray(rankdata(np.where(np.isfinite(y), y, np.inf)) / y.size)


def _shares(trees: Sequence[Boxes]) -> tuple[Matrix, Matrix]:
    """Shares of every column (trees, dimension) and of every pair (trees, pairs)."""
    dimension = len(trees[0].columns)
    twos = list(combinations(range(dimension), 2))
    main = np.array([[main_variance(tree, j) for j in range(dimension)] for tree in trees])
    joint = np.array([[pair_variance(tree, i, j) for i, j in twos] for tree in trees])
    joint = joint.reshape(len(trees), len(twos))  # keeps its second axis where there is no pair
    first, second = [i for i, _ in twos], [j for _, j in twos]
    pairs = np.maximum(joint - main[:, first] - main[:, second], 0)  # below zero by rounding only
    total = np.array([[tree.variance] for tree in trees])
    return main / total, pairs / total


def _places(levels: int) -> list[float]:
    """Where the curve of a column is evaluated: its codes, or the middles of equal cells."""
    if levels:
        return [float(code) for code in range(levels)]
    return [(cell + 0.5) / RESOLUTION for cell in range(RESOLUTION)]


def _units(axis: Domain) -> list[float]:
    """The same places on the unit interval."""
    return middles(axis).tolist() if axis.levels else _places(0)


def _curve(trees: Sequence[Boxes], j: int, levels: int, centre: float, scale: float) -> Marginal:
    """Marginal of column `j`, in the unit of the values."""
    places = _places(levels)
    # The cell of a code in uniform coordinates is (code, code + 1) / levels.
    at = (np.array(places) + 0.5) / levels if levels else np.array(places)
    rows = []
    for tree in trees:
        cell = np.searchsorted(tree.columns[j].edges, at, side="right") - 1
        rows.append(tree.mean + marginal(tree, j)[cell])
    mean, std = np.mean(rows, axis=0), np.std(rows, axis=0)
    return Marginal(values=tuple(places), mean=centre + scale * mean, std=scale * std)


def _out_of_bag_r2(forest: RandomForestRegressor, x: Matrix, y: Vector) -> float:
    """R^2 over the rows that at least one tree has not seen."""
    total, votes = np.zeros(len(y)), np.zeros(len(y))
    for tree, seen in zip(forest.estimators_, forest.estimators_samples_, strict=True):
        unseen = np.ones(len(y), dtype=bool)
        unseen[seen] = False
        total += unseen * tree.predict(x)
        votes += unseen
    judged = votes > 0
    spread = float(((y[judged] - y[judged].mean()) ** 2).sum()) if judged.any() else 0.0
    if spread == 0:
        return float("nan")
    return 1 - float(((total[judged] / votes[judged] - y[judged]) ** 2).sum()) / spread
