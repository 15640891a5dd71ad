"""What the records of a study's journal say.

The journal holds one header and then, in the order in which they happened, two records a trial:

- ``started``: what the searcher suggested, and which trials it had been told of since its last
  suggestion. A searcher's state follows from its suggestions and what it is told, so that these
  records are all that resuming needs.
- ``ended``: what became of the trial.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hpcourse.search.searcher import History, Searcher
from hpcourse.search.storage import Record, StorageError, read
from hpcourse.search.study import Study
from hpcourse.search.trial import Trial

__all__ = [
    "asked",
    "asked_before",
    "check_header",
    "differing",
    "ended",
    "header",
    "load_study",
    "outcome",
    "started",
    "trials",
]

SHOWN = 3
"""Hyperparameters of two configurations that are shown where they differ."""


def load_study(path: str | Path) -> Study:
    """The study in a file, which is only read; the search that writes it may go on meanwhile.

    Raises:
        StorageError: If the file is missing, damaged, no study, or from a newer version.
    """
    return Study(tuple(trials(read(path))))


def started(trial: Trial, told: Iterable[int]) -> Record:
    return {"kind": "started", "number": trial.number, **asked(trial), "told": list(told)}


def asked(trial: Trial) -> dict[str, Any]:
    """What is fixed when a trial starts."""
    return {name: getattr(trial, name) for name in ("config", "seed", "budget", "parent")}


def ended(trial: Trial) -> Record:
    return {"kind": "ended", "number": trial.number, **outcome(trial)}


def outcome(trial: Trial) -> dict[str, Any]:
    """What is known of a trial when it has ended."""
    return {name: getattr(trial, name) for name in ("state", "value", "seconds", "error")}


def trials(records: Iterable[Record]) -> list[Trial]:
    """The trials that a journal tells of, by number."""
    found: list[Trial] = []
    try:
        for record in records:
            fields = {name: value for name, value in record.items() if name not in ("kind", "told")}
            if record["kind"] == "started":
                if record["number"] != len(found):
                    raise KeyError(record["number"])
                found.append(Trial(**fields))
            elif record["kind"] == "ended":
                found[record["number"]] = replace(found[record["number"]], **fields)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise StorageError(f"The journal is damaged: {error!r} in {record}") from error
    return found


def check_header(old: Record, new: Mapping[str, Any]) -> None:
    """Raise unless two searches have the same header."""
    for name, value in new.items():
        unknown = name == "space" and old.get(name) is None  # it was not shown then
        if _plain(old.get(name)) != _plain(value) and not unknown:
            was, now = old.get(name), value
            if isinstance(was, list) and isinstance(now, list):
                gone, new_ones = ([x for x in a if x not in b] for a, b in ((was, now), (now, was)))
                was, now = (gone, new_ones) if gone and new_ones else (was, now)
            raise ValueError(f"The journal is of another search: its {name} is {was}, now {now}")


def header(searcher: Searcher, seed: int) -> Record:
    """The seed of a study and what is known of its searcher: its class, and the axes of its space.

    A searcher need not show its space; then only its suggestions tell another search.
    """
    history = _history(searcher)
    space = getattr(searcher, "space", None) or (history and history.space)
    axes = None if space is None else [_line(space.axes, axis) for axis in space.axes]
    name = type(searcher).__name__
    return {"kind": "study", "seed": seed, "searcher": name, "space": axes}


def asked_before(searcher: Searcher) -> int:
    """How many suggestions a searcher has made, as far as it shows them."""
    history = _history(searcher)
    return 0 if history is None else history.asked


def differing(
    one: Mapping[str, Any] | None, other: Mapping[str, Any] | None
) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
    """The entries in which two requests differ, of configurations the first few."""
    if one is None or other is None:
        return one, other
    missing = object()
    names = [n for n in {**one, **other} if one.get(n, missing) != other.get(n, missing)]
    cut = [{name: side[name] for name in names[:SHOWN] if name in side} for side in (one, other)]
    if all(isinstance(side.get("config"), dict) for side in cut):
        configs = differing(cut[0]["config"], cut[1]["config"])
        cut = [{**side, "config": own} for side, own in zip(cut, configs, strict=True)]
    return cut[0], cut[1]


def _history(searcher: object, depth: int = 3) -> History | None:
    """The history that a searcher keeps, itself or in a part of it."""
    parts = list(getattr(searcher, "__dict__", {}).values())
    own = next((part for part in parts if isinstance(part, History)), None)
    if own is not None or depth == 0:
        return own
    return next((found for part in parts if (found := _history(part, depth - 1))), None)


def _plain(entry: Any) -> Any:
    """An entry of a header in which the ends 0 and 0.0 of real numbers are the same."""
    if not isinstance(entry, list):
        return entry
    return [re.sub(r"(=-?\d+)\.0(?=[,)])", r"\1", line) for line in entry]


def _line(axes: Any, axis: Any) -> str:
    """An axis as text that is the same in every process."""
    conditions = "".join(f" if {axes[k].name} in {sorted(c)}" for k, c in axis.conditions)
    return re.sub(r" at 0x[0-9a-f]+", "", f"{axis.name}: {axis.domain!r}{conditions}")
