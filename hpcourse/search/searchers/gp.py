"""Bayesian optimisation with a Gaussian process.

References:
    Snoek, Larochelle and Adams (2012), Practical Bayesian Optimization of Machine Learning
    Algorithms, NeurIPS. Ament et al. (2023), Unexpected Improvements to Expected Improvement for
    Bayesian Optimization, NeurIPS.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from hpcourse._check import require_count
from hpcourse.search.searcher import History, finite
from hpcourse.search.searchers._acquisition import Acquisition, maximise
from hpcourse.search.searchers._gaussian_process import GaussianProcess, fit, whole_prior
from hpcourse.search.searchers._kernels import Kernel, MixedKernel
from hpcourse.search.space import Axis, Matrix, Space, active
from hpcourse.search.trial import Suggestion, Trial

__all__ = ["GP"]

Vector = NDArray[np.float64]

WIDE = 1024
"""Quasi-random points where expected improvement is computed; a power of two."""

NEAR = 64
"""Points around each of the INCUMBENTS best trials where it is computed too."""

INCUMBENTS = 4

ASCENTS = 5
"""Points from which it is maximised."""

KNOWN = 1000
"""Largest number of trials on which the process is conditioned."""

FITTED = 300
"""Largest number of trials to which its parameters are fitted."""

EARLY = 40
"""Number of trials up to which parameters are fitted from the prior's mean too, every time."""


