"""TensorFlow's exponential, piecewise, polynomial and inverse-time decays."""

from collections.abc import Sequence

import numpy as np

from hpcourse._check import require, require_non_negative, require_positive
from hpcourse.schedules._schedule import Floats, Schedule, curve, require_increasing


def exponential_decay(
    learning_rate: float, decay_steps: float, decay_rate: float, staircase: bool = False
) -> Schedule:
    """Multiply the rate by `decay_rate` every `decay_steps` steps.

    Formula::

        rate(t) = learning_rate * decay_rate ** p,   p = t / decay_steps,   staircase: floor(p)

    A `decay_rate` above 1 lets the rate grow, as a range test does.

    Args:
        learning_rate: The rate at step 0.
        decay_steps: Steps for one factor of `decay_rate`.
        decay_rate: The factor, >= 0.
        staircase: Decay once every `decay_steps` steps instead of at every step.

    Raises:
        ValueError: If an argument is out of range.

    Source: ``tf.compat.v1.train.exponential_decay``.

    Examples:
        >>> exponential_decay(0.1, decay_steps=10, decay_rate=0.5)(20)
        0.025
        >>> exponential_decay(0.1, decay_steps=10, decay_rate=0.5, staircase=True)(19)
        0.05
    """
    require_non_negative("exponential_decay", learning_rate=learning_rate, decay_rate=decay_rate)
    require_positive("exponential_decay", decay_steps=decay_steps)
    return curve(
        _exponential_decay,
        learning_rate=learning_rate,
        decay_steps=decay_steps,
        decay_rate=decay_rate,
        staircase=staircase,
    )


def _exponential_decay(
    steps: Floats, *, learning_rate: float, decay_steps: float, decay_rate: float, staircase: bool
) -> Floats:
    return learning_rate * decay_rate ** _periods(steps, decay_steps, staircase)


def natural_exp_decay(
    learning_rate: float, decay_steps: float, decay_rate: float, staircase: bool = False
) -> Schedule:
    """Decay the rate by a factor of e every ``decay_steps / decay_rate`` steps.

    Formula::

        rate(t) = learning_rate * exp(-decay_rate * p),   p = t / decay_steps,   staircase: floor(p)

    It is `exponential_decay` with the factor ``exp(-decay_rate)``.

    Args:
        learning_rate: The rate at step 0.
        decay_steps: Steps in one unit of p.
        decay_rate: The exponent per unit of p, >= 0.
        staircase: Decay once every `decay_steps` steps instead of at every step.

    Raises:
        ValueError: If an argument is out of range.

    Source: ``tf.compat.v1.train.natural_exp_decay``.

    Examples:
        >>> schedule = natural_exp_decay(0.1, decay_steps=10, decay_rate=1.0)
        >>> schedule(np.array([0, 10, 20])).round(4).tolist()
        [0.1, 0.0368, 0.0135]
    """
    require_non_negative("natural_exp_decay", learning_rate=learning_rate, decay_rate=decay_rate)
    require_positive("natural_exp_decay", decay_steps=decay_steps)
    return curve(
        _natural_exp_decay,
        learning_rate=learning_rate,
        decay_steps=decay_steps,
        decay_rate=decay_rate,
        staircase=staircase,
    )


def _natural_exp_decay(
    steps: Floats, *, learning_rate: float, decay_steps: float, decay_rate: float, staircase: bool
) -> Floats:
    rates: Floats = learning_rate * np.exp(-decay_rate * _periods(steps, decay_steps, staircase))
    return rates


def inverse_time_decay(
    learning_rate: float, decay_steps: float, decay_rate: float, staircase: bool = False
) -> Schedule:
    """Divide the rate by one plus the time.

    Formula::

        rate(t) = learning_rate / (1 + decay_rate * p),   p = t / decay_steps,   staircase: floor(p)

    Args:
        learning_rate: The rate at step 0.
        decay_steps: Steps in one unit of p.
        decay_rate: Growth of the divisor per unit of p, >= 0.
        staircase: Decay once every `decay_steps` steps instead of at every step.

    Raises:
        ValueError: If an argument is out of range.

    Source: ``tf.compat.v1.train.inverse_time_decay``.

    Examples:
        >>> inverse_time_decay(0.1, decay_steps=10, decay_rate=1.0)(30)
        0.025
    """
    require_non_negative("inverse_time_decay", learning_rate=learning_rate, decay_rate=decay_rate)
    require_positive("inverse_time_decay", decay_steps=decay_steps)
    return curve(
        _inverse_time_decay,
        learning_rate=learning_rate,
        decay_steps=decay_steps,
        decay_rate=decay_rate,
        staircase=staircase,
    )


