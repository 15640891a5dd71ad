"""What a Gaussian process over learning curves makes of the rungs: which training goes on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from hpcourse.search.searchers._rung_kernel import RungKernel
from hpcourse.search.space import Axis, Matrix
from hpcourse.search.surrogates.gaussian_process import (
    GaussianProcess,
    conditioned,
    fit,
    whole_prior,
)
from hpcourse.search.surrogates.kernels import MixedKernel

__all__ = ["CurveModel", "Judged", "Whole", "informative", "scores"]

Vector = NDArray[np.float64]
Whole = NDArray[np.intp]

KNOWN = 128
"""Largest number of values on which the process is conditioned."""

GROWTH = 0.2
"""Share of further values after which its parameters are fitted again."""

WIDTH = 4.0
"""Standard deviations of the prior within which they are fitted."""

STEPS = 20
"""Largest number of steps of a fit, which starts from the parameters before."""


@dataclass(frozen=True)
class Judged:
    """What trials ended with, as arrays.

    Attributes:
        points: Configurations (n, dimension).
        numbers: Numbers of the configurations, for telling equal ones (n,).
        rungs: Places of the budgets among all (n,).
        scores: See `scores`; (n,).
    """

    points: Matrix
    numbers: Whole
    rungs: Whole
    scores: Vector


def informative(rungs: Whole, scores: Vector) -> Whole:
    """Which of many to keep: the highest rungs, then the best, then evenly by score.

    Args:
        rungs: Places of the budgets (n,).
        scores: Their scores (n,).

    Returns:
        At most `KNOWN` numbers of them, ascending.
    """
    order = np.lexsort((scores, -rungs))
    if len(order) <= KNOWN:
        return np.arange(len(order))
    high, rest = order[: KNOWN // 2], order[KNOWN // 2 :]
    rest = rest[np.argsort(scores[rest], kind="stable")]
    best = KNOWN // 4
    others = np.linspace(best, len(rest) - 1, KNOWN - len(high) - best).round().astype(int)
    return np.sort(np.concatenate([high, rest[:best], rest[others]]))


def scores(rungs: Sequence[Sequence[tuple[float, int]]]) -> list[Vector]:
    """Normal scores of the ended trials of each rung, the lowest rung first.

    The k-th of a rung stands for the k-th of all, since those that went on are the best of the rung
    below. So only places within a rung count, and what reaches a high rung has a low score.

    Args:
        rungs: Value and number of the ended trials of each rung, ascending.

    Examples:
        >>> low, high = scores([[(0.5, 2), (0.7, 0), (0.9, 1)], [(0.4, 3)]])
        >>> low.round(2).tolist(), high.round(2).tolist()
        ([-0.97, 0.0, 0.97], [-0.97])
    """
    most = max(len(rung) for rung in rungs)
    return [np.asarray(ndtri((np.arange(len(rung)) + 0.5) / most)) for rung in rungs]


@dataclass(frozen=True)
class CurveModel:
    """A Gaussian process over configurations and rungs, with the parameters fitted last.

    Attributes:
        kernel: Of configurations and rungs.
        theta: Parameters, see `whole_prior`.
        told: Number of values to which they were fitted.
    """

    kernel: RungKernel
    theta: Vector
    told: int = 0

    @staticmethod
    def of(axes: Sequence[Axis], rungs: int) -> "CurveModel":
        """The model before anything is known."""
        kernel = RungKernel(MixedKernel(axes), rungs)
        return CurveModel(kernel, whole_prior(kernel, noisy=True).mean)

    def fitted_to(self, judged: Judged, told: int) -> "CurveModel":
        """The model with parameters of high posterior density.

        They stay until there are enough more trials than they were fitted to.

        Args:
            judged: The informative ones of all trials.
            told: Number of all.
        """
        if told < self.told * (1 + GROWTH) + 1:
            return self
        prior, rows = whole_prior(self.kernel, noisy=True), self._rows(judged)
        starts, values = [self.theta], judged.scores
        theta = fit(
            self.kernel, prior, rows, values, starts, width=WIDTH, steps=STEPS, tolerance=1e-5
        )
        return replace(self, theta=theta, told=told)

    def process(self, judged: Judged, running: Matrix) -> GaussianProcess:
        """The process given what is known; running rows count as they are expected to end."""
        process = conditioned(self.kernel, self.theta, self._rows(judged), judged.scores)
        if len(running):
            process = process.extended(running, process.predict(running).mean)
        return process

    def _rows(self, judged: Judged) -> Matrix:
        return self.kernel.rows(judged.points, judged.numbers, judged.rungs)
