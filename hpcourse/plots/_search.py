"""What a search found: best values so far, slices, contours, parallel coordinates, importance.

Hyperparameters are drawn along the unit interval of their domain, on which their prior is uniform,
with ticks at their own values: a logarithmic rate and a list of names then look as the searcher
sees them.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis as DrawnAxis
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from hpcourse._check import require
from hpcourse.plots._axes import (
    BLUE,
    INK,
    LIGHT,
    PALE,
    VERMILLION,
    Array,
    arrays,
    colour,
    dashes,
    finish,
    legend,
)
from hpcourse.search import Domain, Importance, Space, Study, Trial
from hpcourse.search.analysis import Places, judged, places
from hpcourse.search.domains import middles

Trials = Study | Sequence[Trial]
Curves = ArrayLike | Sequence[Study]

MAP = "viridis"  # low values, which are good, are dark
UNUSED = -0.12
"""Where a parallel coordinate lies that does not count."""

FAR = 8.0
"""Interquartile ranges above the upper quartile beyond which a value would hide all others."""

GOLDEN = (5**0.5 - 1) / 2


def plot_best_so_far(
    searches: Mapping[str, Curves], *, ax: Axes, ylabel: str = "best value so far"
) -> Axes:
    """Lowest value so far against the number of trials: median over the seeds, and quartiles.

    A seed without a done trial counts as infinite; one that ended sooner keeps its best value.

    Args:
        searches: Name to studies, one a seed, or to values (seeds, trials) of which the lowest so
            far is drawn.
        ax: Where to draw.
        ylabel: What the values are.

    Raises:
        ValueError: If there is no search, or one without a study or trial.
    """
    require(len(searches) > 0, "plot_best_so_far needs a search", searches=searches)
    for index, (name, given) in enumerate(searches.items()):
        best = _best(name, given)
        low, middle, high = np.quantile(best, (0.25, 0.5, 0.75), axis=0, method="inverted_cdf")
        number = np.arange(1, best.shape[1] + 1)
        color, found = colour(index), np.isfinite(middle)
        ax.plot(number[found], middle[found], color=color, linestyle=dashes(index), label=name)
        shown = np.isfinite(high)
        ax.fill_between(
            number[shown], low[shown], high[shown], color=color, alpha=0.18, linewidth=0
        )
    legend(ax)
    return finish(ax, "trials", ylabel)


def plot_ranks(
    searches: Mapping[str, ArrayLike], *, ax: Axes, ylabel: str = "mean rank (1 is best)"
) -> Axes:
    """Mean rank of each searcher over problems against the number of trials.

    After every trial the searchers are ranked on each problem by the lowest value so far, the
    median over the seeds where there are several; equal values share their ranks.

    Args:
        searches: Name to values (problems, trials) or (problems, seeds, trials), alike for all.
        ax: Where to draw.
        ylabel: What the ranks are.

    Raises:
        ValueError: If there are fewer than two searchers, or their shapes differ.
    """
    require(len(searches) > 1, "plot_ranks needs two searchers", searches=list(searches))
    values = {name: np.asarray(given, float) for name, given in searches.items()}
    shapes = {name: array.shape for name, array in values.items()}
    alike = len(set(shapes.values())) == 1 and len(next(iter(shapes.values()))) in (2, 3)
    require(alike, "plot_ranks needs arrays (problems, [seeds,] trials) alike", shapes=shapes)
    best = np.stack([_lowest(array) for array in values.values()])
    best = np.median(best, axis=2) if best.ndim == 4 else best
    ranks = rankdata(best, axis=0).mean(axis=1)  # (searchers, trials)
    for index, (name, own) in enumerate(zip(values, ranks, strict=True)):
        number = np.arange(1, own.size + 1)
        ax.plot(number, own, color=colour(index), linestyle=dashes(index), label=name)
    legend(ax)
    return finish(ax, "trials", ylabel)


def plot_slice(trials: Trials, space: Space, name: str, *, ax: Axes, ylabel: str = "value") -> Axes:
    """Value of every trial against one hyperparameter; failed trials as crosses on top.

    Trials in which the hyperparameter does not count are left out. Later trials are darker, and
    those of one category lie side by side. Values far above all others are triangles on top. Of
    trials with budgets only those of the largest are drawn, here and in the plots below.

    Args:
        trials: A study or trials.
        space: Their space.
        name: Name of the axis, such as ``"optimizer.momentum"``.
        ax: Where to draw.
        ylabel: What the values are.

    Raises:
        ValueError: If the space has no such axis, or no trial with it is done.
    """
    found = places(_ended(trials), space)
    column = found.column(name)
    values, counts = _values(found), found.counts[:, column]
    done = counts & np.isfinite(values)
    require(bool(done.any()), "plot_slice needs a done trial with the hyperparameter", name=name)
    numbers = np.array([trial.number for trial in found.trials])
    u, limit = _side_by_side(found, column), _limit(values[done])
    near = done & (values <= limit)
    ax.scatter(u[near], values[near], c=numbers[near], cmap="Blues", s=18, edgecolors=BLUE, lw=0.5)
    top = values[near].max()
    far, failed = done & ~near, counts & ~done
    if far.any():
        ax.plot(u[far], np.full(far.sum(), top), "^", color=BLUE, label=f"above {limit:.3g}", ms=5)
    if failed.any():
        ax.plot(u[failed], np.full(failed.sum(), top), "x", color=VERMILLION, label="failed", ms=5)
    if far.any() or failed.any():
        legend(ax)
    _ticks(ax.xaxis, found.axes[column].domain)
    ax.set_xlim(-0.03, 1.03)
    return finish(ax, name, ylabel)


def plot_contour(
    trials: Trials, space: Space, names: tuple[str, str], *, ax: Axes, label: str = "value"
) -> Axes:
    """Value over two hyperparameters, interpolated between the done trials, which are dots.

    Nothing is drawn beyond the trials. The best one is marked. Between categories there is nothing
    to interpolate: the dots have the colours then. Values far above all others have the last one.

    Args:
        trials: A study or trials.
        space: Their space.
        names: Names of the axes along x and y.
        ax: Where to draw.
        label: What the values are.

    Raises:
        ValueError: If the space has no such axes, or fewer than four places have done trials.
    """
    found = places(_ended(trials), space)
    columns = [found.column(name) for name in names]
    values = _values(found)
    kept = found.counts[:, columns].all(axis=1) & np.isfinite(values)
    x, y = found.points[kept][:, columns].T
    spread = np.unique(np.column_stack((x, y)), axis=0)
    enough = len(spread) > 3 and np.linalg.matrix_rank(spread - spread[0]) == 2
    require(bool(enough), "plot_contour needs done trials that span an area", trials=len(spread))
    limit = _limit(values[kept])
    shown = np.minimum(values[kept], limit)
    label += f" (up to {limit:.3g})" if values[kept].max() > limit else ""
    drawn: ScalarMappable
    if all(found.axes[column].domain.ordered for column in columns):
        drawn = ax.tricontourf(x, y, shown, levels=12, cmap=MAP)
        ax.plot(x, y, ".", color=INK, markersize=3)
    else:
        x, y = (_side_by_side(found, column)[kept] for column in columns)
        drawn = ax.scatter(x, y, c=shown, cmap=MAP, s=18)
    best = int(np.argmin(values[kept]))
    ax.plot(x[best], y[best], "*", color=VERMILLION, markersize=11, label="best")
    _colorbar(ax, drawn, label)
    legend(ax)
    for drawn_axis, column in zip((ax.xaxis, ax.yaxis), columns, strict=True):
        _ticks(drawn_axis, found.axes[column].domain)
    return finish(ax, *names)


def plot_parallel(
    trials: Trials, space: Space, *, ax: Axes, names: Sequence[str] = (), label: str = "value"
) -> Axes:
    """Every done trial as a line through its hyperparameters, the best ones dark and on top.

    A hyperparameter that does not count lies below the others. Colours go by rank.

    Args:
        trials: A study or trials.
        space: Their space.
        ax: Where to draw.
        names: Axes to draw, from left to right; all if empty.
        label: What the values are.

    Raises:
        ValueError: If the space has no such axis, or no trial is done.
    """
    found = places(_ended(trials), space)
    columns = [found.column(name) for name in names] or list(range(len(found.axes)))
    values = _values(found)
    done = np.flatnonzero(np.isfinite(values))
    require(done.size > 0, "plot_parallel needs a done trial", trials=len(values))
    heights = np.where(found.counts, found.points, UNUSED)[:, columns]
    share = (rankdata(values[done]) - 1) / max(done.size - 1, 1)
    colours = ScalarMappable(Normalize(0, 1), MAP)
    for place in np.argsort(-values[done], kind="stable"):  # the best last
        color = colours.to_rgba(share[place])
        ax.plot(heights[done[place]], color=color, linewidth=1, alpha=0.7)
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.5}
    for position, column in enumerate(columns):
        ax.axvline(position, color=LIGHT, linewidth=0.8)
        for u, text in _marks(found.axes[column].domain):
            ax.text(position, u, f" {text}", fontsize="x-small", color=INK, va="center", bbox=box)
    ax.set_xticks(range(len(columns)), [found.axes[column].name for column in columns])
    ax.set_yticks([])
    _colorbar(ax, colours, f"rank of the {label} (0: best)")
    return finish(ax, "hyperparameter", "")


def plot_importance(
    found: Importance, *, ax: Axes, xlabel: str = "share of the variance (%)"
) -> Axes:
    """A bar at the share of each hyperparameter, and what it adds in pairs with others.

    Whiskers are the standard deviation over the trees of the forest.

    Args:
        found: Shares, such as `hpcourse.search.study_importance` gives.
        ax: Where to draw.
        xlabel: Meaning of the shares, with their unit.
    """
    order = found.order
    main = 100 * np.array([found.main[name] for name in order])
    spread = 100 * np.array([found.main_std[name] for name in order])
    paired = 100 * np.array(
        [sum(share for pair, share in found.pairs.items() if name in pair) for name in order]
    )
    rows = np.arange(len(order))
    ax.barh(rows, main, 0.7, color=BLUE, alpha=0.75, label="alone")
    ax.barh(rows, paired, 0.7, left=main, color=PALE, label="in pairs")
    ax.errorbar(main, rows, xerr=spread, fmt="none", ecolor=INK, elinewidth=1)
    ax.set_yticks(rows, list(order))
    ax.set_ylim(len(order) - 0.4, -0.6)
    ax.set_xlim(left=0)
    legend(ax)
    return finish(ax, xlabel, "")


def _best(name: str, given: Curves) -> Array:
    """Lowest value so far, infinite before there is one; (seeds, trials)."""
    if isinstance(given, Sequence) and any(isinstance(one, Study) for one in given):
        rows = [np.asarray(one.best_so_far) for one in given if isinstance(one, Study)]
        longest = max(map(len, rows))
        require(
            all(map(len, rows)), f"plot_best_so_far needs trials of {name!r}", studies=len(rows)
        )
        padded = [np.pad(row, (0, longest - len(row)), mode="edge") for row in rows]
        return _lowest(np.stack(padded))
    return _lowest(arrays("plot_best_so_far", {name: np.asarray(given)}, ("seeds", "trials"))[name])


def _lowest(values: Array) -> Array:
    return np.asarray(np.minimum.accumulate(np.where(np.isnan(values), np.inf, values), axis=-1))


def _ended(trials: Trials) -> list[Trial]:
    """Done and failed trials of the largest budget that one was done with."""
    every = trials.trials if isinstance(trials, Study) else trials
    return judged(every) or [trial for trial in every if trial.state == "failed"]


def _limit(values: Array) -> float:
    """A value beyond which others would hide the rest of them; infinite where there are none."""
    lower, upper = np.quantile(values, (0.25, 0.75))
    limit = upper + FAR * (upper - lower)
    return float(limit) if lower < upper and values.max() > limit else np.inf


def _side_by_side(found: Places, column: int) -> Array:
    """Places along an axis; those of one category spread over the middle of its cell."""
    domain, u = found.axes[column].domain, found.points[:, column]
    if domain.ordered:
        return u
    low, high = domain.edges(domain.codes(np.clip(u, 0, 1)))
    share = np.array([trial.number for trial in found.trials]) * GOLDEN % 1 - 0.5
    return np.asarray(u + 0.5 * share * (high - low))


def _values(found: Places) -> Array:
    """Values of the trials; NaN of those that failed."""
    return np.array([np.nan if t.value is None else t.value for t in found.trials], dtype=float)


def _marks(domain: Domain) -> list[tuple[float, str]]:
    """Places and texts of ticks: few separate values all, of others quantiles of the prior."""
    spots = middles(domain).tolist() if 0 < domain.levels <= 6 else [0.0, 0.25, 0.5, 0.75, 1.0]
    return [(u, _text(domain.decode(u))) for u in spots]


def _text(value: object) -> str:
    return f"{value:.2g}" if isinstance(value, float) else str(value)


def _ticks(axis: DrawnAxis, domain: Domain) -> None:
    spots, texts = zip(*_marks(domain), strict=True)
    axis.set_ticks(spots, texts)


def _colorbar(ax: Axes, drawn: ScalarMappable, label: str) -> None:
    figure = ax.figure
    bar = figure.colorbar(drawn, ax=ax)
    bar.set_label(label, color=INK)
    bar.ax.tick_params(colors=INK)
