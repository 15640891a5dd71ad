"""What a search leaves behind: its trials, the best of them, and all as arrays and as a table."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hpcourse.search.trial import Trial

__all__ = ["Study"]

COLUMNS = ("state", "value", "seconds", "budget", "parent", "seed", "error")

LONGEST = 200
"""Characters of a cause that are shown."""

HEADER = "Traceback (most recent call last):"


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
        Integers and truth values stay what they are where cells are empty.
        """
        settings = [dict(_paths(trial.config)) for trial in self.trials]
        names = list(dict.fromkeys(name for setting in settings for name in setting))
        columns: dict[str, Any] = {
            f"config.{name}" if name in COLUMNS else name: _column([s.get(name) for s in settings])
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
    """What a failed trial raised, in a line: the first of the message, however long that is."""
    lines = [line for line in (trial.error or "").splitlines() if line.strip()]
    grouped = [found[1] for line in lines if (found := re.match(r" *\| (\S.*)", line))]
    headers = [place for place, line in enumerate(lines) if line.endswith(HEADER)]
    if not lines:
        line = "no reason given"
    elif any("Exception Group Traceback" in line for line in lines) and grouped:
        line = grouped[-1]
    else:
        after = lines[headers[-1] + 1 :] if headers else lines
        named = r"[A-Za-z_][\w.]*(: |$)" if headers else r"[A-Za-z_][\w.]*: "
        raised = [line for line in after if re.match(named, line)]
        line = raised[0] if raised else lines[-1].strip()
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 3]}..."


def causes(trials: Iterable[Trial]) -> list[tuple[str, int]]:
    """Causes of failed trials and how often each occurred, the most frequent first.

    Those that differ in numbers alone count as one, for which the first stands.
    """
    alike: dict[str, list[str]] = defaultdict(list)
    for reason in map(cause, trials):
        alike[re.sub(r"\d+(\.\d+)?(e[-+]?\d+)?", "#", reason)].append(reason)
    found = [
        (reasons[0] + (" (with other numbers too)" if len(set(reasons)) > 1 else ""), len(reasons))
        for reasons in alike.values()
    ]
    return sorted(found, key=lambda pair: -pair[1])


def _causes(trials: Sequence[Trial]) -> str:
    """Why none of the trials is done, the most frequent reason first."""
    if not trials:
        return "it has no trials"
    found = causes(trial for trial in trials if trial.state == "failed")
    states = Counter(f"({trial.state})" for trial in trials if trial.state != "failed")
    reason, count = max([*found, *states.items()], key=lambda pair: pair[1])
    return f"{count} of {len(trials)} ended with {reason}"


def _column(cells: list[Any]) -> Any:
    """The cells of a hyperparameter as what they are, None where it does not count."""
    kinds = {type(cell) for cell in cells if cell is not None}
    if kinds == {bool}:
        return pd.array(cells, dtype="boolean" if None in cells else "bool")
    if kinds == {int} and None in cells and max(abs(c) for c in cells if c is not None) < 2**63:
        return pd.array(cells, dtype="Int64")
    return cells


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
