"""TensorFlow's cosine decays: plain, with restarts, linear, and noisy."""

import numpy as np

from hpcourse._check import require, require_finite, require_non_negative, require_positive
from hpcourse.schedules._noise import standard_normal
from hpcourse.schedules._schedule import Floats, Schedule, curve


def cosine_decay(learning_rate: float, decay_steps: float, alpha: float = 0.0) -> Schedule:
    """Follow half a cosine from the first rate down to a fraction `alpha` of it.

    Formula::

        rate(t) = learning_rate * ((1 - alpha) * cosine + alpha)
        cosine  = (1 + cos(pi * min(t, decay_steps) / decay_steps)) / 2

    Args:
        learning_rate: The rate at step 0.
        decay_steps: Steps to the end, where the rate is held.
        alpha: The last rate as a fraction of the first, >= 0.

    Raises:
        ValueError: If an argument is out of range.

    Source: ``tf.compat.v1.train.cosine_decay``; Loshchilov & Hutter 2017 (SGDR), eq. 5 with one
    period.

    Examples:
        >>> cosine_decay(0.1, decay_steps=100)(np.array([0, 50, 100, 101])).round(6).tolist()
        [0.1, 0.05, 0.0, 0.0]
    """
    require_non_negative("cosine_decay", learning_rate=learning_rate, alpha=alpha)
    require_positive("cosine_decay", decay_steps=decay_steps)
    return curve(_cosine_decay, learning_rate=learning_rate, decay_steps=decay_steps, alpha=alpha)


def _cosine_decay(
    steps: Floats, *, learning_rate: float, decay_steps: float, alpha: float
) -> Floats:
    cosine = _half_cosine(np.minimum(steps / decay_steps, 1.0))
    return learning_rate * ((1.0 - alpha) * cosine + alpha)


def cosine_decay_restarts(
    learning_rate: float,
    first_decay_steps: float,
    t_mul: float = 2.0,
    m_mul: float = 1.0,
    alpha: float = 0.0,
) -> Schedule:
    """Follow half a cosine down, restart from the top, and again.

    Formula, in the i-th period, which starts at step T_i::

        rate(t) = learning_rate * ((1 - alpha) * m_mul ** i * cosine + alpha)
        cosine  = (1 + cos(pi * (t - T_i) / (first_decay_steps * t_mul ** i))) / 2
        T_i     = first_decay_steps * (t_mul ** i - 1) / (t_mul - 1)    (t_mul = 1: the limit, i)

    A restart falls exactly on its step. TensorFlow finds the period in float32 and can be one step
    late. It also accepts a `t_mul` below 1, whose periods shrink to nothing at step
    ``first_decay_steps / (1 - t_mul)`` and whose rate is NaN from there on: here that is an error.

    Args:
        learning_rate: The rate at step 0.
        first_decay_steps: Steps of the first period.
        t_mul: Each period is this many times as long as the one before, >= 1.
        m_mul: Each period starts this many times as high as the one before, >= 0.
        alpha: The lowest rate as a fraction of `learning_rate`, >= 0.

    Raises:
        ValueError: If an argument is out of range.

    Source: ``tf.compat.v1.train.cosine_decay_restarts``; Loshchilov & Hutter 2017 (SGDR), eq. 5.

    Examples:
        >>> schedule = cosine_decay_restarts(0.1, first_decay_steps=10, m_mul=0.5)
        >>> schedule(np.array([0, 5, 10, 20, 30])).round(6).tolist()
        [0.1, 0.05, 0.05, 0.025, 0.025]
    """
    where = "cosine_decay_restarts"
    require_non_negative(where, learning_rate=learning_rate, m_mul=m_mul, alpha=alpha)
    require_positive(where, first_decay_steps=first_decay_steps)
    require_finite(where, t_mul=t_mul)
    require(t_mul >= 1, f"{where} needs t_mul >= 1", t_mul=t_mul)
    return curve(
        _cosine_decay_restarts,
        learning_rate=learning_rate,
        first_decay_steps=first_decay_steps,
        t_mul=t_mul,
        m_mul=m_mul,
        alpha=alpha,
    )


def _cosine_decay_restarts(
    steps: Floats,
    *,
    learning_rate: float,
    first_decay_steps: float,
    t_mul: float,
    m_mul: float,
    alpha: float,
) -> Floats:
    period, done = _restarts(steps / first_decay_steps, t_mul)
    decayed = m_mul**period * _half_cosine(done)
    rates: Floats = learning_rate * ((1.0 - alpha) * decayed + alpha)
    return rates


def _restarts(time: Floats, t_mul: float) -> tuple[Floats, Floats]:
    """The number of the period at each time, and the fraction of it that is done.

    The time's unit is the first period. Period i starts at ``(t_mul**i - 1) / (t_mul - 1)``; the
    logarithm that inverts this may fall just short of a whole number, hence the small `slack`.
    """
    slack = 1e-9
    if t_mul == 1:
        period = np.floor(time + slack)
        start, length = period, np.ones_like(time)
    else:
        growth = np.log1p(t_mul - 1.0)
        period = np.floor(np.log1p(time * (t_mul - 1.0)) / growth + slack)
        start, length = np.expm1(period * growth) / (t_mul - 1.0), t_mul**period
    return period, np.clip((time - start) / length, 0.0, 1.0)


