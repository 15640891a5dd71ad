"""The densities of `TPE` against scipy and brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import dblquad, quad
from scipy.stats import chisquare, kstest, truncnorm
from spaces import CONDITIONAL, FINITE, FLAT, MIXED, SPACES

from hpcourse.search import Box, Choice, Integer, Normal, Real, When
from hpcourse.search.searchers.tpe import SMOOTHING, density
from hpcourse.search.space import active, canonical
from hpcourse.search.surrogates.parzen import Parzen

LINE = Box({"x": Real(0, 1)})


def points(space, count, seed=0):
    u = np.random.default_rng(seed).random((count, space.dimension))
    return canonical(space.axes, u)


def parzen(space, count, *, spread=0.15, seed=0):
    """A mixture with uneven weights."""
    weights = np.random.default_rng(seed).random(count + 1) + 0.1
    return Parzen(space.axes, points(space, count, seed), weights / weights.sum(), spread)


def brute_force(mixture, x):
    """Density at one canonical point, kernel by kernel and axis by axis, through scipy.stats."""
    axes = mixture.axes
    here = active(axes, x[None])[0]
    total = mixture.weights[-1]
    for mean, spread, weight in zip(
        mixture.points, mixture.spread, mixture.weights[:-1], strict=True
    ):
        kernel = weight
        there = active(axes, mean[None])[0]
        for d in np.flatnonzero(here & there):
            normal = truncnorm(-mean[d] / spread[d], (1 - mean[d]) / spread[d], mean[d], spread[d])
            domain = axes[d].domain
            if not domain.levels:
                kernel *= normal.pdf(x[d])
                continue
            low, high = domain.edges(domain.codes(x[d]))
            if domain.ordered:
                kernel *= (normal.cdf(high) - normal.cdf(low)) / (high - low)
            else:
                same = domain.codes(x[d]) == domain.codes(mean[d])
                kernel *= same * (1 - spread[d]) / (high - low) + spread[d]
        total += kernel
    return total


@pytest.mark.parametrize("name", SPACES)
def test_equals_a_mixture_of_scipy_distributions(name):
    space = SPACES[name]
    mixture = parzen(space, 4)
    x = points(space, 8, seed=1)
    expected = [brute_force(mixture, row) for row in x]
    np.testing.assert_allclose(np.exp(mixture.log_density(x)), expected, rtol=1e-9)


@pytest.mark.parametrize("spread", [0.01, 0.2, 3.0])
def test_integrates_to_one_on_a_line(spread):
    mixture = parzen(LINE, 4, spread=spread)
    total, _ = quad(
        lambda u: float(np.exp(mixture.log_density(np.array([[u]])))[0]),
        0,
        1,
        points=mixture.points[:, 0],
        limit=200,
    )
    assert total == pytest.approx(1, abs=1e-7)


def test_integrates_to_one_on_a_plane():
    mixture = parzen(FLAT, 3, spread=0.3)
    total, _ = dblquad(
        lambda v, u: float(np.exp(mixture.log_density(np.array([[u, v]])))[0]), 0, 1, 0, 1,
        epsabs=1e-5,
    )  # fmt: skip
    assert total == pytest.approx(1, abs=1e-5)


def test_probabilities_of_the_cells_sum_to_one_over_a_conditional_space():
    mixture = parzen(FINITE, 6)
    cells = np.unique(points(FINITE, 3000), axis=0)
    on = active(FINITE.axes, cells)
    widths = np.ones(cells.shape)
    for d, axis in enumerate(FINITE.axes):
        low, high = axis.domain.edges(axis.domain.codes(cells[:, d]))
        widths[:, d] = np.where(on[:, d], high - low, 1)
    total = (np.exp(mixture.log_density(cells)) * widths.prod(axis=1)).sum()
    assert total == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("space", [CONDITIONAL, MIXED], ids=["conditional", "mixed"])
def test_integrates_to_one_over_the_prior(space):
    ratio = np.exp(parzen(space, 5, spread=0.3).log_density(points(space, 40_000, seed=3)))
    error = ratio.std() / np.sqrt(len(ratio))
    assert ratio.mean() == pytest.approx(1, abs=4 * error)
    assert error < 0.05


def test_draws_follow_the_density_on_a_line():
    mixture = parzen(LINE, 3, spread=0.1)
    drawn = mixture.sample(np.random.default_rng(1), 4000)[:, 0]
    grid = np.linspace(0, 1, 4001)
    dense = np.exp(mixture.log_density(grid[:, None]))
    below = np.concatenate(([0], np.cumsum((dense[1:] + dense[:-1]) / 2 * np.diff(grid))))
    assert kstest(drawn, lambda x: np.interp(x, grid, below)).pvalue > 1e-3


def test_draws_follow_the_probabilities_of_the_cells():
    space = Box({"n": Integer(1, 6, log=True), "c": Choice(("a", "b", "c"), weights=(4, 1, 1))})
    mixture = parzen(space, 4)
    drawn = mixture.sample(np.random.default_rng(2), 6000)
    cells, counts = np.unique(drawn, axis=0, return_counts=True)
    assert len(cells) == 18
    widths = np.ones(len(cells))
    for d, axis in enumerate(space.axes):
        low, high = axis.domain.edges(axis.domain.codes(cells[:, d]))
        widths *= high - low
    expected = np.exp(mixture.log_density(cells)) * widths * len(drawn)
    assert chisquare(counts, expected).pvalue > 1e-3


@settings(max_examples=20)
@given(st.integers(1, 20), st.integers(2, 6))
def test_categories_are_smoothed_by_further_observations_of_each(repeats, levels):
    """Prior and kernels of n times the same category, in closed form."""
    space = Box({"c": Choice(tuple(range(levels)))})
    mine = canonical(space.axes, np.full((repeats, 1), 0.5 / levels))
    mixture = density(space.axes, mine)
    own, other = np.exp(mixture.log_density(canonical(space.axes, np.array([[0.0], [1.0]]))))
    smoothing = SMOOTHING * levels / (SMOOTHING * levels + repeats)
    prior, kernels = 1 / (repeats + 1), repeats / (repeats + 1)
    assert other == pytest.approx(prior + kernels * smoothing)
    assert own == pytest.approx(prior + kernels * ((1 - smoothing) * levels + smoothing))


def test_without_points_it_is_the_prior():
    for space in SPACES.values():
        empty = density(space.axes, np.empty((0, space.dimension)))
        np.testing.assert_allclose(empty.log_density(points(space, 10)), 0, atol=1e-12)
        drawn = empty.sample(np.random.default_rng(0), 5)
        np.testing.assert_array_equal(drawn, canonical(space.axes, drawn))


@pytest.mark.parametrize("name", SPACES)
def test_draws_are_canonical(name):
    drawn = parzen(SPACES[name], 5).sample(np.random.default_rng(0), 50)
    np.testing.assert_array_equal(drawn, canonical(SPACES[name].axes, drawn))


def test_points_far_from_every_kernel_have_the_density_of_the_prior_alone():
    mixture = Parzen(LINE.axes, np.array([[0.1]]), np.array([0.75, 0.25]), 1e-3)
    assert np.exp(mixture.log_density(np.array([[0.9]])))[0] == pytest.approx(0.25)


def test_a_branch_says_nothing_of_another():
    space = Box(
        {
            "kind": Choice(("a", "b")),
            "x": When("kind", "a", Real(0, 1)),
            "y": When("kind", "b", Normal(0.0, 1.0)),
        }
    )
    kind_a = canonical(space.axes, np.array([[0.2, 0.3, 0.9], [0.2, 0.4, 0.9]]))
    moved = canonical(space.axes, np.array([[0.2, 0.9, 0.1], [0.2, 0.05, 0.1]]))
    of_b = canonical(space.axes, np.array([[0.8, 0.3, u] for u in (0.1, 0.5, 0.9)]))
    one, two = (density(space.axes, np.concatenate((p, of_b[:1]))) for p in (kind_a, moved))
    np.testing.assert_allclose(one.log_density(of_b), two.log_density(of_b), atol=1e-12)
    assert not np.allclose(one.log_density(kind_a), two.log_density(kind_a))
