"""Where trials run: in this process, in worker processes of our own, or on a given executor.

All three take a batch of trials and give a future of the ended ones. What goes wrong on the way (a
worker that hangs, dies, or cannot be reached) is turned into failed trials here, so that a search
sees ended trials and nothing else.
"""

import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from functools import lru_cache, partial
from typing import Any, Protocol

import cloudpickle
import pebble

from hpcourse._check import require
from hpcourse.search._work import evaluate, failed, told
from hpcourse.search.trial import Batched, Objective, Trial

__all__ = ["Crew", "LostWorkers", "crew"]

# A server of its own forks the workers quickly. Forking this process instead may deadlock, for it
# has threads once torch or a progress bar is in use.
if sys.platform == "win32":
    from multiprocessing.context import SpawnContext as Context
    from multiprocessing.context import SpawnProcess as Process
else:
    from multiprocessing import resource_tracker
    from multiprocessing.context import ForkServerContext as Context
    from multiprocessing.context import ForkServerProcess as Process

Ended = Future[list[Trial]]

STARTS = 3
"""How often in a row our workers are started anew, or a cancelled call, before we give up."""


class LostWorkers(Exception):  # noqa: N818  # it is handled, and no error
    """Trials did not run because the workers are gone; they may be submitted again."""


class Crew(Protocol):
    """Workers that evaluate batches of trials."""

    def submit(self, trials: Sequence[Trial]) -> Ended:
        """Start a batch."""
        ...

    def outcome(self, trials: Sequence[Trial], future: Ended) -> list[Trial]:
        """What became of a batch whose future is done.

        Raises:
            LostWorkers: If it has to be submitted again.
        """
        ...

    def stop(self) -> None:
        """Stop what runs as far as that is possible, and leave nothing behind."""
        ...


def crew(
    objective: Objective | Batched,
    executor: Executor | None,
    workers: int,
    trial_timeout: float | None,
) -> Crew:
    """The workers that the arguments of `minimize` ask for."""
    require(callable(objective), "minimize needs a callable objective", objective=objective)
    if executor is not None:
        submits = not isinstance(executor, type) and hasattr(executor, "submit")
        require(submits, "minimize needs an executor with `submit`", executor=executor)
        require(
            trial_timeout is None,
            "A trial_timeout needs executor=None: only workers of our own can be stopped",
            trial_timeout=trial_timeout,
        )
        return _Given(objective, executor)
    if workers == 1 and trial_timeout is None:
        return _Here(objective)
    return _Pool(objective, workers, trial_timeout)


class _Here:
    """This process: a trial has ended when `submit` returns."""

    def __init__(self, objective: Objective | Batched) -> None:
        self._objective = objective

    def submit(self, trials: Sequence[Trial]) -> Ended:
        future: Ended = Future()
        future.set_result(evaluate(self._objective, trials))
        return future

    def outcome(self, trials: Sequence[Trial], future: Ended) -> list[Trial]:
        return future.result()

    def stop(self) -> None:
        """Nothing runs."""


class _Given:
    """Any executor; it is not ours to shut down."""

    def __init__(self, objective: Objective | Batched, executor: Executor) -> None:
        self._executor = executor
        # Its processes may not know the module in which the objective was defined.
        packed = isinstance(executor, ProcessPoolExecutor)
        self._work = _packed(objective) if packed else partial(evaluate, objective)
        self._running: set[Ended] = set()
        self._cancelled: Counter[int] = Counter()

    def submit(self, trials: Sequence[Trial]) -> Ended:
        try:
            future = self._executor.submit(self._work, trials)
        except BrokenExecutor as error:
            raise RuntimeError(
                f"The executor is broken ({error}): a worker of it died, and it starts no other. "
                "All trials that ended are stored. Resume with a new executor, or leave "
                "executor=None, whose workers are replaced"
            ) from error
        except Exception as error:  # each has its own for being shut down or out of reach
            raise RuntimeError(
                f"The executor takes no work ({type(error).__name__}: {error}). All trials that "
                "ended are stored"
            ) from error
        self._running.add(future)
        return future

    def outcome(self, trials: Sequence[Trial], future: Ended) -> list[Trial]:
        self._running.discard(future)
        if future.cancelled() and self._again(trials):
            raise LostWorkers
        # An executor has errors of its own, for a worker that died or work that it cannot send.
        error = CancelledError("by its executor") if future.cancelled() else future.exception()
        return future.result() if error is None else _all_failed(trials, error)

    def _again(self, trials: Sequence[Trial]) -> bool:
        """Whether to submit again what was cancelled: by a cluster that restarts or goes away."""
        self._cancelled[trials[0].number] += 1
        return self._cancelled[trials[0].number] <= STARTS

    def stop(self) -> None:
        for future in self._running:
            with suppress(Exception):  # of an executor that is out of reach
                future.cancel()


