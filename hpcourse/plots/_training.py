"""Schedules, training curves and learning-rate range tests."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from hpcourse._check import require, require_count
from hpcourse.plots._axes import (
    BLUE,
    LIGHT,
    VERMILLION,
    Array,
    arrays,
    colour,
    dashes,
    finish,
    legend,
)
from hpcourse.schedules import Schedule


class RangeCurve(Protocol):
    """What is drawn of a learning-rate range test, such as `hpcourse.training.RangeTest`."""

    @property
    def rates(self) -> Array:
        """Learning rates tried, increasing (steps,)."""
        ...

    @property
    def losses(self) -> Array:
        """Loss of the batch at each rate (steps,)."""
        ...

    @property
    def smoothed(self) -> Array:
        """Smoothed losses (steps,)."""
        ...

    @property
    def suggestion(self) -> float:
        """The learning rate suggested."""
        ...


def plot_schedules(schedules: Mapping[str, Schedule], steps: int, *, ax: Axes) -> Axes:
    """Learning rate against step, from 0 to `steps` - 1, one line per schedule.

    Raises:
        ValueError: If there is no schedule or `steps` is not a positive integer.
    """
    require_count("plot_schedules", steps=steps)
    require(len(schedules) > 0, "plot_schedules needs a schedule", schedules=schedules)
    number = np.arange(steps)
    for index, (name, schedule) in enumerate(schedules.items()):
        rates = schedule(number)
        ax.plot(number, rates, color=colour(index), linestyle=dashes(index), label=name)
    legend(ax)
    return finish(ax, "step", "learning rate")


def plot_training(
    curves: Mapping[str, ArrayLike],
    *,
    ax: Axes,
    x: ArrayLike | None = None,
    band: tuple[float, float] = (0.25, 0.75),
    xlabel: str = "step",
    ylabel: str = "loss",
) -> Axes:
    """Median over runs of each arm's curve, with a band between two quantiles.

    The legend says how many runs there are and what the band is. Both have a gap where they are
    not finite: a run that diverged counts as the worst if its values are infinite, while a single
    NaN leaves the median undefined.

    Args:
        curves: Name of the arm to values (runs, steps), usually one run per seed.
        ax: Where to draw.
        x: Horizontal positions (steps,); 0, 1, 2, ... by default.
        band: Lower and upper quantile, in [0, 1].
        xlabel: Meaning of `x`, with its unit.
        ylabel: Meaning of the values, with their unit.

    Raises:
        ValueError: If an array has a wrong shape or `band` is not two increasing quantiles.
    """
    low, high = band
    require(0 <= low <= high <= 1, "plot_training needs quantiles 0 <= low <= high <= 1", band=band)
    arms = arrays("plot_training", curves, ("runs", "steps"))
    at = {
        name: np.arange(values.shape[1]) if x is None else np.asarray(x)
        for name, values in arms.items()
    }
    for name, values in arms.items():
        need = f"plot_training needs x with one position for each of the steps of {name!r}"
        require(at[name].shape == values.shape[1:], need, x=at[name].shape, curve=values.shape)
    counts = sorted({len(values) for values in arms.values()})
    for index, (name, values) in enumerate(arms.items()):
        with np.errstate(invalid="ignore"):  # infinity minus infinity: a gap
            bottom, top = np.quantile(values, [low, high], axis=0)
        middle = np.median(values, axis=0)
        label = name if len(counts) == 1 else f"{name} ({len(values)} runs)"
        ax.fill_between(at[name], bottom, top, color=colour(index), alpha=0.2, linewidth=0)
        ax.plot(at[name], middle, color=colour(index), linestyle=dashes(index), label=label)
    runs = f"{counts[0]} runs" if len(counts) == 1 else "runs"
    legend(ax, f"median of {runs},\nband {100 * low:g}–{100 * high:g} %")
    return finish(ax, xlabel, ylabel)


def plot_range_test(result: RangeCurve | Sequence[RangeCurve], *, ax: Axes) -> Axes:
    """Loss against a growing learning rate, and the rate suggested.

    Several results are runs that differ in their seed: the line is then the median suggestion
    (on the logarithmic axis), and the shaded region reaches from the smallest to the largest.

    Raises:
        ValueError: If there is no result, or one has arrays of different shapes.
    """
    results = result if isinstance(result, Sequence) else [result]
    require(len(results) > 0, "plot_range_test needs a result", result=result)
    for curve in results:
        shapes = {name: np.shape(getattr(curve, name)) for name in ("rates", "losses", "smoothed")}
        same = len(set(shapes.values())) == 1 and len(shapes["rates"]) == 1
        require(same, "plot_range_test needs arrays of one shape (steps,)", **shapes)
    for number, curve in enumerate(results):
        first = number == 0  # one legend entry for all
        raw, smooth = ("batch loss", "smoothed") if first else (None, None)
        ax.plot(curve.rates, curve.losses, color=LIGHT, linewidth=0.8, zorder=1, label=raw)
        ax.plot(curve.rates, curve.smoothed, color=BLUE, linewidth=1.2, label=smooth)
    suggestions = np.array([curve.suggestion for curve in results])
    rate = float(np.exp(np.median(np.log(suggestions))))
    ax.axvline(rate, color=VERMILLION, linestyle="--", label=f"suggestion {rate:.2g}")
    several = len(results) > 1
    if several:
        ax.axvspan(suggestions.min(), suggestions.max(), color=VERMILLION, alpha=0.15, linewidth=0)
    ax.set_xscale("log")
    legend(ax, f"{len(results)} seeds" if several else None)
    return finish(ax, "learning rate", "loss")
