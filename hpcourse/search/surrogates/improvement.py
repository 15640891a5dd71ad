"""What a Gaussian process that is fitted to a search makes of its history: where to go next."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.stats import qmc, yeojohnson, yeojohnson_llf

from hpcourse.search.searcher import History, finite
from hpcourse.search.space import Axis, Matrix, active
from hpcourse.search.surrogates._threads import one_thread
from hpcourse.search.surrogates.acquisition import Acquisition, maximise
from hpcourse.search.surrogates.gaussian_process import conditioned, fit, whole_prior
from hpcourse.search.surrogates.kernels import Kernel, Prior

__all__ = ["Improvement", "Turns", "quasi_random", "warped"]

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

POWERS = (-2.0, 4.0)
"""Exponents between which the power transformation is chosen; 1 is none."""

EARLY = 40
"""Number of trials up to which parameters are fitted from the prior's mean too, every time."""


@dataclass(frozen=True)
class Improvement:
    """A Gaussian process model of a search, with the parameters that were fitted last.

    Attributes:
        kernel: Correlation of two configurations.
        prior: Of all parameters.
        theta: Parameters.
        log: Whether it follows values on a logarithmic scale, see `warped`.
        told: Number of trials to which they were fitted.
    """

    kernel: Kernel
    prior: Prior
    theta: Vector
    log: bool
    told: int = 0

    @staticmethod
    def of(kernel: Kernel, *, noisy: bool, log: bool) -> "Improvement":
        """The model before anything is known."""
        prior = whole_prior(kernel, noisy=noisy)
        return Improvement(kernel, prior, prior.mean, log)

    @one_thread()
    def promising(self, history: History, rng: np.random.Generator) -> tuple[Matrix, "Improvement"]:
        """Points of large expected improvement, the best first, and the model to ask next time.

        Args:
            history: Of which at least one trial has ended.
            rng: Source of everything random.
        """
        values = warped(history.values, log=self.log)
        rows = self.kernel.features(history.points)
        after = self._fitted_to(rows, values)
        kept = _spread(values, KNOWN)
        process = conditioned(self.kernel, after.theta, rows[kept], values[kept])
        best = float(process.predict(rows[kept]).mean.min() if history.noisy else values.min())
        if history.pending:
            running = self.kernel.features(np.array(list(history.pending.values())))
            process = process.extended(running, process.predict(running).mean)
        told = history.points[np.argsort(values, kind="stable")]
        return _propose(Acquisition(process, history.axes, best), told, rng), after

    def _fitted_to(self, rows: Matrix, values: Vector) -> "Improvement":
        """The model with fitted parameters.

        They are fitted again whenever there are a twentieth more trials.
        """
        told = len(values)
        if told < self.told + max(1, self.told // 20):
            return self
        starts = [self.theta]
        if told <= EARLY or told // 10 > self.told // 10:
            starts.append(self.prior.mean)
        kept = _spread(values, FITTED)
        theta = fit(self.kernel, self.prior, rows[kept], values[kept], starts)
        return replace(self, theta=theta, told=told)


@dataclass(frozen=True)
class Turns:
    """Two models that suggest in turns, as nobody knows on which scale the values are smooth.

    On the logarithmic scale a search goes on with ever smaller gains in one valley; as they are,
    one very bad value hides what distinguishes good ones.

    Attributes:
        plain: The model of the values as they are.
        log: The model of their logarithmic distances from the lowest one.
    """

    plain: Improvement
    log: Improvement

    @staticmethod
    def of(kernel: Kernel, *, noisy: bool) -> "Turns":
        """Both models before anything is known."""
        plain, log = (Improvement.of(kernel, noisy=noisy, log=log) for log in (False, True))
        return Turns(plain, log)

    def promising(self, history: History, rng: np.random.Generator) -> tuple[Matrix, "Turns"]:
        """Points of large expected improvement, the best first, and the models for next time."""
        if history.asked % 2:
            points, log = self.log.promising(history, rng)
            return points, replace(self, log=log)
        points, plain = self.plain.promising(history, rng)
        return points, replace(self, plain=plain)


def quasi_random(history: History) -> Matrix:
    """The next point of a scrambled Sobol sequence (1, dimension)."""
    sobol = qmc.Sobol(history.space.dimension, rng=np.random.default_rng(history.seed))
    return np.asarray(sobol.random_base2(history.asked.bit_length()))[[history.asked]]


def warped(values: Vector, *, log: bool) -> Vector:
    """Values (n,) as a process can follow them: their order kept, mean zero, variance one.

    On the logarithmic scale distances from the lowest value are compressed, with their median as
    unit, and a power transformation makes the result as normal as it can; Yeo and Johnson (2000), A
    New Family of Power Transformations, Biometrika 87. Failed trials have the worst value. Shifts
    and positive factors change nothing.

    Examples:
        >>> warped(np.array([1, 2, 3, 4, 1000, np.inf]), log=True).round(2).tolist()
        [-1.06, -0.76, -0.55, -0.39, 1.38, 1.38]
    """
    good = finite(values)
    distance = np.asarray(good - good.min())
    if not distance.any():
        return distance
    if not log:
        return _standard(distance)
    flat = _standard(np.log1p(distance / np.median(distance[distance > 0])))

    def loss(power: float) -> float:
        return -float(yeojohnson_llf(power, flat))

    best = minimize_scalar(loss, bounds=POWERS, method="bounded")
    return _standard(np.asarray(yeojohnson(flat, float(best.x))))


def _standard(values: Vector) -> Vector:
    """Values of mean zero and variance one."""
    return np.asarray((values - values.mean()) / values.std())


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
