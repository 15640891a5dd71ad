"""Real processes that are killed, hang, meet full disks and damaged files."""

import multiprocessing
import os
import signal
import sqlite3
import threading
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
from programs import (
    SPACE,
    Wanderer,
    drive,
    drive_on_a_small_disk,
    ended,
    faulty,
    hold,
    loss,
    plain,
)

from hpcourse.search import Random, Session, SQLite, StorageError, load_study, minimize, storage

# Starts processes within milliseconds, each with one thread.
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["hpcourse.search"])


def start(function, *args, **options):
    process = processes.Process(target=function, args=args, kwargs=options)
    process.start()
    return process


def wait_for(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.002)


def lines(log):
    return log.read_text().split() if log.exists() else []


def numbers_ended(path):
    try:
        return {t.number for t in load_study(path).trials if t.state != "running"}
    except StorageError as error:
        assert "no study" in str(error)  # noqa: PT017  # killed before it wrote anything
        return set()


def uninterrupted(trials, *, seed=0, workers=1):
    with ThreadPoolExecutor(workers) as executor:
        study = minimize(
            loss,
            Wanderer(seed),
            trials=trials,
            workers=workers,
            executor=executor if workers > 1 else None,
            progress=False,
        )
    return plain(study)


def kill_somewhere(driver, log, starts, rng):
    """Kill a driver before it is under way, or a moment after some trial began."""
    wait_for(lambda: len(lines(log)) >= starts or not driver.is_alive())
    driver.join(float(rng.uniform(0, 0.02)))
    driver.kill()
    driver.join()


@pytest.mark.parametrize(("kind", "workers"), [(None, 1), ("threads", 2)])
def test_a_driver_that_is_killed_fifty_times_loses_nothing(tmp_path, kind, workers):
    rng = np.random.default_rng(workers)
    trials, kills, cut = 60, 0, Counter()
    start(len, ()).join()  # the server of processes is up
    for seed in range(100):
        path, log = tmp_path / f"{seed}.db", tmp_path / f"{seed}.log"
        options = {"seconds": 0.01, "workers": workers, "kind": kind, "seed": seed}
        over, known, seen = False, set(), 0
        while not over:
            driver = start(drive, path, log, trials, **options)
            kill_somewhere(driver, log, seen + int(rng.integers(4)), rng)
            over = driver.exitcode == 0
            kills += not over
            # What had ended before this run did not run in it.
            assert known.isdisjoint(map(int, lines(log)[seen:]))
            seen, known = len(lines(log)), numbers_ended(path)
            cut[len(known)] += not over
        assert plain(load_study(path)) == uninterrupted(trials, seed=seed, workers=workers)
        assert set(map(int, lines(log))) == set(range(trials))
        if kills >= 50:
            break
    assert kills >= 50
    assert len(cut) > 10  # at many places


def test_a_killed_driver_of_worker_processes_resumes(tmp_path):
    path, log = tmp_path / "study.db", tmp_path / "log"
    driver = start(drive, path, log, 14, seconds=0.05, workers=2)
    wait_for(lambda: len(numbers_ended(path)) >= 6)
    driver.kill()
    driver.join()
    drive(path, log, 14, workers=2)
    assert plain(load_study(path)) == uninterrupted(14, workers=2)


def test_a_worker_that_dies_hangs_or_exits_costs_its_trial_alone():
    study = minimize(faulty, Random(SPACE), trials=9, workers=2, trial_timeout=2.0, progress=False)
    errors = {t.number: t.error.splitlines()[-1] for t in study.trials if t.state == "failed"}
    assert errors == {
        1: "WorkerDied: its worker process ended with exit code 3",
        2: "WorkerDied: its worker process ended with signal SIGKILL",
        4: "TimeoutError: it ran past trial_timeout=2.0 s and was stopped",
        5: "SystemExit: enough",
        6: "The objective has to return a number, got 'high' of type str",
    }
    assert [t.value for t in study.trials if t.state == "done"] == [0.0, 3.0, 7.0, 8.0]


