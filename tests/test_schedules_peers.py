"""Schedules against torch's schedulers and optax, and strategies in closed form."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler as torch_lr

from hpcourse.schedules import (
    Schedule,
    constant,
    constant_step,
    cosine_decay,
    cosine_decay_restarts,
    exponential_decay,
    inverse_time_decay,
    join,
    one_cycle,
    piecewise_constant,
    polynomial_decay,
    ramp_down,
    scale,
    step_decay,
    time_decay,
    warmup,
)

STEPS = 60


def torch_rates(
    make: Callable[[torch.optim.Optimizer], torch_lr.LRScheduler],
    lr: float = 0.1,
    steps: int = STEPS,
) -> list[float]:
    """The rates that a torch scheduler gives to a real optimiser at steps 0, 1, ..."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    scheduler = make(optimizer)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


TORCH = {
    "ConstantLR": (
        lambda o: torch_lr.ConstantLR(o, factor=0.5, total_iters=7),
        join([constant(0.05), constant(0.1)], boundaries=[7]),
    ),
    "CosineAnnealingLR": (
        lambda o: torch_lr.CosineAnnealingLR(o, T_max=STEPS, eta_min=0.001),
        cosine_decay(0.1, decay_steps=STEPS, alpha=0.01),
    ),
    "CosineAnnealingWarmRestarts": (
        lambda o: torch_lr.CosineAnnealingWarmRestarts(o, T_0=7, T_mult=1, eta_min=0.001),
        cosine_decay_restarts(0.1, first_decay_steps=7, t_mul=1.0, alpha=0.01),
    ),
    "CosineAnnealingWarmRestarts, longer and longer": (
        lambda o: torch_lr.CosineAnnealingWarmRestarts(o, T_0=7, T_mult=2, eta_min=0.001),
        cosine_decay_restarts(0.1, first_decay_steps=7, t_mul=2.0, alpha=0.01),
    ),
    "ExponentialLR": (
        lambda o: torch_lr.ExponentialLR(o, gamma=0.9),
        exponential_decay(0.1, decay_steps=1, decay_rate=0.9),
    ),
    "LambdaLR": (
        lambda o: torch_lr.LambdaLR(o, lambda step: 1 / (1 + 0.01 * step)),
        time_decay(0.1, k=0.01),
    ),
    "LinearLR": (
        lambda o: torch_lr.LinearLR(o, start_factor=0.01, total_iters=10),
        warmup(constant(0.1), steps=10, start=0.001),
    ),
    "LinearLR, down to zero": (
        lambda o: torch_lr.LinearLR(o, start_factor=1.0, end_factor=0.0, total_iters=50),
        constant_step(0.1, steps=50),
    ),
    "MultiStepLR": (
        lambda o: torch_lr.MultiStepLR(o, milestones=[5, 20, 35], gamma=0.3),
        step_decay(0.1, at=[5, 20, 35], factor=0.3),
    ),
    "MultiStepLR, one drop": (
        lambda o: torch_lr.MultiStepLR(o, milestones=[35], gamma=0.1),
        ramp_down(0.1, stop=40),
    ),
    "PolynomialLR": (
        lambda o: torch_lr.PolynomialLR(o, total_iters=50, power=2.0),
        polynomial_decay(0.1, decay_steps=50, end_learning_rate=0.0, power=2.0),
    ),
    "StepLR": (
        lambda o: torch_lr.StepLR(o, step_size=7, gamma=0.3),
        step_decay(0.1, every=7, factor=0.3),
    ),
    "StepLR, as a staircase": (
        lambda o: torch_lr.StepLR(o, step_size=7, gamma=0.3),
        exponential_decay(0.1, decay_steps=7, decay_rate=0.3, staircase=True),
    ),
    "SequentialLR": (
        lambda o: torch_lr.SequentialLR(
            o,
            [
                torch_lr.LinearLR(o, start_factor=0.01, total_iters=10),
                torch_lr.ExponentialLR(o, gamma=0.9),
            ],
            milestones=[10],
        ),
        warmup(exponential_decay(0.1, decay_steps=1, decay_rate=0.9), steps=10, start=0.001),
    ),
}


@pytest.mark.parametrize("name", TORCH)
def test_a_schedule_equals_torchs_scheduler(name: str):
    make, schedule = TORCH[name]
    # torch multiplies the last rate again at each step, so its roundings add up.
    np.testing.assert_allclose(
        schedule(np.arange(STEPS)), torch_rates(make), rtol=1e-10, atol=1e-15
    )


