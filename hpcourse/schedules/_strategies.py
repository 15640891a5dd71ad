"""Named strategies beside TensorFlow's nine: constant, time decay, steps, ramp-down, one cycle."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from hpcourse._check import (
    require,
    require_count,
    require_finite,
    require_non_negative,
    require_positive,
)
from hpcourse.schedules._decay import inverse_time_decay, polynomial_decay
from hpcourse.schedules._schedule import Floats, Schedule, curve, require_increasing


def constant(learning_rate: float) -> Schedule:
    """Hold one rate for ever: the baseline of every schedule.

    Args:
        learning_rate: The rate, >= 0.

    Raises:
        ValueError: If the rate is negative or not finite.

    Examples:
        >>> constant(0.1)(np.arange(3)).tolist()
        [0.1, 0.1, 0.1]
    """
    require_non_negative("constant", learning_rate=learning_rate)
    return curve(_constant, learning_rate=learning_rate)


def _constant(steps: Floats, *, learning_rate: float) -> Floats:
    return np.full_like(steps, learning_rate)


def time_decay(learning_rate: float, k: float) -> Schedule:
    """Divide the first rate by one plus the time; the `decay` argument of early Keras optimisers.

    Formula::

        rate(t) = learning_rate / (1 + k * t)

    It is always the first rate that is divided. Dividing the last rate again at each step gives
    another, faster decay.

    Args:
        learning_rate: The rate at step 0.
        k: Growth of the divisor per step, >= 0; usually 1e-6 to 1e-3.

    Returns:
        `inverse_time_decay` with ``decay_steps=1``.

    Raises:
        ValueError: If an argument is negative or not finite.

    Examples:
        >>> time_decay(0.1, k=1e-3)(np.array([0, 1, 10, 1000])).round(4).tolist()
        [0.1, 0.0999, 0.099, 0.05]
    """
    require_non_negative("time_decay", learning_rate=learning_rate, k=k)
    return inverse_time_decay(learning_rate, decay_steps=1, decay_rate=k)


def constant_step(learning_rate: float, steps: float) -> Schedule:
    """Go down to zero in equal steps.

    Formula::

        rate(t) = learning_rate * (1 - min(t, steps) / steps)

    Args:
        learning_rate: The rate at step 0.
        steps: Steps to zero, usually the length of the training.

    Returns:
        `polynomial_decay` with power 1 and end 0.

    Raises:
        ValueError: If an argument is out of range.

    Examples:
        >>> constant_step(1.0, steps=4)(np.arange(6)).tolist()
        [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
    """
    require_non_negative("constant_step", learning_rate=learning_rate)
    require_positive("constant_step", steps=steps)
    return polynomial_decay(learning_rate, steps, end_learning_rate=0.0)


def step_decay(
    learning_rate: float,
    *,
    factor: float = 0.1,
    every: float | None = None,
    at: Sequence[float] | None = None,
) -> Schedule:
    """Multiply the rate by `factor` at regular steps, or at given ones.

    Formula::

        rate(t) = learning_rate * factor ** n,   n = floor(t / every)
                                             or  n = how many steps of `at` are <= t

    Args:
        learning_rate: The rate at step 0.
        factor: What each drop multiplies the rate by, > 0.
        every: Steps between two drops; give this or `at`.
        at: Increasing steps, at each of which the rate is already lower; give this or `every`.

    Raises:
        ValueError: If an argument is out of range, or unless exactly one of `every` and `at` is
            given.

    Examples:
        >>> step_decay(1.0, factor=0.5, every=10)(np.array([9, 10, 20])).tolist()
        [1.0, 0.5, 0.25]
        >>> step_decay(1.0, factor=0.5, at=[10, 15])(np.array([9, 10, 20])).tolist()
        [1.0, 0.5, 0.25]
    """
    require_non_negative("step_decay", learning_rate=learning_rate)
    require_positive("step_decay", factor=factor)
    only_one = (every is None) != (at is None)
    require(only_one, "step_decay needs either every or at", every=every, at=at)
    if at is not None:
        at = tuple(at)
        require_increasing("step_decay", at=at)
        return curve(_step_decay, learning_rate=learning_rate, factor=factor, at=at)
    require_positive("step_decay", every=every)
    return curve(_step_decay, learning_rate=learning_rate, factor=factor, every=every)


def _step_decay(
    steps: Floats,
    *,
    learning_rate: float,
    factor: float,
    every: float | None = None,
    at: tuple[float, ...] = (),
) -> Floats:
    if every is None:
        drops = np.searchsorted(np.asarray(at, dtype=np.float64), steps, side="right")
        return learning_rate * factor ** drops.astype(np.float64)
    rates: Floats = learning_rate * factor ** np.floor(steps / every)
    return rates


def ramp_down(
    learning_rate: float, stop: float, *, before: float = 5, factor: float = 0.1
) -> Schedule:
    """Drop the rate once, by a decade, shortly before an earlier run stopped improving.

    Train with a constant rate until early stopping ends the run, then train anew with this.

    Formula::

        rate(t) = learning_rate            for t < stop - before
                  learning_rate * factor   for t >= stop - before

    Args:
        learning_rate: The rate before the drop.
        stop: When the earlier run stopped, in epochs (or whatever unit the schedule is asked in).
        before: How long before that to drop the rate, same unit; at most `stop`.
        factor: What the drop multiplies the rate by, > 0.

    Returns:
        `step_decay` with one drop.

    Raises:
        ValueError: If an argument is out of range.

    Examples:
        >>> ramp_down(0.1, stop=40, factor=0.5)(np.array([34, 35, 100])).tolist()
        [0.1, 0.05, 0.05]
    """
    require_non_negative("ramp_down", learning_rate=learning_rate, before=before)
    require_positive("ramp_down", stop=stop, factor=factor)
    require(before <= stop, "ramp_down needs before <= stop", before=before, stop=stop)
    return step_decay(learning_rate, factor=factor, at=[stop - before])


def one_cycle(
    max_lr: float,
    total_steps: int,
    *,
    pct_start: float = 0.3,
    anneal_strategy: Literal["cos", "linear"] = "cos",
    div_factor: float = 25.0,
    final_div_factor: float = 10000.0,
    three_phase: bool = False,
) -> Schedule:
    """Rise from a low rate to a high one, then fall far below the first.

    The rate goes from ``max_lr / div_factor`` up to `max_lr`, and down to
    ``max_lr / (div_factor * final_div_factor)`` at step ``total_steps - 1``, along half cosines or
    straight lines. With `three_phase` it first comes down at the speed at which it rose, and then
    vanishes. After the last step the rate is held, where torch's scheduler raises. The momentum,
    which torch's scheduler cycles as well, is left alone.

    Args:
        max_lr: The highest rate.
        total_steps: Steps of the whole cycle.
        pct_start: Fraction of the steps that rise, from 0 to 1.
        anneal_strategy: "cos" or "linear".
        div_factor: `max_lr` over the first rate, > 0.
        final_div_factor: The first rate over the last, > 0.
        three_phase: Come down symmetrically, then vanish, instead of both at once.

    Raises:
        ValueError: If an argument is out of range.

    Source: ``torch.optim.lr_scheduler.OneCycleLR``, argument names included; Smith & Topin 2019,
    "Super-convergence".

    Examples:
        >>> schedule = one_cycle(1.0, total_steps=11, pct_start=0.5, anneal_strategy="linear")
        >>> schedule(np.array([0, 2, 4.5, 10])).round(6).tolist()
        [0.04, 0.466667, 1.0, 4e-06]
    """
    require_non_negative("one_cycle", max_lr=max_lr)
    require_count("one_cycle", total_steps=total_steps)
    require_finite("one_cycle", pct_start=pct_start)
    require(0 <= pct_start <= 1, "one_cycle needs 0 <= pct_start <= 1", pct_start=pct_start)
    is_known = anneal_strategy in ("cos", "linear")
    require(is_known, "one_cycle needs 'cos' or 'linear'", anneal_strategy=anneal_strategy)
    require_positive("one_cycle", div_factor=div_factor, final_div_factor=final_div_factor)
    return curve(
        _one_cycle,
        max_lr=max_lr,
        total_steps=total_steps,
        pct_start=pct_start,
        anneal_strategy=anneal_strategy,
        div_factor=div_factor,
        final_div_factor=final_div_factor,
        three_phase=three_phase,
    )


def _one_cycle(
    steps: Floats,
    *,
    max_lr: float,
    total_steps: int,
    pct_start: float,
    anneal_strategy: Literal["cos", "linear"],
    div_factor: float,
    final_div_factor: float,
    three_phase: bool,
) -> Floats:
    first, peak, last = max_lr / div_factor, max_lr, max_lr / (div_factor * final_div_factor)
    rise, end = pct_start * total_steps - 1.0, total_steps - 1.0
    knots = np.array([0.0, rise, 2.0 * rise, end] if three_phase else [0.0, rise, end])
    heights = np.array([first, peak, first, last] if three_phase else [first, peak, last])

    steps = np.minimum(steps, end)
    phase = np.searchsorted(knots[1:-1], steps, side="left")  # a knot ends the phase before it
    length = (knots[1:] - knots[:-1])[phase]
    # A phase without length (pct_start * total_steps = 1) is over as soon as it begins.
    done: Floats = np.divide(
        steps - knots[phase], length, out=np.ones_like(steps), where=length != 0
    )
    fall = 0.5 * (1.0 + np.cos(np.pi * done)) if anneal_strategy == "cos" else 1.0 - done
    rates: Floats = heights[phase + 1] + (heights[phase] - heights[phase + 1]) * fall
    return rates