class Thoughtful(Random):
    """Random search that takes its time over the second suggestion."""

    def ask(self):
        time.sleep(0.8 * (self._history.asked == 1))
        return super().ask()


def dies_afterwards(trial):
    if trial.number == 0:
        threading.Timer(0.2, os._exit, [1]).start()
    return float(trial.number)


def test_workers_that_die_while_idle_are_replaced():
    options = {"trials": 4, "trial_timeout": 60.0, "progress": False}
    study = minimize(dies_afterwards, Thoughtful(SPACE), **options)
    assert study.values.tolist() == [0, 1, 2, 3]


def test_a_given_pool_that_breaks_ends_the_search_with_everything_stored(tmp_path):
    path = tmp_path / "study.db"
    with (
        ProcessPoolExecutor(1, mp_context=processes) as executor,
        pytest.raises(RuntimeError, match=r"executor is broken.*executor=None"),
    ):
        minimize(
            faulty,
            Random(SPACE),
            trials=9,
            executor=executor,
            storage=path,
            progress=False,
        )
    first, second, *rest = load_study(path).trials
    assert (first.state, second.state) == ("done", "failed")
    assert "terminated abruptly" in second.error
    assert [trial.state for trial in rest] == ["running"]
    study = minimize(
        faulty,
        Random(SPACE),
        trials=4,
        workers=1,
        trial_timeout=20.0,
        storage=path,
        progress=False,
    )
    assert [trial.state for trial in study.trials] == ["done", "failed", "failed", "done"]


@pytest.mark.parametrize(("kind", "workers"), [(None, 1), ("threads", 2), (None, 2)])
def test_ctrl_c_keeps_what_has_ended_and_returns(tmp_path, kind, workers):
    path, log, report = tmp_path / "study.db", tmp_path / "log", tmp_path / "report"
    options = {"seconds": 0.05, "workers": workers, "kind": kind}
    driver = start(drive, path, log, 1000, report=report, **options)
    wait_for(lambda: len(numbers_ended(path)) >= 5)
    os.kill(driver.pid, signal.SIGINT)
    driver.join(30)
    assert driver.exitcode == 0
    study = load_study(path)
    assert report.read_text() == f"returned with {ended(study)} ended"
    total = len(study) + 3
    drive(path, log, total, workers=workers, kind=kind)
    assert plain(load_study(path)) == uninterrupted(total, workers=workers)


def test_a_second_ctrl_c_loses_nothing(tmp_path):
    path, log = tmp_path / "study.db", tmp_path / "log"
    driver = start(drive, path, log, 1000, seconds=0.02, workers=2, kind="threads")
    wait_for(lambda: len(numbers_ended(path)) >= 5)
    before = numbers_ended(path)
    for _ in range(2):
        os.kill(driver.pid, signal.SIGINT)
    driver.join(30)
    assert before <= numbers_ended(path)
    total = len(load_study(path)) + 3
    drive(path, log, total, workers=2, kind="threads")
    assert plain(load_study(path)) == uninterrupted(total, workers=2)


def test_a_full_disk_ends_the_search_and_keeps_what_was_stored(tmp_path):
    path, log, report = tmp_path / "study.db", tmp_path / "log", tmp_path / "report"
    start(drive_on_a_small_disk, path, log, 500, report, 100_000).join()
    assert "the disk is full or failing" in report.read_text()
    kept = load_study(path)
    assert 5 < ended(kept) < 500
    drive(path, log, len(kept) + 10)
    assert plain(load_study(path)) == uninterrupted(len(kept) + 10)


