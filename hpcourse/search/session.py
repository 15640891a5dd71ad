"""A search, asked and told, with its journal."""

from dataclasses import replace

import numpy as np

from hpcourse._check import require
from hpcourse.search._work import failed
from hpcourse.search.searcher import Searcher
from hpcourse.search.study import Study
from hpcourse.search.trial import Trial

__all__ = ["Session"]


class Session:
    """Asks a searcher for trials and tells it what became of them.

    Args:
        searcher: A fresh one.
        seed: Seed of the trials' seeds.
    """

    def __init__(self, searcher: Searcher, *, seed: int = 0) -> None:
        require(type(seed) is int and seed >= 0, "Session needs an integer seed >= 0", seed=seed)
        self._searcher, self._seed = searcher, seed
        self._trials: list[Trial] = []

    @property
    def study(self) -> Study:
        """The trials so far."""
        return Study(tuple(self._trials))

    def ask(self) -> Trial | None:
        """The next trial, started; None where there is none before more is told."""
        suggestion = self._searcher.ask()
        if suggestion is None:
            return None
        number = len(self._trials)
        trial = Trial(
            number=number,
            config=suggestion.config,
            seed=trial_seed(self._seed, number),
            budget=suggestion.budget,
            parent=suggestion.parent,
        )
        self._trials.append(trial)
        return trial

    def tell(self, trial: Trial, value: float | None = None, *, error: str | None = None) -> Trial:
        """End a trial with its value, or its error."""
        if error is not None:
            trial = failed(trial, error)
        elif value is not None:
            trial = replace(trial, state="done", value=float(value))
        self._trials[trial.number] = trial
        self._searcher.tell(trial)
        return trial


def trial_seed(seed: int, number: int) -> int:
    """Seed of a trial: 32 bits from the study's seed and the trial's number."""
    return int(np.random.SeedSequence((seed, number)).generate_state(1)[0])