@settings(max_examples=50)
@given(
    max_lr=st.floats(1e-4, 10),
    total_steps=st.integers(2, 80),
    pct_start=st.floats(0, 1),
    strategy=st.sampled_from(["cos", "linear"]),
    three_phase=st.booleans(),
)
def test_one_cycle_equals_torchs(
    max_lr: float, total_steps: int, pct_start: float, strategy: str, three_phase: bool
):
    assume(abs(pct_start * total_steps - 1) > 1e-6)  # there torch divides by zero
    cycle = {
        "pct_start": pct_start,
        "anneal_strategy": strategy,
        "div_factor": 10.0,
        "final_div_factor": 100.0,
        "three_phase": three_phase,
    }
    expected = torch_rates(
        lambda o: torch_lr.OneCycleLR(
            o, max_lr, total_steps=total_steps, cycle_momentum=False, **cycle
        ),
        steps=total_steps,
    )
    ours = one_cycle(max_lr, total_steps, **cycle)
    np.testing.assert_allclose(ours(np.arange(total_steps)), expected, rtol=1e-9)


def test_one_cycle_has_torchs_defaults():
    expected = torch_rates(
        lambda o: torch_lr.OneCycleLR(o, 0.3, total_steps=50, cycle_momentum=False), steps=50
    )
    np.testing.assert_allclose(one_cycle(0.3, 50)(np.arange(50)), expected, rtol=1e-12)


@pytest.mark.parametrize("three_phase", [False, True])
def test_one_cycle_without_a_rise_begins_at_the_top(three_phase: bool):
    schedule = one_cycle(0.3, 10, pct_start=0.1, three_phase=three_phase)
    assert schedule(0) == pytest.approx(0.3)
    assert schedule(9) == schedule(1000) == pytest.approx(0.3 / 25 / 1e4)


# --- optax ---


@pytest.fixture(scope="module")
def optax():
    return pytest.importorskip("optax", reason="needs the extra `bench`")


def assert_equals_optax(schedule: Schedule, theirs: Callable[..., object], steps: int) -> None:
    """optax computes in float32: equal but for its rounding, on the scale of the curve."""
    expected = np.array([float(theirs(step)) for step in range(steps)])
    ours = schedule(np.arange(steps))
    np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=3e-7 * ours.max())


def test_decays_equal_optax(optax):
    pairs = [
        (exponential_decay(0.1, 7, 0.5), optax.exponential_decay(0.1, 7, 0.5)),
        (
            exponential_decay(0.1, 8, 0.5, staircase=True),
            optax.exponential_decay(0.1, 8, 0.5, staircase=True),
        ),
        (cosine_decay(0.1, 30, alpha=0.1), optax.cosine_decay_schedule(0.1, 30, alpha=0.1)),
        (
            polynomial_decay(0.1, 30, end_learning_rate=0.01, power=2.0),
            optax.polynomial_schedule(0.1, 0.01, power=2.0, transition_steps=30),
        ),
        (constant_step(0.1, 30), optax.linear_schedule(0.1, 0.0, 30)),
        (
            warmup(cosine_decay(0.1, 30, alpha=0.1), steps=10, start=0.01),
            optax.warmup_cosine_decay_schedule(0.01, 0.1, 10, 40, end_value=0.01),
        ),
    ]
    for ours, theirs in pairs:
        assert_equals_optax(ours, theirs, 50)


def test_step_decay_equals_optaxs_piecewise_constant(optax):
    theirs = optax.piecewise_constant_schedule(0.1, {5: 0.5, 20: 0.5})
    assert_equals_optax(step_decay(0.1, factor=0.5, at=[5, 20]), theirs, 50)


@settings(max_examples=20)
@given(boundaries=st.lists(st.integers(0, 30), max_size=3, unique=True).map(sorted))
def test_join_equals_optaxs(boundaries: list[int]):
    optax = pytest.importorskip("optax", reason="needs the extra `bench`")
    count = len(boundaries) + 1
    ours = [polynomial_decay(0.1 * (i + 1), 10, power=2.0) for i in range(count)]
    theirs = [optax.polynomial_schedule(0.1 * (i + 1), 0.0001, 2.0, 10) for i in range(count)]
    joined = join(ours, boundaries)
    assert_equals_optax(joined, optax.join_schedules(theirs, boundaries), 45)


# --- closed forms and laws ---


