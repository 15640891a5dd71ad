"""What every schedule keeps to, and what their settings must be."""

import math
import pickle
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from hpcourse import schedules
from hpcourse.schedules import (
    Schedule,
    constant,
    constant_step,
    cosine_decay,
    cosine_decay_restarts,
    exponential_decay,
    inverse_time_decay,
    join,
    linear_cosine_decay,
    natural_exp_decay,
    noisy_linear_cosine_decay,
    one_cycle,
    piecewise_constant,
    polynomial_decay,
    ramp_down,
    scale,
    step_decay,
    time_decay,
    warmup,
)

EVERY = [
    constant(0.1),
    constant_step(0.1, steps=30),
    cosine_decay(0.1, decay_steps=30, alpha=0.01),
    cosine_decay_restarts(0.1, first_decay_steps=7, t_mul=1.5, m_mul=0.8, alpha=0.01),
    cosine_decay_restarts(0.1, first_decay_steps=7, t_mul=1.0),
    exponential_decay(0.1, decay_steps=10, decay_rate=0.5),
    exponential_decay(0.1, decay_steps=10, decay_rate=0.5, staircase=True),
    inverse_time_decay(0.1, decay_steps=10, decay_rate=0.5),
    linear_cosine_decay(0.1, decay_steps=30, num_periods=2.5, alpha=0.1),
    natural_exp_decay(0.1, decay_steps=10, decay_rate=0.5),
    noisy_linear_cosine_decay(0.1, decay_steps=30, seed=5),
    one_cycle(0.1, total_steps=30),
    one_cycle(0.1, total_steps=30, anneal_strategy="linear", three_phase=True),
    piecewise_constant(boundaries=[5, 20], values=[0.1, 0.2, 0.01]),
    polynomial_decay(0.1, decay_steps=10, power=0.5, cycle=True),
    polynomial_decay(0.1, decay_steps=30, power=2.0),
    ramp_down(0.1, stop=20),
    step_decay(0.1, every=10),
    step_decay(0.1, factor=0.5, at=[5, 20]),
    time_decay(0.1, k=1e-3),
    join([constant(0.1), cosine_decay(0.1, decay_steps=5), constant(0.2)], boundaries=[5, 15]),
    scale(cosine_decay(1.0, decay_steps=30), 0.1),
    warmup(cosine_decay(0.1, decay_steps=30), steps=5, start=1e-4),
]
every_schedule = pytest.mark.parametrize("schedule", EVERY, ids=repr)
step_arrays = npst.arrays(
    dtype=st.sampled_from([np.int32, np.int64, np.float64]),
    shape=npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    elements=st.integers(0, 300),
)


def test_every_factory_is_among_the_examples():
    def factories(text: str) -> set[str]:
        return {name for name in schedules.__all__ if f"{name}(" in text}

    with_own_formula = factories("".join(map(repr, EVERY)))
    composed = {"constant_step", "ramp_down", "time_decay"}
    assert with_own_formula | composed == set(schedules.__all__) - {"Schedule"}


@every_schedule
def test_a_step_gives_a_float_and_the_same_as_in_an_array(schedule: Schedule):
    rates = schedule(np.arange(100))
    for kind in (int, float, np.int32, np.float32):
        alone = [schedule(kind(step)) for step in range(100)]
        assert all(type(rate) is float for rate in alone)
        # NumPy's vectorised cosine and power may differ from the scalar ones by a rounding.
        np.testing.assert_allclose(rates, alone, rtol=1e-13, atol=1e-17)


@every_schedule
@settings(max_examples=30)
@given(steps=step_arrays)
def test_an_array_gives_a_float64_array_of_its_shape(schedule: Schedule, steps: np.ndarray):
    before = steps.copy()
    rates = schedule(steps)
    assert isinstance(rates, np.ndarray)
    assert rates.dtype == np.float64
    assert rates.shape == steps.shape
    assert np.isfinite(rates).all()
    np.testing.assert_array_equal(steps, before)
    np.testing.assert_array_equal(schedule(steps), rates)


