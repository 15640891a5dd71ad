"""Results drawn on Matplotlib axes: every function takes an Axes by keyword and returns it.

Nothing global is touched. Colours and the white background are set artist by artist, so that a
figure looks the same on a light and on a dark page; labels and scales may be changed afterwards on
the Axes returned. Figures of about 4 by 3 inches stay readable on a phone.
"""

from hpcourse.plots._axes import PALETTE
from hpcourse.plots._claims import EffectRow, plot_arms, plot_effects
from hpcourse.plots._importance import plot_shares
from hpcourse.plots._losses import plot_paths, plot_spectrum
from hpcourse.plots._points import plot_factors, plot_points
from hpcourse.plots._ranges import RangeRow, plot_ranges
from hpcourse.plots._search import (
    plot_best_so_far,
    plot_contour,
    plot_importance,
    plot_parallel,
    plot_ranks,
    plot_slice,
)
from hpcourse.plots._surrogates import plot_density, plot_posterior
from hpcourse.plots._training import RangeCurve, plot_range_test, plot_schedules, plot_training

__all__ = [
    "PALETTE",
    "EffectRow",
    "RangeCurve",
    "RangeRow",
    "plot_arms",
    "plot_best_so_far",
    "plot_contour",
    "plot_density",
    "plot_effects",
    "plot_factors",
    "plot_importance",
    "plot_parallel",
    "plot_paths",
    "plot_points",
    "plot_posterior",
    "plot_range_test",
    "plot_ranges",
    "plot_ranks",
    "plot_schedules",
    "plot_shares",
    "plot_slice",
    "plot_spectrum",
    "plot_training",
]
