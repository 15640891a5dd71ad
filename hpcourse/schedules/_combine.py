"""Schedules made from schedules: warm-up, one after another, scaled."""

from collections.abc import Sequence

import numpy as np

from hpcourse._check import require, require_non_negative, require_positive
from hpcourse.schedules._schedule import Floats, Schedule, curve, require_increasing


def warmup(schedule: Schedule, *, steps: float, start: float = 0.0) -> Schedule:
    """Rise in a straight line to the first rate of `schedule`, then follow it.

    Formula::

        rate(t) = start + (schedule(0) - start) * t / steps   for t < steps
                  schedule(t - steps)                         for t >= steps

    Args:
        schedule: What follows the warm-up, delayed by `steps`.
        steps: Length of the warm-up; a few epochs.
        start: The rate at step 0; usually 1e-5 to 1e-4, or 0.

    Raises:
        ValueError: If `schedule` is not callable, `steps` is not above 0, or `start` is negative.

    Source: Goyal et al. 2017, "Accurate, large minibatch SGD", section 2.2 (gradual warm-up).

    Examples:
        >>> from hpcourse.schedules import constant_step
        >>> schedule = warmup(constant_step(0.4, steps=4), steps=2)
        >>> schedule(np.arange(7)).round(6).tolist()
        [0.0, 0.2, 0.4, 0.3, 0.2, 0.1, 0.0]
    """
    require(callable(schedule), "warmup needs a schedule", schedule=schedule)
    require_positive("warmup", steps=steps)
    require_non_negative("warmup", start=start)
    return curve(_warmup, schedule=schedule, steps=steps, start=start)


def _warmup(now: Floats, *, schedule: Schedule, steps: float, start: float) -> Floats:
    rise = start + (schedule(0) - start) * (now / steps)
    return np.where(now < steps, rise, schedule(np.maximum(now - steps, 0.0)))


def join(schedules: Sequence[Schedule], boundaries: Sequence[float]) -> Schedule:
    """Follow one schedule after another; each counts its steps from where it begins.

    Formula::

        rate(t) = schedules[0](t)                       for t < boundaries[0]
                  schedules[i](t - boundaries[i - 1])   from boundaries[i - 1] on

    Args:
        schedules: n schedules.
        boundaries: The steps at which schedules 2 to n begin; increasing, n - 1 of them.

    Raises:
        ValueError: If the lengths do not fit, a schedule is not callable, or the boundaries do not
            increase.

    Source: ``optax.join_schedules``, which ignores a surplus schedule or boundary.

    Examples:
        >>> from hpcourse.schedules import constant, constant_step
        >>> schedule = join([constant(0.4), constant_step(0.2, steps=2)], boundaries=[3])
        >>> schedule(np.arange(6)).tolist()
        [0.4, 0.4, 0.4, 0.2, 0.1, 0.0]
    """
    schedules, boundaries = tuple(schedules), tuple(boundaries)
    require(
        len(schedules) == len(boundaries) + 1,
        "join needs one schedule more than boundaries",
        schedules=schedules,
        boundaries=boundaries,
    )
    for schedule in schedules:
        require(callable(schedule), "join needs schedules", schedules=schedule)
    require_increasing("join", boundaries=boundaries)
    return curve(_join, schedules=schedules, boundaries=boundaries)


def _join(
    steps: Floats, *, schedules: tuple[Schedule, ...], boundaries: tuple[float, ...]
) -> Floats:
    rates = schedules[0](steps)
    for begin, schedule in zip(boundaries, schedules[1:], strict=True):
        rates = np.where(steps < begin, rates, schedule(np.maximum(steps - begin, 0.0)))
    return rates


def scale(schedule: Schedule, factor: float) -> Schedule:
    """Multiply every rate of `schedule` by `factor`.

    Use it to turn a schedule of multiples into one of rates, or to scale the rate with the batch
    size.

    Args:
        schedule: The schedule to scale.
        factor: The multiple, >= 0.

    Raises:
        ValueError: If `schedule` is not callable, or `factor` is negative or not finite.

    Examples:
        >>> from hpcourse.schedules import constant_step
        >>> scale(constant_step(1.0, steps=4), 0.5)(1)
        0.375
    """
    require(callable(schedule), "scale needs a schedule", schedule=schedule)
    require_non_negative("scale", factor=factor)
    return curve(_scale, schedule=schedule, factor=factor)


def _scale(steps: Floats, *, schedule: Schedule, factor: float) -> Floats:
    return schedule(steps) * factor
