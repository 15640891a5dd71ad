"""Shares of the variance by hyperparameter, with their spread over designs."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from hpcourse._check import require
from hpcourse.plots._axes import INK, arrays, colour, finish, legend


def plot_shares(
    shares: Mapping[str, ArrayLike],
    *,
    ax: Axes,
    groups: Mapping[str, str] | None = None,
    xlabel: str = "share of the variance (%)",
) -> Axes:
    """A bar at the mean share of each hyperparameter, and a dot for every design.

    Args:
        shares: Name to shares (designs,), the first on top; the designs may differ in number.
        ax: Where to draw.
        groups: Name to group, such as a tier; groups have colours, in the order of appearance.
        xlabel: Meaning of the shares, with their unit.

    Raises:
        ValueError: If there is no share, or a name lacks its group.
    """
    values = arrays("plot_shares", shares, ("designs",))
    kinds = dict.fromkeys(values, "") if groups is None else groups
    lost = sorted(set(values) - set(kinds))
    require(not lost, "plot_shares needs a group for every name", without_group=lost)
    order = list(dict.fromkeys(kinds[name] for name in values))
    for place, (name, found) in enumerate(values.items()):
        kind = kinds[name]
        first = next(other for other in values if kinds[other] == kind) == name
        color, label = colour(order.index(kind)), kind if first and kind else None
        ax.barh(place, float(found.mean()), 0.7, color=color, alpha=0.55, label=label)
        ax.plot(found, np.full(len(found), place), ".", color=INK, alpha=0.5, markersize=5)
    ax.set_yticks(range(len(values)), list(values))
    ax.set_ylim(len(values) - 0.4, -0.6)
    legend(ax)
    return finish(ax, xlabel, "")
