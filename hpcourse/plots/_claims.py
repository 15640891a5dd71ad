"""Comparisons over seeds: effects with their intervals, and the raw results behind them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from hpcourse._check import is_finite, require
from hpcourse.plots._axes import BLUE, INK, PALE, arrays, colour, finish, legend


class EffectRow(NamedTuple):
    """One line of `plot_effects`; a plain tuple of the same five values serves as well.

    Attributes:
        label: What was compared.
        effect: Estimated effect.
        low: Lower end of its confidence interval.
        high: Upper end of its confidence interval.
        smallest: Smallest effect of interest: below it in magnitude, two arms count as equal.
    """

    label: str
    effect: float
    low: float
    high: float
    smallest: float


def plot_effects(
    rows: Sequence[tuple[str, float, float, float, float]],
    *,
    ax: Axes,
    xlabel: str = "effect",
) -> Axes:
    """Forest plot: each effect with its interval over the region of practical equivalence.

    A dot is full where the whole interval lies outside that region and open where it reaches in.

    Args:
        rows: `EffectRow` or plain tuples (label, effect, low, high, smallest), first on top.
        ax: Where to draw.
        xlabel: Meaning of the effect, with its unit.

    Raises:
        ValueError: If there is no row, or one breaks low <= effect <= high or smallest >= 0.
    """
    require(len(rows) > 0, "plot_effects needs a row", rows=rows)
    entries = [EffectRow(*row) for row in rows]
    for row in entries:
        finite = all(is_finite(value) for value in row[1:])
        ok = finite and row.low <= row.effect <= row.high and row.smallest >= 0
        need = "plot_effects needs finite low <= effect <= high and smallest >= 0"
        require(ok, need, row=tuple(row))
    for place, row in enumerate(entries):
        corner, width = (-row.smallest, place - 0.4), 2 * row.smallest
        label = "too small to matter" if place == 0 else None
        ax.add_patch(Rectangle(corner, width, 0.8, color=PALE, linewidth=0, zorder=0, label=label))
        clear = row.low > row.smallest or row.high < -row.smallest
        face = BLUE if clear else "white"
        ax.plot([row.low, row.high], [place, place], color=BLUE, linewidth=1.8, zorder=2)
        ax.plot(row.effect, place, "o", color=BLUE, markerfacecolor=face, zorder=3)
    ax.axvline(0, color=INK, linewidth=0.8, zorder=1)
    ax.set_yticks(range(len(entries)), [row.label for row in entries])
    ax.set_ylim(len(entries) - 0.4, -0.6)
    legend(ax, above=True)
    return finish(ax, xlabel, "")


def plot_arms(values: Mapping[str, ArrayLike], *, ax: Axes, ylabel: str = "loss") -> Axes:
    """One dot per seed and arm, thin lines between dots of the same seed, bars at the medians.

    Args:
        values: Name of the arm to results (seeds,), the same seeds in the same order for all.
        ax: Where to draw.
        ylabel: Meaning of the values, with their unit.

    Raises:
        ValueError: If there is no arm or the arms differ in shape.
    """
    arms = arrays("plot_arms", values, ("seeds",))
    shapes = {name: array.shape for name, array in arms.items()}
    require(len(set(shapes.values())) == 1, "plot_arms needs arms of one shape", shapes=shapes)
    table = np.stack(list(arms.values()))
    places = np.arange(len(arms))
    ax.plot(places, table, color=PALE, linewidth=0.8, zorder=1)
    for place, results in enumerate(table):
        color = colour(place)
        ax.plot(np.full(len(results), place), results, "o", color=color, alpha=0.7, zorder=2)
        ax.hlines(np.median(results), place - 0.25, place + 0.25, color=color, linewidth=2.5)
    ax.set_xticks(places, list(arms))
    ax.set_xlim(-0.5, len(arms) - 0.5)
    return finish(ax, f"{table.shape[1]} seeds, linked; bar: median", ylabel)
