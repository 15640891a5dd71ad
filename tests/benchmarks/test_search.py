"""The comparison of searchers: peers draw from the same spaces, and ratios are what is stated."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import search as bench  # a script, no package
from _peers import contestants
from _problems import public

PEERS = [name for name in contestants()[0] if " " in name and name != "optuna gp"]
SPACES = {p.name: p.space for p in public() if p.conditional or "mixed" in p.name}
JOB = bench.Job("public", "branin", "random", 0, 20)


@pytest.mark.parametrize("name", ["random", *PEERS])
@pytest.mark.parametrize("space", SPACES)
def test_everyone_evaluates_configurations_of_the_space_itself(name, space):
    seen = []

    def evaluate(config):
        seen.append(SPACES[space].encode(config))  # raises where it does not belong
        return float(np.sum(seen[-1]))

    contestants()[0][name](SPACES[space], evaluate, 25, 0, False)
    assert len(seen) == 25
    assert len({tuple(u) for u in seen}) > 15


def test_a_search_keeps_the_regret_of_what_looks_best():
    problem = bench.by_name("public")["branin"]
    found = bench.search(JOB)
    rng = np.random.default_rng((JOB.seed, 1))
    values = []

    def evaluate(config):
        values.append(problem.observe(config, rng))
        return values[-1]

    contestants()[0]["random"](problem.space, evaluate, 20, 0, False)
    best = np.minimum.accumulate(values) - problem.optimum
    assert found["regret"] == pytest.approx([best[9], best[19]])


def test_a_cache_answers_for_shorter_searches_and_survives(tmp_path):
    path = tmp_path / "cache.json"
    cache = bench.Cache(path)
    cache.found[JOB.key] = {"regret": [1.0, 0.5]}
    cache.save()
    again = bench.Cache(path)
    assert again.has(JOB)
    assert again.has(replace(JOB, evaluations=10))
    assert not again.has(replace(JOB, evaluations=30))
    again.forget("random")
    assert not again.has(JOB)


def test_relative_regret_is_a_geometric_mean_within_the_floor():
    found = {
        "a": {"random": [[1.0]], "x": [[0.25]]},
        "b": {"random": [[1.0], [2.0], [9.0]], "x": [[8.0], [7.0], [99.0]]},
        "c": {"random": [[1.0]], "x": [[0.0]]},
        "solved": {"random": [[0.0]], "x": [[0.0]]},
    }
    found = {p: {name: np.array(rows) for name, rows in own.items()} for p, own in found.items()}
    assert bench.relative(found, "x", ["a", "b"], 0) == pytest.approx(1.0)
    assert bench.relative(found, "x", ["c", "solved"], 0) == pytest.approx(bench.FLOOR)
    assert bench.relative(found, "random", list(found), 0) == 1
    assert bench.relative(found, "x", ["a"], 1) is None
    assert bench.relative(found, "absent", ["a"], 0) is None
    assert bench.relative(found, "x", ["solved"], 0) is None


def test_the_interval_holds_what_other_seeds_would_have_given():
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(40):
        drawn = {"random": np.ones((15, 1)), "x": np.exp(rng.standard_normal((15, 1)))}
        low, high = bench.interval({"a": drawn}, "x", ["a"], 0)
        inside += low <= 1.0 <= high  # the median of the distribution
    assert inside >= 33
