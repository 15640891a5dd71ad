"""What all plots share: colours, the finish of an Axes, checks of the data."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from hpcourse._check import require

Array = NDArray[np.float64]

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Colours that colour-blind readers tell apart (Okabe and Ito, "Color Universal Design", 2008)."""

BLUE, VERMILLION = PALETTE[:2]
INK, GREY, LIGHT, PALE = "#222222", "#767676", "#b0b0b0", "#d5d5d5"
DASHES = ("-", "--", "-.", ":")


def colour(index: int) -> str:
    """Colour of the line number `index`."""
    return PALETTE[index % len(PALETTE)]


def dashes(index: int) -> str:
    """Dashes of the line number `index`: they change once the colours are used up."""
    return DASHES[index // len(PALETTE) % len(DASHES)]


def arrays(where: str, values: Mapping[str, ArrayLike], shape: tuple[str, ...]) -> dict[str, Array]:
    """Non-empty float64 arrays by name, with as many dimensions as `shape` has names."""
    require(len(values) > 0, f"{where} needs at least one entry", values=values)
    result = {name: np.asarray(value, dtype=np.float64) for name, value in values.items()}
    for name, array in result.items():
        ok = array.ndim == len(shape) and array.size > 0
        axes = ", ".join(shape)
        require(ok, f"{where} needs an array ({axes}) for {name!r}", shape=array.shape)
    return result


def finish(ax: Axes, xlabel: str, ylabel: str) -> Axes:
    """Set labels, a light grid and a white background."""
    ax.set_xlabel(xlabel, color=INK)
    ax.set_ylabel(ylabel, color=INK)
    ax.tick_params(which="both", colors=INK)
    ax.set_facecolor("white")
    ax.figure.set_facecolor("white")
    for side, spine in ax.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(GREY)
    ax.grid(visible=True, color="#eeeeee", linewidth=0.8)
    ax.set_axisbelow(True)
    return ax


def legend(ax: Axes, title: str | None = None, *, above: bool = False) -> None:
    """Name the labelled artists, if there are any, on white, within or `above` the Axes."""
    if not ax.get_legend_handles_labels()[0]:
        return
    box = ax.legend(title=title, fontsize="small", title_fontsize="small", labelcolor=INK)
    if above:
        box.set_loc("lower right")
        box.set_bbox_to_anchor((1.0, 1.0), transform=ax.transAxes)
    box.get_title().set_color(INK)
    box.get_frame().set(facecolor="white", edgecolor=PALE, alpha=0.85)
