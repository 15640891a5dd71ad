import io
import subprocess
import sys
from dataclasses import dataclass

import matplotlib as mpl
import matplotlib.style
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from hpcourse.diagnose.surfaces import descend, ravine, strict_saddle
from hpcourse.plots import (
    PALETTE,
    EffectRow,
    RangeRow,
    plot_arms,
    plot_density,
    plot_effects,
    plot_factors,
    plot_paths,
    plot_points,
    plot_posterior,
    plot_range_test,
    plot_ranges,
    plot_schedules,
    plot_shares,
    plot_spectrum,
    plot_training,
)
from hpcourse.schedules import cosine_decay, exponential_decay

RNG = np.random.default_rng(0)
CURVES = {"constant": RNG.random((5, 30)), "cosine": RNG.random((5, 30))}
RANGES = [
    ("Adam", (1e-3, 1e-2), (5e-3, 5e-2), [0.01, 0.02, 0.04]),
    RangeRow("SGD", (1e-2, 1e-1), (0.1, 1.0), [0.5]),
]
ROWS = [
    EffectRow("clear gain", 0.8, 0.4, 1.2, 0.3),
    ("no difference", 0.05, -0.1, 0.2, 0.3),
    ("undecided", -0.2, -0.6, 0.2, 0.25),
    ("clear loss", -0.9, -1.2, -0.6, 0.3),
]


@dataclass(frozen=True)
class Curve:
    rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    suggestion: float


def curve(suggestion: float, steps: int = 20) -> Curve:
    rates = np.geomspace(1e-5, 1.0, steps)
    losses = RNG.random(steps)
    return Curve(rates, losses, losses / 2, suggestion)


@pytest.fixture
def ax() -> Axes:
    return Figure(figsize=(4.4, 3.2)).subplots()


def lines(ax: Axes) -> dict[str, np.ndarray]:
    """Data (n, 2) of each labelled line."""
    labelled = (line for line in ax.lines if not str(line.get_label()).startswith("_"))
    return {str(line.get_label()): line.get_xydata() for line in labelled}


def legend_texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


CALLS = [
    lambda ax: plot_schedules({"cosine": cosine_decay(0.1, 10)}, 10, ax=ax),
    lambda ax: plot_training(CURVES, ax=ax),
    lambda ax: plot_range_test(curve(0.1), ax=ax),
    lambda ax: plot_range_test([curve(0.1), curve(0.2)], ax=ax),
    lambda ax: plot_spectrum([3.0, 1.0, 0.0, -0.5], ax=ax),
    lambda ax: plot_paths(ravine(), {"run": [(1.0, 1.0), (0.5, -0.5)]}, ax=ax),
    lambda ax: plot_effects(ROWS, ax=ax),
    lambda ax: plot_ranges(RANGES, ax=ax),
    lambda ax: plot_arms({"a": [1.0, 2.0], "b": [2.0, 1.0]}, ax=ax),
    lambda ax: plot_shares({"rate": [40.0, 50.0], "depth": [3.0]}, ax=ax),
    lambda ax: plot_posterior([0.0, 1.0], [1.0, 2.0], [0.1, 0.2], ax=ax, next_at=0.5),
    lambda ax: plot_density([0.0, 1.0], {"l": [1.0, 2.0], "g": [2.0, 1.0]}, ax=ax),
    lambda ax: plot_points({"a": ([1, 2], [0, 1]), "b": ([1], [2])}, ax=ax),
    lambda ax: plot_factors([(0.2, 0.8)], np.sin, np.cos, ax=ax),
]


@pytest.mark.parametrize("draw", CALLS)
@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_the_same_axes_come_back_white_labelled_and_drawable(draw, style, ax):
    with mpl.style.context(style):
        ax = Figure().subplots()
        before = dict(mpl.rcParams)
        assert draw(ax) is ax
        assert dict(mpl.rcParams) == before
    assert to_hex(ax.get_facecolor()) == to_hex(ax.figure.get_facecolor()) == "#ffffff"
    assert ax.get_xlabel() or ax.get_ylabel()
    inks = [ax.xaxis.label.get_color(), ax.yaxis.label.get_color()]
    inks += [label.get_color() for label in ax.get_xticklabels()]
    inks += [text.get_color() for text in (ax.get_legend().get_texts() if ax.get_legend() else [])]
    assert {to_hex(ink) for ink in inks} == {"#222222"}
    picture = io.BytesIO()
    ax.figure.savefig(picture, format="png")
    assert picture.getvalue().startswith(b"\x89PNG")


