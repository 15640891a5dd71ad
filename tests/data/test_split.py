import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hpcourse.data import stratified_rows

labels = hnp.arrays(np.int64, st.integers(1, 300), elements=st.integers(0, 4))
fractions = st.floats(0, 0.6)
seeds = st.integers(0, 2**64 - 1)


def divide_or_discard(y, **settings):
    """The split, where the drawn fractions leave every class a row in every part."""
    try:
        return stratified_rows(y, **settings)
    except ValueError as error:
        assume("every class a row" not in str(error))
        assume("validation + test < 1" not in str(error))
        raise


@given(y=labels, validation=fractions, test=fractions, seed=seeds)
def test_every_row_is_in_exactly_one_part(y, validation, test, seed):
    parts = divide_or_discard(y, seed=seed, validation=validation, test=test)
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(len(y)))


@given(y=labels, validation=fractions, test=fractions, seed=seeds)
def test_every_part_has_its_share_of_every_class_to_within_one_row(y, validation, test, seed):
    parts = divide_or_discard(y, seed=seed, validation=validation, test=test)
    for part, share in zip(parts, (1 - validation - test, validation, test), strict=True):
        for label in np.unique(y):
            count = np.sum(y[part] == label)
            assert abs(count - share * np.sum(y == label)) <= 1 + 1e-9
            assert share == 0 or count >= 1


@given(y=labels, validation=st.floats(0, 0.4), test=st.floats(0.1, 0.4), seed=seeds)
def test_the_test_rows_do_not_depend_on_the_validation_fraction(y, validation, test, seed):
    with_validation = divide_or_discard(y, seed=seed, validation=validation, test=test)
    without = divide_or_discard(y, seed=seed, validation=0, test=test)
    assert np.array_equal(with_validation[2], without[2])


def test_a_seed_repeats_and_another_seed_differs():
    y = np.repeat([0, 1, 2], 30)
    first, again, other = (
        stratified_rows(y, seed=seed, validation=0.2, test=0.2) for seed in (3, 3, 4)
    )
    for part, same, different in zip(first, again, other, strict=True):
        assert np.array_equal(part, same)
        assert not np.array_equal(np.sort(part), np.sort(different))


def test_rows_of_a_part_are_not_sorted_by_class():
    y = np.repeat([0, 1], 200)
    for part in stratified_rows(y, seed=0, validation=0.3, test=0.3):
        assert 0 < np.mean(y[part[: len(part) // 2]]) < 1


def test_every_row_is_equally_likely_in_each_part():
    y, seeds_tried = np.repeat([0, 1], [8, 12]), 2000
    hits = np.zeros(len(y))
    for seed in range(seeds_tried):
        hits[stratified_rows(y, seed=seed, validation=0.25, test=0.25)[1]] += 1
    # Binomial(2000, 1/4): five standard deviations on each of 20 rows.
    assert np.all(np.abs(hits - seeds_tried / 4) < 5 * np.sqrt(seeds_tried * 3 / 16))


def test_no_fraction_asked_for_is_an_empty_part():
    train, validation, test = stratified_rows(np.array([0, 1, 1]), seed=0, validation=0)
    assert (len(train), len(validation), len(test)) == (3, 0, 0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"validation": -0.1}, r"stratified_rows needs 0 <= validation < 1, got validation=-0\.1"),
        ({"validation": 1}, "stratified_rows needs 0 <= validation < 1, got validation=1"),
        ({"validation": float("nan")}, "needs 0 <= validation < 1, got validation=nan"),
        ({"validation": "0.2"}, "needs 0 <= validation < 1, got validation='0.2'"),
        ({"validation": True}, "needs 0 <= validation < 1, got validation=True"),
        ({"validation": 0.2, "test": 1.5}, r"needs 0 <= test < 1, got test=1\.5"),
        (
            {"validation": 0.5, "test": 0.5},
            r"needs validation \+ test < 1, got validation=0\.5, test=0\.5",
        ),
        ({"validation": 0.2, "seed": -1}, r"needs an integer seed in 0 .*, got seed=-1"),
        ({"validation": 0.2, "seed": 0.5}, r"needs an integer seed in 0 .*, got seed=0\.5"),
        ({"validation": 0.2, "seed": 2**64}, rf"needs an integer seed .* got seed={2**64}"),
        ({"validation": 0.01}, r"every class a row in every part, got validation=0\.01, test=0"),
        ({"validation": 0.2, "test": 0.79}, "every class a row in every part"),
        ({"validation": 0.2, "where": "wine", "seed": "a"}, "wine needs an integer seed"),
    ],
)
def test_bad_arguments_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        stratified_rows(np.repeat([0, 1], 10), **{"seed": 0} | settings)


@pytest.mark.parametrize("y", [np.array([], int), np.zeros((3, 1), int)])
def test_labels_of_a_wrong_shape_are_named(y):
    with pytest.raises(ValueError, match=r"needs y of shape \(n,\), n >= 1, got shape="):
        stratified_rows(y, seed=0, validation=0.2)
