import math

import numpy as np
import pytest

from hpcourse.search import Choice, Real, cap, config_importance, fanova, ranks


def draw(n, dimension, seed=0):
    return np.random.default_rng(seed).random((n, dimension))


def ishigami(points, a=7.0, b=0.1):
    z = (2 * points - 1) * math.pi
    return np.sin(z[:, 0]) + a * np.sin(z[:, 1]) ** 2 + b * z[:, 2] ** 4 * np.sin(z[:, 0])


# Against closed forms.


def test_an_additive_function_has_the_shares_of_its_terms():
    points = draw(1000, 5)
    found = fanova(points, 3 * points[:, 0] + 2 * points[:, 1] + points[:, 2])
    for name, share in {"x0": 9 / 14, "x1": 4 / 14, "x2": 1 / 14, "x3": 0, "x4": 0}.items():
        assert found.main[name] == pytest.approx(share, abs=0.04)
    assert max(found.pairs.values()) < 0.04
    assert found.total_variance == pytest.approx(14 / 12, rel=0.1)
    assert found.oob_r2 > 0.95
    assert found.order[:3] == ("x0", "x1", "x2")


def test_a_product_is_an_interaction():
    points = draw(2000, 3)
    raw = fanova(points, points[:, 0] * points[:, 1], trees=16)
    assert raw.main["x0"] == pytest.approx(3 / 7, abs=0.04)
    assert raw.main["x1"] == pytest.approx(3 / 7, abs=0.04)
    assert raw.pairs["x0", "x1"] == pytest.approx(1 / 7, abs=0.04)
    centred = fanova(points, (points[:, 0] - 0.5) * (points[:, 1] - 0.5), trees=16)
    assert centred.pairs["x0", "x1"] > 0.9
    assert max(centred.main.values()) < 0.03


def test_ishigami_is_approached_as_trials_accumulate():
    a, b, p = 7.0, 0.1, math.pi**4
    first, second = 0.5 * (1 + b * p / 5) ** 2, a**2 / 8
    interaction = b**2 * p**2 * (1 / 18 - 1 / 50)
    total = first + second + interaction
    expected = np.array([first, second, 0, 0, interaction, 0]) / total
    errors = []
    for n in (500, 2000, 8000):
        points = draw(n, 3)
        found = fanova(points, ishigami(points), trees=8)
        shares = np.array([*found.main.values(), *found.pairs.values()])
        errors.append(float(np.abs(shares - expected).max()))
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.06
    assert found.total_variance == pytest.approx(total, rel=0.05)
    assert found.oob_r2 > 0.9


def test_a_categorical_column_needs_no_order():
    rng = np.random.default_rng(0)
    points = np.column_stack((rng.integers(0, 5, 500), rng.random(500)))
    effect = np.array([3.0, -1.0, 2.0, 0.0, -4.0])
    found = fanova(points, effect[points[:, 0].astype(int)] + 4 * points[:, 1], levels={"x0": 5})
    categorical, continuous = effect.var(), 16 / 12
    assert found.main["x0"] == pytest.approx(categorical / (categorical + continuous), abs=0.03)
    curve = found.curves["x0"]
    assert curve.values == (0, 1, 2, 3, 4)
    assert np.allclose(curve.mean - curve.mean.mean(), effect - effect.mean(), atol=0.2)


def test_the_curve_follows_the_function():
    points = draw(1000, 2)
    curve = fanova(points, np.sin(3 * points[:, 0]) + points[:, 1]).curves["x0"]
    expected = np.sin(3 * np.array(curve.values)) + 0.5
    assert np.abs(curve.mean - expected).max() < 0.1
    assert (curve.std >= 0).all()
    assert curve.std.max() > 0


# Against optuna.


def test_main_effects_agree_with_optuna():
    optuna = pytest.importorskip("optuna", reason="needs the extra `search`")
    ranges = {"a": (-2.0, 3.0), "b": (0.0, 1.0), "c": (5.0, 9.0)}
    axes = {name: Real(*ends) for name, ends in ranges.items()}
    rng = np.random.default_rng(0)
    configs = [{k: float(rng.uniform(*r)) for k, r in ranges.items()} for _ in range(150)]
    values = [c["a"] ** 2 + 2 * c["b"] + c["a"] * c["b"] + 0.3 * c["c"] for c in configs]
    study = optuna.create_study()
    distributions = {k: optuna.distributions.FloatDistribution(*r) for k, r in ranges.items()}
    study.add_trials(
        [
            optuna.trial.create_trial(params=config, distributions=distributions, value=value)
            for config, value in zip(configs, values, strict=True)
        ]
    )
    theirs = optuna.importance.FanovaImportanceEvaluator(n_trees=64, seed=0).evaluate(study)
    ours = config_importance(configs, values, axes, seed=0)
    # The same forest; float32 inside scikit-learn may move a tie.
    assert list(ours.order) == list(theirs)
    for name, share in theirs.items():
        assert ours.main[name] == pytest.approx(share, abs=0.02)


