import dataclasses
import json
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcourse.search import Batched, Suggestion, Trial

numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


def trial(number=0, **change):
    return Trial(**{"number": number, "config": {"lr": 0.1}, "seed": 1, **change})


@given(st.dictionaries(st.text(max_size=3), json_values, max_size=4))
def test_what_a_trial_accepts_survives_json(config):
    made = trial(config=config)
    assert json.loads(json.dumps(made.config, allow_nan=False)) == config


@pytest.mark.parametrize(
    "record",
    [
        Suggestion(config={"lr": 0.1, "layers": [3, 5]}, budget=4, parent=0),
        Trial(number=0, config={}, seed=0),
        Trial(number=3, config={"a": None}, seed=9, state="done", value=-1.5, seconds=2.0),
        Trial(number=4, config={"a": "x"}, seed=9, parent=3, state="failed", error="out of memory"),
    ],
)
def test_records_are_frozen_and_travel(record):
    assert pickle.loads(pickle.dumps(record)) == record
    fields = json.loads(json.dumps(dataclasses.asdict(record), allow_nan=False))
    assert type(record)(**fields) == record
    with pytest.raises(dataclasses.FrozenInstanceError):
        record.config = {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"number": -1}, "Trial needs an integer number >= 0, got number=-1"),
        ({"number": np.int64(1)}, "Trial needs an integer number >= 0"),
        ({"seed": 1.5}, "Trial needs an integer seed >= 0, got seed=1.5"),
        ({"budget": 0}, "Trial needs an integer budget >= 1, got budget=0"),
        ({"budget": True}, "integer budget >= 1, got budget=True"),
        ({"parent": -2}, "integer parent >= 0, got parent=-2"),
        ({"seconds": -0.1}, "Trial needs seconds >= 0, got seconds=-0.1"),
        ({"state": "ended"}, "Trial needs a state of .*, got state='ended'"),
        ({"state": "done"}, "a finite value when done, got value=None"),
        ({"state": "done", "value": math.inf}, "a finite value when done, got value=inf"),
        ({"value": 0.5}, "no value while running, got value=0.5"),
        ({"state": "failed", "value": 0.5, "error": "x"}, "no value while failed, got value=0.5"),
        ({"state": "failed"}, "an error when failed, got error=None"),
        ({"state": "done", "value": 1.0, "error": "x"}, "no error while done, got error='x'"),
        ({"config": [("lr", 0.1)]}, "a dict as config, got config="),
        ({"config": {1: 2}}, "names in config, got name=1"),
        ({"config": {"lr": math.nan}}, r"JSON values, got config\['lr'\]=nan"),
        ({"config": {"lr": np.float64(0.1)}}, r"JSON values, got config\['lr'\]=np.float64\(0.1\)"),
        ({"config": {"layers": (3, 5)}}, r"got config\['layers'\]=\(3, 5\)"),
        ({"state": "done", "value": np.float32(1)}, "finite value when done, got value=np.float32"),
        ({"config": {"f": print}}, r"JSON values, got config\['f'\]=<built-in"),
        ({"config": {"a": {"b": [1, {2}]}}}, r"got config\['a'\]\['b'\]\[1\]=\{2\}"),
    ],
)
def test_a_bad_trial_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        trial(**change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"config": {"lr": -math.inf}}, r"Suggestion needs JSON values, got config\['lr'\]=-inf"),
        ({"budget": 2.0}, "Suggestion needs an integer budget >= 1, got budget=2.0"),
        ({"parent": "0"}, "Suggestion needs an integer parent >= 0, got parent='0'"),
    ],
)
def test_a_bad_suggestion_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        Suggestion(**{"config": {}, **change})


def score_by_number(trials):
    return np.array([t.number / 2 for t in trials])


def test_batched_gives_each_trial_its_value():
    batched = Batched(score_by_number, size=8)
    values = batched([trial(3), trial(0), trial(5)])
    assert values == [1.5, 0.0, 2.5]
    assert all(type(value) is float for value in values)
    assert pickle.loads(pickle.dumps(batched))([trial(4)]) == [2.0]


def test_batched_keeps_the_nan_of_a_failed_member():
    values = Batched(lambda trials: [0.5, math.nan], size=2)([trial(0), trial(1)])
    assert values[0] == 0.5
    assert math.isnan(values[1])


@pytest.mark.parametrize("returned", [[], [0.1], [0.1, 0.2, 0.3]])
def test_batched_refuses_another_number_of_values(returned):
    batched = Batched(lambda trials: returned, size=2)
    message = f"score to return one value a trial, got trials=2, values={len(returned)}"
    with pytest.raises(ValueError, match=message):
        batched([trial(0), trial(1)])


def test_batched_refuses_more_trials_than_its_size():
    with pytest.raises(ValueError, match="scores at most 2 trials, got trials=3"):
        Batched(score_by_number, size=2)([trial(k) for k in range(3)])


@pytest.mark.parametrize(
    ("score", "size", "message"),
    [
        (score_by_number, 0, "Batched needs an integer size >= 1, got size=0"),
        ([1.0], 2, r"Batched needs a callable score, got score=\[1.0\]"),
    ],
)
def test_a_bad_batched_is_named(score, size, message):
    with pytest.raises(ValueError, match=message):
        Batched(score, size)
