import math
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from programs import SPACE, Wanderer, loss, plain

from hpcourse.search import (
    Batched,
    Box,
    Checkpoints,
    Fixed,
    Hyperband,
    Integer,
    MedianRule,
    Memory,
    Pruned,
    Random,
    Real,
    Session,
    Study,
    Trial,
    executors,
    load_study,
    minimize,
)

LINE = Box({"x": Real(0.0, 1.0)})


def trial(number, state="done", value=None, error=None, config=None, **more):
    config = {} if config is None else config
    return Trial(
        number=number, seed=7, state=state, value=value, error=error, config=config, **more
    )


def run(objective, searcher, trials, **options):
    return minimize(objective, searcher, trials=trials, progress=False, **options)


# Study


def test_the_best_trial_is_done_and_the_first_of_equals():
    study = Study(
        (
            trial(0, "failed", error="x"),
            trial(1, value=0.5),
            trial(2, "pruned", value=0.1),
            trial(3, value=0.2),
            trial(4, value=0.2),
        )
    )
    assert study.best.number == 3
    nan = math.nan
    np.testing.assert_array_equal(study.values, [nan, 0.5, 0.1, 0.2, 0.2])
    np.testing.assert_array_equal(study.best_so_far, [nan, 0.5, 0.5, 0.2, 0.2])


def test_without_a_done_trial_the_most_frequent_cause_is_quoted():
    study = Study(
        (
            trial(0, "failed", error="Traceback ...\n  line 3\nKeyError: 'lr'\n"),
            trial(1, "failed", error="Traceback ...\nValueError: nan"),
            trial(2, "failed", error="Traceback ...\nKeyError: 'lr'"),
            trial(3, "pruned"),
        )
    )
    with pytest.raises(ValueError, match="no trial that is done: 2 of 4 ended with KeyError: 'lr'"):
        _ = study.best
    with pytest.raises(ValueError, match="no trial that is done: it has no trials"):
        _ = Study(()).best
    assert Study(()).values.shape == Study(()).best_so_far.shape == (0,)
    assert Study(()).frame().empty


def test_the_frame_keeps_the_types_of_conditional_hyperparameters():
    configs = [{"n": 3, "on": True, "x": 1, "k": "a", "big": 2**70}, {"x": 0.5}]
    study = Study(tuple(trial(k, value=0.5, config=c) for k, c in enumerate(configs)))
    frame = study.frame()
    assert [str(frame[name].dtype) for name in ("n", "on", "x")] == ["Int64", "boolean", "float64"]
    assert frame.loc[0, ["n", "on", "k", "big"]].tolist() == [3, True, "a", 2**70]
    assert frame.loc[1, ["n", "on", "k", "big"]].isna().all()
    every = Study(tuple(trial(k, value=0.5, config=configs[0]) for k in range(2))).frame()
    assert [str(every[name].dtype) for name in ("n", "on", "x")] == ["int64", "bool", "int64"]


def test_the_frame_has_a_column_for_every_path():
    config = {"lr": 0.1, "net": {"kind": "mlp", "units": [8, 16]}, "seed": 3, "skip": None}
    study = Study(
        (
            trial(0, value=0.5, config=config, budget=2),
            trial(1, "failed", error="x", config={"lr": 0.2}, parent=0),
        )
    )
    frame = study.frame()
    assert list(frame.columns[:6]) == [
        "lr",
        "net.kind",
        "net.units[0]",
        "net.units[1]",
        "config.seed",
        "skip",
    ]
    assert frame.index.name == "number"
    assert frame.loc[0, "net.units[1]"] == 16
    assert frame.loc[0, "config.seed"] == 3
    assert frame.loc[0, "seed"] == 7
    assert frame["net.kind"].isna().tolist() == [False, True]
    assert frame["value"].isna().tolist() == [False, True]
    assert frame["budget"].dtype == frame["parent"].dtype == "Int64"
    assert frame["error"].tolist()[1] == "x"


# What becomes of a trial


@pytest.mark.parametrize(
    ("returned", "value"),
    [
        (0.5, 0.5),
        (3, 3.0),
        (np.float32(0.25), 0.25),
        (np.int64(2), 2.0),
        (np.array(1.5), 1.5),
        (np.array([1.5]), 1.5),
    ],
)
def test_numbers_are_values(returned, value):
    study = run(lambda _: returned, Random(LINE), 1)
    assert study.best.value == value
    assert type(study.best.value) is float


