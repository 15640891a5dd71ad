"""The Keras table of a schedule: inside ``fit``, saved, and loaded again."""

import math
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hpcourse.schedules import (
    Schedule,
    cosine_decay,
    cosine_decay_restarts,
    exponential_decay,
    inverse_time_decay,
    noisy_linear_cosine_decay,
    piecewise_constant,
    polynomial_decay,
    warmup,
)

keras = pytest.importorskip("keras", reason="needs the extra `keras`")
tf = pytest.importorskip("tensorflow", reason="needs the extra `keras`")
adapter = pytest.importorskip("hpcourse.interop.keras", reason="needs the extra `keras`")

keras_schedule, TabulatedSchedule = adapter.keras_schedule, adapter.TabulatedSchedule
# Keras 3.12 copies its variables in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SCHEDULE = warmup(cosine_decay(1.0, decay_steps=20, alpha=0.1), steps=5, start=0.125)
BATCHES = 8


@keras.saving.register_keras_serializable(package="test_keras")
def mean_output(y_true: object, y_pred: object) -> object:
    """With input 1 and one weight the gradient is 1, so that SGD moves the weight by the rate."""
    return keras.ops.mean(y_pred) + 0.0 * keras.ops.mean(y_true)


def one_weight(learning_rate: object, **compiling: object) -> "keras.Model":
    dense = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
    model = keras.Sequential([keras.layers.Input((1,)), dense])
    optimizer = keras.optimizers.SGD(learning_rate=learning_rate)
    model.compile(optimizer=optimizer, loss=mean_output, **compiling)
    return model


def rates_used(model: "keras.Model", epochs: int) -> np.ndarray:
    """The rate of each step of ``fit``, as how far the weight went."""
    weights = [model.get_weights()[0].item()]
    record = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: weights.append(model.get_weights()[0].item())
    )
    ones = np.ones((BATCHES, 1), dtype=np.float32)
    model.fit(ones, ones, batch_size=1, epochs=epochs, verbose=0, callbacks=[record])
    return -np.diff(weights)


@pytest.mark.parametrize("eagerly", [False, True])
def test_fit_uses_the_rates_of_the_schedule(eagerly: bool):
    model = one_weight(keras_schedule(SCHEDULE, steps=40), run_eagerly=eagerly)
    # float32 weights of up to 10 tell the steps between them to about 1e-6
    np.testing.assert_allclose(rates_used(model, 3), SCHEDULE(np.arange(24)), atol=2e-6)


def test_the_last_rate_is_held():
    model = one_weight(keras_schedule(SCHEDULE, steps=10))
    expected = SCHEDULE(np.minimum(np.arange(24), 9))
    np.testing.assert_allclose(rates_used(model, 3), expected, atol=2e-6)


def test_a_saved_model_goes_on_where_it_stopped(tmp_path: Path):
    model = one_weight(keras_schedule(SCHEDULE, steps=40))
    rates_used(model, 2)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.optimizer._learning_rate, TabulatedSchedule)
    assert loaded.optimizer._learning_rate.rates == keras_schedule(SCHEDULE, steps=40).rates
    expected = SCHEDULE(np.arange(16, 32))
    np.testing.assert_allclose(rates_used(loaded, 2), expected, atol=2e-6)


def test_a_saved_model_goes_on_in_another_process_and_on_torch(tmp_path: Path):
    model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(keras_schedule(SCHEDULE, steps=20)), loss="mse")
    ones = np.ones((BATCHES, 1), dtype=np.float32)
    model.fit(ones, ones, batch_size=1, verbose=0)
    model.save(tmp_path / "model.keras")
    code = (
        "import sys, keras, numpy as np, hpcourse.interop.keras\n"
        "model = keras.models.load_model(sys.argv[1])\n"
        "ones = np.ones((3, 1), dtype='float32')\n"
        "model.fit(ones, ones, batch_size=1, verbose=0)\n"
        "print(keras.backend.backend(), float(model.optimizer.learning_rate))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "model.keras")],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"KERAS_BACKEND": "torch"},
    )
    backend, rate = done.stdout.split()
    assert backend == "torch"
    assert float(rate) == pytest.approx(SCHEDULE(BATCHES + 3), rel=1e-6)


