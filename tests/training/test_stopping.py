"""Early stopping against its definition and against Keras; snapshots restore exactly."""

import math
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from hpcourse.models import small_cnn
from hpcourse.training import restore, snapshot, stalled, train

VALUES = st.lists(st.integers(-20, 20).map(lambda i: i / 4), max_size=25)


@given(VALUES, st.integers(1, 6))
def test_stalled_means_that_the_recent_values_do_not_beat_the_older_ones(values, patience):
    older, recent = values[:-patience], values[-patience:]
    expected = bool(older) and min(recent) >= min(older)
    assert stalled(values, patience=patience) == expected
    assert stalled([-v for v in values], patience=patience, mode="max") == expected


@given(
    VALUES, st.integers(1, 6), st.sampled_from([0.0, 0.25, 1.0]), st.sampled_from(["min", "max"])
)
def test_stalled_stops_at_the_epoch_at_which_keras_stops(values, patience, min_delta, mode):
    keras = pytest.importorskip("keras", reason="needs the extra hpcourse[keras]")
    callback = keras.callbacks.EarlyStopping("x", patience=patience, min_delta=min_delta, mode=mode)
    callback.set_model(SimpleNamespace(stop_training=False))
    callback.on_train_begin()
    for epoch, value in enumerate(values):
        callback.on_epoch_end(epoch, {"x": value})
        ours = stalled(values[: epoch + 1], patience=patience, min_delta=min_delta, mode=mode)
        assert ours == callback.model.stop_training
        if ours:
            break


def test_small_gains_add_up_to_an_improvement():
    drop = [1.0, 0.96, 0.92, 0.88]
    assert not stalled(drop, patience=3, min_delta=0.1)
    assert stalled([*drop[:3], 0.92], patience=3, min_delta=0.1)


def test_nan_never_improves():
    assert stalled([2.0, math.nan, math.nan], patience=2)
    assert not stalled([math.nan, math.nan, 3.0], patience=2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patience": 0}, "patience >= 1, got patience=0"),
        ({"patience": 1, "min_delta": -0.5}, "min_delta >= 0, got min_delta=-0.5"),
        ({"patience": 1, "min_delta": math.nan}, "got min_delta=nan"),
        ({"patience": 1, "mode": "best"}, "got mode='best'"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        stalled([1.0], **options)


@pytest.mark.parametrize(
    "make_optimizer",
    [lambda ps: torch.optim.SGD(ps, lr=0.1, momentum=0.9), lambda ps: torch.optim.Adam(ps, lr=0.1)],
)
def test_training_on_from_a_snapshot_repeats_exactly(make_optimizer):
    """Batch norm's buffers and the optimiser's memory included, and as often as wanted."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(16, 1, 8, 8, generator=generator)
    y = torch.randint(10, (16,), generator=generator)
    model = small_cnn((8,), norm="batch", seed=0)
    optimizer = make_optimizer(model.parameters())

    def run(steps):
        return [
            s.loss for s in train(model, [(x, y)] * steps, nn.functional.cross_entropy, optimizer)
        ]

    run(3)
    saved = snapshot(model), snapshot(optimizer)
    runs = [run(4)]
    weights = [snapshot(model)]
    for _ in range(2):
        restore(model, saved[0])
        restore(optimizer, saved[1])
        runs.append(run(4))
        weights.append(snapshot(model))
    assert runs[0] == runs[1] == runs[2]
    for name, tensor in weights[0].items():
        assert torch.equal(tensor, weights[1][name])
        assert torch.equal(tensor, weights[2][name])
        assert not torch.equal(tensor, saved[0][name])
