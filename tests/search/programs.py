"""What the fault tests run in processes of their own."""

import os
import resource
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hpcourse.search import Box, Choice, History, Pruned, Real, StorageError, Suggestion, minimize

SPACE = Box({"x": Real(-1.0, 1.0), "lr": Real(1e-4, 1e-1, log=True), "kind": Choice(("a", "b"))})


class Wanderer:
    """Steps from the best trial by the last value told: every result and their order count.

    Every fifth suggestion waits until nothing runs, and has the trial before it as its parent.
    """

    def __init__(self, seed=0, space=SPACE):
        self._history = History(space, seed)

    def ask(self) -> Suggestion | None:
        history = self._history
        fifth = history.asked % 5 == 4
        if fifth and history.pending:
            return None
        rng = history.rng()
        point = rng.random(history.space.dimension)
        if history.best is not None:
            last = history.values[-1] if np.isfinite(history.values[-1]) else 0.5
            best = history.space.encode(history.best.config)
            point = np.clip(best + 0.2 * np.sin(last) * (point - 0.5), 0, 1)
        return history.suggest(point, budget=2, parent=history.asked - 1 if fifth else None)

    def tell(self, trial):
        self._history.tell(trial)


def loss(trial):
    """The value of a trial, which also depends on its seed; some fail, some are pruned."""
    if trial.number % 11 == 3:
        raise ValueError("diverged")
    if trial.number % 11 == 7:
        raise Pruned(trial.config["x"])
    if trial.number % 11 == 9:
        return float("nan")
    return (trial.config["x"] - 0.3) ** 2 + trial.config["lr"] + 1e-3 * (trial.seed % 10)


@dataclass(frozen=True)
class Logged:
    """`loss` that writes each start to a file, and takes a while on every third trial."""

    log: Path
    seconds: float = 0.0

    def __call__(self, trial):
        with self.log.open("a") as file:
            file.write(f"{trial.number}\n")
        if trial.number % 3 == 0:
            time.sleep(self.seconds)
        return loss(trial)


def drive(path, log, trials, *, seconds=0.0, workers=1, kind=None, report=None, seed=0):
    """A driver: one search with its journal at `path`."""
    kinds = {"threads": ThreadPoolExecutor, "processes": ProcessPoolExecutor}
    study = minimize(
        Logged(log, seconds),
        Wanderer(seed),
        trials=trials,
        storage=path,
        workers=workers,
        executor=kinds[kind](workers) if kind else None,
        progress=False,
    )
    if report is not None:
        report.write_text(f"returned with {ended(study)} ended")


def ended(study):
    return sum(trial.state != "running" for trial in study.trials)


def drive_on_a_small_disk(path, log, trials, report, limit):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        drive(path, log, trials)
    except StorageError as error:
        report.write_text(str(error))


def hold(path, log):
    """A driver that stays in its first trial."""
    drive(path, log, 5, seconds=60.0)


def plain(study):
    """A study without what differs from run to run."""
    return [replace(t, seconds=0.0, error=t.error and t.error[-20:]) for t in study.trials]


def faulty(trial):
    """Whatever can go wrong in a worker, by the trial's number."""
    match trial.number:
        case 1:
            os._exit(3)
        case 2:
            os.kill(os.getpid(), 9)
        case 4:
            time.sleep(60)
        case 5:
            raise SystemExit("enough")
        case 6:
            return "high"
    return float(trial.number)