@pytest.mark.parametrize(
    "schedule",
    [
        SCHEDULE,
        cosine_decay_restarts(0.1, 13),
        noisy_linear_cosine_decay(0.1, 50),
        piecewise_constant([10, 20], [0.1, 0.01, 0.001]),
    ],
    ids=repr,
)
def test_the_table_is_the_schedule_in_a_graph_and_out_of_it(schedule: Schedule):
    table = keras_schedule(schedule, steps=100)
    steps = np.arange(150)
    expected = schedule(np.minimum(steps, 99)).astype(np.float32)
    in_graph = tf.function(table)
    np.testing.assert_array_equal([table(tf.constant(s, tf.int64)) for s in steps], expected)
    np.testing.assert_array_equal([in_graph(tf.constant(s, tf.int64)) for s in steps], expected)
    np.testing.assert_array_equal(in_graph(tf.constant(steps)), expected)
    assert table(0).dtype == tf.float32


def test_the_table_equals_kerass_own_schedules():
    own = keras.optimizers.schedules
    pairs = [
        (cosine_decay(0.1, 50, alpha=0.1), own.CosineDecay(0.1, 50, alpha=0.1)),
        (
            warmup(cosine_decay(0.1, 50), steps=8, start=0.01),
            own.CosineDecay(0.01, 50, warmup_target=0.1, warmup_steps=8),
        ),
        (cosine_decay_restarts(0.1, 16, m_mul=0.5), own.CosineDecayRestarts(0.1, 16, m_mul=0.5)),
        (exponential_decay(0.1, 16, 0.5, True), own.ExponentialDecay(0.1, 16, 0.5, True)),
        (inverse_time_decay(0.1, 16, 0.5), own.InverseTimeDecay(0.1, 16, 0.5)),
        (polynomial_decay(0.1, 16, power=0.5), own.PolynomialDecay(0.1, 16, power=0.5)),
        (
            polynomial_decay(0.1, 16, power=2.0, cycle=True),
            own.PolynomialDecay(0.1, 16, power=2.0, cycle=True),
        ),
        (
            piecewise_constant([10, 30], [0.1, 0.2, 0.05]),
            own.PiecewiseConstantDecay([10, 30], [0.1, 0.2, 0.05]),
        ),
    ]
    for schedule, theirs in pairs:
        table = keras_schedule(schedule, steps=100)
        for step in range(100):
            assert float(table(step)) == pytest.approx(float(theirs(step)), rel=1e-5, abs=3e-8)


def test_it_serialises_and_pickles():
    table = keras_schedule(SCHEDULE, steps=30)
    config = keras.optimizers.schedules.serialize(table)
    copies = [
        TabulatedSchedule.from_config(table.get_config()),
        keras.optimizers.schedules.deserialize(config),
        pickle.loads(pickle.dumps(table)),
    ]
    for copy in copies:
        assert copy.rates == table.rates == SCHEDULE(np.arange(30)).tolist()
        np.testing.assert_array_equal(copy(np.arange(40)), table(np.arange(40)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: keras_schedule(0.1, 5), "keras_schedule needs a schedule, got schedule=0.1"),
        (lambda: keras_schedule(SCHEDULE, 0), "integer steps >= 1, got steps=0"),
        (lambda: keras_schedule(SCHEDULE, 2.5), "integer steps >= 1, got steps=2.5"),
        (lambda: keras_schedule(lambda s: s * math.nan, 5), "needs finite rates, got rates=nan"),
        (lambda: TabulatedSchedule([]), r"TabulatedSchedule needs rates, got rates=\[\]"),
        (lambda: TabulatedSchedule([0.1, math.inf]), "needs finite rates, got rates=inf"),
    ],
)
def test_bad_arguments_are_refused(make: object, message: str):
    with pytest.raises(ValueError, match=message):
        make()
