"""Evolution of a normal distribution by its covariance matrix, through the library `cmaes`.

References:
    Hansen (2016), The CMA Evolution Strategy: A Tutorial, arXiv:1604.00772. Hamano et al. (2025),
    CatCMA with Margin, arXiv:2504.07884, for separate values and categories. Auger and Hansen
    (2005), A Restart CMA Evolution Strategy With Increasing Population Size, CEC.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import cmaes
import numpy as np

from hpcourse._check import require
from hpcourse.search.domains import middles
from hpcourse.search.searcher import History
from hpcourse.search.space import UNUSED, Axis, Space, Unit, canonical
from hpcourse.search.trial import Suggestion, Trial

__all__ = ["CMAES"]

WIDTH = 0.25
"""Standard deviation of the first generation, in units of the prior."""

MOST_LEVELS = 64
"""Number of ordered values above which an axis counts as continuous."""

DRAWS = 32
"""Samples that are drawn in search of a new configuration."""

GROWTH = 2
"""How many times larger the population is after a restart."""


class CMAES:
    """Adapts a normal distribution over the numbers, generation by generation.

    Numbers live on the cube, where their prior is uniform. Ordered separate values are normal too,
    rounded to the nearest, with a margin: neighbours keep a probability, so that the search cannot
    freeze. Each axis of categories, or of two values, has probabilities of its own, which move
    towards what the better half chose (CatCMA). A conditional hyperparameter keeps its coordinate
    while it does not count; what is drawn for it then has no effect.

    A generation is told as soon as enough of its samples have ended. An ask never waits: while they
    run, more are drawn from the same distribution; those that end later are left out. A trial that
    failed or was pruned ranks last in its generation. Only ranks count. When the
    distribution has converged, the search starts anew with twice the population, at a random place.

    Args:
        space: Where configurations live.
        seed: Seed of the search.
        noisy: Whether a configuration may be suggested again.

    Raises:
        ValueError: If no hyperparameter has more than one value.

    Examples:
        >>> from hpcourse.search import Box, Real, minimize
        >>> space = Box({"x": Real(-5, 5), "y": Real(-5, 5)})
        >>> def valley(trial):
        ...     return (trial.config["x"] + trial.config["y"] - 1) ** 2 + trial.config["x"] ** 2
        >>> minimize(valley, CMAES(space), trials=300, progress=False).best.value < 1e-3
        True
    """

    def __init__(self, space: Space, *, seed: int = 0, noisy: bool = False) -> None:
        self._history = History(space, seed, noisy=noisy)
        variable = any(axis.domain.levels != 1 for axis in space.axes)
        require(variable, "CMAES needs a hyperparameter of more than one value", axes=space.axes)
        self._layout = _Layout(space.axes)
        self._optimizer = self._layout.optimizer(None, None)
        self._generation = 0
        self._open: dict[int, tuple[int, Any]] = {}  # trial to its generation and sample
        self._ended: list[tuple[Any, float]] = []  # of the present generation

    def ask(self) -> Suggestion | None:
        """The next configuration; None once a finite space is used up."""
        history = self._history
        rng = history.rng()
        drawn: list[tuple[Any, Unit]] = []
        point = history.first_new(self._samples(rng, drawn), rng)
        if point is None:
            return None
        solution, last = drawn[-1]
        if last is point:  # else it is a random one, which says nothing of the distribution
            self._open[history.asked] = self._generation, solution
        return history.suggest(point)

    def tell(self, trial: Trial) -> None:
        """Take note of an ended trial."""
        self._history.tell(trial)
        if trial.number in self._history.pending or trial.number not in self._open:
            return  # the trial of an earlier study, or of a random point
        generation, solution = self._open.pop(trial.number)
        if generation != self._generation:
            return
        done = trial.state == "done" and trial.value is not None
        self._ended.append((solution, float(trial.value or 0.0) if done else float("inf")))
        if len(self._ended) == self._optimizer.population_size:
            self._end_generation()

    def _samples(self, rng: np.random.Generator, drawn: list[tuple[Any, Unit]]) -> Iterator[Unit]:
        """Canonical points drawn from the distribution; what was drawn is kept in `drawn`."""
        self._optimizer.reseed_rng(int(rng.integers(2**31)))
        for _ in range(DRAWS):
            solution = self._optimizer.ask()
            point = canonical(self._history.axes, self._layout.point(solution)[None])[0]
            drawn.append((solution, point))
            yield point

    def _end_generation(self) -> None:
        # Ranks, not values: the library's penalty for samples beyond the ends is measured by them.
        ranked = sorted(self._ended, key=lambda ended: ended[1])
        if ranked[0][1] < float("inf"):
            self._optimizer.tell([(solution, float(k)) for k, (solution, _) in enumerate(ranked)])
        self._ended, self._generation = [], self._generation + 1
        if self._layout.converged(self._optimizer):
            size = self._optimizer.population_size * GROWTH
            self._optimizer = self._layout.optimizer(size, self._history.rng())


class _Layout:
    """Which axes are continuous, ordered and categorical to the library."""

    def __init__(self, axes: Sequence[Axis]) -> None:
        self.axes = axes
        kinds = [_kind(axis) for axis in axes]
        self.smooth = [k for k, kind in enumerate(kinds) if kind == "smooth"]
        self.ordered = [k for k, kind in enumerate(kinds) if kind == "ordered"]
        self.named = [k for k, kind in enumerate(kinds) if kind == "named"]

    def optimizer(self, population: int | None, rng: np.random.Generator | None) -> cmaes.CatCMAwM:
        """A fresh one, at the centre or at a random place."""
        count = len(self.smooth) + len(self.ordered)
        mean = np.full(count, 0.5) if rng is None else rng.random(count)
        return cmaes.CatCMAwM(
            x_space=[[0.0, 1.0]] * len(self.smooth) or None,
            z_space=[middles(self.axes[axis].domain).tolist() for axis in self.ordered] or None,
            c_space=[self.axes[axis].domain.levels for axis in self.named] or None,
            population_size=population,
            mean=mean if count else None,
            cov=WIDTH**2 * np.eye(count) if count else None,
            seed=0,
        )

    def converged(self, optimizer: cmaes.CatCMAwM) -> bool:
        """Whether a distribution of numbers has shrunk to a point; False without numbers."""
        return bool(self.smooth or self.ordered) and optimizer.should_stop()

    def point(self, solution: Any) -> Unit:
        """Place of a sample in the cube."""
        u = np.full(len(self.axes), UNUSED)
        if solution.x is not None:
            u[self.smooth] = np.clip(solution.x, 0, 1)
        if solution.z is not None:
            u[self.ordered] = solution.z
        if solution.c is not None:
            for axis, chosen in zip(self.named, solution.c, strict=True):
                u[axis] = middles(self.axes[axis].domain, int(np.argmax(chosen)))
        return u


def _kind(axis: Axis) -> str:
    """What an axis is to the library; one of a single value is nothing."""
    levels = axis.domain.levels
    if levels == 1:
        return "constant"
    if levels and (levels == 2 or not axis.domain.ordered):
        return "named"
    return "ordered" if 0 < levels <= MOST_LEVELS else "smooth"
