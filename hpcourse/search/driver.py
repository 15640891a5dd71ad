"""`minimize`: run a search to its end."""

import sys
import time
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from tqdm.auto import tqdm

from hpcourse._check import require_count, require_positive
from hpcourse.search.executors import Crew, LostWorkers, crew
from hpcourse.search.searcher import Searcher
from hpcourse.search.session import Session
from hpcourse.search.storage import Storage
from hpcourse.search.study import Study, causes
from hpcourse.search.trial import Batched, Objective, Trial

__all__ = ["minimize"]

SUSPICIOUS = 10
"""If so many trials fail first, or all of fewer, the most frequent reason is shown."""

QUIET = 60.0
"""Seconds between two lines of progress where nobody watches."""


def minimize(
    objective: Objective | Batched,
    searcher: Searcher,
    *,
    trials: int,
    executor: Executor | None = None,
    workers: int = 1,
    storage: Storage | str | Path | None = None,
    seed: int = 0,
    timeout: float | None = None,
    trial_timeout: float | None = None,
    in_order: bool = True,
    progress: bool = True,
) -> Study:
    """Evaluate what a searcher suggests, until there are enough trials or it has no more.

    Two axes are independent: how many calls run at a time (`workers`), and how many trials one call
    scores (`Batched.size`).

    A trial that raises, returns something else than a finite number, runs past `trial_timeout` or
    takes its worker process down becomes a failed one with its reason, and the search goes on. An
    objective may raise `Pruned`.

    Ctrl-C stops the workers, says so, and returns the study so far, in which what ran is still
    "running"; a second Ctrl-C raises. Everything that had ended is stored in either case. Calling
    again with the same `storage` and a fresh searcher resumes: what ended is not run again, what
    had only started runs anew with the same number, seed and configuration, and `trials` counts all
    of them.

    Args:
        objective: A trial to the value that is minimised.
        searcher: A fresh one.
        trials: Number of trials in all, failed and pruned ones and those of the storage included.
        executor: Any ``concurrent.futures.Executor``, which stays open; for Dask
            ``client.get_executor(pure=False)``. None runs in this process, or, with more than one
            worker or a `trial_timeout`, in worker processes that are replaced when they die.
        workers: Number of calls of the objective at a time, those of an executor too: a pool of
            eight has one to do unless this says eight.
        storage: The journal, or the path of its SQLite file; None keeps it in memory.
        seed: Seed of the trials' seeds.
        timeout: Seconds in all, after which no trial is started; those that run are finished.
        trial_timeout: Seconds after which a call of the objective is stopped.
        in_order: Whether results are told in the order of the trials, so that one seed gives one
            search however long each trial takes. Otherwise each is told as it ends, which keeps
            workers busier where durations differ.
        progress: Whether to show a bar in a terminal or notebook, a line a minute elsewhere, and
            the reason when all of the first trials fail.

    Raises:
        ValueError: If an argument is out of range, or the storage is of another search.
        StorageError: If the storage cannot be read or written.
        RuntimeError: If no worker can be started or the given executor is broken.

    Examples:
        >>> from hpcourse.search import Box, Random, Real
        >>> def objective(trial):
        ...     return (trial.config["x"] - 0.3) ** 2
        >>> search = Random(Box({"x": Real(0.0, 1.0)}), seed=0)
        >>> study = minimize(objective, search, trials=20, progress=False)
        >>> len(study), abs(study.best.config["x"] - 0.3) < 0.1
        (20, True)
    """
    require_count("minimize", trials=trials, workers=workers)
    limits = {"timeout": timeout, "trial_timeout": trial_timeout}
    require_positive("minimize", **{k: v for k, v in limits.items() if v is not None})
    end = float("inf") if timeout is None else time.monotonic() + timeout
    size = objective.size if isinstance(objective, Batched) else 1
    ahead = workers * size if in_order else None
    with Session(searcher, storage=storage, seed=seed, ahead=ahead) as session:
        with _Bar(session, trials, show=progress) as bar:
            try:
                hands = crew(objective, executor, workers, trial_timeout)
            except KeyboardInterrupt:  # while workers start
                bar.say("Interrupted")
            else:
                _Run(session, hands, bar, workers, size, trials, end).to_the_end()
        return session.study


