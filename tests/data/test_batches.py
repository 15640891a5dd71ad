from itertools import chain, islice

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hpcourse.data import batches


def rows_of(made):
    return [x.tolist() for x, _ in made]


sizes = st.integers(1, 40)


@given(n=sizes, batch_size=sizes, epochs=st.integers(1, 3), seed=st.integers(0, 2**64 - 1))
def test_every_epoch_covers_every_row_once(n, batch_size, epochs, seed):
    x = torch.arange(n)
    made = batches(x, x, batch_size=batch_size, seed=seed, epochs=epochs)
    listed = rows_of(made)
    assert len(made) == len(listed) == epochs * made.per_epoch
    for epoch in range(epochs):
        of_epoch = listed[epoch * made.per_epoch : (epoch + 1) * made.per_epoch]
        assert sorted(chain(*of_epoch)) == list(range(n))
        assert all(len(batch) == batch_size for batch in of_epoch[:-1])


@given(n=sizes, batch_size=sizes, epochs=st.integers(1, 3))
def test_drop_last_leaves_only_whole_batches_of_distinct_rows(n, batch_size, epochs):
    x = torch.arange(n)
    if batch_size > n:
        message = f"batches with drop_last needs batch_size <= {n}, got batch_size={batch_size}"
        with pytest.raises(ValueError, match=message):
            batches(x, x, batch_size=batch_size, seed=0, drop_last=True)
        return
    made = batches(x, x, batch_size=batch_size, seed=0, epochs=epochs, drop_last=True)
    listed = rows_of(made)
    assert len(made) == len(listed) == epochs * (n // batch_size)
    for epoch in range(epochs):
        of_epoch = [*chain(*listed[epoch * made.per_epoch : (epoch + 1) * made.per_epoch])]
        assert len(of_epoch) == len(set(of_epoch)) == n // batch_size * batch_size


def test_drop_last_only_cuts_the_order_short():
    x = torch.arange(10)
    whole = rows_of(batches(x, x, batch_size=4, seed=0, epochs=2))
    cut = rows_of(batches(x, x, batch_size=4, seed=0, epochs=2, drop_last=True))
    assert cut == [batch for batch in whole if len(batch) == 4]


def test_features_and_labels_stay_together():
    x = torch.arange(60.0).reshape(20, 1, 3)
    y = torch.arange(20)
    for features, of_rows in batches(x, y, batch_size=6, seed=1, epochs=2):
        assert torch.equal(features, x[of_rows])
        assert (features.dtype, of_rows.dtype) == (x.dtype, y.dtype)


def test_iterating_again_repeats_and_iterators_are_independent():
    x = torch.arange(30)
    made = batches(x, x, batch_size=7, seed=5, epochs=2)
    first = iter(made)
    head = rows_of(islice(first, 3))
    assert rows_of(made) == rows_of(batches(x, x, batch_size=7, seed=5, epochs=2))
    assert head + rows_of(first) == rows_of(made)


def test_epochs_and_seeds_differ_in_order():
    x = torch.arange(30)
    first, second = rows_of(batches(x, x, batch_size=30, seed=0, epochs=2))
    [other] = rows_of(batches(x, x, batch_size=30, seed=1))
    assert first != second
    assert first != other
    assert first != sorted(first)


def test_more_epochs_continue_the_same_order_and_none_never_ends():
    x = torch.arange(9)
    endless = batches(x, x, batch_size=4, seed=2, epochs=None)
    assert rows_of(islice(endless, 15)) == rows_of(batches(x, x, batch_size=4, seed=2, epochs=5))
    with pytest.raises(TypeError, match="endless"):
        len(endless)


def test_the_source_and_the_global_generator_are_left_alone():
    x = torch.arange(12.0)
    state = torch.random.get_rng_state()
    for features, _ in batches(x, x, batch_size=5, seed=0):
        features.zero_()
    assert torch.equal(x, torch.arange(12.0))
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.gpu
def test_the_order_is_the_same_on_a_gpu():
    x = torch.arange(100)
    made = list(batches(x.cuda(), x.cuda(), batch_size=32, seed=0, epochs=2))
    assert all(part.is_cuda for batch in made for part in batch)
    assert rows_of(made) == rows_of(batches(x, x, batch_size=32, seed=0, epochs=2))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"x": [1, 2, 3]}, TypeError, "batches needs a tensor x, got x=list"),
        ({"y": None}, TypeError, "batches needs a tensor y, got y=NoneType"),
        ({"y": torch.zeros(2)}, ValueError, r"equal length n >= 1, got x=\(3,\), y=\(2,\)"),
        ({"x": torch.tensor(1.0)}, ValueError, r"equal length n >= 1, got x=\(\), y=\(3,\)"),
        ({"x": torch.zeros(0), "y": torch.zeros(0)}, ValueError, r"n >= 1, got x=\(0,\)"),
        ({"y": torch.zeros(3, device="meta")}, ValueError, "one device, got x='cpu', y='meta'"),
        ({"batch_size": 0}, ValueError, "integer batch_size >= 1, got batch_size=0"),
        ({"batch_size": 2.0}, ValueError, r"integer batch_size >= 1, got batch_size=2\.0"),
        ({"epochs": 0}, ValueError, "integer epochs >= 1, got epochs=0"),
        ({"seed": -1}, ValueError, "integer seed .* got seed=-1"),
        ({"seed": None}, ValueError, "integer seed .* got seed=None"),
    ],
)
def test_bad_arguments_are_named(change, error, message):
    good = {"x": torch.zeros(3), "y": torch.zeros(3), "batch_size": 2, "seed": 0}
    with pytest.raises(error, match=message):
        batches(**good | change)
