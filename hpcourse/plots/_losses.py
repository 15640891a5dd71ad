"""The shape of a loss: eigenvalues of its Hessian, and descent paths on a surface."""

import math
from collections.abc import Callable, Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from hpcourse._check import is_finite, require, require_count
from hpcourse.plots._axes import BLUE, GREY, INK, VERMILLION, Array, arrays, colour, finish, legend

Limits = tuple[float, float, float, float]


def plot_spectrum(eigenvalues: ArrayLike, *, ax: Axes, tol: float = 1e-3) -> Axes:
    """Eigenvalues by rank, coloured by sign, on a scale linear near zero and logarithmic beyond.

    Args:
        eigenvalues: (n,), in any order.
        ax: Where to draw.
        tol: Eigenvalues up to `tol` times the largest magnitude count as zero, as in
            `hpcourse.diagnose.classify`; within it the scale is linear.

    Raises:
        ValueError: If `eigenvalues` is empty, not finite or not flat, or `tol` outside (0, 1).
    """
    given = np.asarray(eigenvalues, dtype=np.float64)
    ok = given.ndim == 1 and given.size > 0 and bool(np.isfinite(given).all())
    require(ok, "plot_spectrum needs finite eigenvalues (n,)", eigenvalues=eigenvalues)
    require(is_finite(tol) and 0 < tol < 1, "plot_spectrum needs 0 < tol < 1", tol=tol)
    values = np.sort(given)[::-1]
    rank = np.arange(1, len(values) + 1)
    zero = tol * float(np.abs(values).max())
    if zero > 0:
        ax.set_yscale("symlog", linthresh=zero)
        ax.set_yticks(_decades(values, zero))
        ax.set_yticks([], minor=True)
    size = 5.0 if len(values) <= 50 else 2.5
    groups = (
        ("positive", values > zero, BLUE, "o"),
        ("near zero", np.abs(values) <= zero, GREY, "s"),
        ("negative", values < -zero, VERMILLION, "v"),
    )
    for name, chosen, color, marker in groups:
        if chosen.any():
            ax.vlines(rank[chosen], 0, values[chosen], color=color, alpha=0.3, linewidth=0.8)
            label = f"{np.count_nonzero(chosen)} {name}"
            (dots,) = ax.plot(rank[chosen], values[chosen], marker, color=color, label=label)
            dots.set_markersize(size)
    ax.axhline(0, color=INK, linewidth=0.8)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend(ax)
    return finish(ax, "rank", "eigenvalue")


def _decades(values: Array, zero: float) -> list[float]:
    """Zero and, on each side that is used, the powers of ten above `zero`."""
    first, last = math.floor(math.log10(zero)) + 1, math.floor(math.log10(np.abs(values).max()))
    powers = [10.0**power for power in range(first, last + 1)]
    ticks = [-power for power in powers[::-1]] + [0.0, *powers]
    return [tick for tick in ticks if min(values[-1], 0) <= tick <= max(values[0], 0)]


def plot_paths(
    surface: Callable[[Array], Array],
    paths: Mapping[str, ArrayLike],
    *,
    ax: Axes,
    limits: Limits | None = None,
    levels: int = 16,
) -> Axes:
    """Descent paths over the contours of a loss of two parameters.

    An open dot marks each start, a full one the last point. Points that are not finite are left
    out; the contours lie at quantiles of the loss over the window.

    Args:
        surface: Loss of points (..., 2), as in `hpcourse.diagnose.surfaces`.
        paths: Name of the run to its points (steps + 1, 2).
        ax: Where to draw.
        limits: Window (left, right, bottom, top); by default one that holds all paths.
        levels: Number of contours.

    Raises:
        ValueError: If a path has a wrong shape or `limits` or `levels` is out of range.
    """
    runs = arrays("plot_paths", paths, ("steps + 1", "2"))
    for name, points in runs.items():
        need = f"plot_paths needs points (steps + 1, 2) for {name!r}"
        require(points.shape[1] == 2, need, shape=points.shape)
        runs[name] = points[np.isfinite(points).all(axis=1)]
        require(len(runs[name]) > 0, f"plot_paths needs a finite point for {name!r}", path=points)
    require_count("plot_paths", levels=levels)
    left, right, bottom, top = limits or _window(runs)
    need = "plot_paths needs limits (left, right, bottom, top) in order"
    require(left < right and bottom < top, need, limits=limits)
    _draw_contours(surface, (left, right, bottom, top), levels, ax)
    for index, (name, points) in enumerate(runs.items()):
        color = colour(index)
        ax.plot(*points.T, ".-", color=color, markersize=4, linewidth=1.2, label=name)
        ax.plot(*points[0], "o", color=color, markerfacecolor="white", zorder=3)
        ax.plot(*points[-1], "o", color=color, zorder=3)
    ax.set_xlim(left, right)
    ax.set_ylim(bottom, top)
    ax.locator_params(nbins=6)
    legend(ax)
    finish(ax, "first parameter", "second parameter").grid(visible=False)
    return ax


def _draw_contours(
    surface: Callable[[Array], Array], limits: Limits, levels: int, ax: Axes
) -> None:
    """Thin contours of `surface` at quantiles of its values over the window."""
    left, right, bottom, top = limits
    x, y = np.meshgrid(np.linspace(left, right, 201), np.linspace(bottom, top, 201))
    loss = surface(np.stack([x, y], axis=-1))
    heights = np.unique(np.quantile(loss, np.linspace(0, 1, levels + 2)[1:-1]))
    ax.contour(x, y, loss, heights, colors="#c4c4c4", linestyles="-", linewidths=0.7, zorder=1)


def _window(runs: Mapping[str, Array]) -> Limits:
    """(left, right, bottom, top) around all points, with a margin of 15 %."""
    points = np.concatenate(list(runs.values()))
    low, high = points.min(axis=0), points.max(axis=0)
    margin = np.where(high > low, 0.15 * (high - low), 1.0)
    (left, bottom), (right, top) = low - margin, high + margin
    return float(left), float(right), float(bottom), float(top)
