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

from hpcourse.search.searcher import Searcher
from hpcourse.search.storage import Record, StorageError, read
from hpcourse.search.study import Study
from hpcourse.search.trial import Trial

__all__ = ["asked", "check_header", "ended", "header", "load_study", "started", "trials"]


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
    fields = ("number", "state", "value", "seconds", "error")
    return {"kind": "ended", **{name: getattr(trial, name) for name in fields}}


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
        if old.get(name) != value:
            was, now = old.get(name), value
            if isinstance(was, list) and isinstance(now, list):
                gone, new_ones = ([x for x in a if x not in b] for a, b in ((was, now), (now, was)))
                was, now = (gone, new_ones) if gone and new_ones else (was, now)
            raise ValueError(f"The journal is of another search: its {name} is {was}, now {now}")


def header(searcher: Searcher, seed: int) -> Record:
    """The seed of a study and what is known of its searcher: its class, and the axes of its space.

    A searcher need not show its space; then only its suggestions tell another search.
    """
    space = getattr(searcher, "space", None) or getattr(
        getattr(searcher, "_history", None), "space", None
    )
    axes = None if space is None else [_line(space.axes, axis) for axis in space.axes]
    name = type(searcher).__name__
    return {"kind": "study", "seed": seed, "searcher": name, "space": axes}


def _line(axes: Any, axis: Any) -> str:
    """An axis as text that is the same in every process."""
    conditions = "".join(f" if {axes[k].name} in {sorted(c)}" for k, c in axis.conditions)
    return re.sub(r" at 0x[0-9a-f]+", "", f"{axis.name}: {axis.domain!r}{conditions}")