@pytest.mark.parametrize(
    ("returned", "error"),
    [
        (math.nan, "The objective returned nan"),
        (np.float64(-math.inf), "The objective returned -inf"),
        (None, "has to return a number, got None of type NoneType"),
        ("0.5", "got '0.5' of type str"),
        (True, "got True of type bool"),
        (np.array([1.0, 2.0]), "of type ndarray"),
        ((0.5,), r"got (0.5,) of type tuple"),
        (1j, "of type complex"),
    ],
)
def test_anything_else_is_a_failure(returned, error):
    (only,) = run(lambda _: returned, Random(LINE), 1).trials
    assert only.state == "failed"
    assert error in only.error


def test_a_failure_keeps_its_traceback_and_the_search_goes_on():
    study = run(loss, Wanderer(), 30)
    states = [t.state for t in study.trials]
    assert (states[3], states[7], states[9]) == ("failed", "pruned", "failed")
    assert states.count("done") == 30 - 3 - 3 - 2
    assert "in loss" in study.trials[3].error
    assert study.trials[3].error.endswith("ValueError: diverged\n")
    assert study.trials[7].value == study.trials[7].config["x"]


def test_pruning_without_a_value_and_with_a_bad_one():
    def stop(_):
        raise Pruned

    assert run(stop, Random(LINE), 1).trials[0].value is None

    def wrong(_):
        raise Pruned(math.nan)

    (only,) = run(wrong, Random(LINE), 1).trials
    assert only.error.endswith("ValueError: Pruned needs a finite value or None, got value=nan\n")


def test_every_trial_has_a_seed_of_its_own_that_the_study_s_seed_fixes():
    seeds = [[t.seed for t in run(loss, Random(SPACE), 50, seed=s).trials] for s in (0, 0, 1)]
    assert seeds[0] == seeds[1]
    assert len({*seeds[0], *seeds[2]}) == 100


# The order of things


def jittered(seed):
    """An executor under which trials end in a random order."""
    rng = np.random.default_rng(seed)

    def objective(trial):
        time.sleep(float(rng.uniform(0, 0.004)))
        return loss(trial)

    return objective


@pytest.mark.parametrize("workers", [2, 3, 5])
def test_in_order_one_seed_gives_one_search_however_long_trials_take(workers):
    found = []
    for seed in range(3):
        with ThreadPoolExecutor(workers) as executor:
            options = {"workers": workers, "executor": executor}
            found.append(plain(run(jittered(seed), Wanderer(), 40, **options)))
    assert found[0] == found[1] == found[2]
    assert found[0] != plain(run(loss, Wanderer(), 40))  # it knows less when it suggests


class Slow:
    """An executor that ends what it holds when it is asked to, the newest first."""

    def __init__(self):
        self.held, self.most = [], 0

    def submit(self, work, trials):
        future = Future()
        self.held.append((future, work, trials))
        self.most = max(self.most, len(self.held))
        threading.Timer(0.005, self._end).start()
        return future

    def _end(self):
        future, work, trials = self.held.pop()
        future.set_result(work(trials))


def test_in_order_the_searcher_knows_of_all_trials_but_the_last_few():
    told, known = [], []

    class Watched(Random):
        def ask(self):
            known.append(list(told))
            return super().ask()

        def tell(self, trial):
            told.append(trial.number)
            super().tell(trial)

    executor = Slow()
    run(loss, Watched(SPACE), 20, workers=3, executor=executor)
    assert executor.most == 3
    assert known == [list(range(max(0, number - 2))) for number in range(20)]
    assert told == list(range(20))


def test_out_of_order_each_result_is_told_as_it_ends():
    executor, searcher = Slow(), Random(SPACE)
    study = run(loss, searcher, 12, workers=3, executor=executor, in_order=False)
    assert len(study) == 12
    order = [t.number for t in searcher._history.trials]
    assert order != sorted(order)
    assert sorted(order) == list(range(12))


@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 25), st.booleans())
def test_batches_and_workers_are_independent(size, workers, trials, in_order):
    calls = []

    def score(batch):
        calls.append([t.number for t in batch])
        return [t.number for t in batch]

    with ThreadPoolExecutor(workers) as executor:
        options = {"workers": workers, "executor": executor, "in_order": in_order}
        study = run(Batched(score, size), Random(SPACE), trials, **options)
    assert study.values.tolist() == list(range(trials))
    assert max(map(len, calls)) <= size
    assert sorted(chain.from_iterable(calls)) == list(range(trials))
    assert max(map(len, calls)) == min(size, trials)


def test_a_batch_that_raises_fails_whole_and_nan_fails_one():
    def score(batch):
        if batch[0].number == 2:
            raise MemoryError("too large")
        return [math.nan if t.number == 5 else 1.0 for t in batch]

    study = run(Batched(score, 2), Random(LINE), 8)
    failed = [t.number for t in study.trials if t.state == "failed"]
    assert failed == [2, 3, 5]
    assert "too large" in study.trials[3].error


