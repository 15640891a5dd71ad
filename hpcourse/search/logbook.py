"""A log of trials for people who tune by hand: what was changed, what became of it, and why."""

from collections.abc import Mapping, Sequence

from hpcourse._check import require
from hpcourse.search.study import _paths as paths
from hpcourse.search.study import cause
from hpcourse.search.trial import Config, Trial

__all__ = ["changes", "logbook"]


def changes(before: Config, after: Config) -> list[str]:
    """What differs between two configurations, one entry for each hyperparameter by its path.

    Examples:
        >>> changes({"lr": 0.1, "units": [8]}, {"lr": 0.01, "units": [8, 4]})
        ['lr 0.1 -> 0.01', 'units[1] + 4']
        >>> changes({"kind": "sgd", "momentum": 0.9}, {"kind": "adam"})
        ["kind 'sgd' -> 'adam'", 'momentum - 0.9']
    """
    old, new = dict(paths(before)), dict(paths(after))
    found = []
    for name in dict.fromkeys([*old, *new]):
        if name not in new:
            found.append(f"{name} - {_short(old[name])}")
        elif name not in old:
            found.append(f"{name} + {_short(new[name])}")
        elif old[name] != new[name]:
            found.append(f"{name} {_short(old[name])} -> {_short(new[name])}")
    return found


def logbook(trials: Sequence[Trial], notes: Mapping[int, str] | None = None) -> str:
    """One line a trial: its value, how it differs from the best before it, and a note.

    A trial is compared with the best done trial before it, for that is what somebody who tunes by
    hand starts from. A new best is marked with a star.

    Args:
        trials: In the order in which they were run.
        notes: Number of a trial to what its author had in mind.

    Raises:
        ValueError: If a note is about a trial that is not there.

    Examples:
        >>> trials = [Trial(number=k, config={"lr": lr}, seed=0, state="done", value=value)
        ...           for k, (lr, value) in enumerate([(0.1, 0.5), (0.2, 0.7), (0.05, 0.25)])]
        >>> print(logbook(trials, {2: "the other way"}))
        * 0       0.5  lr + 0.1
          1       0.7  lr 0.1 -> 0.2
        * 2      0.25  lr 0.1 -> 0.05  # the other way
    """
    notes = dict(notes or {})
    numbers = [trial.number for trial in trials]
    for number in notes:
        require(number in numbers, f"logbook needs notes on the trials {numbers}", number=number)
    lines, best = [], None
    for trial in trials:
        changed = ", ".join(changes(best.config if best else {}, trial.config)) or "the same again"
        done = trial.state == "done" and trial.value is not None
        better = done and (best is None or _value(trial) < _value(best))
        worth = f"{trial.value:7.4g}" if done else f"{trial.state:>7s}"
        note = f"  # {notes[trial.number]}" if trial.number in notes else ""
        why = f" ({cause(trial)})" if trial.state == "failed" else ""
        lines.append(f"{'*' if better else ' '} {trial.number:<3d} {worth}  {changed}{why}{note}")
        best = trial if better else best
    return "\n".join(lines)


def _value(trial: Trial) -> float:
    return float("inf") if trial.value is None else trial.value


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else repr(value)