def test_a_second_driver_is_refused_until_the_first_ends_or_dies(tmp_path):
    path, log = tmp_path / "study.db", tmp_path / "log"
    first = start(hold, path, log)
    wait_for(lambda: lines(log))
    with pytest.raises(StorageError, match=r"study\.db is in use by another search"):
        SQLite(path)
    assert len(load_study(path)) == 1  # reading goes on
    first.kill()
    first.join()
    with SQLite(path), pytest.raises(StorageError, match="in use"):  # in one process too
        Session(Wanderer(), storage=path)
    with Session(Wanderer(), storage=path) as session:
        assert session.unfinished == 1


def test_a_file_that_another_program_writes_is_no_damaged_one(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "WAIT", 0.1)
    with SQLite(tmp_path / "study.db") as journal:
        journal.append({"kind": "note"})
        other = sqlite3.connect(tmp_path / "study.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageError, match="in use by another program"):
            journal.append({"kind": "lost"})
        other.close()
        journal.append({"kind": "kept"})
        assert list(journal) == [{"kind": "note"}, {"kind": "kept"}]


@pytest.fixture(name="file", scope="module")
def _file(tmp_path_factory):
    """A closed study of many pages."""
    path = tmp_path_factory.mktemp("study") / "study.db"
    minimize(loss, Wanderer(), trials=60, storage=path, progress=False)
    return path


def check_refused(path, content, match):
    path.write_bytes(content)
    for use in (load_study, SQLite, lambda p: Session(Wanderer(), storage=p)):
        with pytest.raises(StorageError, match=match):
            use(path)
        assert path.read_bytes() == content


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused_and_left_alone(tmp_path, file, share):
    content = file.read_bytes()
    check_refused(tmp_path / "cut.db", content[: int(share * len(content))], "damaged")


def test_a_file_that_is_none_of_ours_is_refused_and_left_alone(tmp_path):
    check_refused(tmp_path / "a.db", b"epoch,loss\n1,0.5\n", "no study: it is not an SQLite file")
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE trials (number INTEGER)")
    connection.close()
    check_refused(tmp_path / "b.db", other.read_bytes(), "of another program")


def test_a_file_of_a_newer_version_is_refused_and_left_alone(tmp_path, file):
    newer = tmp_path / "newer.db"
    newer.write_bytes(file.read_bytes())
    with sqlite3.connect(newer) as connection:
        connection.execute("PRAGMA user_version = 2")
    connection.close()
    check_refused(tmp_path / "c.db", newer.read_bytes(), "format 2, this version .* update")


def test_a_damaged_byte_is_found_or_changes_nothing(tmp_path, file):
    content, whole = file.read_bytes(), load_study(file)
    rng, found = np.random.default_rng(0), 0
    for place in [*range(16, 100, 7), *rng.integers(100, len(content), 150)]:
        damaged = bytearray(content)
        damaged[place] ^= int(rng.integers(1, 256))
        path = tmp_path / "damaged.db"
        path.write_bytes(damaged)
        try:
            assert load_study(path) == whole
        except StorageError:
            found += 1
        assert path.read_bytes() == damaged
        for rest in tmp_path.glob("damaged.db-*"):
            rest.unlink()
    assert found > 75


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(StorageError, match=r"no study at .*nowhere\.db"):
        load_study(tmp_path / "nowhere.db")
    with pytest.raises(ValueError, match=r"a folder that exists, got path='/nowhere/study\.db'"):
        SQLite("/nowhere/study.db")
    with pytest.raises(
        ValueError, match=r"Memory\(\) keeps a journal in memory, got path=':memory:'"
    ):
        SQLite(":memory:")


def test_what_cannot_be_opened_or_written_is_no_damaged_file(tmp_path):
    with pytest.raises(StorageError, match=r"study\.db cannot be opened: .* yours to write\?"):
        SQLite("/proc/study.db")
    with SQLite(tmp_path / "study.db") as journal:
        journal.append({"kind": "note"})
        journal._file.execute("PRAGMA query_only = 1")
        with pytest.raises(StorageError, match=r"cannot be written: .* is read-only"):
            journal.append({"kind": "note"})
    with pytest.raises(StorageError, match="was closed by this search"):
        journal.append({"kind": "note"})