# The end of a search


def test_a_searcher_that_has_no_more_ends_the_search():
    space = Box({"n": Integer(1, 5), "fixed": Fixed(0)})
    with ThreadPoolExecutor(3) as executor:
        study = run(lambda t: t.config["n"], Random(space), 50, workers=3, executor=executor)
    assert sorted(study.values) == [1, 2, 3, 4, 5]


def test_after_the_timeout_no_trial_starts():
    study = run(lambda _: time.sleep(0.05) or 1.0, Random(LINE), 1000, timeout=0.2)
    assert 1 <= len(study) < 20
    assert {t.state for t in study.trials} == {"done"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trials": 0}, "minimize needs an integer trials >= 1, got trials=0"),
        ({"workers": 1.5}, "minimize needs an integer workers >= 1, got workers=1.5"),
        ({"timeout": 0}, "minimize needs timeout > 0, got timeout=0"),
        ({"trial_timeout": -1.0}, "minimize needs trial_timeout > 0, got trial_timeout=-1.0"),
        ({"seed": -1}, "A study needs an integer seed >= 0, got seed=-1"),
        (
            {"executor": ThreadPoolExecutor(1), "trial_timeout": 1.0},
            "trial_timeout needs executor=None.*got trial_timeout=1.0",
        ),
    ],
)
def test_bad_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        minimize(loss, Random(SPACE), **{"trials": 3, "progress": False, **options})


def test_ctrl_c_in_this_process_returns_what_has_ended():
    def objective(trial):
        if trial.number == 4:
            raise KeyboardInterrupt
        return 1.0

    study = run(objective, Random(SPACE), 10)
    assert [t.state for t in study.trials] == ["done"] * 4 + ["running"]


