"""A real cluster of two worker processes on this machine."""

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from programs import SPACE, Wanderer, loss, plain

from hpcourse.search import Batched, Random, load_study, minimize

distributed = pytest.importorskip("distributed", reason="needs the extra `search`")
dask = pytest.importorskip("dask", reason="needs the extra `search`")


@pytest.fixture(name="client", scope="module")
def _client(tmp_path_factory):
    settings = {
        "n_workers": 2,
        "threads_per_worker": 1,
        "dashboard_address": None,
        "local_directory": str(tmp_path_factory.mktemp("dask")),
    }
    once = {"distributed.scheduler.allowed-failures": 1}  # a trial that kills two workers fails
    with (
        dask.config.set(once),
        distributed.LocalCluster(**settings) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def run(objective, searcher, trials, client, **options):
    options = {"workers": 2, "progress": False, **options}
    executor = client.get_executor(pure=False)
    return minimize(objective, searcher, trials=trials, executor=executor, **options)


def test_a_cluster_gives_the_study_that_threads_give(client):
    with ThreadPoolExecutor(2) as threads:
        options = {"workers": 2, "executor": threads, "progress": False}
        expected = minimize(loss, Wanderer(), trials=30, **options)
    study = run(loss, Wanderer(), 30, client)
    assert plain(study) == plain(expected)


def test_equal_calls_are_evaluated_each(client):
    # Dask takes calls with equal arguments for one, unless it is told that they are not pure.
    def who(trials):
        time.sleep(0.01)
        return [time.time_ns() % 1e9 for _ in trials]

    study = run(Batched(who, 3), Random(SPACE), 12, client)
    assert len(set(study.values)) >= 4


def test_results_survive_a_worker_that_is_killed_in_a_trial(client, tmp_path):
    path = tmp_path / "study.db"

    def objective(trial):
        (tmp_path / f"{trial.number}").write_text(str(os.getpid()))
        time.sleep(0.15)
        return float(trial.number)

    killed = []

    def kill():
        while not (tmp_path / "3").exists() or not (tmp_path / "3").read_text():
            time.sleep(0.01)
        killed.append(int((tmp_path / "3").read_text()))
        os.kill(killed[0], signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    study = run(objective, Random(SPACE), 8, client, storage=path)
    thread.join()
    assert killed
    assert study.values.tolist() == list(range(8))
    assert load_study(path) == study
    assert int((tmp_path / "3").read_text()) != killed[0]  # another worker did it again


def test_a_trial_that_kills_every_worker_fails_alone(client):
    def objective(trial):
        if trial.number == 1:
            os._exit(1)
        return float(trial.number)

    study = run(objective, Random(SPACE), 5, client)
    states = [t.state for t in study.trials]
    assert states[1] == "failed"
    assert "KilledWorker" in study.trials[1].error
    assert states.count("done") >= 3
