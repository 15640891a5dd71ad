"""What a search leaves behind: its trials, the best of them, and all as arrays and as a table."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hpcourse.search.trial import Trial

__all__ = ["Study"]

COLUMNS = ("state", "value", "seconds", "budget", "parent", "seed", "error")


@dataclass(frozen=True)
class Study:
    """The trials of a search, by number.

    Attributes:
        trials: Trial k at place k; those that never ended are running.

    Examples:
        >>> losses = [0.5, 0.2, 0.3]
        >>> study = Study(tuple(
        ...     Trial(number=k, config={"lr": 0.1 * k}, seed=k, state="done", value=loss)
        ...     for k, loss in enumerate(losses)
        ... ))
        >>> study.best.number, study.best_so_far.tolist()
        (1, [0.5, 0.2, 0.2])
    """

    trials: tuple[Trial, ...]

    def __len__(self) -> int:
        return len(self.trials)

    @property
    def best(self) -> Trial:
        """The done trial of the lowest value, the first of equals.

        Raises:
            ValueError: If no trial is done; it quotes the most frequent cause.
        """
        done = [trial for trial in self.trials if trial.state == "done"]
        if not done:
            raise ValueError(f"Study has no trial that is done: {_causes(self.trials)}")
        return min(done, key=lambda trial: (trial.value, trial.number))

    @property
    def values(self) -> NDArray[np.float64]:
        """What each trial was worth, (n,); NaN where it failed, still runs, or said nothing."""
        return np.array([np.nan if t.value is None else t.value for t in self.trials], dtype=float)

    @property
    def best_so_far(self) -> NDArray[np.float64]:
        """Lowest value among the done trials up to each number, (n,); NaN before there is one."""
        done = np.array([trial.state == "done" for trial in self.trials], dtype=bool)
        return np.asarray(np.fmin.accumulate(np.where(done, self.values, np.nan)))

    def frame(self) -> pd.DataFrame:
        """One row a trial, indexed by number: its hyperparameters by path, then what became of it.

        A path is ``"optimizer.momentum"`` or ``"units[2]"``; the cell of a trial without the
        hyperparameter is empty. One that is called as another column has ``config.`` before it.
        """
        settings = [dict(_paths(trial.config)) for trial in self.trials]
        names = list(dict.fromkeys(name for setting in settings for name in setting))
        columns: dict[str, list[Any]] = {
            f"config.{name}" if name in COLUMNS else name: [s.get(name) for s in settings]
            for name in names
        }
        for name in COLUMNS:
            columns[name] = [getattr(trial, name) for trial in self.trials]
        numbers = pd.Index([trial.number for trial in self.trials], name="number", dtype=int)
        frame = pd.DataFrame(columns, index=numbers)
        return frame.astype(
            {"value": float, "seconds": float, "budget": "Int64", "parent": "Int64"}
        )


def cause(trial: Trial) -> str:
    """The last line of a failed trial's error: what was raised."""
    return (trial.error or "").strip().splitlines()[-1]


def _causes(trials: Sequence[Trial]) -> str:
    """Why none of the trials is done, the most frequent reason first."""
    if not trials:
        return "it has no trials"
    reasons = Counter(cause(t) if t.state == "failed" else f"({t.state})" for t in trials)
    reason, count = reasons.most_common(1)[0]
    return f"{count} of {len(trials)} ended with {reason}"


def _paths(config: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Every plain value of a configuration with its path."""
    for name, value in config.items():
        yield from _of(f"{before}{name}", value)


def _of(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        yield from _paths(value, f"{path}.")
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from _of(f"{path}[{position}]", item)
    else:
        yield path, value