@every_schedule
def test_the_repr_makes_the_schedule_and_so_does_the_pickle(schedule: Schedule):
    makers = {name: getattr(schedules, name) for name in schedules.__all__}
    steps = np.arange(100)
    for copy in (eval(repr(schedule), makers), pickle.loads(pickle.dumps(schedule))):
        assert copy == schedule
        assert hash(copy) == hash(schedule)
        np.testing.assert_array_equal(copy(steps), schedule(steps))


def test_schedules_of_other_settings_differ():
    assert len(set(EVERY)) == len(EVERY)
    assert cosine_decay(0.1, 30) != cosine_decay(0.1, 31)


@every_schedule
@pytest.mark.parametrize(
    ("step", "message"),
    [
        (-1, "needs step >= 0, got step=-1"),
        (math.nan, "needs step >= 0, got step=nan"),
        (math.inf, "needs step >= 0, got step=inf"),
        (np.array([[0, 1], [2, -3]]), "needs step >= 0, got step=-3"),
        (np.array([0.0, math.nan]), "needs step >= 0, got step=nan"),
        (True, "needs step >= 0, got step=True"),
        ("3", "needs step >= 0, got step='3'"),
        ([1, 2], r"needs step >= 0, got step=\[1, 2\]"),
        (np.array([True]), "needs an array of real numbers, got step=array"),
        (np.array([1j]), "needs an array of real numbers, got step=array"),
    ],
    ids=repr,
)
def test_a_bad_step_is_refused(schedule: Schedule, step: object, message: str):
    with pytest.raises(ValueError, match=message):
        schedule(step)