def test_schedules_are_drawn_at_every_step(ax):
    schedules = {"cosine": cosine_decay(0.1, 40), "exponential": exponential_decay(0.1, 10, 0.5)}
    plot_schedules(schedules, 50, ax=ax)
    assert list(lines(ax)) == legend_texts(ax) == ["cosine", "exponential"]
    for name, data in lines(ax).items():
        np.testing.assert_array_equal(data[:, 0], np.arange(50))
        np.testing.assert_allclose(data[:, 1], [schedules[name](step) for step in range(50)])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("step", "learning rate")


def test_many_lines_differ_in_colour_or_dashes(ax):
    plot_schedules({str(n): cosine_decay(0.1, n + 1) for n in range(12)}, 5, ax=ax)
    looks = {(line.get_color(), line.get_linestyle()) for line in ax.lines}
    assert len(looks) == 12
    assert {color for color, _ in looks} == set(PALETTE)


def test_training_draws_the_median_and_the_quantiles(ax):
    x = np.linspace(10, 20, 30)
    plot_training(CURVES, ax=ax, x=x, band=(0.1, 0.8), xlabel="epoch", ylabel="error (%)")
    for (name, data), band in zip(lines(ax).items(), ax.collections, strict=True):
        np.testing.assert_array_equal(data[:, 0], x)
        np.testing.assert_allclose(data[:, 1], np.median(CURVES[name], axis=0))
        corners = band.get_paths()[0].vertices
        low, high = np.quantile(CURVES[name], [0.1, 0.8], axis=0)
        for position, bottom, top in zip(x, low, high, strict=True):
            heights = corners[corners[:, 0] == position, 1]
            assert (heights.min(), heights.max()) == pytest.approx((bottom, top))
    assert ax.get_legend().get_title().get_text() == "median of 5 runs,\nband 10–80 %"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "error (%)")


def test_training_says_how_many_runs_each_arm_has_where_they_differ(ax):
    plot_training({"a": np.ones((3, 4)), "b": np.ones((8, 6))}, ax=ax)
    assert legend_texts(ax) == ["a (3 runs)", "b (8 runs)"]
    assert [len(data) for data in lines(ax).values()] == [4, 6]


def test_a_diverged_run_leaves_a_gap_and_no_warning(ax):
    values = np.ones((3, 4))
    values[:, 2], values[0, 3] = np.nan, np.inf
    plot_training({"a": values}, ax=ax, band=(0.0, 1.0))
    np.testing.assert_array_equal(lines(ax)["a"][:, 1], [1.0, 1.0, np.nan, 1.0])


def test_range_test_shows_the_curve_and_its_suggestion(ax):
    result = curve(0.03)
    plot_range_test(result, ax=ax)
    drawn = lines(ax)
    np.testing.assert_allclose(drawn["batch loss"], np.stack([result.rates, result.losses], axis=1))
    np.testing.assert_allclose(drawn["smoothed"], np.stack([result.rates, result.smoothed], axis=1))
    np.testing.assert_allclose(drawn["suggestion 0.03"][:, 0], 0.03)
    assert ax.get_xscale() == "log"


def test_several_range_tests_show_the_spread_of_the_suggestions(ax):
    results = [curve(0.01, 20), curve(0.04, 15)]
    plot_range_test(results, ax=ax)
    np.testing.assert_allclose(lines(ax)["suggestion 0.02"][:, 0], 0.02)
    (region,) = ax.patches
    assert (region.get_x(), region.get_x() + region.get_width()) == pytest.approx((0.01, 0.04))
    assert ax.get_legend().get_title().get_text() == "2 seeds"
    assert len(legend_texts(ax)) == 3
    for result in results:
        assert any(np.array_equal(line.get_ydata(), result.smoothed) for line in ax.lines)


@pytest.mark.parametrize("count", [7, 200])
def test_the_spectrum_is_sorted_and_split_by_sign(count, ax):
    values = np.random.default_rng(1).permutation(np.linspace(-1.0, 4.0, count))
    values[0] = 1e-6
    plot_spectrum(values, ax=ax)
    drawn = lines(ax)
    assert list(drawn) == [
        f"{(values > 4e-3).sum()} positive",
        "1 near zero",
        f"{(values < -4e-3).sum()} negative",
    ]
    together = np.concatenate(list(drawn.values()))
    np.testing.assert_array_equal(together[:, 0], np.arange(1, count + 1))
    np.testing.assert_array_equal(together[:, 1], np.sort(values)[::-1])
    assert ax.get_yscale() == "symlog"
    bottom, top = ax.get_ylim()
    assert bottom < values.min()
    assert values.max() < top


