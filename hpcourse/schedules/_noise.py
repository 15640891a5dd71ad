"""Gaussian noise as a pure function of a seed and a step."""

import numpy as np
from numpy.typing import NDArray

from hpcourse.schedules._schedule import Floats

Bits = NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2**64 divided by the golden ratio, odd


def standard_normal(seed: int, steps: Floats) -> Floats:
    """One independent draw of N(0, 1) for each pair of seed and whole step.

    A generator hands out its numbers in order; here any step may be asked for, alone or in an
    array, in any order and in any process, and always gets the same number. So the numbers come
    from hashing the step (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number
    generators", SplitMix64) and are made normal by Box & Muller (1958).

    Args:
        seed: An integer from 0 to 2**64 - 1.
        steps: Whole numbers >= 0, any shape.

    Returns:
        An array of the shape of `steps`.
    """
    counter = 2 * np.atleast_1d(steps).astype(np.uint64)  # two uniforms for each step
    key = _mix(np.array([seed], dtype=np.uint64) + _GOLDEN)  # neighbouring seeds, far-off streams
    radius = np.sqrt(-2.0 * np.log1p(-_uniform(key, counter)))
    angle = 2.0 * np.pi * _uniform(key, counter + np.uint64(1))
    return (radius * np.cos(angle)).reshape(steps.shape)


def _uniform(key: Bits, counter: Bits) -> Floats:
    """Numbers in [0, 1), from the upper 53 bits of the hash."""
    bits = _mix(key + (counter + np.uint64(1)) * _GOLDEN)
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mix(z: Bits) -> Bits:
    """SplitMix64's output function: a bijection that changes half of the bits for each one."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