def test_a_second_ctrl_c_raises(monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(executors._Here, "stop", interrupt)
    journal = Memory()
    with pytest.raises(KeyboardInterrupt):
        run(lambda t: 1.0 if t.number < 2 else interrupt(), Random(SPACE), 9, storage=journal)
    states = [t.state for t in Session(Random(SPACE), storage=journal).study.trials]
    assert states == ["done", "done", "running"]


def test_closures_and_lambdas_reach_worker_processes():
    offset = 5
    study = run(lambda t: t.number + offset, Random(LINE), 3, workers=2)
    assert study.values.tolist() == [5, 6, 7]


def test_an_objective_that_cannot_be_sent_is_an_error_at_once():
    lock = threading.Lock()
    with pytest.raises(TypeError, match="lock"):
        run(lambda _: lock and 1.0, Random(LINE), 3, workers=2)


# Progress


def test_the_reason_is_shown_when_all_trials_fail(capsys):
    def bad(trial):
        raise KeyError("lr")

    minimize(bad, Random(LINE), trials=12)
    assert "All of the first 10 trials failed: KeyError: 'lr'" in capsys.readouterr().err
    minimize(bad, Random(LINE), trials=12, progress=False)
    minimize(lambda t: 1 / (t.number - 3), Random(LINE), trials=12)
    assert "All of the first" not in capsys.readouterr().err


def test_the_bar_counts_and_shows_the_best(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    journal = Memory()
    minimize(lambda t: 5.0 - t.number, Random(LINE), trials=3, storage=journal)
    minimize(lambda t: 5.0 - t.number, Random(LINE), trials=4, storage=journal)
    shown = capsys.readouterr().err
    assert "3/3" in shown
    assert "4/4" in shown
    assert "best=2" in shown


# Session


def test_asking_and_telling_equals_minimize():
    session, by_hand = Session(Wanderer(), seed=5), []
    for _ in range(30):
        trial = session.ask()
        try:
            ended = session.tell(trial, loss(trial))
        except Pruned as stop:
            ended = session.tell(replace(trial, state="pruned", value=stop.value))
        except ValueError as error:
            ended = session.tell(trial, error=repr(error))
        by_hand.append(ended)
    assert list(session.study.trials) == by_hand
    one, other = session.study, run(loss, Wanderer(), 30, seed=5)
    np.testing.assert_array_equal(one.values, other.values)
    assert [t.config for t in one.trials] == [t.config for t in other.trials]
    assert [t.seed for t in one.trials] == [t.seed for t in other.trials]


def test_a_session_waits_for_the_oldest_trial():
    session = Session(Random(SPACE), ahead=2)
    first, second = session.ask(), session.ask()
    assert session.ask() is None
    session.tell(second, 1.0)
    assert session.ask() is None
    session.tell(first, 1.0)
    assert [session.ask().number, session.ask().number] == [2, 3]
    assert session.ask() is None


def test_a_session_refuses_what_does_not_fit():
    session = Session(Random(SPACE))
    given = session.ask()
    with pytest.raises(ValueError, match="a value, an error or an ended trial, got number=0"):
        session.tell(given)
    session.tell(given, 1.0)
    with pytest.raises(ValueError, match="asked for and runs, got number=0"):
        session.tell(given, 1.0)
    with pytest.raises(ValueError, match="asked for and runs, got number=9"):
        session.tell(trial(9, value=1.0))
    other = session.ask()
    with pytest.raises(ValueError, match=r"needs a value or an error, got value=1.0, error='x'"):
        session.tell(other, 1.0, error="x")
    with pytest.raises(ValueError, match="asked for and runs, got number=1"):
        session.tell(replace(other, seed=other.seed + 1), 1.0)  # of another study
    with pytest.raises(ValueError, match="Session needs an integer ahead >= 1, got ahead=0"):
        Session(Random(SPACE), ahead=0)


@pytest.mark.parametrize("wrong", [SPACE, Random, None, loss])
def test_a_search_needs_a_searcher(wrong):
    with pytest.raises(ValueError, match=r"needs a searcher, such as Random.space., got searcher="):
        minimize(loss, wrong, trials=3)


@pytest.mark.parametrize("make", [Random, Hyperband, lambda s: MedianRule(Random(s))])
def test_a_search_needs_a_fresh_searcher(make):
    searcher = make(SPACE)
    run(loss, searcher, 3)
    with pytest.raises(ValueError, match=r"A search needs a fresh searcher, got asked=\d"):
        run(loss, searcher, 3)


def test_threads_may_share_a_session(tmp_path):
    with Session(Random(SPACE), storage=tmp_path / "study.db") as session:

        def work(_):
            asked = session.ask()
            return session.tell(asked, float(asked.number)).number

        with ThreadPoolExecutor(8) as threads:
            assert sorted(threads.map(work, range(200))) == list(range(200))
        assert session.study.values.tolist() == list(range(200))
        assert load_study(tmp_path / "study.db") == session.study


# Checkpoints


def test_a_checkpoint_may_be_a_folder_or_need_an_ending(tmp_path):
    child = trial(1, value=1.0, parent=0)
    arrays = Checkpoints(str(tmp_path / "arrays"), suffix=".npz")
    for value in (1, 2):
        with arrays.writing(trial(0, value=1.0)) as path:
            np.savez(path, weights=value)
    assert int(np.load(arrays.parent_path(child))["weights"]) == 2
    folders = Checkpoints(tmp_path / "folders")
    for value in (1, 2):
        with folders.writing(trial(0, value=1.0)) as path:
            path.mkdir()
            (path / f"weights-{value}").touch()
    assert [file.name for file in folders.parent_path(child).iterdir()] == ["weights-2"]
    assert len(list(tmp_path.glob("*/*"))) == 2


def test_a_checkpoint_that_was_written_elsewhere_is_an_error(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    with (
        pytest.raises(FileNotFoundError, match=r"No checkpoint was written to .* got suffix=''"),
        checkpoints.writing(trial(0, value=1.0)) as path,
    ):
        np.savez(path, weights=1)  # adds an ending


def test_a_trial_continues_where_its_parent_ended(tmp_path):
    checkpoints = Checkpoints(tmp_path / "deep" / "folder")

    def objective(trial):
        before = checkpoints.parent_path(trial)
        epochs = trial.budget + (int(before.read_text()) if before else 0)
        with checkpoints.writing(trial) as path:
            path.write_text(str(epochs))
        return float(epochs)

    study = run(objective, Wanderer(), 10)
    assert study.trials[4].parent == 3
    assert study.values.tolist() == [2, 2, 2, 2, 4, 2, 2, 2, 2, 4]
    assert len(list(checkpoints.folder.iterdir())) == 10


def test_half_a_checkpoint_is_none(tmp_path):
    checkpoints, child = Checkpoints(tmp_path), trial(1, value=1.0, parent=0)
    assert checkpoints.parent_path(child) is None
    with checkpoints.writing(trial(0, value=1.0)) as path:
        path.write_text("whole")

    def interrupted():
        with checkpoints.writing(trial(0, value=1.0)) as path:
            path.write_text("ha")
            raise OSError("disk full")

    with pytest.raises(OSError, match="full"):
        interrupted()
    assert checkpoints.parent_path(child).read_text() == "whole"
    assert len(list(tmp_path.iterdir())) == 1
