"""The problems of `benchmarks/search.py`: their minima are what they are said to be."""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from _problems import aside, problems, public, reserve  # a script's neighbour, no package

ALL = {f"{name}: {p.name}": p for name in ("public", "aside", "reserve") for p in problems(name)}


@pytest.fixture(params=ALL, name="problem")
def _problem(request):
    return ALL[request.param]


def test_the_best_configuration_belongs_to_the_space_and_has_the_lowest_value(problem):
    config = problem.space.decode(problem.space.encode(problem.best))
    assert problem.function(config) == pytest.approx(problem.optimum, abs=1e-9)


def test_no_random_configuration_is_better(problem):
    rng = np.random.default_rng(1)
    points = rng.random((300, problem.space.dimension))
    assert min(problem.function(problem.space.decode(u)) for u in points) >= problem.optimum


def test_no_configuration_near_the_best_is_better(problem):
    start = problem.space.encode(problem.best)

    def value(u):
        return problem.function(problem.space.decode(np.clip(u, 0, 1)))

    steps = start + 0.02 * np.vstack([np.zeros(start.size), np.eye(start.size)])
    found = minimize(
        value, start, method="Nelder-Mead", options={"initial_simplex": steps, "maxfev": 400}
    )
    assert found.fun >= problem.optimum - 1e-9


def test_the_best_configuration_is_neither_at_the_centre_nor_alone_at_zero(problem):
    assert np.abs(problem.space.encode(problem.best) - 0.5).max() > 0.1


def test_a_noisy_problem_adds_noise_to_the_truth_alone():
    (problem,) = [p for p in public() if p.noisy]
    seen = [problem.observe(problem.best, np.random.default_rng(k)) for k in range(400)]
    assert np.std(seen) == pytest.approx(problem.noise, rel=0.15)
    assert problem.regret(problem.best) == 0


@pytest.mark.parametrize("kept", [aside, reserve])
def test_no_reported_problem_is_kept_aside(kept):
    public_data, kept_data = (
        {p.name for p in chosen() if "hpo" in p.name or "nas" in p.name}
        for chosen in (public, kept)
    )
    assert not public_data & kept_data
    assert all(p.space != q.space or p.best != q.best for p in public() for q in kept())
