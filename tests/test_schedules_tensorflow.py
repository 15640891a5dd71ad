"""The nine schedules against ``tf.compat.v1.train``, which computes in float32."""

import inspect
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hpcourse.schedules import (
    Schedule,
    cosine_decay,
    cosine_decay_restarts,
    exponential_decay,
    inverse_time_decay,
    linear_cosine_decay,
    natural_exp_decay,
    noisy_linear_cosine_decay,
    piecewise_constant,
    polynomial_decay,
)

tf = pytest.importorskip("tensorflow", reason="needs the extra `keras`")


def floats32(low: float, high: float) -> st.SearchStrategy[float]:
    """Numbers that TensorFlow reads without rounding."""
    return st.floats(float(np.float32(low)), float(np.float32(high)), width=32)


rates = floats32(1e-6, 10.0)
fractions = floats32(0.0, 1.0)
horizons = st.integers(1, 5000)
some_examples = settings(max_examples=50)  # each is some 150 steps


def steps_around(horizon: float) -> np.ndarray:
    """Steps from 0 to ten times the horizon: a grid, and every multiple with its neighbours."""
    multiples = np.round(np.arange(11) * horizon)
    near = np.concatenate([multiples - 1, multiples, multiples + 1])
    grid = np.round(np.linspace(0, 10 * horizon, 150))
    return np.unique(np.clip(np.concatenate([near, grid]), 0, 10 * horizon)).astype(np.int64)


def theirs(name: str, steps: np.ndarray, learning_rate: float, **arguments: object) -> np.ndarray:
    """TensorFlow's rates at `steps`, in float32."""
    make = getattr(tf.compat.v1.train, name)
    lr = np.float32(learning_rate)
    return make(lr, tf.constant(steps, tf.float32), **arguments)().numpy().astype(np.float64)


def assert_within_rounding(
    schedule: Schedule, steps: np.ndarray, expected: np.ndarray, end: float = 0.0
) -> None:
    """Each rate is within 1e-5 of the expected one, next to jumps within what float32 can tell.

    float32 rounds the time by some 1e-7, so TensorFlow's rate is that of a moment just before or
    after: at a jump, or where the curve is very steep, the rate of that moment counts as equal. A
    cosine near its zero, or a polynomial that goes up to `end`, is a small difference of large
    numbers, whence the last term.
    """
    shift = 1e-6 * steps
    around = np.stack([schedule(steps - shift), schedule(steps), schedule(steps + shift)])
    slack = 1e-5 * np.abs(around) + 3e-7 * max(np.abs(around).max(), end)
    low, high = (around - slack).min(axis=0), (around + slack).max(axis=0)
    bad = np.flatnonzero((expected < low) | (expected > high))
    assert bad.size == 0, (schedule, steps[bad][:5], schedule(steps[bad])[:5], expected[bad][:5])


@pytest.mark.parametrize(
    ("ours", "name", "decay_rates"),
    [
        (exponential_decay, "exponential_decay", floats32(0.05, 1.5)),
        (natural_exp_decay, "natural_exp_decay", floats32(0.0, 3.0)),
        (inverse_time_decay, "inverse_time_decay", floats32(0.0, 50.0)),
    ],
)
@some_examples
@given(data=st.data())
def test_decays_equal_tensorflows(
    ours: Callable[..., Schedule],
    name: str,
    decay_rates: st.SearchStrategy[float],
    data: st.DataObject,
):
    lr, horizon = data.draw(rates), data.draw(horizons)
    arguments = {
        "decay_steps": horizon,
        "decay_rate": data.draw(decay_rates),
        "staircase": data.draw(st.booleans()),
    }
    steps = steps_around(horizon)
    assert_within_rounding(ours(lr, **arguments), steps, theirs(name, steps, lr, **arguments))


@pytest.mark.parametrize("cycle", [False, True])
@some_examples
@given(lr=rates, end=rates, horizon=horizons, power=floats32(0.0, 4.0))
def test_polynomial_decay_equals_tensorflows(
    cycle: bool, lr: float, end: float, horizon: int, power: float
):
    arguments = {
        "decay_steps": horizon,
        "end_learning_rate": end,
        "power": power,
        "cycle": cycle,
    }
    steps = steps_around(horizon)
    expected = theirs("polynomial_decay", steps, lr, **arguments)
    assert_within_rounding(polynomial_decay(lr, **arguments), steps, expected, end)