# Laws.


def test_permuting_columns_permutes_the_results():
    # Scikit-learn breaks ties between splits by column, so that the forests differ a little.
    points = draw(600, 3)
    values = 2 * points[:, 0] + points[:, 1] * points[:, 2]
    order = [2, 0, 1]
    one = fanova(points, values, names=["a", "b", "c"])
    other = fanova(points[:, order], values, names=["c", "a", "b"])
    assert other.oob_r2 == pytest.approx(one.oob_r2, abs=0.02)
    for name, share in one.main.items():
        assert other.main[name] == pytest.approx(share, abs=0.02)
    for (i, j), share in one.pairs.items():
        swapped = other.pairs.get((i, j), other.pairs.get((j, i)))
        assert swapped == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize(("factor", "shift"), [(1e-6, 0.0), (1e6, 0.0), (3.0, -50.0)])
def test_scale_and_shift_of_the_values_change_no_share(factor, shift):
    points = draw(200, 3)
    values = points[:, 0] + points[:, 1] * points[:, 2]
    one, other = fanova(points, values), fanova(points, factor * values + shift)
    for name, share in one.main.items():
        assert other.main[name] == pytest.approx(share, abs=0.01)
    assert other.total_variance == pytest.approx(factor**2 * one.total_variance, rel=0.01)
    assert np.allclose(
        other.curves["x0"].mean, factor * one.curves["x0"].mean + shift, atol=0.02 * factor
    )


def test_a_seed_repeats_the_result_and_another_changes_it():
    points = draw(100, 2)
    one, again, other = (fanova(points, points[:, 0] ** 2, seed=seed).main for seed in (1, 1, 2))
    assert one == again
    assert one != other


def test_shares_are_shares():
    points = draw(80, 4)
    found = fanova(points, np.random.default_rng(1).normal(size=80), trees=16)
    every = sum(found.main.values()) + sum(found.pairs.values()) + found.higher_order
    assert every == pytest.approx(1)
    assert min(*found.main.values(), *found.pairs.values(), found.higher_order) >= 0
    assert found.higher_order > 0
    assert all(std > 0 for std in [*found.main_std.values(), *found.pairs_std.values()])


# Hard cases.


def test_pure_noise_shows_in_the_out_of_bag_score():
    points = draw(200, 3)
    noise = np.random.default_rng(1).normal(size=200)
    assert fanova(points, noise).oob_r2 < 0.1
    assert fanova(points, points[:, 0] + 0.01 * noise).oob_r2 > 0.9


def test_a_constant_column_matters_nothing():
    points = draw(100, 3)
    points[:, 1] = 0.25
    found = fanova(points, points[:, 0] * (1 + points[:, 2]))
    none = pytest.approx(0, abs=1e-12)
    assert found.main["x1"] == none
    assert found.pairs["x0", "x1"] == none
    assert found.pairs["x1", "x2"] == none
    assert np.ptp(found.curves["x1"].mean) == 0


def test_few_trials_and_one_column_work():
    found = fanova([[0.1], [0.4], [0.6], [0.9]], [1.0, 1.0, 1.0, 2.0], trees=8)
    assert found.main == pytest.approx({"x0": 1.0})
    assert found.pairs == {}
    assert found.order == ("x0",)
    alone = fanova([[0.1], [0.4], [0.6], [0.9]], [1.0, 2.0, 3.0, 4.0], trees=1, seed=1)
    assert alone.main_std["x0"] == 0


def test_the_ends_of_the_cube_are_inside():
    points = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 0.0], [1.0, 1.0]] * 3)
    found = fanova(points, points[:, 0])
    assert found.main["x0"] == pytest.approx(1)


# Configurations.