BAD = {
    "negative": (-0.5, "=-0.5"),
    "nan": (math.nan, "=nan"),
    "infinite": (math.inf, "=inf"),
    "text": ("1", "='1'"),
}
GOOD: dict[Callable[..., Schedule], dict[str, object]] = {
    constant: {"learning_rate": 0.1},
    constant_step: {"learning_rate": 0.1, "steps": 5},
    cosine_decay: {"learning_rate": 0.1, "decay_steps": 5, "alpha": 0.0},
    cosine_decay_restarts: {
        "learning_rate": 0.1,
        "first_decay_steps": 5,
        "t_mul": 2.0,
        "m_mul": 1.0,
        "alpha": 0.0,
    },
    exponential_decay: {"learning_rate": 0.1, "decay_steps": 5, "decay_rate": 0.5},
    inverse_time_decay: {"learning_rate": 0.1, "decay_steps": 5, "decay_rate": 0.5},
    linear_cosine_decay: {
        "learning_rate": 0.1,
        "decay_steps": 5,
        "num_periods": 0.5,
        "alpha": 0.0,
        "beta": 0.001,
    },
    natural_exp_decay: {"learning_rate": 0.1, "decay_steps": 5, "decay_rate": 0.5},
    noisy_linear_cosine_decay: {
        "learning_rate": 0.1,
        "decay_steps": 5,
        "initial_variance": 1.0,
        "variance_decay": 0.55,
        "num_periods": 0.5,
        "alpha": 0.0,
        "beta": 0.001,
        "seed": 0,
    },
    one_cycle: {
        "max_lr": 0.1,
        "total_steps": 5,
        "pct_start": 0.3,
        "div_factor": 25.0,
        "final_div_factor": 1e4,
    },
    polynomial_decay: {
        "learning_rate": 0.1,
        "decay_steps": 5,
        "end_learning_rate": 0.01,
        "power": 1.0,
    },
    ramp_down: {"learning_rate": 0.1, "stop": 40, "before": 5, "factor": 0.1},
    step_decay: {"learning_rate": 0.1, "factor": 0.1, "every": 5},
    time_decay: {"learning_rate": 0.1, "k": 1e-3},
    scale: {"schedule": constant(0.1), "factor": 2.0},
    warmup: {"schedule": constant(0.1), "steps": 5, "start": 0.01},
}
NUMBERS = [(make, name) for make, good in GOOD.items() for name in good if name != "schedule"]


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize(
    ("make", "name"), NUMBERS, ids=lambda item: getattr(item, "__name__", item)
)
def test_a_bad_setting_is_refused(make: Callable[..., Schedule], name: str, bad: str):
    value, quoted = BAD[bad]
    make(**GOOD[make])
    with pytest.raises(ValueError, match=f"{make.__name__} needs .*{name}.*, got {name}{quoted}"):
        make(**GOOD[make] | {name: value})


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (constant_step, "steps"),
        (cosine_decay, "decay_steps"),
        (cosine_decay_restarts, "first_decay_steps"),
        (exponential_decay, "decay_steps"),
        (inverse_time_decay, "decay_steps"),
        (linear_cosine_decay, "decay_steps"),
        (natural_exp_decay, "decay_steps"),
        (noisy_linear_cosine_decay, "decay_steps"),
        (one_cycle, "total_steps"),
        (one_cycle, "div_factor"),
        (polynomial_decay, "decay_steps"),
        (ramp_down, "factor"),
        (step_decay, "every"),
        (warmup, "steps"),
    ],
)
def test_zero_is_refused_where_it_divides(make: Callable[..., Schedule], name: str):
    with pytest.raises(ValueError, match=f"{make.__name__} needs .*, got {name}=0"):
        make(**GOOD[make] | {name: 0})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: cosine_decay_restarts(0.1, 5, t_mul=0.5), "needs t_mul >= 1, got t_mul=0.5"),
        (lambda: one_cycle(0.1, 5, pct_start=1.5), "needs 0 <= pct_start <= 1, got pct_start=1.5"),
        (lambda: one_cycle(0.1, 5.5), "integer total_steps >= 1, got total_steps=5.5"),
        (lambda: one_cycle(0.1, 5, anneal_strategy="exp"), "got anneal_strategy='exp'"),
        (lambda: noisy_linear_cosine_decay(0.1, 5, seed=2**64), f"got seed={2**64}"),
        (lambda: noisy_linear_cosine_decay(0.1, 5, seed=True), "got seed=True"),
        (lambda: noisy_linear_cosine_decay(0.1, 5)(0.5), "whole steps only, got step=0.5"),
        (lambda: ramp_down(0.1, stop=4), "before <= stop, got before=5, stop=4"),
        (lambda: step_decay(0.1), "either every or at, got every=None, at=None"),
        (lambda: step_decay(0.1, every=5, at=[5]), r"either every or at, got every=5, at=\[5\]"),
        (lambda: step_decay(0.1, at=[5, 3]), r"at in increasing order, got at=\(5, 3\)"),
        (lambda: step_decay(0.1, at=[-1]), "at >= 0, got at=-1"),
        (
            lambda: piecewise_constant([10, 5], [1, 2, 3]),
            r"boundaries in increasing order, got boundaries=\(10, 5\)",
        ),
        (
            lambda: piecewise_constant([5, 5], [1, 2, 3]),
            r"boundaries in increasing order, got boundaries=\(5, 5\)",
        ),
        (lambda: piecewise_constant([math.nan], [1, 2]), "boundaries >= 0, got boundaries=nan"),
        (
            lambda: piecewise_constant([5], [1, 2, 3]),
            r"one value more than boundaries, got boundaries=\(5,\), values=\(1, 2, 3\)",
        ),
        (lambda: piecewise_constant([5], [1, -2]), "values >= 0, got values=-2"),
        (lambda: piecewise_constant([5], [1, math.inf]), "values >= 0, got values=inf"),
        (
            lambda: join([constant(0.1)], [5]),
            r"one schedule more than boundaries, got schedules=\(constant.*, boundaries=\(5,\)",
        ),
        (lambda: join([constant(0.1)] * 3, [5]), r"one schedule more .*, boundaries=\(5,\)"),
        (lambda: join([constant(0.1)] * 3, [5, 5]), r"increasing order, got boundaries=\(5, 5\)"),
        (lambda: join([constant(0.1), 0.2], [5]), "join needs schedules, got schedules=0.2"),
        (lambda: scale(0.1, 2.0), "scale needs a schedule, got schedule=0.1"),
        (lambda: warmup(0.1, steps=5), "warmup needs a schedule, got schedule=0.1"),
    ],
)
def test_settings_that_do_not_fit_are_refused(make: Callable[[], object], message: str):
    with pytest.raises(ValueError, match=message):
        make()


def test_importing_schedules_imports_no_framework():
    code = "import sys, hpcourse.schedules; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "numpy" in done.stdout.split()
    assert not {"torch", "tensorflow", "keras", "jax", "scipy"} & set(done.stdout.split())