@some_examples
@given(
    boundaries=st.lists(st.integers(0, 5000), min_size=1, max_size=5, unique=True).map(sorted),
    values=st.lists(rates, min_size=6, max_size=6),
)
def test_piecewise_constant_equals_tensorflows(boundaries: list[int], values: list[float]):
    values = values[: len(boundaries) + 1]
    schedule = piecewise_constant(boundaries, values)
    around = {step + shift for step in boundaries for shift in (-1, 0, 1)}
    for step in sorted({0, 10 * max(boundaries), *around} - {-1}):
        expected = tf.compat.v1.train.piecewise_constant(
            tf.constant(step), boundaries, [np.float32(value) for value in values]
        )
        assert schedule(step) == expected().numpy()


@some_examples
@given(lr=rates, horizon=horizons, alpha=floats32(0.0, 2.0))
def test_cosine_decay_equals_tensorflows(lr: float, horizon: int, alpha: float):
    arguments = {"decay_steps": horizon, "alpha": alpha}
    steps = steps_around(horizon)
    expected = theirs("cosine_decay", steps, lr, **arguments)
    assert_within_rounding(cosine_decay(lr, **arguments), steps, expected)


@pytest.mark.parametrize(
    "t_muls", [st.just(1.0), st.sampled_from([1.5, 2.0, 3.0]), floats32(1.125, 4.0)], ids=repr
)
@some_examples
@given(data=st.data())
def test_cosine_decay_restarts_equals_tensorflows(
    t_muls: st.SearchStrategy[float], data: st.DataObject
):
    lr, horizon = data.draw(rates), data.draw(horizons)
    arguments = {
        "first_decay_steps": horizon,
        "t_mul": data.draw(t_muls),
        "m_mul": data.draw(floats32(0.5, 1.5)),
        "alpha": data.draw(fractions),
    }
    steps = steps_around(horizon)
    expected = theirs("cosine_decay_restarts", steps, lr, **arguments)
    assert_within_rounding(cosine_decay_restarts(lr, **arguments), steps, expected)


@some_examples
@given(
    lr=rates,
    horizon=horizons,
    num_periods=floats32(0.0, 4.0),
    alpha=fractions,
    beta=fractions,
)
def test_linear_cosine_decay_equals_tensorflows(
    lr: float, horizon: int, num_periods: float, alpha: float, beta: float
):
    arguments = {"decay_steps": horizon, "num_periods": num_periods, "alpha": alpha, "beta": beta}
    steps = steps_around(horizon)
    expected = theirs("linear_cosine_decay", steps, lr, **arguments)
    assert_within_rounding(linear_cosine_decay(lr, **arguments), steps, expected)


@some_examples
@given(lr=rates, horizon=horizons, alpha=fractions, beta=fractions)
def test_noisy_linear_cosine_decay_without_noise_equals_tensorflows(
    lr: float, horizon: int, alpha: float, beta: float
):
    arguments = {"decay_steps": horizon, "initial_variance": 0.0, "alpha": alpha, "beta": beta}
    steps = steps_around(horizon)
    expected = theirs("noisy_linear_cosine_decay", steps, lr, **arguments)
    schedule = noisy_linear_cosine_decay(lr, **arguments)
    np.testing.assert_allclose(
        schedule(steps), expected, rtol=1e-5, atol=3e-7 * lr * (1 + alpha + beta)
    )


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("exponential_decay", exponential_decay(0.1, 70, 0.3)),
        ("exponential_decay", exponential_decay(0.1, 70, 0.3, staircase=True)),
        ("inverse_time_decay", inverse_time_decay(0.1, 70, 0.3)),
        ("inverse_time_decay", inverse_time_decay(0.1, 70, 0.3, staircase=True)),
        ("natural_exp_decay", natural_exp_decay(0.1, 70, 0.3)),
        ("polynomial_decay", polynomial_decay(0.1, 70, power=0.5)),
        ("polynomial_decay", polynomial_decay(0.1, 70, power=3.0)),
        ("polynomial_decay", polynomial_decay(0.1, 70, power=0.5, cycle=True)),
    ],
)
def test_tensorflow_in_float64_agrees_to_the_last_digits(name: str, ours: Schedule):
    """TensorFlow takes its precision from the learning rate; its cosines know float32 only."""
    arguments = {
        key: value if isinstance(value, bool) else tf.constant(value, tf.float64)
        for key, value in ours.settings
    }
    lr = arguments.pop("learning_rate")
    steps = steps_around(70)
    expected = getattr(tf.compat.v1.train, name)(lr, tf.constant(steps, tf.float64), **arguments)()
    np.testing.assert_allclose(ours(steps), expected.numpy(), rtol=1e-12)


