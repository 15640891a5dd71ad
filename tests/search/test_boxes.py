"""Against scikit-learn's own predictions, integrated by brute force."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestRegressor

from hpcourse.search._boxes import boxes, main_variance, marginal, pair_variance


def fitted(n, dimension, seed, **options):
    points = np.random.default_rng(seed).random((n, dimension))
    values = np.sin(5 * points[:, 0]) * points[:, -1] + points.sum(axis=1)
    forest = RandomForestRegressor(3, random_state=seed, **options).fit(points, values)
    return [tree.tree_ for tree in forest.estimators_], forest.estimators_


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_marginals_equal_the_integral_of_the_trees_predictions(dimension):
    for tree, estimator in zip(*fitted(25, dimension, seed=3), strict=True):
        thresholds = [np.sort(tree.threshold[tree.feature == j]) for j in range(dimension)]
        edges = [np.unique(np.concatenate(([0.0], cut, [1.0]))) for cut in thresholds]
        widths = [np.diff(edge) for edge in edges]
        middles = np.array(list(itertools.product(*((edge[:-1] + edge[1:]) / 2 for edge in edges))))
        grid = estimator.predict(middles).reshape([len(width) for width in widths])
        found = boxes(tree, [0] * dimension)

        def integrate(values, keep, widths=widths):
            for axis in reversed([j for j in range(len(widths)) if j not in keep]):
                values = np.tensordot(values, widths[axis], axes=(axis, 0))
            return values

        mean = float(integrate(grid, ()))
        assert found.mean == pytest.approx(mean, rel=1e-12)
        assert found.variance == pytest.approx(float(integrate((grid - mean) ** 2, ())), rel=1e-10)
        for j in range(dimension):
            curve = integrate(grid, (j,))
            assert np.allclose(found.columns[j].edges, edges[j], rtol=0, atol=1e-12)
            assert np.allclose(found.mean + marginal(found, j), curve, rtol=0, atol=1e-10)
            assert main_variance(found, j) == pytest.approx(widths[j] @ (curve - mean) ** 2)
        for i, j in itertools.combinations(range(dimension), 2):
            joint = widths[i] @ (integrate(grid, (i, j)) - mean) ** 2 @ widths[j]
            assert pair_variance(found, i, j) == pytest.approx(joint)


def test_codes_are_equally_likely():
    rng = np.random.default_rng(0)
    points = np.column_stack((rng.integers(0, 4, 60), rng.random(60)))
    values = points[:, 0] ** 2 + points[:, 1]
    estimator = RandomForestRegressor(1, random_state=0).fit(points, values).estimators_[0]
    found = boxes(estimator.tree_, [4, 0])
    cut = np.sort(estimator.tree_.threshold[estimator.tree_.feature == 1])
    edges = np.unique(np.concatenate(([0.0], cut, [1.0])))
    middles = edges[:-1] + np.diff(edges) / 2
    rows = np.array(list(itertools.product(range(4), middles)))
    grid = estimator.predict(rows).reshape(4, -1)
    curve = grid @ np.diff(edges)
    assert found.mean == pytest.approx(curve.mean())
    assert main_variance(found, 0) == pytest.approx(curve.var())
    assert main_variance(found, 1) == pytest.approx(
        np.diff(edges) @ (grid.mean(axis=0) - curve.mean()) ** 2
    )


@given(st.integers(0, 10**6), st.integers(1, 4))
def test_shares_of_two_columns_sum_to_one(seed, leaf):
    for tree in fitted(30, 2, seed, min_samples_leaf=leaf)[0]:
        found = boxes(tree, [0, 0])
        # Two coordinates have no interaction beyond their own.
        assert pair_variance(found, 0, 1) == pytest.approx(found.variance, rel=1e-9)
        assert main_variance(found, 0) + main_variance(found, 1) <= found.variance * (1 + 1e-9)
