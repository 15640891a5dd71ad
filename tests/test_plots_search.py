"""What the plots of searches draw, read back from their artists."""

import io
import re
from dataclasses import replace

import matplotlib as mpl
import matplotlib.style
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from hpcourse.plots import (
    plot_best_so_far,
    plot_contour,
    plot_importance,
    plot_parallel,
    plot_ranks,
    plot_slice,
)
from hpcourse.search import (
    Box,
    Choice,
    Random,
    Real,
    Study,
    Trial,
    When,
    minimize,
    study_importance,
)

SPACE = Box(
    {
        "lr": Real(1e-4, 1e-1, log=True),
        "optimizer": Choice(("sgd", "adam")),
        "momentum": When("optimizer", "sgd", Real(0.0, 1.0)),
    }
)


def objective(trial):
    if trial.config["lr"] > 0.05:
        raise ArithmeticError("diverged")
    return abs(np.log10(trial.config["lr"]) + 3) + trial.config.get("momentum", 0.5)


STUDY = minimize(objective, Random(SPACE, seed=0), trials=40, progress=False)
DONE = [trial for trial in STUDY.trials if trial.state == "done"]
FAILED = [trial for trial in STUDY.trials if trial.state == "failed"]


def study(values):
    """A study of these values; NaN stands for a failed trial."""
    return Study(
        tuple(
            Trial(number=k, config={}, seed=0, state="failed", error="x")
            if np.isnan(value)
            else Trial(number=k, config={}, seed=0, state="done", value=float(value))
            for k, value in enumerate(values)
        )
    )


@pytest.fixture
def ax():
    return Figure(figsize=(4.4, 3.2)).subplots()


CALLS = [
    lambda ax: plot_best_so_far({"random": [STUDY, STUDY]}, ax=ax),
    lambda ax: plot_ranks({"a": [[2.0, 1.0]], "b": [[1.0, 3.0]]}, ax=ax),
    lambda ax: plot_slice(STUDY, SPACE, "lr", ax=ax),
    lambda ax: plot_contour(STUDY, SPACE, ("lr", "momentum"), ax=ax),
    lambda ax: plot_parallel(STUDY, SPACE, ax=ax),
    lambda ax: plot_importance(study_importance(STUDY, SPACE, trees=8), ax=ax),
]


@pytest.mark.parametrize("draw", CALLS)
@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_the_same_axes_come_back_white_labelled_and_drawable(draw, style):
    with mpl.style.context(style):
        ax = Figure().subplots()
        before = dict(mpl.rcParams)
        assert draw(ax) is ax
        assert dict(mpl.rcParams) == before
    assert to_hex(ax.get_facecolor()) == to_hex(ax.figure.get_facecolor()) == "#ffffff"
    assert ax.get_xlabel() or ax.get_ylabel()
    for drawn in ax.figure.axes:  # a colour bar has its own
        texts = [*drawn.get_xticklabels(), *drawn.get_yticklabels()]
        texts += [drawn.xaxis.label, drawn.yaxis.label]
        assert {to_hex(text.get_color()) for text in texts if text.get_text()} == {"#222222"}
    picture = io.BytesIO()
    ax.figure.savefig(picture, format="png")
    assert picture.getvalue().startswith(b"\x89PNG")


def test_best_so_far_is_the_median_and_the_quartiles_over_seeds(ax):
    rows = np.array([[3.0, 5.0, 1.0], [4.0, 2.0, 2.0], [9.0, 8.0, 7.0], [6.0, 6.0, 6.0]])
    plot_best_so_far({"values": rows, "studies": [study(row) for row in rows]}, ax=ax)
    first, second = (line.get_xydata() for line in ax.lines)
    np.testing.assert_array_equal(first, [[1, 4], [2, 3], [3, 2]])
    np.testing.assert_array_equal(first, second)
    band = ax.collections[0].get_paths()[0].vertices
    assert {tuple(point) for point in band} >= {(1, 3), (1, 6), (2, 2), (2, 6), (3, 1), (3, 6)}


def test_failed_and_missing_trials_do_not_look_like_good_ones(ax):
    nan = np.nan
    plot_best_so_far({"a": [study([nan, 2.0, 1.0]), study([nan, nan, 5.0]), study([3.0])]}, ax=ax)
    # Before a second of three seeds has a value, the median is infinite and not drawn.
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), [[2, 3], [3, 3]])


