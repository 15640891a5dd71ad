"""Trials as points of their space, and which hyperparameters of a study mattered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcourse._check import require
from hpcourse.search.domains import Domain, middles
from hpcourse.search.importance import Importance, fanova
from hpcourse.search.space import Axis, Space, active
from hpcourse.search.study import Study
from hpcourse.search.trial import Trial

__all__ = ["Places", "judged", "places", "study_importance"]

Matrix = NDArray[np.float64]

CURVE = 100
"""Points of the curve of a continuous hyperparameter."""


@dataclass(frozen=True, eq=False)
class Places:
    """Trials in the unit cube of their space.

    Attributes:
        trials: The trials, n of them.
        axes: The coordinates, d of them.
        points: (n, d) places in [0, 1].
        counts: (n, d) which coordinates count, under the conditions of the space.
    """

    trials: tuple[Trial, ...]
    axes: tuple[Axis, ...]
    points: Matrix
    counts: NDArray[np.bool_]

    def column(self, name: str) -> int:
        """Number of the axis of this name.

        Raises:
            ValueError: If there is none.
        """
        names = [axis.name for axis in self.axes]
        require(name in names, f"The space needs an axis of this name, has {names}", name=name)
        return names.index(name)

    def values(self, column: int) -> list[Any]:
        """The hyperparameter of each trial; None where it does not count."""
        axis = self.axes[column]
        return [
            axis.domain.decode(float(u)) if counts else None
            for u, counts in zip(self.points[:, column], self.counts[:, column], strict=True)
        ]


def places(trials: Sequence[Trial], space: Space) -> Places:
    """The trials as points of the space that they come from.

    Args:
        trials: Trials with configurations of the space.
        space: The space.

    Raises:
        ValueError: Quoting the number of a trial that does not belong to the space, and why.

    Examples:
        >>> from hpcourse.search import Box, Real
        >>> trial = Trial(number=0, config={"lr": 0.01}, seed=0)
        >>> places([trial], Box({"lr": Real(1e-4, 1, log=True)})).points.round(3).tolist()
        [[0.5]]
    """
    points = np.empty((len(trials), space.dimension))
    for row, trial in enumerate(trials):
        try:
            points[row] = space.encode(trial.config)
        except ValueError as error:
            raise ValueError(f"Trial {trial.number} is not of this space: {error}") from None
    return Places(tuple(trials), tuple(space.axes), points, active(space.axes, points))


def study_importance(
    study: Study | Sequence[Trial], space: Space, *, trees: int = 64, seed: int = 0
) -> Importance:
    """Which hyperparameters the values of a study depend on, over the prior of its space.

    A conditional hyperparameter takes part like the others: where it does not count, it is drawn
    from its prior, so that the forest learns that it has no effect there. Its share is then that
    of a draw from the whole space. A failed trial counts as the worst done one. Of trials with
    budgets only those of the largest are used; pruned trials are not.

    The shares are those over the whole space: after a search that has settled on a part of it they
    rest on few trials elsewhere, and `Importance.oob_r2` says little. Random search serves best.

    Args:
        study: The study, or its trials.
        space: The space that was searched.
        trees: Number of trees of the forest.
        seed: Seed of the forest, and of the draws.

    Raises:
        ValueError: If fewer than four trials can be used, their values are all equal, or one is
            not of this space.

    Examples:
        >>> from hpcourse.search import Box, Random, Real, minimize
        >>> space = Box({"lr": Real(0, 1), "idle": Real(0, 1)})
        >>> def objective(trial):
        ...     return trial.config["lr"] ** 2
        >>> study = minimize(objective, Random(space), trials=60, progress=False)
        >>> study_importance(study, space).order
        ('lr', 'idle')
    """
    trials = judged(study.trials if isinstance(study, Study) else study)
    require(len(trials) >= 4, "study_importance needs four trials that ended", trials=len(trials))
    require(space.dimension > 0, "study_importance needs a hyperparameter", axes=space.axes)
    found = places(trials, space)
    worst = max(trial.value for trial in trials if trial.value is not None)
    values = [worst if trial.value is None else trial.value for trial in trials]
    columns, levels = _columns(found, np.random.default_rng(seed))
    names = tuple(axis.name for axis in space.axes)
    result = fanova(columns, values, names=names, levels=levels, trees=trees, seed=seed)
    curves = {
        axis.name: replace(
            result.curves[axis.name], values=_values(axis.domain, axis.name in levels)
        )
        for axis in space.axes
    }
    return replace(result, curves=curves)


def judged(trials: Sequence[Trial]) -> list[Trial]:
    """Done and failed trials of the largest budget that one was done with."""
    done = [trial for trial in trials if trial.state == "done"]
    most = max((trial.budget or 0 for trial in done), default=0)
    kept = [trial for trial in trials if trial.state in ("done", "failed")]
    kept = [trial for trial in kept if (trial.budget or 0) == most]
    return kept if done else []


def _columns(found: Places, rng: np.random.Generator) -> tuple[Matrix, Mapping[str, int]]:
    """What a forest sees: codes of equally likely values, else places; the levels of the codes.

    A value that is more likely than others has a place drawn from its cell.
    """
    columns, levels = np.empty_like(found.points), {}
    for column, axis in enumerate(found.axes):
        own, counts = found.points[:, column], found.counts[:, column]
        u = np.where(counts, own, rng.random(own.shape))
        if _even(axis.domain):
            levels[axis.name] = axis.domain.levels
            columns[:, column] = axis.domain.codes(u)
        elif axis.domain.levels:
            low, high = axis.domain.edges(axis.domain.codes(u))
            columns[:, column] = low + (high - low) * rng.random(own.shape)
        else:
            columns[:, column] = u
    return columns, levels


def _even(domain: Domain) -> bool:
    """Whether the values are separate, few, and equally likely."""
    if not 0 < domain.levels <= CURVE:
        return False
    low, high = domain.edges(np.arange(domain.levels))
    return bool(np.allclose(high - low, 1 / domain.levels, rtol=1e-6))


def _values(domain: Domain, coded: bool) -> tuple[Any, ...]:
    """The settings at which `fanova` evaluates a curve."""
    if coded:
        return tuple(domain.decode(u) for u in middles(domain).tolist())
    return tuple(domain.decode((cell + 0.5) / CURVE) for cell in range(CURVE))
