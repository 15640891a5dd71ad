"""Checks of the exercises of the training part."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from hpcourse.exercises._judge import Vector, empty, judge
from hpcourse.schedules import Schedule, cosine_decay, exponential_decay


def check_decay_rate(answer: Callable[[float, int, int], float]) -> bool:
    """Check ``answer(fraction, steps, decay_steps)``.

    It must return the `decay_rate` with which
    :func:`~hpcourse.schedules.exponential_decay` falls to `fraction` of its first rate
    after `steps` steps.
    """

    def reached(fraction: float, steps: int, decay_steps: int) -> object:
        rate = answer(fraction, steps, decay_steps)
        return rate if empty(rate) else exponential_decay(1.0, decay_steps, rate)(steps)

    settings = [(0.01, 600, 100), (0.5, 40, 40), (0.1, 90, 400)]
    return judge(
        (
            f"{fraction=}, {steps=}, {decay_steps=}",
            partial(reached, fraction, steps, decay_steps),
            fraction,
        )
        for fraction, steps, decay_steps in settings
    )


def check_compounded_decay(answer: Callable[[float, float, int], float]) -> bool:
    """Check ``answer(lr, k, epochs)``: the rate when each epoch decays the last epoch's rate.

    That is lr / prod(1 + k t) for t = 1..epochs, and not the formula lr / (1 + k epochs).
    """
    settings = [(0.1, 1e-3, 10), (0.1, 1e-3, 1), (0.5, 0.1, 4)]
    return judge(
        (
            f"{lr=}, {k=}, {epochs=}",
            partial(answer, lr, k, epochs),
            lr / np.prod(1 + k * np.arange(1, epochs + 1)),
        )
        for lr, k, epochs in settings
    )


def _on_steps(make: Callable[[], Schedule], steps: Sequence[int]) -> Callable[[], object]:
    """The reader's schedule, called one step at a time."""

    def values() -> object:
        schedule = make()
        return None if empty(schedule) else [schedule(n) for n in steps]

    return values


def check_triangular(answer: Callable[[float, float, int], Schedule]) -> bool:
    """Check ``answer(low, high, half_period)``, which must return a schedule.

    The rate rises in a straight line from `low` at step 0 to `high` at step
    `half_period`, falls back to `low`, and repeats (Smith, 2017, section 3.1).
    """
    cases = []
    for low, high, half in [(1e-3, 6e-3, 5), (0.0, 1.0, 8)]:
        steps = range(5 * half)
        corner = [abs((step + half) % (2 * half) - half) / half for step in steps]
        cases.append(
            (
                f"{low=}, {high=}, half_period={half}",
                _on_steps(partial(answer, low, high, half), steps),
                low + (high - low) * np.array(corner),
            )
        )
    return judge(cases)


def check_warmup_cosine(answer: Callable[[float, int, int], Schedule]) -> bool:
    """Check ``answer(peak, warmup_steps, total_steps)``, which must return a schedule.

    The rate rises in a straight line from 0 to `peak` in `warmup_steps` steps, then
    follows half a cosine down to 0 at step `total_steps`, and stays there.
    """
    cases = []
    for peak, warm, total in [(0.1, 10, 100), (3.0, 4, 9)]:
        steps = np.arange(total + 5)
        fall = cosine_decay(peak, total - warm)(np.maximum(steps - warm, 0))
        cases.append(
            (
                f"{peak=}, warmup_steps={warm}, total_steps={total}",
                _on_steps(partial(answer, peak, warm, total), steps.tolist()),
                np.where(steps < warm, peak * steps / warm, fall),
            )
        )
    return judge(cases)


def check_stable_rate(answer: Callable[[float, float], float]) -> bool:
    """Check ``answer(curvature, momentum)``.

    It must return the largest learning rate at which heavy-ball descent on
    curvature * x**2 / 2 does not diverge, 2 (1 + momentum) / curvature.
    """
    settings = [(10.0, 0.0), (10.0, 0.9), (0.25, 0.5)]
    return judge(
        (
            f"{curvature=}, {momentum=}",
            partial(answer, curvature, momentum),
            2 * (1 + momentum) / curvature,
        )
        for curvature, momentum in settings
    )


def check_escape_steps(answer: Callable[[float, float, float, float], float]) -> bool:
    """Check ``answer(lr, curvature, start, radius)``.

    It must return how many steps of gradient descent take a point from distance `start`
    to distance `radius` of a saddle, along a direction whose curvature is negative:
    log(radius / start) / log(1 + lr * abs(curvature)), not rounded.
    """
    settings = [(0.1, -1.0, 1e-6, 0.5), (0.01, -2.0, 1e-3, 1.0), (0.5, -0.1, 1e-2, 1.0)]
    return judge(
        (
            f"{lr=}, {curvature=}, {start=}, {radius=}",
            partial(answer, lr, curvature, start, radius),
            np.log(radius / start) / np.log1p(lr * abs(curvature)),
        )
        for lr, curvature, start, radius in settings
    )


def check_hessian_vector_product(
    answer: Callable[[Callable[[Vector], Vector], Vector, Vector], Vector],
) -> bool:
    """Check ``answer(gradient, point, direction)``.

    It must return the Hessian times `direction` at `point`, shape (n,), from calls of
    `gradient` alone, to four digits: a central difference along `direction`.
    """
    rng = np.random.default_rng(0)
    cases = []
    for n in (2, 5):
        half = rng.standard_normal((n, n))
        hessian, point, direction = half + half.T, rng.standard_normal(n), rng.standard_normal(n)

        def product(h: Vector = hessian, p: Vector = point, d: Vector = direction) -> object:
            return answer(lambda x: h @ x + x**3, p, d)

        exact = hessian @ direction + 3 * point**2 * direction
        cases.append((f"a function of {n} variables", product, exact))
    return judge(cases, rtol=1e-4)


def check_critical_point(answer: Callable[[Sequence[float]], str]) -> bool:
    """Check ``answer(eigenvalues)`` of the Hessian where the gradient is zero.

    It must return "minimum", "maximum", "saddle", or "degenerate" where an eigenvalue
    is zero and the others have one sign, so that second order does not decide.
    """
    settings = [
        ([0.5, 2.0], "minimum"),
        ([-3.0, -0.1], "maximum"),
        ([4.0, -1e-3, 2.0], "saddle"),
        ([0.0, 1.0], "degenerate"),
        ([-1.0, 0.0, 1.0], "saddle"),
    ]
    return judge(
        (f"{eigenvalues=}", partial(answer, eigenvalues), kind) for eigenvalues, kind in settings
    )
