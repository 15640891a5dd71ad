"""Worker processes of our own, and executors that are given: what goes wrong with them."""

import os
import pty
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from programs import SPACE

from hpcourse.search import Memory, Random, Session, minimize


def run(objective, trials=3, **options):
    options = {"progress": False, **options}
    return minimize(objective, Random(SPACE), trials=trials, **options)


def test_workers_have_the_environment_of_now(monkeypatch):
    run(lambda _: 1.0, 1, workers=2)  # the server of workers is up
    monkeypatch.setenv("HPCOURSE_TEST", "7")
    assert run(lambda _: float(os.environ["HPCOURSE_TEST"]), 1, workers=2).best.value == 7
    monkeypatch.delenv("HPCOURSE_TEST")
    assert run(lambda _: float("HPCOURSE_TEST" in os.environ), 1, workers=2).best.value == 0


class Counted:
    """An objective that counts how often it is unpickled in one process."""

    unpickled = 0

    def __setstate__(self, state):
        sys.unpickled = getattr(sys, "unpickled", 0) + 1

    def __getstate__(self):
        return {"data": os.urandom(1000)}

    def __call__(self, trial):
        return sys.unpickled


def test_an_objective_is_sent_to_a_worker_once():
    study = run(Counted(), 10, workers=2)
    assert study.values.tolist() == [1.0] * 10


def test_an_objective_may_start_processes_of_its_own():
    def objective(trial):
        return run(lambda t: float(t.number), 2, workers=2).values.sum()

    assert run(objective, 2, workers=2).values.tolist() == [1.0, 1.0]


def test_a_signal_without_a_name_is_one_too():
    def objective(trial):
        os.kill(os.getpid(), 35)
        time.sleep(5)

    study = run(objective, 1, workers=2)
    assert study.trials[0].error == "WorkerDied: its worker process ended with signal 35"


def test_the_server_of_workers_may_be_killed():
    def objective(trial):
        if trial.number == 1:
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(5)
        return float(trial.number)

    study = run(objective, 5, workers=2)
    assert study.trials[1].state == "failed"
    assert [t.state for t in study.trials].count("done") >= 3


class Cancels:
    """An executor that loses calls, as a cluster does that is restarted."""

    def __init__(self, lost):
        self.lost, self.calls = lost, 0

    def submit(self, work, trials):
        future = Future()
        self.calls += 1
        if self.calls not in self.lost:
            future.set_result(work(trials))
        else:
            future.cancel()
            future.set_running_or_notify_cancel()
        return future


def test_a_call_that_is_cancelled_is_made_again():
    executor = Cancels({2, 4, 5, 6})
    study = run(lambda _: 1.0, 4, executor=executor)
    assert [t.state for t in study.trials] == ["done"] * 4
    assert executor.calls == 8


def test_a_call_that_is_cancelled_again_and_again_is_a_failed_trial():
    study = run(lambda _: 1.0, 2, executor=Cancels({1, 2, 3, 4}))
    assert [t.state for t in study.trials] == ["failed", "done"]
    assert "CancelledError" in study.trials[0].error


class Gone:
    """An executor that has lost its cluster."""

    def __init__(self):
        self.futures = []

    def submit(self, work, trials):
        if len(self.futures) == 3:
            raise OSError("client is closed")
        future = self.futures.append(Future()) or self.futures[-1]
        if len(self.futures) == 1:
            future.set_result(work(trials))
        future.cancel = self.cancel
        return future

    def cancel(self):
        raise OSError("client is closed")


def test_what_a_lost_cluster_did_not_finish_is_run_when_the_search_resumes():
    journal = Memory()
    with pytest.raises(RuntimeError, match=r"takes no work \(OSError: client is closed\). All"):
        run(lambda _: 1.0, 4, executor=Gone(), workers=3, storage=journal)
    assert [t.state for t in Session(Random(SPACE), storage=journal).study.trials] == [
        "done",
        *["running"] * 3,
    ]
    assert run(lambda t: t.number, 4, storage=journal).values.tolist() == [1, 1, 2, 3]


def test_an_executor_that_was_shut_down_is_named():
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    with pytest.raises(
        RuntimeError, match=r"takes no work \(RuntimeError: cannot schedule new futures"
    ):
        run(lambda _: 1.0, executor=executor)


def test_what_is_no_executor_or_objective_is_refused():
    with pytest.raises(ValueError, match="needs an executor with `submit`, got executor=<class"):
        run(lambda _: 1.0, executor=ThreadPoolExecutor)
    with pytest.raises(ValueError, match="minimize needs a callable objective, got objective=3"):
        run(3)


PROGRAM = """
import signal
import time
from hpcourse.search import Box, Random, Real, minimize

signal.signal(signal.SIGINT, signal.default_int_handler)  # though tests run in the background

def objective(trial):
    time.sleep(60)

print("ready", flush=True)
study = minimize(objective, Random(Box({"x": Real(0.0, 1.0)})), trials=9, workers=2)
print("returned", [trial.state for trial in study.trials], flush=True)
"""


class Terminal:
    """A program in a terminal of its own, whose Ctrl-C reaches all its processes."""

    def __init__(self, path):
        self.keys, screen = pty.openpty()
        command = [sys.executable, path]
        options = {"stdin": screen, "stdout": screen, "stderr": screen}
        self.process = subprocess.Popen(command, start_new_session=True, **options)
        os.close(screen)
        self.shown = ""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        try:
            while text := os.read(self.keys, 4096):
                self.shown += text.decode(errors="replace")
        except OSError:  # the terminal is closed
            return

    def wait_for(self, word):
        end = time.monotonic() + 60
        while word not in self.shown:
            assert time.monotonic() < end, self.shown
            time.sleep(0.005)

    def ctrl_c(self):
        os.killpg(self.process.pid, signal.SIGINT)  # as a terminal does

    def close(self):
        self.process.wait(60)
        self._reader.join(60)
        os.close(self.keys)
        return self.shown


@pytest.mark.parametrize("seconds", [0.05, 0.7])
def test_ctrl_c_in_a_terminal_is_quiet_while_workers_start_and_run(tmp_path, seconds):
    path = Path(tmp_path, "program.py")
    path.write_text(PROGRAM)
    terminal = Terminal(path)
    terminal.wait_for("ready")
    time.sleep(seconds)
    terminal.ctrl_c()
    shown = terminal.close()
    assert "Traceback" not in shown
    assert "Interrupted: 0 of 9 trials have ended" in shown
    assert "returned [" in shown
    assert terminal.process.returncode == 0
