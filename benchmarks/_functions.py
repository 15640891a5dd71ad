"""Analytic test functions, and ways to move their minimum to where no searcher expects it.

All take a vector. The first thirteen have their minimum 0 at the origin, so that a shift and a
rotation of the coordinates leave the minimum known. Formulas after Surjanovic and Bingham, Virtual
Library of Simulation Experiments.
"""

from collections.abc import Callable
from math import cos, e, exp, pi, sin, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

Vector = NDArray[np.float64]
Function = Callable[[Vector], float]


def ackley(z: Vector) -> float:
    """Many shallow minima around one steep one."""
    depth = -20 * exp(-0.2 * sqrt(float(np.mean(z**2))))
    return depth - exp(float(np.mean(np.cos(2 * pi * z)))) + 20 + e


def rosenbrock(z: Vector) -> float:
    """A bent, flat valley."""
    x = z + 1
    return float(np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2))


def levy(z: Vector) -> float:
    """A wavy bowl."""
    w = 1 + z / 4
    inner = (w[:-1] - 1) ** 2 * (1 + 10 * np.sin(pi * w[:-1] + 1) ** 2)
    last = (w[-1] - 1) ** 2 * (1 + sin(2 * pi * w[-1]) ** 2)
    return float(sin(pi * w[0]) ** 2 + inner.sum() + last)


def ellipsoid(z: Vector) -> float:
    """A bowl whose axes differ by a factor of 30 in length."""
    return float(np.sum(np.logspace(0, 3, z.size) * z**2))


def rastrigin(z: Vector) -> float:
    """A bowl with a regular grid of minima."""
    return float(np.sum(z**2 - 10 * np.cos(2 * pi * z) + 10))


def griewank(z: Vector) -> float:
    """A wide bowl with ripples that depend on all coordinates."""
    ripples = np.prod(np.cos(z / np.sqrt(np.arange(1, z.size + 1))))
    return float(np.sum(z**2) / 4000 - ripples + 1)


def zakharov(z: Vector) -> float:
    """A plate with a steep edge."""
    slope = float(z @ np.arange(1, z.size + 1)) / 2
    return float(np.sum(z**2) + slope**2 + slope**4)


def styblinski_tang(z: Vector) -> float:
    """Two minima a coordinate, the lower one at the origin."""
    x = z - 2.903534027771177
    at_minimum = 39.16616570377142
    return float(np.sum(x**4 - 16 * x**2 + 5 * x) / 2 + at_minimum * z.size)


def salomon(z: Vector) -> float:
    """Rings around a cone."""
    r = sqrt(float(np.sum(z**2)))
    return 1 - cos(2 * pi * r) + 0.1 * r


def different_powers(z: Vector) -> float:
    """A bowl that becomes flatter from coordinate to coordinate."""
    return float(np.sum(np.abs(z) ** np.arange(2, z.size + 2)))


def cosine_mixture(z: Vector) -> float:
    """A bowl with a shallow grid of minima."""
    return float(np.sum(z**2) + 0.1 * np.sum(1 - np.cos(5 * pi * z)))


def powell(z: Vector) -> float:
    """A singular minimum in four dimensions."""
    a, b, c, d = z
    return float((a + 10 * b) ** 2 + 5 * (c - d) ** 2 + (b - 2 * c) ** 4 + 10 * (a - d) ** 4)


def well(z: Vector) -> float:
    """Flat but for one wide well."""
    return 1 - exp(-0.5 * float(np.sum(z**2)))


def branin(x: Vector) -> float:
    """Three equal minima; x in [-5, 10] x [0, 15]."""
    valley = x[1] - 5.1 / (4 * pi**2) * x[0] ** 2 + 5 / pi * x[0] - 6
    return float(valley**2 + 10 * (1 - 1 / (8 * pi)) * cos(x[0]) + 10)


BRANIN = 0.39788735772973816


def goldstein_price(x: Vector) -> float:
    """Logarithm of the Goldstein-Price function, minimum log 3 at (0, -1); x in [-2, 2] squared."""
    a, b = x
    s = 19 - 14 * a + 3 * a**2 - 14 * b + 6 * a * b + 3 * b**2
    t = 18 - 32 * a + 12 * a**2 + 48 * b - 36 * a * b + 27 * b**2
    return float(np.log((1 + (a + b + 1) ** 2 * s) * (30 + (2 * a - 3 * b) ** 2 * t)))


