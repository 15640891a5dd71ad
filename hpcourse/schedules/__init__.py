"""Learning-rate schedules: pure functions from the step to the rate.

Each function here makes a `Schedule` from its settings, after checking them. A schedule takes a
step or an array of steps, counted from 0, and gives the rate in float64; it can be pickled,
compared and printed, and is not tied to an optimiser or a framework::

    >>> import numpy as np
    >>> schedule = warmup(cosine_decay(0.5, decay_steps=90), steps=10)
    >>> schedule(5)
    0.25
    >>> schedule(np.array([0, 10, 55, 100])).tolist()
    [0.0, 0.5, 0.25, 0.0]
    >>> schedule
    warmup(schedule=cosine_decay(learning_rate=0.5, decay_steps=90, alpha=0.0), steps=10, start=0.0)

The first nine equal ``tf.compat.v1.train.*``, with the same names and defaults but without the
step. `hpcourse.optim` and `hpcourse.interop.keras` give any of them to torch and Keras.
"""

from hpcourse.schedules._combine import join, scale, warmup
from hpcourse.schedules._cosine import (
    cosine_decay,
    cosine_decay_restarts,
    linear_cosine_decay,
    noisy_linear_cosine_decay,
)
from hpcourse.schedules._decay import (
    exponential_decay,
    inverse_time_decay,
    natural_exp_decay,
    piecewise_constant,
    polynomial_decay,
)
from hpcourse.schedules._schedule import Schedule
from hpcourse.schedules._strategies import (
    constant,
    constant_step,
    one_cycle,
    ramp_down,
    step_decay,
    time_decay,
)

__all__ = [
    "Schedule",
    "constant",
    "constant_step",
    "cosine_decay",
    "cosine_decay_restarts",
    "exponential_decay",
    "inverse_time_decay",
    "join",
    "linear_cosine_decay",
    "natural_exp_decay",
    "noisy_linear_cosine_decay",
    "one_cycle",
    "piecewise_constant",
    "polynomial_decay",
    "ramp_down",
    "scale",
    "step_decay",
    "time_decay",
    "warmup",
]
