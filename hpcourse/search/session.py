"""A search that is asked and told, and keeps a journal by which it can be resumed."""

import threading
from collections import deque
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import numpy as np

from hpcourse._check import require, require_count
from hpcourse.search import _journal
from hpcourse.search._work import ended, failed
from hpcourse.search.searcher import Searcher
from hpcourse.search.storage import Memory, Record, SQLite, Storage
from hpcourse.search.study import Study
from hpcourse.search.trial import Suggestion, Trial

__all__ = ["Session"]


class Session:
    """A searcher with a journal: ask for trials, evaluate them anywhere, tell what they gave.

    A journal that already holds trials is resumed: those that had ended are told to the searcher,
    those that had started and not ended are the first that `ask` gives, with their number, seed and
    configuration. `minimize` is a loop around a session. Threads may share one.

    Args:
        searcher: A fresh one.
        storage: The journal, or the path of its SQLite file; None keeps it in memory.
        seed: Seed of the trials' seeds.
        ahead: None tells the searcher of each trial as it ends. A number tells of trials in their
            order, and gives trial k to a searcher that knows of the trials up to ``k - ahead``: the
            search is then the same however long each trial takes. So many trials may run at a time.

    Raises:
        ValueError: If the journal is of another search, naming what differs, or the searcher is
            not fresh.
        StorageError: If the journal cannot be used.

    Examples:
        >>> from hpcourse.search import Box, Random, Real
        >>> session = Session(Random(Box({"x": Real(0.0, 1.0)}), seed=0))
        >>> for _ in range(20):
        ...     trial = session.ask()
        ...     _ = session.tell(trial, (trial.config["x"] - 0.3) ** 2)
        >>> session.study.best.value < 0.01
        True
    """

    def __init__(
        self,
        searcher: Searcher,
        *,
        storage: Storage | str | Path | None = None,
        seed: int = 0,
        ahead: int | None = None,
    ) -> None:
        require(type(seed) is int and seed >= 0, "A study needs an integer seed >= 0", seed=seed)
        asks = not isinstance(searcher, type) and hasattr(searcher, "ask")
        require(asks, "A search needs a searcher, such as Random(space)", searcher=searcher)
        asked = _journal.asked_before(searcher)
        require(asked == 0, "A search needs a fresh searcher", asked=asked)
        if ahead is not None:
            require_count("Session", ahead=ahead)
        self._searcher, self._seed, self._ahead = searcher, seed, ahead
        self._alone = threading.RLock()
        self._trials: list[Trial] = []
        self._told: set[int] = set()
        self._next = 0  # all trials below are told
        self._since: list[int] = []  # told since the last suggestion
        self._again: deque[Trial] = deque()
        self._own = SQLite(storage) if isinstance(storage, str | Path) else None
        self._journal: Storage = self._own or Memory()
        if storage is not None and not isinstance(storage, str | Path):
            self._journal = storage
        try:
            self._resume()
        except BaseException:
            self.close()
            raise

    @property
    def asked(self) -> int:
        """Number of trials that were started, before it was resumed and since."""
        return len(self._trials)

    @property
    def unfinished(self) -> int:
        """Number of trials that had started before it was resumed and were not given out again."""
        return len(self._again)

    @property
    def study(self) -> Study:
        """The trials so far."""
        with self._alone:
            return Study(tuple(self._trials))

    def ask(self) -> Trial | None:
        """The next trial to evaluate.

        None where there is none before another is told; while none runs, the search has ended.
        """
        with self._alone:
            trial = self._ask()
        return deepcopy(trial)  # whose configuration may be changed without harm to the study

    def _ask(self) -> Trial | None:
        if self._again:
            return self._again.popleft()
        while self._ahead is not None and len(self._trials) - len(self._told) >= self._ahead:
            if not self._tell_next():
                return None
        while (suggestion := self._searcher.ask()) is None:
            if not self._tell_next():
                return None
        trial = self._start(suggestion)
        self._journal.append(_journal.started(trial, self._since))
        self._since = []
        self._trials.append(trial)
        return trial

    def tell(
        self,
        trial: Trial,
        value: float | None = None,
        *,
        error: str | None = None,
        seconds: float = 0.0,
    ) -> Trial:
        """Store what became of a trial, and let the searcher know.

        Args:
            trial: One that `ask` gave; as it was given with a value or an error, or itself ended.
            value: What is minimised; one that is not finite makes the trial a failed one.
            error: Why it failed, instead of a value.
            seconds: Wall time of the evaluation.

        Returns:
            The ended trial.

        Raises:
            ValueError: If the trial was not asked for, has ended before, or does not end here.
            StorageError: If it cannot be stored; the searcher does not hear of it then.
        """
        require(
            value is None or error is None,
            "tell needs a value or an error",
            value=value,
            error=error,
        )
        with self._alone:
            known = self.runs(trial) and trial.seed == self._trials[trial.number].seed
            require(known, "tell needs a trial that was asked for and runs", number=trial.number)
            # What was asked stands, though somebody may have changed it in the meantime.
            own = self._trials[trial.number]
            if error is not None:
                own = failed(own, error, seconds)
            elif value is not None:
                own = ended(own, value, seconds)
            elif trial.state != "running":
                own = replace(own, **_journal.outcome(trial))
            over = own.state != "running"
            require(over, "tell needs a value, an error or an ended trial", number=own.number)
            self._journal.append(_journal.ended(own))
            self._trials[own.number] = own
            if self._ahead is None:
                self._tell(own.number)
        return own

    def runs(self, trial: Trial) -> bool:
        """Whether a trial was asked for and has not ended, as far as the journal knows."""
        number = trial.number
        return number < len(self._trials) and self._trials[number].state == "running"

    def tell_all(self) -> None:
        """Tell the searcher of all that has ended, in order, though it is not asked any more."""
        with self._alone:
            self._tell_rest(trial.number for trial in self._trials if trial.state != "running")

    def close(self) -> None:
        """Close the journal, if it was opened here."""
        if self._own is not None:
            self._own.close()

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _tell_next(self) -> bool:
        """Tell the searcher of the oldest trial that it does not know; False if that runs."""
        while self._next in self._told:
            self._next += 1
        oldest = self._next
        if oldest >= len(self._trials) or self._trials[oldest].state == "running":
            return False
        self._tell(oldest)
        return True

    def _tell(self, number: int) -> None:
        self._searcher.tell(self._trials[number])
        self._told.add(number)
        self._since.append(number)

    def _tell_rest(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            if number not in self._told:
                self._tell(number)

    def _start(self, suggestion: Suggestion) -> Trial:
        number = len(self._trials)
        return Trial(
            number=number,
            config=suggestion.config,
            seed=trial_seed(self._seed, number),
            budget=suggestion.budget,
            parent=suggestion.parent,
        )

    def _resume(self) -> None:
        """Bring the searcher to where the journal ends."""
        now = _journal.header(self._searcher, self._seed)
        records = list(self._journal)
        if not records:
            self._journal.append(now)
            return
        _journal.check_header(records[0], now)
        found = _journal.trials(records)
        for record in records:
            if record["kind"] == "started":
                self._repeat(found, record)
        self._again.extend(trial for trial in found if trial.state == "running")
        if self._ahead is None:
            self._tell_rest(r["number"] for r in records if r["kind"] == "ended")

    def _repeat(self, found: list[Trial], record: Record) -> None:
        """Ask for a trial of the journal again, knowing what was known then."""
        for number in record["told"]:
            self._searcher.tell(found[number])
            self._told.add(number)
        suggestion, number = self._searcher.ask(), record["number"]
        again = None if suggestion is None else _journal.asked(self._start(suggestion))
        before = _journal.asked(found[number])
        if again != before:
            was, now = _journal.differing(before, again)
            raise ValueError(
                f"The journal is of another search: its trial {number} is {was}, now the "
                f"searcher suggests {now}. Resume with the same searcher, space and seeds"
            )
        self._trials.append(found[number])


def trial_seed(seed: int, number: int) -> int:
    """Seed of a trial: 32 bits from the study's seed and the trial's number."""
    return int(np.random.SeedSequence((seed, number)).generate_state(1)[0])
