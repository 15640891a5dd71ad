"""What a worker does: evaluate trials, and turn whatever happens into ended ones."""

import math
import time
import traceback
from collections.abc import Sequence
from dataclasses import replace
from numbers import Real

from hpcourse._check import is_finite
from hpcourse.search.trial import Batched, Objective, Trial

__all__ = ["Pruned", "ended", "evaluate", "failed"]


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
        if value is not None and not is_finite(value):
            raise ValueError(f"Pruned needs a finite value or None, got value={value!r}")
        super().__init__(value)
        self.value = None if value is None else float(value)


def evaluate(objective: Objective | Batched, trials: Sequence[Trial]) -> list[Trial]:
    """The trials as they ended. Never raises what the objective raises.

    ``SystemExit`` counts as a failure of the trial too; ``KeyboardInterrupt`` passes.
    """
    start = time.perf_counter()
    try:
        if isinstance(objective, Batched):
            values: Sequence[object] = objective(trials)
        else:
            values = [objective(trials[0])]
    except Pruned as stop:
        seconds = time.perf_counter() - start
        return [replace(t, state="pruned", value=stop.value, seconds=seconds) for t in trials]
    except (Exception, SystemExit):
        return [failed(t, traceback.format_exc(), time.perf_counter() - start) for t in trials]
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
        error = f"The objective has to return a number, got {value!r} of type {what}"
        return failed(trial, error, seconds)
    if not math.isfinite(number):
        return failed(trial, f"The objective returned {number}", seconds)
    return replace(trial, state="done", value=number, seconds=seconds)


def _number(value: object) -> float | None:
    """A number of Python or NumPy, or an array or tensor of one element, as a float."""
    if isinstance(value, bool):
        return None
    if isinstance(value, Real):
        return float(value)
    item = getattr(value, "item", None)
    try:
        return None if item is None else _number(item())
    except (TypeError, ValueError, RuntimeError):  # more than one element
        return None
