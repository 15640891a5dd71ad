"""Ranges of a hyperparameter: what is suggested, what is good, and where the best lies."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

from hpcourse._check import require
from hpcourse.plots._axes import BLUE, INK, PALE, finish, legend

SKY = "#8fbfe0"


class RangeRow(NamedTuple):
    """One line of `plot_ranges`; a plain tuple of the same four values serves as well.

    Attributes:
        label: Whose range it is.
        suggested: Lower and upper end of the suggested range.
        good: Lower and upper end of the range measured as good.
        best: Best value of each run (runs,).
    """

    label: str
    suggested: tuple[float, float]
    good: tuple[float, float]
    best: Sequence[float]


def plot_ranges(
    rows: Sequence[tuple[str, tuple[float, float], tuple[float, float], Sequence[float]]],
    *,
    ax: Axes,
    xlabel: str = "learning rate",
) -> Axes:
    """Suggested ranges as bars, good ones as bands, best values as dots, on a logarithmic axis.

    The dot is the median of the best values, its line reaches from the smallest to the largest.

    Args:
        rows: `RangeRow` or plain tuples (label, suggested, good, best), first on top.
        ax: Where to draw.
        xlabel: Meaning of the values, with their unit.

    Raises:
        ValueError: If there is no row, a range breaks 0 < low <= high, or a best value is missing
            or not above zero.
    """
    require(len(rows) > 0, "plot_ranges needs a row", rows=rows)
    entries = [RangeRow(*row) for row in rows]
    for place, row in enumerate(entries):
        best = np.asarray(row.best, dtype=np.float64)
        positive = best.size > 0 and bool((best > 0).all())
        require(positive, f"plot_ranges needs best > 0 for {row.label!r}", best=row.best)
        told = place == 0  # one legend entry for all rows
        bars = (("suggested", row.suggested, 0.72, PALE), ("measured good", row.good, 0.34, SKY))
        for name, (low, high), height, color in bars:
            need = f"plot_ranges needs 0 < low <= high for {row.label!r}"
            require(0 < low <= high, need, **{name: (low, high)})
            label = name if told else None
            ax.barh(place, high - low, height, left=low, color=color, label=label, zorder=1)
        ax.plot([best.min(), best.max()], [place, place], color=INK, linewidth=1.2)
        label = f"best: median, range of {best.size}" if told else None
        ax.plot(np.median(best), place, "o", color=BLUE, markeredgecolor=INK, label=label)
    ends = [end for row in entries for end in (*row.suggested, *row.good, *row.best)]
    ax.set_xlim(min(ends) / 1.5, max(ends) * 1.5)
    ax.set_xscale("log")
    ax.set_yticks(range(len(entries)), [row.label for row in entries])
    ax.set_ylim(len(entries) - 0.4, -0.6)
    legend(ax, above=True)
    return finish(ax, xlabel, "")