DEFAULTS = [
    ("exponential_decay", exponential_decay(0.1, 70, 0.3)),
    ("natural_exp_decay", natural_exp_decay(0.1, 70, 0.3)),
    ("inverse_time_decay", inverse_time_decay(0.1, 70, 0.3)),
    ("polynomial_decay", polynomial_decay(0.1, 70)),
    ("cosine_decay", cosine_decay(0.1, 70)),
    ("cosine_decay_restarts", cosine_decay_restarts(0.1, 70)),
    ("linear_cosine_decay", linear_cosine_decay(0.1, 70)),
    ("noisy_linear_cosine_decay", noisy_linear_cosine_decay(0.1, 70)),
]


@pytest.mark.parametrize(("name", "ours"), DEFAULTS)
def test_names_and_defaults_are_tensorflows(name: str, ours: Schedule):
    made = dict(ours.settings)
    parameters = inspect.signature(getattr(tf.compat.v1.train, name)).parameters.values()
    wanted = [p for p in parameters if p.name not in ("global_step", "name")]
    assert [p.name for p in wanted] == [key for key in made if key != "seed"]
    defaults = {p.name: p.default for p in wanted if p.default is not p.empty}
    assert defaults.items() <= made.items()


# --- the noise ---


@pytest.fixture(scope="module")
def law() -> dict[str, float]:
    return {
        "decay_steps": 1000,
        "initial_variance": 0.7,
        "variance_decay": 0.4,
        "num_periods": 0.25,
        "alpha": 0.2,
        "beta": 0.1,
    }


def noise_of(rates: np.ndarray, steps: np.ndarray, law: dict[str, float]) -> np.ndarray:
    """The standard normal draws behind the rates of TensorFlow's formula with rate 1."""
    s = np.minimum(steps, law["decay_steps"])
    linear = 1 - s / law["decay_steps"]
    cosine = 0.5 * (1 + np.cos(2 * np.pi * law["num_periods"] * s / law["decay_steps"]))
    std = np.sqrt(law["initial_variance"] / (1 + s) ** law["variance_decay"])
    return ((rates - law["beta"]) / cosine - law["alpha"] - linear) / std


def test_the_noise_is_normal_with_tensorflows_variance(law: dict[str, float]):
    steps = np.arange(3000)
    seeds = range(40)
    ours = np.stack([noisy_linear_cosine_decay(1.0, **law, seed=seed)(steps) for seed in seeds])
    z = noise_of(ours, steps, law)
    assert stats.kstest(z.ravel(), "norm").pvalue > 0.001
    # ... at the start, at the end and after it alike; not only all steps together
    assert stats.kstest(stats.kstest(z[:, ::20], "norm").pvalue, "uniform").pvalue > 0.001


def test_the_mean_over_seeds_is_the_schedule_without_noise(law: dict[str, float]):
    steps = np.arange(0, 3000, 100)
    ours = np.stack(
        [noisy_linear_cosine_decay(1.0, **law, seed=seed)(steps) for seed in range(2000)]
    )
    quiet = {key: law[key] for key in ("decay_steps", "num_periods", "alpha", "beta")}
    expected = linear_cosine_decay(1.0, **quiet)(steps)
    t = (ours.mean(axis=0) - expected) / (ours.std(axis=0, ddof=1) / np.sqrt(len(ours)))
    assert stats.kstest(t, "norm").pvalue > 0.001


def test_the_noise_has_the_distribution_of_tensorflows_samples(law: dict[str, float]):
    tf.random.set_seed(0)
    seeds = range(2000)
    for step in (0, 500, 2000):
        steps = np.full(len(seeds), step)
        expected = theirs("noisy_linear_cosine_decay", steps, 1.0, **law)
        ours = [noisy_linear_cosine_decay(1.0, **law, seed=seed)(step) for seed in seeds]
        assert stats.ks_2samp(ours, expected).pvalue > 0.001