def test_spectra_of_one_sign_and_of_nothing(ax):
    plot_spectrum([5.0, 1.0], ax=ax)
    assert list(lines(ax)) == ["2 positive"]
    assert min(ax.get_yticks()) == 0
    ax.clear()
    plot_spectrum([0.0, 0.0], ax=ax)
    assert list(lines(ax)) == ["2 near zero"]
    assert ax.get_yscale() == "linear"


def test_paths_lie_over_contours_of_the_surface(ax):
    surface = strict_saddle()
    runs = {f"lr {lr}": descend(surface, (1.0, 0.1), lr=lr, steps=20).path for lr in (0.1, 0.5)}
    plot_paths(surface, runs, ax=ax)
    for name, data in lines(ax).items():
        np.testing.assert_array_equal(data, runs[name])
    left, right = ax.get_xlim()
    bottom, top = ax.get_ylim()
    points = np.concatenate(list(runs.values()))
    assert ((points > (left, bottom)) & (points < (right, top))).all()
    (contours,) = ax.collections
    for level, path in zip(contours.levels, contours.get_paths(), strict=True):
        np.testing.assert_allclose(surface(path.vertices), level, atol=0.01)


def test_a_diverging_path_is_drawn_as_far_as_it_is_finite(ax):
    run = descend(strict_saddle(), (0.0, 2.0), lr=3.0, steps=30).path
    assert not np.isfinite(run).all()
    plot_paths(strict_saddle(), {"run": run}, ax=ax, limits=(-1, 1, -3, 3))
    np.testing.assert_array_equal(lines(ax)["run"], run[np.isfinite(run).all(axis=1)])
    assert (*ax.get_xlim(), *ax.get_ylim()) == (-1, 1, -3, 3)


def test_effects_stand_over_their_region_of_equivalence(ax):
    plot_effects(ROWS, ax=ax, xlabel="gain (points)")
    assert [text.get_text() for text in ax.get_yticklabels()] == [row[0] for row in ROWS]
    bars = [line for line in ax.lines if len(line.get_xdata()) == 2][: len(ROWS)]
    dots = [line for line in ax.lines if len(line.get_xdata()) == 1]
    for place, (row, bar, dot, region) in enumerate(zip(ROWS, bars, dots, ax.patches, strict=True)):
        _, effect, low, high, smallest = row
        assert list(bar.get_xdata()) == [low, high]
        assert dot.get_xydata().tolist() == [[effect, place]]
        assert (region.get_x(), region.get_width()) == (-smallest, 2 * smallest)
    filled = [dot.get_markerfacecolor() != "white" for dot in dots]
    assert filled == [True, False, False, True]
    assert ax.yaxis_inverted()
    assert ax.get_xlabel() == "gain (points)"


