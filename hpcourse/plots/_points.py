"""Trials as points: groups of them, and a design beside the two functions that make up its loss."""

from collections.abc import Callable, Mapping

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from hpcourse._check import require
from hpcourse.plots._axes import BLUE, GREY, INK, VERMILLION, Array, arrays, colour, finish, legend

MARKERS = "os^Dv"
SHADES = "Greys"
SIDE, GAP = 0.3, 0.06
"""Width of a side panel and its distance, in widths of the Axes."""


def plot_points(
    groups: Mapping[str, tuple[ArrayLike, ArrayLike]],
    *,
    ax: Axes,
    joined: bool = False,
    xlabel: str = "x",
    ylabel: str = "y",
) -> Axes:
    """Points of several groups, each with its own colour and marker.

    Args:
        groups: Name to places and values, both (n,).
        ax: Where to draw.
        joined: Whether a line joins the points of a group, in the order of their places.
        xlabel: Meaning of the places, with their unit.
        ylabel: Meaning of the values, with their unit.

    Raises:
        ValueError: If there is no group, or one whose arrays are empty or differ in length.
    """
    require(len(groups) > 0, "plot_points needs a group", groups=groups)
    for index, (name, (x, y)) in enumerate(groups.items()):
        found = arrays("plot_points", {f"x of {name}": x, f"y of {name}": y}, ("n",))
        at, values = found.values()
        alike = at.shape == values.shape
        require(alike, f"plot_points needs as many places as values of {name!r}", x=at.size)
        order = np.argsort(at, kind="stable")
        ax.plot(
            at[order],
            values[order],
            MARKERS[index % len(MARKERS)] + ("-" if joined else ""),
            color=colour(index),
            markersize=5,
            alpha=1.0 if joined else 0.75,
            label=name,
        )
    legend(ax)
    return finish(ax, xlabel, ylabel)


def plot_factors(
    points: ArrayLike,
    g: Callable[[Array], Array],
    h: Callable[[Array], Array],
    *,
    ax: Axes,
    names: tuple[str, str] = ("x", "y"),
) -> Axes:
    """Trials on f(x, y) = g(x) + h(y) over the unit square: f in shades, g above and h beside it.

    Every trial also stands on both curves, at its own x and its own y.

    Args:
        points: The trials (n, 2).
        g: Values of the first function, at places (m,).
        h: Values of the second one.
        ax: Where to draw; the curves get panels of their own, above and to the right.
        names: Names of both hyperparameters.

    Raises:
        ValueError: If `points` are not pairs.
    """
    at = arrays("plot_factors", {"points": points}, ("trials", "2"))["points"]
    require(at.shape[1] == 2, "plot_factors needs points (n, 2)", points=at.shape)
    line = np.linspace(0, 1, 201)
    values = g(line)[None, :] + h(line)[:, None]
    ax.imshow(values, cmap=SHADES, origin="lower", extent=(0, 1, 0, 1), aspect="auto", alpha=0.35)
    ax.plot(at[:, 0], at[:, 1], "o", color=BLUE, markersize=6, clip_on=False)
    top = ax.inset_axes((0, 1 + GAP, 1, SIDE), sharex=ax)
    side = ax.inset_axes((1 + GAP, 0, SIDE, 1), sharey=ax)
    top.plot(line, g(line), color=GREY)
    top.plot(at[:, 0], g(at[:, 0]), "o", color=BLUE, markersize=5)
    side.plot(h(line), line, color=GREY)
    side.plot(h(at[:, 1]), at[:, 1], "o", color=VERMILLION, markersize=5)
    low, high = (bound(np.concatenate((g(line), h(line)))) for bound in (np.min, np.max))
    room = 0.1 * (high - low)
    top.set_ylim(low - room, high + room)
    side.set_xlim(low - room, high + room)  # the same scale: h looks as flat as it is
    finish(top, "", f"g({names[0]})")
    finish(side, f"h({names[1]})", "")
    top.tick_params(labelbottom=False)
    side.tick_params(labelleft=False)
    finish(ax, *names)
    ax.grid(visible=False)
    ax.set(xlim=(0, 1), ylim=(0, 1))
    for panel in (top, side):
        panel.tick_params(colors=INK)
    return ax