def test_configurations_give_curves_in_their_own_units():
    rng = np.random.default_rng(0)
    options = (16, 32, 64)
    configs = [
        {
            "lr": float(10 ** rng.uniform(-4, 0)),
            "batch": int(rng.choice(options)),
            "nesterov": bool(rng.integers(2)),
            "unused": "kept out",
        }
        for _ in range(400)
    ]
    values = [abs(math.log10(c["lr"]) + 2) + 0.5 * (c["batch"] == 32) for c in configs]
    axes = {
        "lr": Real(1e-4, 1, log=True),
        "batch": Choice(options),
        "nesterov": Choice((False, True)),
    }
    found = config_importance(configs, values, axes, trees=32)
    assert found.order[:2] == ("lr", "batch")
    assert found.curves["batch"].values == options
    assert found.curves["nesterov"].values == (False, True)
    assert np.argmax(found.curves["batch"].mean) == 1
    lr = found.curves["lr"]
    assert min(lr.values) > 1e-4
    assert max(lr.values) < 1
    assert lr.values[int(np.argmin(lr.mean))] == pytest.approx(1e-2, rel=0.3)
    # |u - 1/2| on a scale of four decades has variance 16/48; the batch 0.25 * 2/9.
    assert found.main["lr"] == pytest.approx((1 / 3) / (1 / 3 + 1 / 18), abs=0.03)


# Diverged trainings.


def test_cap_and_ranks_make_every_value_finite():
    values = [0.2, math.nan, math.inf, -math.inf, 5.0, 0.1]
    assert cap(values, at=2.0).tolist() == [0.2, 2.0, 2.0, 2.0, 2.0, 0.1]
    assert (6 * ranks(values)).tolist() == [2.0, 5.0, 5.0, 5.0, 3.0, 1.0]
    points = draw(6, 2)
    assert fanova(points, ranks(values), trees=4).total_variance > 0


# Bad input.


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"points": np.zeros(4)}, r"fanova needs points of shape \(n >= 4, dimension\), got shape"),
        (
            {"points": np.zeros((3, 2))},
            r"points of shape \(n >= 4, dimension\), got shape=\(3, 2\)",
        ),
        (
            {"points": np.full((9, 2), 1.5)},
            r"points in \[0, 1\] in column 'x0', got points\[0, 0\]",
        ),
        ({"points": np.full((9, 2), np.nan)}, r"points in \[0, 1\] in column 'x0'.*=nan"),
        ({"values": np.arange(7.0)}, "one value a point, got points=9, values=7"),
        ({"values": np.ones((9, 1))}, r"values of shape \(n,\), got shape=\(9, 1\)"),
        (
            {"values": [1, 2, math.nan, 4, 5, 6, 7, math.inf, 9]},
            r"values\[2\]=nan \(2 of 9 .*cap\(",
        ),
        ({"values": np.full(9, 0.5)}, "values that differ, got value=0.5"),
        ({"names": ["a"]}, r"needs 2 distinct names, one a column, got names=\('a',\)"),
        ({"names": ["a", "a"]}, "needs 2 distinct names"),
        ({"levels": {"lr": 3}}, r"levels of columns in \('x0', 'x1'\), got name='lr'"),
        (
            {"levels": {"x0": 0}},
            "fanova: levels of 'x0' needs an integer levels >= 1, got levels=0",
        ),
        ({"levels": {"x1": 3}}, r"codes 0..2 in column 'x1', got points\[0, 1\]"),
        ({"trees": 0}, "integer trees >= 1, got trees=0"),
        ({"leaf_size": 0.5}, "integer leaf_size >= 1, got leaf_size=0.5"),
        ({"leaf_size": 9}, "a forest that splits, got n=9, leaf_size=9"),
    ],
)
def test_bad_input_is_named(change, message):
    good = {"points": draw(9, 2), "values": np.arange(9.0)}
    with pytest.raises(ValueError, match=message):
        fanova(**{**good, **change})


@pytest.mark.parametrize(
    ("configs", "message"),
    [
        (
            [{"lr": 2.0}],
            r"configs\[0\]\['lr'\]: Real needs a number in \[0.1, 1.0\], got value=2",
        ),
        ([{"lr": True}], "got value=True"),
        ([{"lr": 0.5}, {}], r"configs\[1\] needs a value of 'lr', got config={}"),
    ],
)
def test_bad_configurations_are_named(configs, message):
    with pytest.raises(ValueError, match=message):
        config_importance(configs, [1.0] * len(configs), {"lr": Real(0.1, 1.0)})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: config_importance([], [], {}), "at least one axis, got axes={}"),
        (lambda: cap([1.0], at=math.nan), "cap needs a finite at, got at=nan"),
        (lambda: ranks([[1.0]]), r"ranks needs shape \(n,\), got shape=\(1, 1\)"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