def _inverse_time_decay(
    steps: Floats, *, learning_rate: float, decay_steps: float, decay_rate: float, staircase: bool
) -> Floats:
    return learning_rate / (1.0 + decay_rate * _periods(steps, decay_steps, staircase))


def piecewise_constant(boundaries: Sequence[float], values: Sequence[float]) -> Schedule:
    """Hold one rate up to and including each boundary, then the next.

    Formula::

        rate(t) = values[0]   for t <= boundaries[0]
                  values[i]   for boundaries[i - 1] < t <= boundaries[i]
                  values[-1]  for t > boundaries[-1]

    A boundary belongs to the piece before it, as in TensorFlow; in `step_decay` and in torch's
    ``MultiStepLR`` it belongs to the piece after it.

    Args:
        boundaries: Increasing steps, n - 1 of them.
        values: Rates, n of them.

    Raises:
        ValueError: If the lengths do not fit, the boundaries do not increase, or a rate is bad.

    Source: ``tf.compat.v1.train.piecewise_constant``.

    Examples:
        >>> schedule = piecewise_constant(boundaries=[10, 20], values=[0.1, 0.01, 0.001])
        >>> schedule(10), schedule(11), schedule(1000)
        (0.1, 0.01, 0.001)
    """
    where = "piecewise_constant"
    boundaries, values = tuple(boundaries), tuple(values)
    require(
        len(values) == len(boundaries) + 1,
        f"{where} needs one value more than boundaries",
        boundaries=boundaries,
        values=values,
    )
    require_increasing(where, boundaries=boundaries)
    for value in values:
        require_non_negative(where, values=value)
    return curve(_piecewise_constant, boundaries=boundaries, values=values)


def _piecewise_constant(
    steps: Floats, *, boundaries: tuple[float, ...], values: tuple[float, ...]
) -> Floats:
    piece = np.searchsorted(np.asarray(boundaries, dtype=np.float64), steps, side="left")
    return np.asarray(values, dtype=np.float64)[piece]


def polynomial_decay(
    learning_rate: float,
    decay_steps: float,
    end_learning_rate: float = 0.0001,
    power: float = 1.0,
    cycle: bool = False,
) -> Schedule:
    """Go from one rate to another along a power of the time that is left.

    Formula::

        rate(t) = (learning_rate - end_learning_rate) * (1 - p) ** power + end_learning_rate
        p       = min(t, decay_steps) / decay_steps
        cycle:    p = t / (decay_steps * max(1, ceil(t / decay_steps)))

    A `power` of 1 is a straight line; above 1 the rate falls early, below 1 it falls late. With
    `cycle` the horizon is stretched by one `decay_steps` whenever it is passed: the end rate is
    reached at every multiple of `decay_steps`, and the step after it jumps up, less each time.

    Args:
        learning_rate: The rate at step 0.
        decay_steps: Steps to the end rate.
        end_learning_rate: The rate at the end, held after it.
        power: The exponent, >= 0.
        cycle: Start again after the end, with a longer horizon.

    Raises:
        ValueError: If an argument is out of range.

    Source: ``tf.compat.v1.train.polynomial_decay``.

    Examples:
        >>> schedule = polynomial_decay(0.1, decay_steps=100, end_learning_rate=0.0, power=2.0)
        >>> schedule(np.array([0, 50, 100, 200])).tolist()
        [0.1, 0.025, 0.0, 0.0]
        >>> polynomial_decay(0.1, decay_steps=100, end_learning_rate=0.0, cycle=True)(150)
        0.025
    """
    require_non_negative(
        "polynomial_decay",
        learning_rate=learning_rate,
        end_learning_rate=end_learning_rate,
        power=power,
    )
    require_positive("polynomial_decay", decay_steps=decay_steps)
    return curve(
        _polynomial_decay,
        learning_rate=learning_rate,
        decay_steps=decay_steps,
        end_learning_rate=end_learning_rate,
        power=power,
        cycle=cycle,
    )


def _polynomial_decay(
    steps: Floats,
    *,
    learning_rate: float,
    decay_steps: float,
    end_learning_rate: float,
    power: float,
    cycle: bool,
) -> Floats:
    cycles = np.maximum(np.ceil(steps / decay_steps), 1.0) if cycle else 1.0
    done = np.minimum(steps / (decay_steps * cycles), 1.0)
    rates: Floats = (learning_rate - end_learning_rate) * (1.0 - done) ** power + end_learning_rate
    return rates


def _periods(steps: Floats, decay_steps: float, staircase: bool) -> Floats:
    """The time in units of `decay_steps`, whole units only for a staircase."""
    periods: Floats = steps / decay_steps
    return np.floor(periods) if staircase else periods
