"""The record of a training."""

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hpcourse.training import History, Point

SERIES = st.lists(
    st.tuples(st.integers(0, 1000), st.floats(width=32)),
    min_size=1,
    max_size=20,
    unique_by=lambda p: p[0],
).map(sorted)


def history_of(series):
    history = History()
    for step, value in series:
        history.record(step, value=value)
    return history


def test_series_have_their_own_steps():
    history = History()
    for step in range(4):
        history.record(step, loss=torch.tensor(1.0 / (step + 1)))
    history.record(3, accuracy=0.5)
    assert list(history) == ["loss", "accuracy"]
    np.testing.assert_array_equal(history.steps("loss"), [0, 1, 2, 3])
    np.testing.assert_allclose(history["loss"], [1, 1 / 2, 1 / 3, 1 / 4], rtol=1e-7)
    np.testing.assert_array_equal(history.steps("accuracy"), [3])


def test_a_metric_may_be_called_step():
    history = History()
    history.record(0, step=5.0)
    assert history.best("step") == Point(0, 5.0)


@given(SERIES, st.sampled_from(["min", "max"]))
def test_best_is_the_first_extreme_value(series, mode):
    finite = [(step, value) for step, value in series if not math.isnan(value)]
    history = history_of(series)
    if not finite:
        with pytest.raises(ValueError, match="needs a value that is not NaN, got name='value'"):
            history.best("value", mode)
        return
    extreme = (min if mode == "min" else max)(value for _, value in finite)
    expected = next(Point(step, value) for step, value in finite if value == extreme)
    assert history.best("value", mode) == expected


@given(SERIES)
def test_strict_json_round_trip(series):
    history = history_of(series)
    text = json.dumps(history.to_dict(), allow_nan=False)
    again = History.from_dict(json.loads(text))
    np.testing.assert_array_equal(again["value"], history["value"])
    np.testing.assert_array_equal(again.steps("value"), history.steps("value"))


def test_bad_input_is_named_and_records_nothing():
    history = history_of([(2, 1.0)])
    with pytest.raises(ValueError, match="needs a step above 2 for value, got step=2"):
        history.record(2, other=1.0, value=0.5)
    with pytest.raises(ValueError, match="got step=-1"):
        history.record(-1, other=1.0)
    with pytest.raises(ValueError, match=r"History has the series \['value'\], got name='los'"):
        history["los"]
    with pytest.raises(ValueError, match="got mode='most'"):
        history.best("value", "most")
    assert list(history) == ["value"]
    np.testing.assert_array_equal(history["value"], [1.0])