class _Worker(Process):
    """A process that does not run the user's script again when it starts.

    The standard library has each process import the main script, for functions that were defined
    there. Ours travel by value, so that a script needs no guard and what it imports is not imported
    once more by each worker.
    """

    _one = threading.Lock()

    def start(self) -> None:
        main = vars(sys.modules["__main__"])
        with self._one:
            shown: dict[str, Any] = {
                name: main[name] for name in ("__spec__", "__file__") if name in main
            }
            main["__spec__"] = main["__file__"] = None
            try:
                super().start()
            finally:
                del main["__spec__"], main["__file__"]
                main.update(shown)


class _Start(Context):
    """How our workers start."""

    Process = _Worker

    def __init__(self) -> None:
        super().__init__()
        self.set_forkserver_preload(["hpcourse.search._server"])
        if sys.platform != "win32":
            _start_server()


@lru_cache(maxsize=1)
def _start_server() -> None:
    """Have the server of workers up before anything else happens, a Ctrl-C included.

    A server that is killed later is started again by the standard library.
    """
    resource_tracker.ensure_running()  # else the server starts it, which lets Ctrl-C in
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        first = _Worker(target=len, args=((),))
        first.start()  # starts the server, and waits for it
        first.join()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Pool:
    """Worker processes of our own: one that hangs or dies costs its trials alone."""

    def __init__(
        self, objective: Objective | Batched, workers: int, trial_timeout: float | None
    ) -> None:
        self._payload = cloudpickle.dumps(objective)  # each worker gets it once
        self._workers, self._timeout = workers, trial_timeout
        self._starts = 0
        self._pool = self._started()

    def submit(self, trials: Sequence[Trial]) -> Ended:
        if not self._pool.active:  # its workers died while they had nothing to do
            self._restart(BrokenProcessPool("the workers died"))
        return self._pool.schedule(_evaluate_given, args=(trials,), timeout=self._timeout)

    def outcome(self, trials: Sequence[Trial], future: Ended) -> list[Trial]:
        error = future.exception()
        if isinstance(error, BrokenProcessPool):
            self._restart(error)
            raise LostWorkers
        self._starts = 0
        if error is None:
            return future.result()
        if isinstance(error, TimeoutError):
            reason = f"TimeoutError: it ran past trial_timeout={self._timeout} s and was stopped"
            return [failed(trial, reason, self._timeout or 0.0) for trial in trials]
        return _all_failed(trials, error)

    def stop(self) -> None:
        self._pool.stop()
        self._pool.join()

    def _started(self) -> pebble.ProcessPool:
        given = (self._payload, dict(os.environ))
        return pebble.ProcessPool(
            max_workers=self._workers, context=_Start(), initializer=_receive, initargs=given
        )

    def _restart(self, error: BaseException) -> None:
        if self._pool.active:
            return  # another batch of the old pool had this done
        self._starts += 1
        self.stop()
        if self._starts > STARTS:
            raise RuntimeError(
                f"The workers end as soon as they start ({error}); all that ended is stored"
            ) from error
        self._pool = self._started()


_given = b""
"""In a worker process of ours: the objective, pickled."""


def _receive(payload: bytes, environment: Mapping[str, str]) -> None:
    """Prepare a worker process.

    The server that forks it has the environment of the time when the first search began.
    """
    global _given  # noqa: PLW0603  # there is one objective in the life of a worker
    _given = payload
    for name in set(os.environ) - set(environment):
        del os.environ[name]
    os.environ.update(environment)


def _evaluate_given(trials: Sequence[Trial]) -> list[Trial]:
    return _unpack_and_evaluate(_given, trials)


def _packed(objective: Objective | Batched) -> Any:
    """Work for another process, functions of notebooks and closures included."""
    return partial(_unpack_and_evaluate, cloudpickle.dumps(objective))


def _unpack_and_evaluate(payload: bytes, trials: Sequence[Trial]) -> list[Trial]:
    return evaluate(_unpacked(payload), trials)


@lru_cache(maxsize=1)
def _unpacked(payload: bytes) -> Any:
    return cloudpickle.loads(payload)


def _all_failed(trials: Sequence[Trial], error: BaseException) -> list[Trial]:
    """The trials of a batch that an executor lost, with the reason."""
    if isinstance(error, pebble.ProcessExpired):
        text = f"WorkerDied: its worker process ended with {_end(error.exitcode)}"
    else:
        text = told(error)
    return [failed(trial, text) for trial in trials]


def _end(code: int) -> str:
    """How a process ended."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:  # a signal without a name
        return f"signal {-code}"
