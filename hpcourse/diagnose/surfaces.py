"""Analytic losses of two parameters on which stalling, escaping and oscillating can be watched.

Each surface knows its minima and saddles exactly, so that what a run does can be compared with
what theory says (`growth_factor`, `largest_stable_lr`).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from hpcourse._check import (
    is_finite,
    require,
    require_count,
    require_non_negative,
    require_positive,
)
from hpcourse.schedules import Schedule

__all__ = [
    "Descent",
    "Surface",
    "descend",
    "double_well",
    "ravine",
    "steps_to_escape",
    "strict_saddle",
]

Points = NDArray[np.float64]
P = TypeVar("P", Points, Tensor)


class Loss(Protocol):
    """A loss of points (..., 2), arrays or tensors alike, that returns one value (...) for each."""

    def __call__(self, p: P, /) -> P:
        """Loss at each point."""
        ...


@dataclass(frozen=True, eq=False)
class Surface:
    """A loss of two parameters with what is known of it.

    Attributes:
        name: What to call it in a figure.
        loss: Loss of points (..., 2), arrays or tensors.
        gradient: Its gradient (..., 2) at points (..., 2), arrays.
        minima: (m, 2), the lowest first.
        saddles: (s, 2), none or more.
    """

    name: str
    loss: Loss
    gradient: Callable[[Points], Points]
    minima: Points
    saddles: Points

    def __call__(self, p: P) -> P:
        """Loss (...) at points (..., 2)."""
        return self.loss(p)


class Descent(NamedTuple):
    """A run of gradient descent.

    Attributes:
        path: (steps + 1, ..., 2), the start first.
        losses: (steps + 1, ...), the loss at each point of the path.
    """

    path: Points
    losses: Points


def strict_saddle(curvature: float = 1.0) -> Surface:
    """x²/2 - c y²/2 + y⁴/4: a saddle at the origin with eigenvalues 1 and -c = -`curvature`.

    The minima lie at (0, ±√c) and are c²/4 lower. Near the origin descent with rate lr multiplies
    y by 1 + lr c per step, so leaving it from y0 takes about `log(√c / |y0|) / log(1 + lr c)`
    steps, and for ever from y0 = 0. Noise removes the "for ever" (Jin et al., "How to escape
    saddle points efficiently", 2017).

    Raises:
        ValueError: If `curvature` is not above zero.

    Examples:
        >>> surface = strict_saddle(4.0)
        >>> surface.minima.tolist(), surface(surface.minima).tolist()
        ([[0.0, 2.0], [0.0, -2.0]], [-4.0, -4.0])
    """
    require_positive("strict_saddle", curvature=curvature)

    def loss(p: P) -> P:
        x, y = p[..., 0], p[..., 1]
        return x**2 / 2 - curvature * y**2 / 2 + y**4 / 4

    def gradient(p: Points) -> Points:
        x, y = p[..., 0], p[..., 1]
        return np.stack([x, y**3 - curvature * y], axis=-1)

    depth = math.sqrt(curvature)
    minima = np.array([[0.0, depth], [0.0, -depth]])
    return Surface("strict saddle", loss, gradient, minima, np.zeros((1, 2)))


def double_well(tilt: float = 0.1) -> Surface:
    """(x² - 1)²/4 + tilt x + y²/2: a poor minimum near x = 1, the best one near x = -1.

    Critical points are the three roots of x³ - x + tilt, on the line y = 0; the middle one is
    the saddle between the wells.

    Raises:
        ValueError: Unless 0 <= tilt < 2/(3√3), beyond which the poor minimum is gone.

    Examples:
        >>> surface = double_well(0.0)
        >>> surface.minima.round(6).tolist(), surface.saddles.round(6).tolist()
        ([[-1.0, 0.0], [1.0, 0.0]], [[0.0, 0.0]])
    """
    ok = is_finite(tilt) and 0 <= tilt < 2 / (3 * math.sqrt(3))
    require(ok, "double_well needs 0 <= tilt < 2/(3√3)", tilt=tilt)

    def loss(p: P) -> P:
        x, y = p[..., 0], p[..., 1]
        return (x**2 - 1) ** 2 / 4 + tilt * x + y**2 / 2

    def gradient(p: Points) -> Points:
        x, y = p[..., 0], p[..., 1]
        return np.stack([x**3 - x + tilt, y], axis=-1)

    angle = math.acos(-1.5 * math.sqrt(3) * tilt) / 3  # Viète's trigonometric roots
    poor, saddle, best = (
        (2 / math.sqrt(3) * math.cos(angle - 2 * math.pi * k / 3), 0.0) for k in range(3)
    )
    return Surface("double well", loss, gradient, np.array([best, poor]), np.array([saddle]))


def ravine(condition: float = 20.0) -> Surface:
    """(x² + condition y²)/2: a quadratic valley with eigenvalues 1 and `condition`.

    A fixed rate above 1/condition jumps from wall to wall in y at every step, one above
    2/condition climbs them, while x still shrinks by only 1 - lr per step.

    Raises:
        ValueError: If `condition` is not a finite number of at least 1.

    Examples:
        >>> ravine(20.0)(np.array([[2.0, 0.0], [0.0, 1.0]])).tolist()
        [2.0, 10.0]
    """
    ok = is_finite(condition) and condition >= 1
    require(ok, "ravine needs condition >= 1", condition=condition)

    def loss(p: P) -> P:
        x, y = p[..., 0], p[..., 1]
        return (x**2 + condition * y**2) / 2

    def gradient(p: Points) -> Points:
        return np.stack([p[..., 0], condition * p[..., 1]], axis=-1)

    return Surface("ravine", loss, gradient, np.zeros((1, 2)), np.zeros((0, 2)))


def descend(
    surface: Surface,
    start: ArrayLike,
    *,
    lr: float | Schedule,
    steps: int,
    momentum: float = 0.0,
    noise: float = 0.0,
    seed: int = 0,
) -> Descent:
    """Gradient descent from one start (2,), or from many at once (..., 2), each on its own.

    The update is that of ``torch.optim.SGD``: v = momentum v + g, p = p - lr v, where g is the
    gradient plus Gaussian noise. A path that diverges runs on to infinity and NaN.

    Args:
        surface: The loss.
        start: Starting points (..., 2).
        lr: Learning rate, fixed or a schedule of the step (0 at the first update).
        steps: Updates made.
        momentum: Heavy-ball coefficient in [0, 1).
        noise: Standard deviation of the noise on each component of the gradient.
        seed: Seed of the noise.

    Raises:
        ValueError: If an argument is outside its range.

    Examples:
        >>> run = descend(ravine(10.0), (1.0, 1.0), lr=0.05, steps=2)
        >>> run.path.round(4).tolist()
        [[1.0, 1.0], [0.95, 0.5], [0.9025, 0.25]]
    """
    point = np.array(start, dtype=np.float64)
    ok = point.ndim >= 1 and point.shape[-1] == 2 and bool(np.isfinite(point).all())
    require(ok, "descend needs finite starts of shape (..., 2)", start=start)
    require_count("descend", steps=steps)
    require_non_negative("descend", noise=noise)
    ok = is_finite(momentum) and 0 <= momentum < 1
    require(ok, "descend needs 0 <= momentum < 1", momentum=momentum)
    rates = _rates(lr, steps)
    shocks = noise * np.random.default_rng(seed).standard_normal((steps, *point.shape))
    path = np.empty((steps + 1, *point.shape))
    path[0], velocity = point, np.zeros_like(point)
    with np.errstate(over="ignore", invalid="ignore"):
        for step in range(steps):
            velocity = momentum * velocity + surface.gradient(path[step]) + shocks[step]
            path[step + 1] = path[step] - rates[step] * velocity
        return Descent(path, surface(path))


def steps_to_escape(surface: Surface, path: ArrayLike, *, fraction: float = 0.5) -> Points:
    """First step at which the loss has fallen from the saddle's by `fraction` of the way down.

    The way goes from the loss at the first saddle of `surface` to its lowest minimum.

    Args:
        surface: A surface with a saddle.
        path: Points (steps + 1, ..., 2), as `descend` returns.
        fraction: Share of the fall that counts as escaped, in (0, 1).

    Returns:
        Steps (...), one for each path; infinity where it never escapes.

    Raises:
        ValueError: If the surface has no saddle, or `path` or `fraction` is out of range.

    Examples:
        >>> saddle = strict_saddle()
        >>> starts = [(1.0, 0.1), (1.0, 0.0)]
        >>> steps_to_escape(saddle, descend(saddle, starts, lr=0.1, steps=200).path).tolist()
        [20.0, inf]
    """
    points = np.asarray(path, dtype=np.float64)
    ok = points.ndim >= 2 and points.shape[-1] == 2 and len(points) > 0
    require(ok, "steps_to_escape needs a path of shape (steps + 1, ..., 2)", shape=points.shape)
    require(len(surface.saddles) > 0, "steps_to_escape needs a saddle", surface=surface.name)
    ok = is_finite(fraction) and 0 < fraction < 1
    require(ok, "steps_to_escape needs 0 < fraction < 1", fraction=fraction)
    top, bottom = surface(surface.saddles[0]), surface(surface.minima[0])
    escaped = surface(points) <= top - fraction * (top - bottom)
    return np.where(escaped.any(axis=0), escaped.argmax(axis=0), np.inf)


def _rates(lr: float | Schedule, steps: int) -> Points:
    """Learning rate of each update (steps,), checked."""
    values = lr(np.arange(steps)) if callable(lr) else lr
    rates = np.broadcast_to(np.asarray(values, dtype=np.float64), (steps,))
    ok = bool(np.isfinite(rates).all() and (rates >= 0).all())
    require(ok, "descend needs finite rates lr >= 0", lr=lr)
    return rates