class GP:
    """Suggests where a Gaussian process expects most improvement.

    The first trials are quasi-random. Then the parameters of a Gaussian process over the unit cube
    are fitted to all values by their marginal likelihood and a prior, and the configuration of the
    largest log expected improvement is suggested. Trials that run count as if they had ended with
    the value that the process expects; failed ones as the worst value.

    Args:
        space: Where configurations live; mixed and conditional ones too.
        seed: Seed of the search.
        noisy: Whether evaluating a configuration twice says more than once. Improvement is then
            counted from the lowest expected value instead of the lowest one.
        kernel: How alike two configurations are; None for `MixedKernel` of the space.
        start: Number of quasi-random trials.

    Raises:
        ValueError: If `start` is below one, or `seed` is no integer of at least zero.

    Examples:
        >>> from hpcourse.search import Box, Real, minimize
        >>> search = GP(Box({"x": Real(-4.0, 8.0)}), seed=1, start=3)
        >>> study = minimize(lambda t: (t.config["x"] - 1) ** 2, search, trials=10, progress=False)
        >>> abs(study.best.config["x"] - 1) < 0.01
        True
    """

    def __init__(
        self,
        space: Space,
        *,
        seed: int = 0,
        noisy: bool = False,
        kernel: Kernel | None = None,
        start: int = 10,
    ) -> None:
        require_count("GP", start=start)
        self._history = History(space, seed, noisy=noisy)
        self.kernel = MixedKernel(space.axes) if kernel is None else kernel
        self.start = start
        self._prior = whole_prior(self.kernel, noisy=noisy)
        self._theta, self._fitted = self._prior.mean, 0

    def ask(self) -> Suggestion | None:
        """The next configuration; None once a finite space is used up."""
        history, rng = self._history, self._history.rng()
        told = len(history.trials)
        theta, fitted = self._theta, self._fitted
        if told == 0 or max(told, history.asked) < self.start:
            points = _quasi_random(history)
        else:
            points, theta, fitted = self._promising(rng)
        point = history.first_new(points, rng)
        if point is None:
            return None
        self._theta, self._fitted = theta, fitted
        return history.suggest(point)

    def tell(self, trial: Trial) -> None:
        """Take note of an ended trial."""
        self._history.tell(trial)

    def _promising(self, rng: np.random.Generator) -> tuple[Matrix, Vector, int]:
        """Points of large expected improvement, the best first; parameters, and when fitted."""
        history = self._history
        values = _standardised(history.values)
        rows = self.kernel.features(history.points)
        theta, fitted = self._parameters(rows, values)
        kept = _spread(values, KNOWN)
        process = GaussianProcess(self.kernel, theta, rows[kept], values[kept])
        best = float(process.predict(rows[kept]).mean.min() if history.noisy else values.min())
        if history.pending:
            running = self.kernel.features(np.array(list(history.pending.values())))
            process = process.extended(running, process.predict(running).mean)
        acquisition = Acquisition(process, history.axes, best)
        return (
            _propose(acquisition, history.points[np.argsort(values, kind="stable")], rng),
            theta,
            fitted,
        )

    def _parameters(self, rows: Matrix, values: Vector) -> tuple[Vector, int]:
        """Fitted parameters, and the number of trials to which they were fitted.

        They are fitted again whenever there are a twentieth more trials.
        """
        told = len(values)
        if told < self._fitted + max(1, self._fitted // 20):
            return self._theta, self._fitted
        starts = [self._theta]
        if told <= EARLY or told // 10 > self._fitted // 10:
            starts.append(self._prior.mean)
        kept = _spread(values, FITTED)
        return fit(self.kernel, self._prior, rows[kept], values[kept], starts), told


def _quasi_random(history: History) -> Matrix:
    """The next point of a scrambled Sobol sequence (1, dimension)."""
    sobol = qmc.Sobol(history.space.dimension, rng=np.random.default_rng(history.seed))
    return np.asarray(sobol.random_base2(history.asked.bit_length()))[[history.asked]]


def _standardised(values: Vector) -> Vector:
    """Values of mean zero and variance one; failed trials have the worst one."""
    good = finite(values)
    spread = float(good.std())
    return np.asarray((good - good.mean()) / (spread if spread > 0 else 1.0))


def _spread(values: Vector, most: int) -> NDArray[np.intp]:
    """Numbers of at most so many values: the lowest half of them, then evenly by rank."""
    order = np.argsort(values, kind="stable")
    if len(order) <= most:
        return np.arange(len(order))
    half = most // 2
    rest = np.linspace(half, len(order) - 1, most - half).round().astype(int)
    return np.sort(order[np.append(np.arange(half), rest)])


def _propose(acquisition: Acquisition, told: Matrix, rng: np.random.Generator) -> Matrix:
    """Points of large acquisition, the best first; `told` are those known, the best first."""
    axes = acquisition.axes
    wide = np.asarray(qmc.Sobol(len(axes), rng=rng).random(WIDE))
    near = _perturbed(axes, np.repeat(told[:INCUMBENTS], NEAR, axis=0), rng)
    points = np.vstack([wide, near])
    score = acquisition(points)
    starts = {int(np.argmax(score[:WIDE])), WIDE + int(np.argmax(score[WIDE:]))}
    # The rest are drawn in proportion to expected improvement, which keeps them apart.
    chance = np.exp(np.maximum(score - score.max(), -200.0))
    chance[list(starts)] = 0.0
    drawn = rng.choice(
        len(points), ASCENTS - len(starts) - 1, replace=False, p=chance / chance.sum()
    )
    chosen = np.vstack([told[:1], points[sorted(starts)], points[drawn]])
    return np.vstack(
        [maximise(acquisition, chosen, rng), points[np.argsort(-score, kind="stable")]]
    )


def _perturbed(axes: tuple[Axis, ...], points: Matrix, rng: np.random.Generator) -> Matrix:
    """Neighbours of points: some coordinates moved, by steps of all sizes.

    Coordinates that do not count are drawn anew, for the case that they will.
    """
    shape = points.shape
    anew = rng.random(shape)
    size = np.exp(rng.uniform(np.log(1e-3), np.log(0.3), (len(points), 1)))
    ordered = np.array([axis.domain.ordered for axis in axes])
    near = np.clip(points + size * rng.standard_normal(shape), 0.0, 1.0)
    moved = np.where(rng.random(shape) < max(0.3, 2 / len(axes)), near, points)
    jumped = np.where(rng.random(shape) < max(0.1, 1 / len(axes)), anew, points)
    return np.where(active(axes, points), np.where(ordered, moved, jumped), anew)
