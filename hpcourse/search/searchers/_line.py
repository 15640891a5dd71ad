"""The steps of line searches on the unit interval, and how noisy values are compared."""

import math
from collections import defaultdict
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from hpcourse._check import require, require_count

GOLDEN = (math.sqrt(5) - 1) / 2

Values = Sequence[float]
Steps = Generator[Values, list[float], tuple[float, float, float]]
"""Yields places in [0, 1] and receives their values; returns the best place and both ends."""


@dataclass(frozen=True, kw_only=True)
class Noise:
    """How far a comparison is repeated.

    Attributes:
        repeats: Largest number of evaluations of one point; 1 where there is no noise.
        confidence: Probability of a right comparison that is aimed at.
    """

    repeats: int = 1
    confidence: float = 0.95

    def __post_init__(self) -> None:
        require_count("A line search", repeats=self.repeats)
        inside = 0 < self.confidence < 1
        require(inside, "A line search needs confidence in (0, 1)", confidence=self.confidence)

    @property
    def level(self) -> float:
        """Level of each look, two-sided."""
        return (1 - self.confidence) / max(self.repeats - 1, 1)


class Seen:
    """Values by place, and what they say about the means."""

    def __init__(self, noise: Noise) -> None:
        self.noise = noise
        self.values: dict[float, list[float]] = defaultdict(list)

    def draw(self, places: Values) -> Generator[Values, list[float], None]:
        """Evaluate each place once."""
        for place, value in zip(places, (yield list(places)), strict=True):
            self.values[place].append(value)

    def mean(self, place: float) -> float:
        return float(np.mean(self.values[place]))

    def compare(self, one: float, other: float) -> Generator[Values, list[float], bool]:
        """Whether the mean at one place is below that at another, as sure as the noise allows."""
        yield from self.draw([p for p in (one, other) if not self.values[p]])
        while not _apart(self.values[one], self.values[other], self.noise):
            counts = [len(self.values[p]) for p in (one, other)]
            few = [p for p, n in zip((one, other), counts, strict=True) if n == min(counts)]
            yield from self.draw(few)
        return self.mean(one) < self.mean(other)

    def feasible(self, place: float) -> Generator[Values, list[float], bool]:
        """Whether the mean at a place is at most zero, as sure as the noise allows."""
        yield from self.draw([place])
        while not _apart(self.values[place], None, self.noise):
            yield from self.draw([place])
        return self.mean(place) <= 0


def _apart(one: Values, other: Values | None, noise: Noise) -> bool:
    """Whether two means, or one and zero, are told apart, or there is no evaluation left."""
    samples = [np.array(values) for values in (one, other) if values is not None]
    if min(map(len, samples)) >= noise.repeats or not np.isfinite(np.concatenate(samples)).all():
        return True
    if min(map(len, samples)) < 2:
        return False
    parts = [float(sample.var(ddof=1)) / len(sample) for sample in samples]
    difference = abs(float(samples[0].mean()) - (float(samples[1].mean()) if other else 0.0))
    if sum(parts) == 0:
        return True
    shares = [part**2 / (len(s) - 1) for part, s in zip(parts, samples, strict=True)]
    freedom = sum(parts) ** 2 / sum(shares)  # Welch and Satterthwaite
    quantile = float(student.ppf(1 - noise.level / 2, freedom))
    return difference > quantile * math.sqrt(sum(parts))


def bisection_steps(tolerance: float, noise: Noise) -> Steps:
    """Halve the interval around the end of what is feasible."""
    seen, low, high = Seen(noise), 0.0, 1.0
    for _ in range(step_count(tolerance, 0.5)):
        middle = (low + high) / 2
        if (yield from seen.feasible(middle)):
            low = middle
        else:
            high = middle
    return low, low, high


def ternary_steps(tolerance: float, noise: Noise) -> Steps:
    """Drop the third beyond the worse of two inner points; both are new each time."""
    seen, low, high = Seen(noise), 0.0, 1.0
    for _ in range(step_count(tolerance, 2 / 3)):
        left, right = low + (high - low) / 3, high - (high - low) / 3
        if (yield from seen.compare(left, right)):
            high = right
        else:
            low = left
    return _best(seen, low, high), low, high


def golden_steps(tolerance: float, noise: Noise) -> Steps:
    """Drop the part beyond the worse of two inner points; the better one serves again."""
    seen, low, high = Seen(noise), 0.0, 1.0
    left, right = 1 - GOLDEN, GOLDEN
    for _ in range(step_count(tolerance, GOLDEN)):
        if (yield from seen.compare(left, right)):
            high, right = right, left
            left = high - GOLDEN * (high - low)
        else:
            low, left = left, right
            right = low + GOLDEN * (high - low)
    return _best(seen, low, high), low, high


def step_count(tolerance: float, factor: float) -> int:
    """Steps until the interval is at most as wide as the tolerance."""
    inside = 0 < tolerance < 1
    require(inside, "A line search needs tolerance in (0, 1)", tolerance=tolerance)
    return math.ceil(math.log(tolerance) / math.log(factor) - 1e-9)


def _best(seen: Seen, low: float, high: float) -> float:
    """The place of the lowest mean in the last interval."""
    inside = [place for place, values in seen.values.items() if values and low <= place <= high]
    return min(inside, key=seen.mean)