@given(lr=st.floats(1e-6, 10), k=st.floats(0, 1), step=st.integers(0, 10**6))
def test_time_decay_divides_the_first_rate(lr: float, k: float, step: int):
    schedule = time_decay(lr, k)
    assert schedule == inverse_time_decay(lr, decay_steps=1, decay_rate=k)
    assert schedule(step) == pytest.approx(lr / (1 + k * step), rel=1e-12)


@given(lr=st.floats(1e-6, 10), steps=st.integers(1, 1000))
def test_constant_step_takes_equal_steps_to_zero(lr: float, steps: int):
    rates = constant_step(lr, steps)(np.arange(steps + 10))
    assert rates[0] == lr
    np.testing.assert_allclose(np.diff(rates[: steps + 1]), -lr / steps, rtol=1e-9, atol=1e-15 * lr)
    assert (rates[steps:] == 0).all()


@given(
    stop=st.integers(1, 500),
    before=st.integers(0, 50),
    factor=st.floats(1e-3, 0.9),
    lr=st.floats(0.01, 1),
)
def test_ramp_down_drops_once(stop: int, before: int, factor: float, lr: float):
    assume(before <= stop)
    rates = ramp_down(lr, stop, before=before, factor=factor)(np.arange(stop + 100))
    assert (rates[: stop - before] == lr).all()
    np.testing.assert_allclose(rates[stop - before :], lr * factor, rtol=1e-15)


def test_a_boundary_ends_a_piece_but_begins_a_step():
    assert piecewise_constant([10], [1.0, 0.5])(10) == 1.0
    assert step_decay(1.0, factor=0.5, at=[10])(10) == 0.5
    assert step_decay(1.0, factor=0.5, every=10)(10) == 0.5
    assert join([constant(1.0), constant(0.5)], [10])(10) == 0.5


@given(
    steps=st.floats(0.5, 100),
    start=st.floats(0, 1),
    first=st.floats(0.01, 1),
    now=st.floats(0, 1000),
)
def test_warmup_rises_evenly_then_follows(steps: float, start: float, first: float, now: float):
    after = exponential_decay(first, 10, 0.7)
    schedule = warmup(after, steps=steps, start=start)
    if now < steps:
        assert schedule(now) == pytest.approx(start + (first - start) * now / steps, rel=1e-12)
    else:
        assert schedule(now) == after(now - steps)
    assert schedule(0) == pytest.approx(start)
    assert schedule(steps) == pytest.approx(first)


@given(factor=st.floats(0, 100), step=st.integers(0, 200))
def test_scale_multiplies(factor: float, step: int):
    schedule = cosine_decay(0.1, 100, alpha=0.1)
    assert scale(schedule, factor)(step) == pytest.approx(factor * schedule(step), rel=1e-14)


def test_combinators_take_any_vectorised_function():
    def ours(step):
        return 0.1 / (1 + step)

    steps = np.arange(10)
    late = np.maximum(steps - 4, 0)
    expected = np.where(steps < 4, 0.025 * steps, 0.1 / (1 + late))
    np.testing.assert_allclose(warmup(ours, steps=4)(steps), expected)
    expected = np.where(steps < 4, 0.1 / (1 + steps), 0.1 / (1 + late))
    np.testing.assert_allclose(join([ours, ours], [4])(steps), expected)
    np.testing.assert_allclose(scale(ours, 3.0)(steps), 0.3 / (1 + steps))


def test_a_function_that_is_not_vectorised_is_found_out():
    schedule = scale(lambda step: 0.1, 2.0)
    assert schedule(3) == 0.2
    with pytest.raises(ValueError, match=r"scale.* needs one rate for each step, got shape=\(\)"):
        schedule(np.arange(3))


@pytest.mark.parametrize(
    "schedule",
    [
        cosine_decay(0.1, 50, alpha=0.1),
        exponential_decay(0.1, 50, 0.9),
        inverse_time_decay(0.1, 50, 0.9),
        polynomial_decay(0.1, 50, power=0.5),
        polynomial_decay(0.1, 50, power=3.0),
        constant_step(0.1, 50),
        step_decay(0.1, every=7),
        time_decay(0.1, 0.01),
    ],
    ids=repr,
)
def test_a_decay_starts_at_its_rate_and_never_rises(schedule: Schedule):
    rates = schedule(np.linspace(0, 500, 5001))
    assert rates[0] == 0.1
    assert (np.diff(rates) <= 0).all()
    assert (rates >= 0).all()
