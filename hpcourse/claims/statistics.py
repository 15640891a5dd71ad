"""Paired statistics and the one rule that turns an interval into a verdict.

Both arms of a claim are trained with the same seeds, so the statistics look at the differences
within a seed. The interval is a studentised bootstrap (bootstrap-t): the claims have 5 to 40 seeds,
where the percentile and BCa bootstraps are too narrow. Measured with 3000 samples each, nominal
95 %, the interval contains the true mean

========  =============  =============  ==============
seeds     normal         Student t(3)   exponential
========  =============  =============  ==============
5         95 % (BCa 83)  95 % (BCa 81)  92 % (BCa 79)
8         95 % (BCa 89)  94 % (BCa 85)  94 % (BCa 86)
20        95 % (BCa 93)  92 % (BCa 89)  94 % (BCa 91)
========  =============  =============  ==============

and the rule (`verdict`) says of two equal arms that the claim holds, with or without a caveat, in
so many of 4000 cases; nominal are 2.5 %:

========  ========  ========  ==========  =========  ==============================
seeds     normal    uniform   Student(3)  Laplace    normal, every tenth 10 x wider
========  ========  ========  ==========  =========  ==============================
5         2.5 %     2.0 %     3.1 %       2.5 %      2.6 %
10        2.6 %     1.3 %     3.5 %       3.9 %      3.9 %
20        2.6 %     1.4 %     3.8 %       3.9 %      4.7 %
40        2.9 %     2.3 %     3.5 %       3.2 %      7.0 %
========  ========  ========  ==========  =========  ==============================

A few wild differences among many are thus what it stands worst. That is one chance for each claim;
for all claims of a page together there is `holm`, applied by `hpcourse.claims.read_ledger`.

References:
    Efron and Tibshirani (1993), An Introduction to the Bootstrap, section 12.5 (bootstrap-t).
    Fisher (1935), The Design of Experiments, section 21 (sign-flip test).
    Holm (1979), A simple sequentially rejective multiple test procedure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from hpcourse._check import require, require_count, require_finite, require_positive

Verdict = Literal["holds", "holds with a caveat", "undecided", "fails"]
Vector = NDArray[np.float64]

EXACT_LIMIT = 16  # differences whose 2**16 sign patterns are enumerated


@dataclass(frozen=True, kw_only=True)
class PairedEffect:
    """Mean paired difference with its interval.

    Attributes:
        effect: Mean of the differences, in the unit of the metric.
        low: Lower end of the confidence interval.
        high: Upper end of the confidence interval.
        p_value: Two-sided sign-flip test of "no difference"; at least ``2 / 2**n``.
    """

    effect: float
    low: float
    high: float
    p_value: float


def paired_effect(
    a: ArrayLike, b: ArrayLike, *, confidence: float = 0.95, resamples: int = 9999, seed: int = 0
) -> PairedEffect:
    """Mean of ``a - b`` over paired seeds, with a studentised bootstrap interval.

    Args:
        a: Metric of the first arm, shape (n,), one value a seed, n >= 2.
        b: Metric of the second arm, shape (n,), same seeds in the same order.
        confidence: Coverage of the interval, between 0 and 1.
        resamples: Number of bootstrap resamples.
        seed: Seed of the resampling; equal seeds give equal intervals.

    Raises:
        ValueError: If the shapes differ, fewer than two pairs are given, or a value is not finite.

    Examples:
        >>> result = paired_effect([3.1, 2.9, 3.3, 3.0], [2.0, 2.1, 2.2, 1.9])
        >>> round(result.effect, 3), result.low > 0, result.p_value
        (1.025, True, 0.125)
    """
    difference = _differences(a, b)
    require(0 < confidence < 1, "paired_effect needs 0 < confidence < 1", confidence=confidence)
    require_count("paired_effect", resamples=resamples)
    low, high = _interval(difference, confidence, resamples, seed)
    return PairedEffect(
        effect=float(difference.mean()),
        low=low,
        high=high,
        p_value=sign_flip_p_value(difference, resamples=resamples, seed=seed),
    )


def sign_flip_p_value(differences: ArrayLike, *, resamples: int = 9999, seed: int = 0) -> float:
    """Two-sided p-value of "the differences are symmetric around zero".

    Exact by enumeration up to 16 differences; beyond that from seeded random sign patterns,
    counting the observed one, so that the p-value is never zero.

    Args:
        differences: Paired differences, shape (n,).
        resamples: Number of random sign patterns for n > 16.
        seed: Seed of the random patterns.

    Examples:
        >>> sign_flip_p_value([1.0, 2.0, 3.0])  # only +++ and --- are as far from zero
        0.25
    """
    values = np.asarray(differences, dtype=np.float64)
    require(
        values.ndim == 1 and values.size > 0,
        "sign_flip_p_value needs shape (n,)",
        shape=values.shape,
    )
    require(
        bool(np.isfinite(values).all()),
        "sign_flip_p_value needs finite differences",
        differences=differences,
    )
    tolerance = 1e-12 * float(np.abs(values).sum())  # equal sums may differ by rounding
    far = abs(float(values.sum())) - tolerance
    if values.size <= EXACT_LIMIT:
        return float(np.mean(np.abs(_signed_sums(values)) >= far))
    signs = np.random.default_rng(seed).choice((-1.0, 1.0), size=(resamples, values.size))
    extreme = np.count_nonzero(np.abs(signs @ values) >= far)
    return float((extreme + 1) / (resamples + 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given: compare each with the level wanted for all.

    Raises:
        ValueError: If a value lies outside [0, 1].

    Examples:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    for p in p_values:
        require(0 <= p <= 1, "holm needs p-values in [0, 1]", p_value=p)
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def verdict(
    effect: float, low: float, high: float, smallest_effect: float, *, caveats: Sequence[str] = ()
) -> Verdict:
    """The rule by which every claim of the book is judged.

    The effect is oriented so that positive supports the claim; [low, high] is its interval and
    `smallest_effect` the smallest effect that would matter to a reader. In this order:

    1. ``high < smallest_effect``: **fails**. Whatever the true effect is, it is too small to
       matter, or it points the other way.
    2. ``low <= 0``: **undecided**. The data allow both no effect and one that matters.
    3. ``effect < smallest_effect``, or there are caveats: **holds with a caveat**. The effect
       exists, but its estimate is below what matters, or the experiment has a known weakness.
    4. Otherwise: **holds**.

    The interval alone decides, not the p-value: with five seeds the exact test cannot go below
    0.0625. Two equal arms are declared different by 1. being false and ``low > 0``, about 2.5 % of
    the time at a confidence of 95 %. Caveats are kept with the evidence for every verdict.

    Raises:
        ValueError: Unless ``low <= effect <= high`` are finite and ``smallest_effect > 0``.

    Examples:
        >>> verdict(1.0, 0.4, 1.6, 0.5)
        'holds'
        >>> verdict(0.1, -0.2, 0.4, 0.5)
        'fails'
    """
    require_finite("verdict", effect=effect, low=low, high=high)
    require_positive("verdict", smallest_effect=smallest_effect)
    require(
        low <= effect <= high,
        "verdict needs low <= effect <= high",
        effect=effect,
        low=low,
        high=high,
    )
    if high < smallest_effect:
        return "fails"
    if low <= 0:
        return "undecided"
    if effect < smallest_effect or caveats:
        return "holds with a caveat"
    return "holds"


def _differences(a: ArrayLike, b: ArrayLike) -> Vector:
    """`a` - `b` after checking shapes and finiteness."""
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    for name, values in (("a", first), ("b", second)):
        require(values.ndim == 1, f"paired_effect needs {name} of shape (n,)", **{name: values})
        require(
            bool(np.isfinite(values).all()), f"paired_effect needs finite {name}", **{name: values}
        )
    require(
        first.shape == second.shape and first.size >= 2,
        "paired_effect needs two arms with the same two or more seeds",
        a=first.size,
        b=second.size,
    )
    return first - second


def _interval(
    difference: Vector, confidence: float, resamples: int, seed: int
) -> tuple[float, float]:
    """Bootstrap-t interval of the mean; Student's where ties leave resamples without spread."""
    n, tail = difference.size, (1 - confidence) / 2
    mean, error = float(difference.mean()), float(_standard_error(difference))
    if error == 0:  # all seeds agree
        return mean, mean
    rows = difference[np.random.default_rng(seed).integers(0, n, (resamples, n))]
    errors = _standard_error(rows)
    spread = errors > 1e-9 * error
    if np.mean(~spread) > tail / 4:
        lower, upper = stats.t.ppf(tail, n - 1), stats.t.ppf(1 - tail, n - 1)
    else:
        t = (rows[spread].mean(axis=1) - mean) / errors[spread]
        lower, upper = np.quantile(t, tail), np.quantile(t, 1 - tail)
    # A few seeds and a strong skew can push both quantiles to one side of zero.
    return mean - max(float(upper), 0.0) * error, mean - min(float(lower), 0.0) * error


def _standard_error(values: Vector) -> Vector:
    """Standard error of the mean along the last axis."""
    return np.asarray(values.std(axis=-1, ddof=1) / np.sqrt(values.shape[-1]))


def _signed_sums(values: Vector) -> Vector:
    """Sums of `values` under all 2**(n-1) sign patterns with the first sign fixed.

    The other half are the negatives of these.
    """
    sums = values[:1]
    for value in values[1:]:
        sums = np.concatenate((sums + value, sums - value))
    return sums
