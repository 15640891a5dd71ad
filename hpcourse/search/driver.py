"""`minimize`: run a search to its end."""

import time
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from hpcourse._check import require, require_count
from hpcourse.search._work import evaluate
from hpcourse.search.searcher import Searcher
from hpcourse.search.session import Session
from hpcourse.search.study import Study
from hpcourse.search.trial import Batched, Objective

__all__ = ["minimize"]


def minimize(
    objective: Objective | Batched,
    searcher: Searcher,
    *,
    trials: int,
    executor: Executor | None = None,
    workers: int = 1,
    storage: Any | str | Path | None = None,
    seed: int = 0,
    timeout: float | None = None,
    trial_timeout: float | None = None,
    in_order: bool = True,
    progress: bool = True,
) -> Study:
    """Evaluate what a searcher suggests, until `trials` have ended or it has no more.

    Args:
        objective: A trial to the value that is minimised.
        searcher: A fresh one.
        trials: Number of trials in all.
        executor: Where trials run; None for this process.
        workers: Number of trials (or batches) at a time.
        storage: Journal, or path of one.
        seed: Seed of the trials' seeds.
        timeout: Seconds in all after which no trial is started.
        trial_timeout: Seconds after which a trial is stopped.
        in_order: Whether results are told in the order of the trials.
        progress: Whether to show a bar.

    Raises:
        ValueError: If an argument is out of range.

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
    missing = executor is None and workers == 1 and storage is None and trial_timeout is None
    require(missing, "minimize runs in this process only so far", executor=executor)
    session = Session(searcher, seed=seed)
    end = None if timeout is None else time.monotonic() + timeout
    size = objective.size if isinstance(objective, Batched) else 1
    with tqdm(total=trials, disable=not progress, unit="trial") as bar:
        while len(session.study) < trials and (end is None or time.monotonic() < end):
            room = min(size, trials - len(session.study))
            batch = [trial for trial in (session.ask() for _ in range(room)) if trial is not None]
            if not batch:
                break
            for trial in evaluate(objective, batch):
                session.tell(trial)
            bar.update(len(batch))
    return session.study