def linear_cosine_decay(
    learning_rate: float,
    decay_steps: float,
    num_periods: float = 0.5,
    alpha: float = 0.0,
    beta: float = 0.001,
) -> Schedule:
    """Multiply a straight line to zero with a cosine, and lay it on a floor.

    Formula::

        rate(t) = learning_rate * ((alpha + linear) * cosine + beta)
        linear  = 1 - s,   cosine = (1 + cos(2 * pi * num_periods * s)) / 2
        s       = min(t, decay_steps) / decay_steps

    The first rate is ``learning_rate * (1 + alpha + beta)``, not `learning_rate`.

    Args:
        learning_rate: The unit of the rate.
        decay_steps: Steps to the end, where the rate is held.
        num_periods: Periods of the cosine before the end, >= 0.
        alpha: Added to the line, >= 0.
        beta: The floor, as a fraction of `learning_rate`, >= 0.

    Raises:
        ValueError: If an argument is out of range.

    Source: ``tf.compat.v1.train.linear_cosine_decay``; Bello et al. 2017, "Neural optimizer search
    with reinforcement learning".

    Examples:
        >>> schedule = linear_cosine_decay(0.1, decay_steps=100)
        >>> schedule(np.array([0, 50, 100])).round(6).tolist()
        [0.1001, 0.0251, 0.0001]
    """
    where = "linear_cosine_decay"
    require_non_negative(
        where, learning_rate=learning_rate, num_periods=num_periods, alpha=alpha, beta=beta
    )
    require_positive(where, decay_steps=decay_steps)
    return curve(
        _linear_cosine_decay,
        learning_rate=learning_rate,
        decay_steps=decay_steps,
        num_periods=num_periods,
        alpha=alpha,
        beta=beta,
    )


def _linear_cosine_decay(
    steps: Floats,
    *,
    learning_rate: float,
    decay_steps: float,
    num_periods: float,
    alpha: float,
    beta: float,
    noise: Floats | float = 0.0,
) -> Floats:
    done = np.minimum(steps / decay_steps, 1.0)
    cosine = _half_cosine(2.0 * num_periods * done)
    rates: Floats = learning_rate * ((alpha + 1.0 - done + noise) * cosine + beta)
    return rates


def noisy_linear_cosine_decay(
    learning_rate: float,
    decay_steps: float,
    *,
    initial_variance: float = 1.0,
    variance_decay: float = 0.55,
    num_periods: float = 0.5,
    alpha: float = 0.0,
    beta: float = 0.001,
    seed: int = 0,
) -> Schedule:
    """Add Gaussian noise, which fades, to the line of `linear_cosine_decay`.

    Formula::

        rate(t) = learning_rate * ((alpha + linear + noise) * cosine + beta)
        noise   ~ N(0, initial_variance / (1 + min(t, decay_steps)) ** variance_decay)

    with `linear` and `cosine` as in `linear_cosine_decay`, which is the mean. TensorFlow draws at
    every call; here the noise is a pure function of `seed` and step, so that a run can be repeated
    and resumed. **The rate can be negative**, exactly as in TensorFlow: with the defaults one step
    in six is negative at the start. Lower `initial_variance`, or wrap the schedule, where the
    optimiser must not see that.

    Args:
        learning_rate: The unit of the rate.
        decay_steps: Steps to the end of line, cosine and fading.
        initial_variance: Variance of the noise at step 0, in units of `learning_rate` squared.
        variance_decay: Exponent of the fading, >= 0.
        num_periods: Periods of the cosine before the end, >= 0.
        alpha: Added to the line, >= 0.
        beta: The floor, as a fraction of `learning_rate`, >= 0.
        seed: An integer from 0 to 2**64 - 1; another seed, other noise.

    Returns:
        A schedule of whole steps; a fractional step raises ``ValueError``.

    Raises:
        ValueError: If an argument is out of range.

    Source: ``tf.compat.v1.train.noisy_linear_cosine_decay``; Bello et al. 2017, "Neural optimizer
    search with reinforcement learning".

    Examples:
        >>> schedule = noisy_linear_cosine_decay(0.1, decay_steps=100, seed=3)
        >>> schedule(np.arange(4)).round(3).tolist()
        [-0.036, 0.131, 0.0, 0.223]
        >>> schedule(2) == noisy_linear_cosine_decay(0.1, decay_steps=100, seed=4)(2)
        False
    """
    where = "noisy_linear_cosine_decay"
    require_non_negative(
        where, learning_rate=learning_rate, num_periods=num_periods, alpha=alpha, beta=beta
    )
    require_non_negative(where, initial_variance=initial_variance, variance_decay=variance_decay)
    require_positive(where, decay_steps=decay_steps)
    is_integer = isinstance(seed, int) and not isinstance(seed, bool)
    require(
        is_integer and 0 <= seed < 2**64, f"{where} needs an integer 0 <= seed < 2**64", seed=seed
    )
    return curve(
        _noisy_linear_cosine_decay,
        learning_rate=learning_rate,
        decay_steps=decay_steps,
        initial_variance=initial_variance,
        variance_decay=variance_decay,
        num_periods=num_periods,
        alpha=alpha,
        beta=beta,
        seed=seed,
    )


def _noisy_linear_cosine_decay(
    steps: Floats,
    *,
    initial_variance: float,
    variance_decay: float,
    decay_steps: float,
    seed: int,
    **line: float,
) -> Floats:
    fractional = steps[steps % 1.0 != 0.0]
    if fractional.size:
        where = "noisy_linear_cosine_decay has noise for whole steps only"
        require(False, where, step=float(fractional[0]))
    variance = initial_variance / (1.0 + np.minimum(steps, decay_steps)) ** variance_decay
    noise = np.sqrt(variance) * standard_normal(seed, steps)
    return _linear_cosine_decay(steps, decay_steps=decay_steps, noise=noise, **line)


def _half_cosine(turn: Floats) -> Floats:
    """From 1 at 0 to 0 at 1 along a cosine, and back to 1 at 2."""
    half_cosine: Floats = 0.5 * (1.0 + np.cos(np.pi * turn))
    return half_cosine
