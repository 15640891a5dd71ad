"""What a schedule is, and the one class behind every schedule of this package."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol, final, overload

import numpy as np
from numpy.typing import NDArray

from hpcourse._check import require, require_non_negative

Floats = NDArray[np.float64]
Steps = NDArray[np.integer[Any]] | NDArray[np.floating[Any]]


class Schedule(Protocol):
    """A pure function from the optimiser's step to its learning rate.

    The step is a number or an array of numbers, counted from 0 in whatever unit the schedule was
    built with: optimiser steps, or epochs. It may be fractional, a moment within an epoch, as in
    TensorFlow. A number gives a float, an array gives a float64 array of the same shape.
    """

    @overload
    def __call__(self, step: float | np.number[Any], /) -> float: ...
    @overload
    def __call__(self, step: Steps, /) -> Floats: ...


@final
@dataclass(frozen=True, slots=True, repr=False)
class Curve:
    """A formula with its settings: a Schedule that compares, hashes, pickles and prints.

    Its ``repr`` is the call that makes it.

    Args:
        formula: A module-level function ``(steps, **settings) -> rates`` on float64 arrays, named
            after the public function that makes the schedule, with an underscore before it.
        settings: The names and values of the formula's keyword arguments.
    """

    formula: Callable[..., Any]
    settings: tuple[tuple[str, Any], ...]

    @overload
    def __call__(self, step: float | np.number[Any], /) -> float: ...
    @overload
    def __call__(self, step: Steps, /) -> Floats: ...
    def __call__(self, step: float | np.number[Any] | Steps, /) -> float | Floats:
        steps = as_steps(step)
        rates = np.asarray(self.formula(steps, **dict(self.settings)), dtype=np.float64)
        if rates.shape != steps.shape:  # a function of the user's may not be vectorised
            require(False, f"{self!r} needs one rate for each step", shape=rates.shape)
        return rates if isinstance(step, np.ndarray) else float(rates)

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in self.settings)
        return f"{self.formula.__name__.removeprefix('_')}({settings})"


def curve(formula: Callable[..., Any], **settings: object) -> Schedule:
    """Bind `settings` to `formula`."""
    return Curve(formula, tuple(settings.items()))


def as_steps(step: object) -> Floats:
    """The steps as a float64 array of the same shape; shape () for a number.

    Raises:
        ValueError: If `step` is neither a real number nor an array of them, or if one of them is
            negative, infinite or NaN.
    """
    if not isinstance(step, np.ndarray):
        require_non_negative("a schedule", step=step)
        return np.asarray(step, dtype=np.float64)
    require(step.dtype.kind in "iuf", "a schedule needs an array of real numbers", step=step)
    steps: Floats = step.astype(np.float64, copy=False)
    ok = (steps >= 0) & (steps < np.inf)
    if not ok.all():
        require_non_negative("a schedule", step=float(steps[~ok][0]))
    return steps


def require_increasing(where: str, **values: Sequence[float]) -> None:
    """Raise unless every sequence holds finite numbers >= 0, each above the one before it."""
    for name, sequence in values.items():
        for item in sequence:
            require_non_negative(where, **{name: item})
        rises = all(a < b for a, b in pairwise(sequence))
        require(rises, f"{where} needs {name} in increasing order", **{name: sequence})
