"""What a worker does: evaluate trials, and turn whatever happens into ended ones."""

import math
import time
import traceback
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from reprlib import Repr

from hpcourse.search.trial import Batched, Objective, Trial

__all__ = ["Pruned", "ended", "evaluate", "failed"]

LONGEST = 2000
"""Characters of one frame or message of a traceback that are kept."""

SHOWN = Repr()
"""Shows whatever an objective returned in a line, long or without a working ``repr`` as it be."""
SHOWN.maxstring = SHOWN.maxother = 80


class Pruned(Exception):  # noqa: N818  # it is no error
    """Raised by an objective that stops a trial which does not promise enough.

    Args:
        value: What the trial was worth when it was stopped, or None.

    Raises:
        ValueError: If `value` is not a finite number.

    Examples:
        >>> from hpcourse.search import Box, Random, Real, minimize
        >>> def objective(trial):
        ...     if trial.config["lr"] > 0.5:
        ...         raise Pruned(0.9)
        ...     return trial.config["lr"]
        >>> search = Random(Box({"lr": Real(0.0, 1.0)}))
        >>> study = minimize(objective, search, trials=8, progress=False)
        >>> sorted({trial.state for trial in study.trials})
        ['done', 'pruned']
    """

    def __init__(self, value: float | None = None) -> None:
        number = None if value is None else _number(value)
        if value is not None and (number is None or not math.isfinite(number)):
            raise ValueError(f"Pruned needs a finite value or None, got value={value!r}")
        super().__init__(value)
        self.value = number


def evaluate(objective: Objective | Batched, trials: Sequence[Trial]) -> list[Trial]:
    """The trials as they ended. Never raises what the objective raises.

    ``SystemExit`` counts as a failure of the trial too; ``KeyboardInterrupt`` passes. The objective
    may do with its configurations what it likes: they are copies.
    """
    own = deepcopy(list(trials))
    start = time.perf_counter()
    try:
        if isinstance(objective, Batched):
            values: Sequence[object] = objective.returned(own)
        else:
            values = [objective(own[0])]
    except Pruned as stop:
        seconds = time.perf_counter() - start
        return [replace(t, state="pruned", value=stop.value, seconds=seconds) for t in trials]
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        seconds = time.perf_counter() - start
        return [failed(trial, told(error), seconds) for trial in trials]
    # The members of a batch ran side by side: each took as long as all.
    seconds = time.perf_counter() - start
    return [ended(t, value, seconds) for t, value in zip(trials, values, strict=True)]


def failed(trial: Trial, error: str, seconds: float = 0.0) -> Trial:
    """The trial, failed for a reason."""
    return replace(trial, state="failed", error=error, seconds=seconds)


def ended(trial: Trial, value: object, seconds: float = 0.0) -> Trial:
    """The trial, done if its objective returned a finite number."""
    number = _number(value)
    if number is None:
        what = type(value).__name__
        error = f"The objective has to return a number, got {SHOWN.repr(value)} of type {what}"
        return failed(trial, error, seconds)
    if not math.isfinite(number):
        return failed(trial, f"The objective returned {number}", seconds)
    return replace(trial, state="done", value=number, seconds=seconds)


def told(error: BaseException) -> str:
    """An exception with its traceback, of which no part is overlong."""
    return "".join(map(_bounded, traceback.format_exception(error)))


def _bounded(text: str) -> str:
    half = LONGEST // 2
    left_out = len(text) - 2 * half
    if left_out <= 0:
        return text
    return f"{text[:half]}[... {left_out} characters ...]{text[-half:]}"


def _number(value: object) -> float | None:
    """A number of Python or NumPy, or an array or tensor of one element, as a float."""
    if isinstance(value, bool | str):  # of NumPy too, once it is an item
        return None
    try:
        item = getattr(value, "item", None)
        if callable(item):
            return _number(item())
        return float(value) if hasattr(value, "__float__") else None
    except OverflowError:  # an integer beyond all floats
        return math.inf
    except Exception:  # more than one element, or whatever else it says to being a number
        return None
