"""What the model of a search believes, and where the search goes next."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from hpcourse._check import require
from hpcourse.plots._axes import BLUE, GREY, INK, VERMILLION, arrays, colour, finish, legend


def plot_posterior(
    x: ArrayLike,
    mean: ArrayLike,
    std: ArrayLike,
    *,
    ax: Axes,
    known: tuple[ArrayLike, ArrayLike] = ((), ()),
    truth: ArrayLike | None = None,
    next_at: float | None = None,
    xlabel: str = "hyperparameter",
    ylabel: str = "validation loss (nats)",
) -> Axes:
    """The mean of a process with a band of two standard deviations, and what it knows.

    Args:
        x: Where the process was asked (n,).
        mean: Its mean there (n,).
        std: Its standard deviation there (n,).
        ax: Where to draw.
        known: Places and values of the evaluations.
        truth: The function itself (n,), dotted.
        next_at: Place of the next evaluation, a dashed line.
        xlabel: Meaning of `x`.
        ylabel: Meaning of the values, with their unit.

    Raises:
        ValueError: If the arrays differ in length.
    """
    found = arrays("plot_posterior", {"x": x, "mean": mean, "std": std}, ("n",))
    at, middle, spread = found["x"], found["mean"], found["std"]
    alike = at.shape == middle.shape == spread.shape
    require(alike, "plot_posterior needs arrays of one length", x=at.size, mean=middle.size)
    ax.fill_between(
        at, middle - 2 * spread, middle + 2 * spread, color=BLUE, alpha=0.2, linewidth=0
    )
    ax.plot(at, middle, color=BLUE, label="mean, two std")
    if truth is not None:
        ax.plot(at, np.asarray(truth, float), ":", color=GREY, label="truth")
    places, values = (np.asarray(part, float) for part in known)
    ax.plot(places, values, "o", color=INK, markersize=5, label="known")
    _mark(ax, next_at)
    legend(ax)
    return finish(ax, xlabel, ylabel)


def plot_density(
    x: ArrayLike,
    curves: Mapping[str, ArrayLike],
    *,
    ax: Axes,
    points: Mapping[str, ArrayLike] | None = None,
    next_at: float | None = None,
    xlabel: str = "hyperparameter",
    ylabel: str = "density",
) -> Axes:
    """Curves over one hyperparameter, each with its points as ticks at the bottom.

    Args:
        x: Where the curves are known (n,).
        curves: Name to values (n,).
        ax: Where to draw.
        points: Name of a curve to the points that it is made of.
        next_at: Place of the next evaluation, a dashed line.
        xlabel: Meaning of `x`.
        ylabel: Meaning of the curves, with their unit.

    Raises:
        ValueError: If a curve differs in length from `x`, or points belong to no curve.
    """
    at = np.asarray(x, float)
    ticks = dict(points or {})
    lost = sorted(set(ticks) - set(curves))
    require(not lost, "plot_density needs a curve for all points", without_curve=lost)
    for place, (name, curve) in enumerate(arrays("plot_density", curves, ("n",)).items()):
        require(curve.shape == at.shape, f"plot_density needs x for {name!r}", size=curve.size)
        ax.plot(at, curve, color=colour(place), label=name)
        own = np.asarray(ticks.get(name, ()), float)
        # In the Axes' own height, so that rows of ticks stay apart whatever the scale.
        ax.plot(
            own,
            np.full(own.size, 0.03 + 0.05 * place),
            "|",
            color=colour(place),
            transform=ax.get_xaxis_transform(),
        )
    _mark(ax, next_at)
    legend(ax)
    return finish(ax, xlabel, ylabel)


def _mark(ax: Axes, place: float | None) -> None:
    if place is not None:
        ax.axvline(place, color=VERMILLION, linestyle="--", linewidth=1.2, label="next")
