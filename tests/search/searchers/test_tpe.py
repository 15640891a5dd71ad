"""What is particular to `TPE`; the searchers' contract stands in test_searchers.py."""

import numpy as np
import pytest
from progress import beats_random, search
from spaces import CONDITIONAL, MIXED

from hpcourse.search import TPE, Box, Choice, Real, Trial
from hpcourse.search.searchers.tpe import density, most_promising
from hpcourse.search.space import canonical

PLANE = Box({"x": Real(-3, 2), "y": Real(1e-3, 1e3, log=True)})


def bowl(config):
    """Lowest at x = 1.1, y = 20."""
    return (config["x"] - 1.1) ** 2 + (np.log10(config["y"]) - np.log10(20)) ** 2


def told(searcher, configs):
    """Tell trials that were never asked for."""
    for number, (config, value) in enumerate(configs):
        kept = {"config": config, "value": value, "state": "done"}
        searcher.tell(Trial(number=10_000 + number, seed=0, **kept))
    return searcher


def drawn(space, count, seed=0):
    rng = np.random.default_rng(seed)
    return [space.decode(u) for u in rng.random((count, space.dimension))]


def test_beats_random_search():
    assert beats_random(TPE, PLANE, bowl, trials=60)


def test_beats_random_search_on_a_conditional_space():
    def loss(config):
        branch = config["momentum"] - 0.8 if config["optimizer"] == "sgd" else 0.6
        head = 0.3 if config["head"]["kind"] == "linear" else config["head"]["dropout"]
        return branch**2 + head + sum(abs(np.log2(units / 20)) for units in config["units"])

    assert beats_random(TPE, CONDITIONAL, loss, trials=50)


def test_only_ranks_of_values_count():
    def warped(config):
        return float(np.exp(20 * bowl(config)) if bowl(config) < 20 else 1e250 + bowl(config))

    assert search(TPE(PLANE, seed=3), bowl, 40)[0] == search(TPE(PLANE, seed=3), warped, 40)[0]


def test_the_most_promising_point_has_the_largest_ratio_of_densities():
    axes = MIXED.axes
    rng = np.random.default_rng(1)
    good, bad = (canonical(axes, rng.random((n, MIXED.dimension))) for n in (6, 20))
    points = most_promising(axes, good, bad, rng, 24)
    ratio = density(axes, good).log_density(points) - density(axes, bad).log_density(points)
    assert (np.diff(ratio) <= 1e-12).all()


def test_the_order_of_categories_does_not_matter_to_the_densities():
    forward, backward = (
        Box({"kind": Choice(order), "x": Real(0, 1)})
        for order in (("a", "b", "c"), ("c", "b", "a"))
    )
    configs, probes = drawn(forward, 12), drawn(forward, 9, seed=1)
    logs = []
    for space in (forward, backward):
        points = np.array([space.encode(config) for config in configs])
        at = np.array([space.encode(config) for config in probes])
        logs.append(density(space.axes, points).log_density(at))
    np.testing.assert_allclose(*logs, atol=1e-10)


@pytest.mark.parametrize(
    "outcome",
    [
        {"state": "failed", "value": None, "error": "diverged"},
        {"state": "pruned", "value": -100.0},
        {"state": "pruned", "value": None},
    ],
)
def test_failed_and_pruned_trials_are_bad(outcome):
    """A region where trials fail is left, however low the last value of a pruned one was."""
    space = Box({"x": Real(0, 1)})
    fine = [({"x": u}, u) for u in np.linspace(0.3, 1, 30).tolist()]
    lost = [({"x": u}, None) for u in np.linspace(0, 0.25, 30).tolist()]
    searcher = told(TPE(space), fine)
    for number, (config, _) in enumerate(lost):
        searcher.tell(Trial(number=20_000 + number, config=config, seed=0, **outcome))
    suggested = [searcher.ask().config["x"] for _ in range(20)]
    assert np.mean(np.array(suggested) > 0.25) > 0.8


def test_parallel_suggestions_keep_apart():
    """Running trials are bad for the time being, so that the next ones lie elsewhere."""
    space = Box({"x": Real(0, 1)})
    trials = [({"x": u}, abs(u - 0.4)) for u in np.linspace(0, 1, 40).tolist()]

    def spread(parallel):
        found = []
        for seed in range(10):
            searcher = told(TPE(space, seed=seed), trials)
            asked = [searcher.ask().config["x"] for _ in range(8)]
            if not parallel:  # each alone, as if the others were not running
                asked = [told(TPE(space, seed=100 + seed + k), trials).ask().config["x"]
                         for k in range(8)]  # fmt: skip
            found.append(np.median(np.diff(np.sort(asked))))
        return np.mean(found)

    assert spread(parallel=True) > 2 * spread(parallel=False)


def test_repeated_evaluations_count_once_with_their_mean():
    space = Box({"x": Choice(tuple(range(40)), ordered=True)})
    once = [({"x": k}, abs(k - 9.5)) for k in range(40)]
    noisy = [({"x": k}, abs(k - 9.5) + e) for e in (-8.0, 8.0) for k in range(40)]
    one, two = (told(TPE(space, noisy=True), trials) for trials in (once, noisy))
    assert [one.ask() for _ in range(5)] == [two.ask() for _ in range(5)]


def test_a_noisy_objective_may_be_evaluated_again():
    space = Box({"x": Choice((1, 2, 3))})
    suggestions, _ = search(TPE(space, noisy=True), lambda config: config["x"], 20)
    assert len(suggestions) == 20
    assert suggestions[10:].count({"x": 1}) > 5


@pytest.mark.parametrize("name", ["starts", "candidates"])
def test_bad_arguments_are_named(name):
    with pytest.raises(ValueError, match=f"TPE needs an integer {name} >= 1, got {name}=0"):
        TPE(PLANE, **{name: 0})