def test_arms_link_the_results_of_a_seed(ax):
    values = {"a": [1.0, 5.0, 2.0], "b": [0.5, 4.0, 3.0], "c": [1.0, 1.0, 9.0]}
    plot_arms(values, ax=ax, ylabel="error (%)")
    table = np.array(list(values.values()))
    for seed in range(3):
        np.testing.assert_array_equal(ax.lines[seed].get_ydata(), table[:, seed])
    medians = [bar.get_segments()[0][0, 1] for bar in ax.collections]
    np.testing.assert_array_equal(medians, np.median(table, axis=1))
    assert [text.get_text() for text in ax.get_xticklabels()] == ["a", "b", "c"]
    assert ax.get_ylabel() == "error (%)"
    assert "3 seeds" in ax.get_xlabel()


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda ax: plot_schedules({}, 5, ax=ax), r"a schedule, got schedules=\{\}"),
        (lambda ax: plot_schedules({"a": cosine_decay(1, 2)}, 0, ax=ax), "steps >= 1, got steps=0"),
        (lambda ax: plot_training({}, ax=ax), r"at least one entry, got values=\{\}"),
        (
            lambda ax: plot_training({"a": [1, 2]}, ax=ax),
            r"an array \(runs, steps\) for 'a', got shape=\(2,\)",
        ),
        (
            lambda ax: plot_training({"a": [[1, 2]]}, ax=ax, x=[1, 2, 3]),
            r"steps of 'a', got x=\(3,\), curve=\(1, 2\)",
        ),
        (
            lambda ax: plot_training(CURVES, ax=ax, band=(0.8, 0.2)),
            r"low <= high <= 1, got band=\(0.8, 0.2\)",
        ),
        (lambda ax: plot_range_test([], ax=ax), r"a result, got result=\[\]"),
        (
            lambda ax: plot_range_test(Curve(np.ones(2), np.ones(3), np.ones(2), 1.0), ax=ax),
            r"got rates=\(2,\), losses=\(3,\), smoothed=\(2,\)",
        ),
        (lambda ax: plot_spectrum([], ax=ax), r"eigenvalues \(n,\), got eigenvalues=\[\]"),
        (lambda ax: plot_spectrum([1, np.inf], ax=ax), r"got eigenvalues=\[1, inf\]"),
        (lambda ax: plot_spectrum([1], ax=ax, tol=1), "0 < tol < 1, got tol=1"),
        (
            lambda ax: plot_paths(ravine(), {"a": [[1, 2, 3]]}, ax=ax),
            r"points \(steps \+ 1, 2\) for 'a', got shape=\(1, 3\)",
        ),
        (lambda ax: plot_paths(ravine(), {"a": [[np.nan, 0]]}, ax=ax), r"for 'a', got path=.*nan"),
        (
            lambda ax: plot_paths(ravine(), {"a": [[0, 0]]}, ax=ax, limits=(1, 0, 0, 1)),
            r"in order, got limits=\(1, 0, 0, 1\)",
        ),
        (lambda ax: plot_paths(ravine(), {"a": [[0, 0]]}, ax=ax, levels=0), "got levels=0"),
        (lambda ax: plot_effects([], ax=ax), r"a row, got rows=\[\]"),
        (
            lambda ax: plot_effects([("a", 2.0, 0.0, 1.0, 0.1)], ax=ax),
            r"got row=\('a', 2.0, 0.0, 1.0, 0.1\)",
        ),
        (lambda ax: plot_effects([("a", 0.5, 0.0, 1.0, -0.1)], ax=ax), "smallest >= 0, got row="),
        (
            lambda ax: plot_arms({"a": [1], "b": [1, 2]}, ax=ax),
            r"one shape, got shapes=\{'a': \(1,\), 'b': \(2,\)\}",
        ),
    ],
)
def test_bad_input_is_named_before_anything_is_drawn(draw, message, ax):
    with pytest.raises(ValueError, match=message):
        draw(ax)
    assert not ax.lines
    assert not ax.patches
    assert not ax.collections


def test_importing_touches_neither_pyplot_nor_torch():
    look = "import sys, hpcourse.plots; print({'matplotlib.pyplot', 'torch'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


def test_ranges_are_drawn_where_they_are(ax):
    plot_ranges(RANGES, ax=ax)
    spans = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in ax.patches]
    wanted = [row[place] for row in RANGES for place in (1, 2)]
    assert [end for span in spans for end in span] == pytest.approx(
        [end for span in wanted for end in span]
    )
    assert [label.get_text() for label in ax.get_yticklabels()] == ["Adam", "SGD"]
    assert ax.get_xscale() == "log"
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first row on top
    spread, dot = (line.get_xydata() for line in ax.lines[:2])
    assert spread[:, 0].tolist() == [0.01, 0.04]
    assert dot[:, 0].tolist() == [0.02]
    assert sorted(legend_texts(ax)) == ["best: median, range of 3", "measured good", "suggested"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "needs a row, got rows"),
        ([("Adam", (0.0, 0.1), (0.1, 1.0), [0.1])], r"'Adam', got suggested=\(0.0, 0.1\)"),
        ([("Adam", (0.1, 0.2), (1.0, 0.1), [0.1])], r"'Adam', got measured good=\(1.0, 0.1\)"),
        ([("Adam", (0.1, 0.2), (0.1, 1.0), [])], r"best > 0 for 'Adam', got best=\[\]"),
    ],
)
def test_ranges_that_are_none_are_refused(rows, message, ax):
    with pytest.raises(ValueError, match=message):
        plot_ranges(rows, ax=ax)


def test_shares_have_a_bar_at_the_mean_and_a_colour_for_each_group(ax):
    shares = {"rate": [40.0, 50.0, 60.0], "batch": [10.0, 20.0, 30.0], "beta": [5.0, 5.0, 5.0]}
    plot_shares(shares, groups={"rate": "first", "batch": "second", "beta": "second"}, ax=ax)
    assert [bar.get_width() for bar in ax.patches] == [50, 20, 5]
    colours = [to_hex(bar.get_facecolor()) for bar in ax.patches]
    assert colours[0] != colours[1] == colours[2]
    assert legend_texts(ax) == ["first", "second"]
    assert [label.get_text() for label in ax.get_yticklabels()] == list(shares)
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first on top
    for line, values in zip(ax.lines, shares.values(), strict=True):
        np.testing.assert_array_equal(line.get_xdata(), values)


