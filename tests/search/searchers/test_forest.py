import numpy as np
import pytest
from progress import beats_random, search
from scipy.integrate import quad
from scipy.stats import norm
from sklearn.ensemble import ExtraTreesRegressor
from spaces import MIXED

from hpcourse.search import Box, Choice, Forest, Real, Trial, When
from hpcourse.search.searchers.forest import (
    ABSENT,
    TREES,
    Trees,
    features,
    log_improvement,
    quantiles,
)
from hpcourse.search.space import active, canonical


def loss(config):
    shift = {"sgd": 1.0, "adam": 0.0, "rmsprop": 2.0}[config["optimizer"]]
    return (np.log10(config["lr"]) + 2.5) ** 2 + shift + abs(config["depth"] - 4)


def points(space, count, seed=0):
    return canonical(space.axes, np.random.default_rng(seed).random((count, space.dimension)))


def test_beats_random_search():
    assert beats_random(Forest, MIXED, loss, trials=40)


@pytest.mark.parametrize(("mean", "std", "best"), [(0.3, 0.5, 0.1), (-1.0, 2.0, 0.0), (2, 0.5, 0)])
def test_expected_improvement_is_an_integral(mean, std, best):
    expected, _ = quad(lambda y: (best - y) * norm.pdf(y, mean, std), mean - 12 * std, best)
    found = log_improvement(np.array([mean]), np.array([std]), best)
    assert np.exp(found)[0] == pytest.approx(expected, rel=1e-6)


def test_quantiles_keep_the_order_and_forget_the_scale():
    values = np.array([3.0, -1.0, np.inf, 3.0, 0.5])
    found = quantiles(values)
    np.testing.assert_array_equal(found, quantiles(np.exp(values)))
    assert found[1] < found[4] < found[0] == found[3] < found[2]
    assert found.mean() == pytest.approx(0, abs=0.1)


def test_the_mean_is_that_of_scikit_learns_forest():
    x, rng = points(MIXED, 80), np.random.default_rng(3)
    y = rng.standard_normal(80)
    seed = int(np.random.default_rng(7).integers(2**31))
    oracle = ExtraTreesRegressor(TREES, min_samples_leaf=2, random_state=seed)
    oracle.fit(features(MIXED.axes, x), y)
    new = points(MIXED, 30, seed=1)
    mean, std = Trees(MIXED.axes, x, y, np.random.default_rng(7)).predict(new)
    np.testing.assert_allclose(mean, oracle.predict(features(MIXED.axes, new)), atol=1e-12)
    assert (std > 0).all()


def test_the_spread_is_that_of_a_draw_from_a_random_tree():
    """Law of total variance, against leaves looked up one by one."""
    x, y = points(MIXED, 60), np.random.default_rng(3).standard_normal(60)
    model = Trees(MIXED.axes, x, y, np.random.default_rng(0))
    rows, probe = features(MIXED.axes, x), points(MIXED, 5, seed=2)
    _, std = model.predict(probe)
    for k, new in enumerate(features(MIXED.axes, probe).astype(np.float32)):
        first, second = [], []
        for tree in model.trees:
            mates = y[tree.apply(rows.astype(np.float32)) == tree.apply(new[None])]
            first.append(mates.mean())
            second.append((mates**2).mean())
        assert std[k] ** 2 == pytest.approx(np.mean(second) - np.mean(first) ** 2, abs=1e-9)


def test_what_does_not_count_is_told_apart_from_all_values():
    space = Box({"kind": Choice(("a", "b")), "x": When("kind", "a", Real(0, 1))})
    x = points(space, 50)
    seen, on = features(space.axes, x), active(space.axes, x)
    assert seen.shape == x.shape
    np.testing.assert_array_equal(seen[on], x[on])
    assert (seen[~on] == ABSENT).all()
    assert ABSENT < 0


def test_the_order_of_categories_is_only_a_permutation_of_columns():
    orders = [("a", "b", "c", "d"), ("d", "b", "a", "c")]
    spaces = [Box({"kind": Choice(order)}) for order in orders]
    rows = [
        features(space.axes, np.array([space.encode({"kind": kind}) for kind in orders[0]]))
        for space in spaces
    ]
    back = [orders[1].index(kind) for kind in orders[0]]
    np.testing.assert_array_equal(rows[0], rows[1][:, back])


def test_a_region_where_trials_fail_is_left():
    space = Box({"x": Real(0, 1)})
    searcher = Forest(space, random=0.0)
    for number, u in enumerate(np.linspace(0, 1, 40).tolist()):
        kept = {"state": "done", "value": u} if u > 0.3 else {"state": "failed", "error": "nan"}
        searcher.tell(Trial(number=100 + number, config={"x": u}, seed=0, **kept))
    assert np.mean([searcher.ask().config["x"] > 0.28 for _ in range(6)]) > 0.7


def test_a_share_of_the_suggestions_is_random():
    """All are where `random` is one: the same as before anything was told."""
    space = Box({"x": Real(0, 1)})
    found, _ = search(Forest(space, seed=1, random=1.0), lambda config: config["x"], 200)
    middle = np.median([config["x"] for config in found[100:]])
    assert middle == pytest.approx(0.5, abs=0.12)


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match=r"share of random suggestions, got random=1\.5"):
        Forest(MIXED, random=1.5)
    with pytest.raises(ValueError, match="Forest needs an integer starts >= 1"):
        Forest(MIXED, starts=0)