def test_ranks_are_means_over_problems_of_the_best_so_far(ax):
    a = [[1.0, 1.0, 9.0], [5.0, 5.0, 0.0]]
    b = [[2.0, 0.5, 0.5], [4.0, 4.0, 4.0]]
    plot_ranks({"a": a, "b": b}, ax=ax)
    found = {line.get_label(): line.get_ydata().tolist() for line in ax.lines}
    assert found == {"a": [1.5, 2.0, 1.5], "b": [1.5, 1.0, 1.5]}


def test_ranks_take_the_median_over_seeds_and_share_ties(ax):
    a = [[[1.0], [2.0], [9.0]]]
    b = [[[2.0], [2.0], [2.0]]]
    plot_ranks({"a": a, "b": b}, ax=ax)
    assert [line.get_ydata().tolist() for line in ax.lines] == [[1.5], [1.5]]


def test_a_slice_shows_the_trials_where_the_hyperparameter_counts(ax):
    plot_slice(STUDY, SPACE, "momentum", ax=ax)
    with_momentum = [trial for trial in DONE if "momentum" in trial.config]
    drawn = {tuple(point) for point in ax.collections[0].get_offsets().round(9)}
    assert drawn == {(round(t.config["momentum"], 9), round(t.value, 9)) for t in with_momentum}
    (crosses,) = ax.lines
    assert len(crosses.get_xdata()) == sum("momentum" in trial.config for trial in FAILED)


def test_a_slice_has_the_units_of_the_hyperparameter_at_its_ticks(ax):
    plot_slice(STUDY, SPACE, "lr", ax=ax)
    assert ax.get_xticks().tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert [text.get_text() for text in ax.get_xticklabels()][::2] == ["0.0001", "0.0032", "0.1"]
    lowest = min(DONE, key=lambda trial: trial.config["lr"])
    assert ax.collections[0].get_offsets()[:, 0].min() == pytest.approx(
        (np.log10(lowest.config["lr"]) + 4) / 3
    )


def test_a_slice_of_names_has_all_of_them(ax):
    plot_slice(STUDY, SPACE, "optimizer", ax=ax)
    assert ax.get_xticks().tolist() == [0.25, 0.75]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["sgd", "adam"]


def with_values(trials, values, **changes):
    return [replace(t, value=float(v), **changes) for t, v in zip(trials, values, strict=True)]


def test_a_slice_spreads_categories_within_their_cells(ax):
    plot_slice(DONE, SPACE, "optimizer", ax=ax)
    u = ax.collections[0].get_offsets()[:, 0]
    sgd = np.array([trial.config["optimizer"] == "sgd" for trial in DONE])
    assert ((u > 0.1) & (u < 0.4) == sgd).all()
    assert ((u > 0.6) & (u < 0.9) == ~sgd).all()
    assert len(set(u)) == len(DONE)


def test_values_far_above_all_others_do_not_hide_them(ax):
    values = [*np.linspace(0, 1, len(DONE) - 1), 1e6]
    plot_slice(with_values(DONE, values), SPACE, "lr", ax=ax)
    assert len(ax.collections[0].get_offsets()) == len(DONE) - 1
    (far,) = ax.lines
    assert re.fullmatch(r"above 4\.[6-9]\d?|above 5(\.\d+)?", far.get_label())
    assert far.get_ydata() == [1.0]
    assert ax.get_ylim()[1] < 2
    plain = Figure().subplots()
    plot_contour(with_values(DONE, values), SPACE, ("lr", "optimizer"), ax=plain)
    limit = plain.collections[0].get_array().max()
    assert 4 < limit < 6
    assert plain.figure.axes[1].get_ylabel() == f"value (up to {limit:.3g})"


def test_nothing_is_interpolated_between_categories(ax):
    plot_contour(DONE, SPACE, ("lr", "optimizer"), ax=ax)
    (dots,) = ax.collections
    assert sorted(dots.get_array()) == sorted(trial.value for trial in DONE)
    np.testing.assert_allclose(
        dots.get_offsets()[:, 0], [SPACE.encode(trial.config)[0] for trial in DONE]
    )