@pytest.mark.parametrize(
    ("shares", "groups", "message"),
    [
        ({}, None, "at least one entry"),
        ({"rate": [[1.0]]}, None, "'rate'"),
        ({"rate": [1.0], "beta": [1.0]}, {"rate": "first"}, r"without_group=\['beta'\]"),
    ],
)
def test_shares_that_are_none_are_refused(shares, groups, message, ax):
    with pytest.raises(ValueError, match=message):
        plot_shares(shares, groups=groups, ax=ax)
    assert not ax.patches


def test_a_posterior_has_a_band_of_two_deviations_and_its_points(ax):
    x, mean, std = np.linspace(0, 1, 9), np.arange(9.0), np.linspace(1, 2, 9)
    plot_posterior(x, mean, std, ax=ax, known=([0.5], [4.0]), truth=mean + 1, next_at=0.25)
    corners = ax.collections[0].get_paths()[0].vertices
    for place, low, high in zip(x, mean - 2 * std, mean + 2 * std, strict=True):
        found = corners[corners[:, 0] == place, 1]
        assert found.min() == pytest.approx(low)
        assert found.max() == pytest.approx(high)
    drawn = lines(ax)
    np.testing.assert_array_equal(drawn["mean, two std"], np.stack((x, mean), axis=1))
    np.testing.assert_array_equal(drawn["truth"][:, 1], mean + 1)
    np.testing.assert_array_equal(drawn["known"], [[0.5, 4.0]])
    assert set(drawn["next"][:, 0]) == {0.25}


def test_a_density_has_a_row_of_ticks_a_curve(ax):
    x = np.linspace(0, 1, 5)
    plot_density(x, {"l": x, "g": 1 - x}, ax=ax, points={"l": [0.1], "g": [0.2, 0.3]})
    np.testing.assert_array_equal(lines(ax)["g"][:, 1], 1 - x)
    ticks = [line.get_xydata() for line in ax.lines if line.get_marker() == "|"]
    assert [row[:, 0].tolist() for row in ticks] == [[0.1], [0.2, 0.3]]
    assert ticks[0][0, 1] < ticks[1][0, 1]


def test_surrogates_of_different_lengths_are_refused(ax):
    with pytest.raises(ValueError, match="one length, got x=2, mean=3"):
        plot_posterior([0, 1], [0, 1, 2], [1, 1], ax=ax)
    with pytest.raises(ValueError, match="x for 'l', got size=3"):
        plot_density([0, 1], {"l": [0, 1, 2]}, ax=ax)
    with pytest.raises(ValueError, match=r"curve for all points, got without_curve=\['g'\]"):
        plot_density([0, 1], {"l": [0, 1]}, ax=ax, points={"g": [0.5]})


def test_points_are_where_they_are_joined_in_order(ax):
    plot_points({"a": ([3, 1, 2], [30, 10, 20]), "b": ([1], [5])}, ax=ax, joined=True)
    found = lines(ax)
    np.testing.assert_array_equal(found["a"], [(1, 10), (2, 20), (3, 30)])
    np.testing.assert_array_equal(found["b"], [(1, 5)])
    assert {line.get_linestyle() for line in ax.lines} == {"-"}
    assert len({line.get_marker() for line in ax.lines}) == 2


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({}, "needs a group, got groups={}"),
        ({"a": ([1, 2], [1])}, "as many places as values of 'a', got x=2"),
        ({"a": ([], [])}, r"\(n\) for 'x of a'"),
    ],
)
def test_groups_that_are_none_are_refused(groups, message, ax):
    with pytest.raises(ValueError, match=message):
        plot_points(groups, ax=ax)


def test_every_trial_stands_on_both_of_its_factors(ax):
    points = np.array([(0.1, 0.9), (0.5, 0.2)])
    plot_factors(points, lambda x: 3 * x, lambda y: y / 2, ax=ax, names=("rate", "decay"))
    top, side = ax.child_axes
    np.testing.assert_allclose(top.lines[1].get_xydata(), [(0.1, 0.3), (0.5, 1.5)])
    np.testing.assert_allclose(side.lines[1].get_xydata(), [(0.45, 0.9), (0.1, 0.2)])
    assert top.get_ylim() == side.get_xlim()  # one scale, so that a flat factor looks flat
    assert (ax.get_xlabel(), top.get_ylabel()) == ("rate", "g(rate)")
    with pytest.raises(ValueError, match=r"needs points \(n, 2\), got points=\(1, 3\)"):
        plot_factors([(0, 1, 2)], np.sin, np.cos, ax=ax)