@dataclass
class _Run:
    """The loop of `minimize`."""

    session: Session
    hands: Crew
    bar: "_Bar"
    workers: int
    size: int
    trials: int
    end: float  # of time.monotonic()

    def to_the_end(self) -> None:
        running: dict[Future[list[Trial]], list[Trial]] = {}
        try:
            while True:
                while len(running) < self.workers and (batch := self._batch()):
                    running[self.hands.submit(batch)] = batch
                if not running:
                    break
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                self._collect(running, done)
            self.session.tell_all()
        except KeyboardInterrupt:
            self._collect(running, {future for future in running if future.done()})
            self.bar.say("Interrupted")
        finally:
            self.hands.stop()

    def _batch(self) -> list[Trial]:
        """As many trials as one call takes and there are."""
        batch: list[Trial] = []
        while len(batch) < self.size and self._more():
            trial = self.session.ask()
            if trial is None:
                break
            batch.append(trial)
        return batch

    def _more(self) -> bool:
        left = self.session.unfinished or self.session.asked < self.trials
        return bool(left) and time.monotonic() < self.end

    def _collect(
        self, running: dict[Future[list[Trial]], list[Trial]], done: set[Future[list[Trial]]]
    ) -> None:
        """Store what has ended, in the order of the trials, and submit again what was lost."""
        for future in sorted(done, key=lambda future: running[future][0].number):
            batch = running[future]
            try:
                outcome = self.hands.outcome(batch, future)
            except LostWorkers:
                running[self.hands.submit(batch)] = batch
            else:
                for trial in outcome:
                    if self.session.runs(trial):  # not stored before an interrupt
                        self.bar.count(self.session.tell(trial))
            del running[future]  # now that it is stored


class _Bar:
    """Progress with the best value so far: a bar where somebody watches, else a line at times."""

    def __init__(self, session: Session, trials: int, *, show: bool) -> None:
        ended = [trial for trial in session.study.trials if trial.state != "running"]
        self._show, self._watched, self._trials = show, _watched(), trials
        hidden = not (show and self._watched)
        self._bar = tqdm(total=trials, initial=len(ended), unit="trial", disable=hidden)
        self._ended = 0
        self._best: float | None = None
        self._failed: list[Trial] = []
        self._spoke = time.monotonic()
        for trial in ended:
            self._note(trial)

    def count(self, trial: Trial) -> None:
        """Show that a trial ended."""
        self._note(trial)
        self._bar.update()
        if self._ended == min(SUSPICIOUS, self._trials) == len(self._failed):
            reason, alike = causes(self._failed)[0]
            often = "" if alike == self._ended else f", {alike} of them with"
            self._write(f"All of the first {self._ended} trials failed{often}: {reason}")
        if not self._watched and time.monotonic() - self._spoke > QUIET:
            self.say("Running")

    def say(self, what: str) -> None:
        """Write how far the search is."""
        known = "".join(f", {name} {value}" for name, value in self._known().items())
        self._write(f"{what}: {self._ended} of {self._trials} trials have ended{known}")
        self._spoke = time.monotonic()

    def _note(self, trial: Trial) -> None:
        self._ended += 1
        if trial.state == "failed":
            self._failed.append(trial)
        if trial.state == "done" and trial.value is not None:
            self._best = trial.value if self._best is None else min(self._best, trial.value)
        self._bar.set_postfix(self._known(), refresh=False)

    def _known(self) -> dict[str, str]:
        best = {} if self._best is None else {"best": f"{self._best:.6g}"}
        return best | ({"failed": str(len(self._failed))} if self._failed else {})

    def _write(self, line: str) -> None:
        if self._show:
            tqdm.write(line, sys.stderr)

    def __enter__(self) -> "_Bar":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.close()


def _watched() -> bool:
    """Whether a bar that moves has somebody to look at it: in a terminal or a notebook."""
    shell = sys.modules.get("IPython")
    notebook = shell is not None and hasattr(shell.get_ipython(), "kernel")
    return notebook or sys.stderr.isatty()
