"""The log of trials names every change, and marks what got better."""

import pytest

from hpcourse.search import Trial, changes, logbook


def trial(number, config, value=None, **fields):
    state = "failed" if value is None else "done"
    return Trial(number=number, config=config, seed=0, state=state, value=value, **fields)


def test_changes_follow_paths_into_nested_configurations():
    before = {"opt": {"kind": "sgd", "momentum": 0.9}, "units": [8, 16], "lr": 0.1}
    after = {"opt": {"kind": "adam"}, "units": [8, 32, 4], "lr": 0.1}
    assert changes(before, after) == [
        "opt.kind 'sgd' -> 'adam'",
        "opt.momentum - 0.9",
        "units[1] 16 -> 32",
        "units[2] + 4",
    ]
    assert changes(before, before) == []


def test_each_trial_is_compared_with_the_best_before_it():
    lines = logbook(
        [
            trial(0, {"lr": 1.0}, 0.5),
            trial(1, {"lr": 2.0}, 0.9),
            trial(2, {"lr": 0.5}, 0.4),
            trial(3, {"lr": 0.5}, error="Traceback\nValueError: diverged"),
        ],
        {1: "up?"},
    ).splitlines()
    assert [line[0] for line in lines] == ["*", " ", "*", " "]
    assert lines[1].endswith("lr 1 -> 2  # up?")
    assert lines[2].endswith("lr 1 -> 0.5")
    assert lines[3].endswith("failed  the same again (ValueError: diverged)")


def test_a_note_about_no_trial_is_refused():
    with pytest.raises(ValueError, match=r"notes on the trials \[0\], got number=3"):
        logbook([trial(0, {"lr": 1.0}, 0.5)], {3: "what?"})