@pytest.mark.parametrize(
    "draw",
    [
        lambda t, ax: plot_slice(t, SPACE, "lr", ax=ax).collections[0].get_offsets(),
        lambda t, ax: (
            plot_contour(t, SPACE, ("lr", "optimizer"), ax=ax).collections[0].get_offsets()
        ),
        lambda t, ax: [x for x in plot_parallel(t, SPACE, ax=ax).lines if len(x.get_xdata()) == 3],
    ],
    ids=["slice", "contour", "parallel"],
)
def test_values_of_small_budgets_are_not_drawn_beside_those_of_the_largest(ax, draw):
    short = [replace(trial, budget=1, value=-100.0) for trial in DONE[10:]]
    whole = [replace(trial, budget=9) for trial in DONE[:10]]
    assert len(draw(short + whole, ax)) == 10


def test_a_contour_spans_the_done_trials_and_marks_the_best(ax):
    plot_contour(STUDY, SPACE, ("lr", "momentum"), ax=ax)
    dots, best = (line.get_xydata() for line in ax.lines)
    kept = [trial for trial in DONE if "momentum" in trial.config]
    points = np.array([SPACE.encode(trial.config)[[0, 2]] for trial in kept])
    np.testing.assert_allclose(dots, points)
    np.testing.assert_allclose(best[0], points[np.argmin([trial.value for trial in kept])])
    levels = ax.collections[0].levels
    assert levels[0] <= min(t.value for t in kept) < max(t.value for t in kept) <= levels[-1]


def test_parallel_coordinates_draw_every_done_trial_the_best_last(ax):
    plot_parallel(STUDY, SPACE, ax=ax)
    drawn = [line.get_ydata() for line in ax.lines if len(line.get_ydata()) == 3]
    assert len(drawn) == len(DONE)
    best = STUDY.best
    expected = SPACE.encode(best.config)
    if "momentum" not in best.config:
        expected[2] = drawn[-1][2]
    np.testing.assert_allclose(drawn[-1], expected)
    below = sum(heights[2] < 0 for heights in drawn)
    assert below == sum("momentum" not in trial.config for trial in DONE)
    assert [text.get_text() for text in ax.get_xticklabels()] == ["lr", "optimizer", "momentum"]


def test_parallel_coordinates_of_some_axes(ax):
    plot_parallel(STUDY, SPACE, ax=ax, names=["optimizer", "lr"])
    assert [text.get_text() for text in ax.get_xticklabels()] == ["optimizer", "lr"]


def test_importance_has_a_bar_a_hyperparameter_in_order(ax):
    found = study_importance(STUDY, SPACE, trees=16)
    plot_importance(found, ax=ax)
    main, paired = ax.containers[:2]
    assert [text.get_text() for text in ax.get_yticklabels()] == list(found.order)
    widths = [bar.get_width() for bar in main]
    assert widths == pytest.approx([100 * found.main[name] for name in found.order])
    assert [bar.get_x() for bar in paired] == pytest.approx(widths)


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda ax: plot_best_so_far({}, ax=ax), "plot_best_so_far needs a search"),
        (lambda ax: plot_best_so_far({"a": [study([])]}, ax=ax), "needs trials of 'a'"),
        (lambda ax: plot_best_so_far({"a": [1.0]}, ax=ax), r"\(seeds, trials\) for 'a'"),
        (lambda ax: plot_ranks({"a": [[1.0]]}, ax=ax), "plot_ranks needs two searchers"),
        (lambda ax: plot_ranks({"a": [[1.0]], "b": [[1.0, 2.0]]}, ax=ax), "alike, got shapes="),
        (lambda ax: plot_slice(STUDY, SPACE, "rate", ax=ax), "got name='rate'"),
        (lambda ax: plot_slice(FAILED, SPACE, "lr", ax=ax), "needs a done trial"),
        (lambda ax: plot_contour(DONE[:2], SPACE, ("lr", "momentum"), ax=ax), "span an area"),
        (lambda ax: plot_contour(STUDY, SPACE, ("lr", "lr"), ax=ax), "span an area"),
        (lambda ax: plot_parallel(FAILED, SPACE, ax=ax), "plot_parallel needs a done trial"),
    ],
)
def test_bad_arguments_are_named(draw, message, ax):
    with pytest.raises(ValueError, match=message):
        draw(ax)