def test_the_noise_of_steps_and_of_seeds_is_independent(law: dict[str, float]):
    steps = np.arange(20_000)
    one, two = (
        noise_of(noisy_linear_cosine_decay(1.0, **law, seed=s)(steps), steps, law) for s in (1, 2)
    )
    for lag in (1, 2, 3, 64, 1024):
        for other in (one, two):
            assert stats.pearsonr(one[:-lag], other[lag:]).pvalue > 0.001
            assert stats.pearsonr(one[:-lag] ** 2, other[lag:] ** 2).pvalue > 0.001
    assert stats.pearsonr(one, two).pvalue > 0.001


def test_the_noisy_rate_can_be_negative_as_often_as_the_law_says():
    first = np.array([noisy_linear_cosine_decay(0.1, 1000, seed=seed)(0) for seed in range(2000)])
    expected = stats.norm.cdf(-1.001)  # the rate is 0.1 * (1 + N(0, 1) + 0.001)
    assert stats.binomtest(int((first < 0).sum()), len(first), expected).pvalue > 0.001


def test_another_seed_gives_other_noise_and_the_same_seed_the_same():
    steps = np.arange(100)
    ours = [noisy_linear_cosine_decay(0.1, 1000, seed=s)(steps) for s in (0, 1, 2**64 - 1, 0)]
    assert np.array_equal(ours[0], ours[3])
    assert not (ours[0] == ours[1]).any()
    assert not (ours[0] == ours[2]).any()


# --- corners in closed form ---


@given(horizon=horizons, cycles=st.integers(1, 10), power=st.floats(0.2, 4))
def test_polynomial_cycles_end_at_the_multiples(horizon: int, cycles: int, power: float):
    schedule = polynomial_decay(1.0, horizon, end_learning_rate=0.25, power=power, cycle=True)
    assert schedule(0) == 1.0
    assert schedule(cycles * horizon) == 0.25
    jump = 0.25 + 0.75 * (1 - (cycles * horizon + 1) / ((cycles + 1) * horizon)) ** power
    assert schedule(cycles * horizon + 1) == pytest.approx(jump, rel=1e-9)


@given(
    first=st.integers(1, 1000),
    t_mul=st.sampled_from([1.0, 1.1, 1.2, 1.3, 1.5, 1.7, 2.0, 3.0, 10.0]),
    m_mul=st.floats(0.5, 1.2),
)
def test_a_restart_falls_exactly_on_its_step(first: int, t_mul: float, m_mul: float):
    schedule = cosine_decay_restarts(1.0, first, t_mul=t_mul, m_mul=m_mul)
    start = 0.0
    for period in range(12):
        assert schedule(start) == pytest.approx(m_mul**period, rel=1e-12)
        middle = start + first * t_mul**period / 2
        assert schedule(middle) == pytest.approx(m_mul**period / 2, rel=1e-9)
        start += first * t_mul**period
        before = schedule(start - 1e-6 * first * t_mul**period)
        assert before == pytest.approx(0.0, abs=1e-9)


@given(horizon=horizons, alpha=fractions, late=st.floats(1.0, 10.0))
def test_cosines_hold_their_last_rate(horizon: int, alpha: float, late: float):
    end = late * horizon
    assert cosine_decay(0.5, horizon, alpha)(end) == pytest.approx(0.5 * alpha, abs=1e-16)
    linear = linear_cosine_decay(0.5, horizon, num_periods=1.0, alpha=alpha, beta=0.125)
    assert linear(end) == pytest.approx(0.5 * (alpha + 0.125), abs=1e-16)


@given(horizon=horizons, count=st.integers(0, 200))
def test_stairs_are_flat_and_fall_at_the_multiples(horizon: int, count: int):
    stairs = exponential_decay(1.0, horizon, 0.5, staircase=True)
    smooth = exponential_decay(1.0, horizon, 0.5)
    begin, last = count * horizon, (count + 1) * horizon - 1
    assert stairs(begin) == stairs(last) == smooth(begin) == 0.5**count
    assert stairs(last + 1) == 0.5 ** (count + 1)
