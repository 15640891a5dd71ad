"""Freeze and thaw: a Gaussian process over learning curves decides which training goes on.

References:
    Swersky, Snoek and Adams (2014), Freeze-Thaw Bayesian Optimization, arXiv:1406.3896; here
    between the rungs of a ladder of budgets. The first trials are those of Li, Jamieson,
    Rostamizadeh, Gonina, Ben-tzur, Hardt, Recht and Talwalkar (2020), A System for Massively
    Parallel Hyperparameter Tuning, MLSys. Kernel and scores are our own.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hpcourse.search.searcher import History, uniform
from hpcourse.search.searchers._curve_model import (
    CurveModel,
    Judged,
    Whole,
    informative,
    scores,
)
from hpcourse.search.searchers._rungs import Ladder, ladder
from hpcourse.search.space import Axis, Matrix, Space, active, canonical
from hpcourse.search.surrogates._threads import one_thread
from hpcourse.search.surrogates.acquisition import log_gain
from hpcourse.search.surrogates.gaussian_process import GaussianProcess
from hpcourse.search.trial import Suggestion, Trial

__all__ = ["FreezeThaw"]

FEWEST = 10
"""Configurations that are drawn from the prior at least before the process decides."""

WIDE = 64
"""New configurations from the prior that are considered for one suggestion."""

NEAR = 16
"""New ones around each of the INCUMBENTS best that are considered too."""

INCUMBENTS = 3


class FreezeThaw:
    """Trains on whatever promises most at the end: a paused training, or a new one.

    The first configurations are drawn from the prior and go on as in `ASHA`, as many as it takes
    for one to reach the highest rung. Then a Gaussian process over configurations and rungs is
    fitted to what every trial ended with, and predicts what each configuration would reach on the
    highest rung. The one with the largest expected improvement there is trained up to its next
    rung only, and everything is asked again. So a configuration is dropped as soon as its curve
    disappoints, and taken up again if all others do.

    How much a rung says of the highest one is fitted too. Where low budgets mislead, the process
    learns it from the trials that reached several rungs, and does not drop anything for them: it
    becomes a search with whole trainings.

    Only places within a rung count, as in `HalvingTPE`. Trials that run count as if they had ended
    as is expected; failed ones as the worst of their rung.

    Args:
        space: Where configurations live.
        seed: Seed of the search.
        noisy: Whether a configuration may be drawn again; only a finite space can have it.
        min_budget: The lowest rung lies at or above it.
        max_budget: Budget of the highest rung.
        eta: Factor between the budgets of rungs.

    Attributes:
        budgets: Budgets of the rungs, ascending.

    Raises:
        ValueError: If a budget or `eta` is out of range.

    Examples:
        >>> from hpcourse.search import Box, Real, minimize
        >>> def train(trial):
        ...     return (trial.config["u"] - 0.7) ** 2 + 1 / trial.budget
        >>> search = FreezeThaw(Box({"u": Real(0.0, 1.0)}), max_budget=9)
        >>> study = minimize(train, search, trials=40, progress=False)
        >>> study.best.budget, round(study.best.config["u"], 1)
        (9, 0.7)
    """

    def __init__(
        self,
        space: Space,
        *,
        seed: int = 0,
        noisy: bool = False,
        min_budget: int = 1,
        max_budget: int = 27,
        eta: int = 3,
    ) -> None:
        self.budgets = ladder("FreezeThaw", min_budget=min_budget, max_budget=max_budget, eta=eta)
        self._ladder = Ladder(History(space, seed, noisy=noisy), self.budgets, eta)
        self._first = max(FEWEST, eta ** (len(self.budgets) - 1))
        self._model = CurveModel.of(space.axes, len(self.budgets))
        self._numbers: dict[bytes, int] = {}  # of configurations
        self._started = 0
        self._modelled = False

    def ask(self) -> Suggestion | None:
        """The next trial; None once a finite space is used up and nothing can go on."""
        if not self._modelled:
            suggestion = self._ladder.promote()
            if suggestion is not None:
                return suggestion
            if self._started < self._first or not any(self._ladder.rungs.values()):
                suggestion = self._new(())
                if suggestion is not None:
                    return suggestion
        return self._chosen() if any(self._ladder.rungs.values()) else None

    def tell(self, trial: Trial) -> None:
        """Take note of an ended trial."""
        self._ladder.tell(trial)

    def _new(self, points: Sequence[NDArray[np.float64]] | Matrix) -> Suggestion | None:
        """Start the first of the points that is new, else one from the prior."""
        history = self._ladder.history
        point = history.first_new(points, history.rng(), self.budgets[0])
        if point is None:
            return None
        self._started += 1
        suggestion = self._ladder.start(point)
        self._number(self._ladder.history.pending[self._ladder.history.asked - 1])
        return suggestion

    @one_thread()
    def _chosen(self) -> Suggestion | None:
        """What has the largest expected improvement at the highest rung."""
        history, rng = self._ladder.history, self._ladder.history.rng()
        judged, trials = self._judged()
        model = self._model.fitted_to(judged, len(history.trials))
        process = model.process(judged, self._running(model))
        paused = [place for place, trial in enumerate(trials) if self._ladder.is_paused(trial)]
        top = np.full(len(paused), len(self.budgets) - 1)
        new = self._candidates(judged, rng)
        rows = model.kernel.rows(judged.points[paused], judged.numbers[paused], top)
        best = self._best(judged, process, rows)
        gains = log_gain(process.predict(np.vstack([rows, model.kernel.features(new)])), best)
        order = np.argsort(-gains, kind="stable")
        suggestion = self._next(order, [trials[place] for place in paused], new)
        if suggestion is not None:
            self._model, self._modelled = model, True
        return suggestion

    def _next(self, order: Whole, paused: Sequence[int], new: Matrix) -> Suggestion | None:
        """The first that can be asked for, of the paused trials and then the new points."""
        for place in order:
            if place >= len(paused):
                point = new[place - len(paused)]
                if self._ladder.history.is_new(point, self.budgets[0]):
                    return self._new(point[None])
            elif (suggestion := self._ladder.go_on(paused[place])) is not None:
                return suggestion
        return self._new(())

    def _judged(self) -> tuple[Judged, list[int]]:
        """The informative ones of all values, and the numbers of their trials."""
        ended = [self._ladder.rungs[budget] for budget in self.budgets]
        trials = [number for rung in ended for _, number in rung]
        rungs = np.repeat(np.arange(len(ended)), [len(rung) for rung in ended])
        values = np.concatenate(scores(ended))
        kept = informative(rungs, values)
        numbers = [trials[place] for place in kept]
        points = np.array([self._ladder.point(number) for number in numbers])
        known = np.array([self._number(point) for point in points])
        return Judged(points, known, rungs[kept], values[kept]), numbers

    def _number(self, point: NDArray[np.float64]) -> int:
        """Number of a configuration; equal ones have the same."""
        return self._numbers.setdefault(point.tobytes(), len(self._numbers))

    def _running(self, model: CurveModel) -> Matrix:
        """Rows of the trials that run."""
        running = [
            (point, self._number(point), self.budgets.index(self._ladder.budget(number)))
            for number, point in self._ladder.history.pending.items()
        ]
        if not running:
            return np.empty((0, 0))
        points, numbers, rungs = zip(*running, strict=True)
        return model.kernel.rows(np.array(points), np.array(numbers), np.array(rungs))

    def _best(self, judged: Judged, process: GaussianProcess, paused: Matrix) -> float:
        """The lowest score of the highest rung; before there is one, what is expected of it."""
        top = judged.scores[judged.rungs == len(self.budgets) - 1]
        if len(top):
            return float(top.min())
        return float(process.predict(paused).mean.min()) if len(paused) else 0.0

    def _candidates(self, judged: Judged, rng: np.random.Generator) -> Matrix:
        """New configurations, from the prior and around the best."""
        space = self._ladder.history.space
        best = np.lexsort((judged.scores, -judged.rungs))[:INCUMBENTS]
        near = np.repeat(judged.points[best], NEAR, axis=0)
        points = np.vstack([uniform(space, rng, WIDE), _neighbours(space.axes, near, rng)])
        points = canonical(space.axes, points)
        if self._ladder.history.noisy:
            return points
        return points[[point.tobytes() not in self._numbers for point in points]]


def _neighbours(axes: Sequence[Axis], points: Matrix, rng: np.random.Generator) -> Matrix:
    """Points of which some coordinates moved, by steps of all sizes.

    Categories, and coordinates that do not count, are drawn anew instead.
    """
    anew = rng.random(points.shape)
    size = np.exp(rng.uniform(np.log(1e-3), np.log(0.3), (len(points), 1)))
    ordered = np.array([axis.domain.ordered for axis in axes])
    near = np.clip(points + size * rng.standard_normal(points.shape), 0.0, 1.0)
    moves = rng.random(points.shape) < max(0.3, 1 / len(axes))
    moved = np.where(moves, np.where(ordered, near, anew), points)
    return np.where(active(axes, points), moved, anew)