def six_hump_camel(x: Vector) -> float:
    """Six minima, two of them lowest; x in [-3, 3] x [-2, 2]."""
    a, b = x
    return float((4 - 2.1 * a**2 + a**4 / 3) * a**2 + a * b + (-4 + 4 * b**2) * b**2)


SIX_HUMP_CAMEL = -1.0316284534898772


def _hartmann(x: Vector, a: ArrayLike, p: ArrayLike) -> float:
    distance = np.sum(np.asarray(a) * (x - 1e-4 * np.asarray(p, float)) ** 2, axis=1)
    return -float(np.array([1.0, 1.2, 3.0, 3.2]) @ np.exp(-distance))


def hartmann3(x: Vector) -> float:
    """Four peaks in the unit cube."""
    a = [[3, 10, 30], [0.1, 10, 35], [3, 10, 30], [0.1, 10, 35]]
    p = [[3689, 1170, 2673], [4699, 4387, 7470], [1091, 8732, 5547], [381, 5743, 8828]]
    return _hartmann(x, a, p)


HARTMANN3 = -3.8627797873327


def hartmann6(x: Vector) -> float:
    """Four peaks in the unit cube of six dimensions."""
    a = [
        [10, 3, 17, 3.5, 1.7, 8],
        [0.05, 10, 17, 0.1, 8, 14],
        [3, 3.5, 1.7, 10, 17, 8],
        [17, 8, 0.05, 10, 0.1, 14],
    ]
    p = [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
    return _hartmann(x, a, p)


HARTMANN6 = -3.322368011415512


def shekel(x: Vector) -> float:
    """Ten narrow wells in [0, 10]^4."""
    c = [
        [4, 1, 8, 6, 3, 2, 5, 8, 6, 7],
        [4, 1, 8, 6, 7, 9, 3, 1, 2, 3.6],
        [4, 1, 8, 6, 3, 2, 5, 8, 6, 7],
        [4, 1, 8, 6, 7, 9, 3, 1, 2, 3.6],
    ]
    beta = np.array([1, 2, 2, 4, 4, 6, 3, 7, 5, 5]) / 10
    return -float(np.sum(1 / (np.sum((x[:, None] - np.array(c)) ** 2, axis=0) + beta)))


SHEKEL = -10.536443153483532


def beale(x: Vector) -> float:
    """Logarithm of one plus the Beale function, steep at the corners; x in [-4.5, 4.5] squared."""
    a, b = x
    pulls = [c - a + a * b**k for k, c in enumerate((1.5, 2.25, 2.625), 1)]
    return float(np.log1p(np.sum(np.square(pulls))))


def colville(x: Vector) -> float:
    """Two valleys that are tied together; minimum at (1, 1, 1, 1)."""
    a, b, c, d = x
    total = 100 * (a * a - b) ** 2 + (a - 1) ** 2 + (c - 1) ** 2 + 90 * (c * c - d) ** 2
    return float(total + 10.1 * ((b - 1) ** 2 + (d - 1) ** 2) + 19.8 * (b - 1) * (d - 1))


def michalewicz(x: Vector) -> float:
    """Steep valleys, in [0, pi]^5."""
    steep = np.sin(np.arange(1, x.size + 1) * x**2 / pi) ** 20
    return -float(np.sum(np.sin(x) * steep))


MICHALEWICZ5 = -4.687658179088148


def moved(function: Function, at: Vector, *, rotated: int | None = None) -> Function:
    """`function` with its origin at `at`, in coordinates turned at random.

    Args:
        function: One whose minimum lies at the origin.
        at: Where the minimum is to lie.
        rotated: Seed of a random rotation; None for none.
    """
    turn = np.eye(at.size)
    if rotated is not None:
        turn, _ = np.linalg.qr(np.random.default_rng(rotated).normal(size=(at.size, at.size)))

    def shifted(x: Vector) -> float:
        return function(turn @ (x - at))

    return shifted
