import cmaes
import numpy as np
import pytest
from progress import beats_random, search
from spaces import CONDITIONAL, MIXED

from hpcourse.search import CMAES, Box, Choice, Fixed, Integer, Real, Trial

NUMBERS = Box({"x": Real(-3, 2), "y": Real(1e-3, 1e3, log=True), "z": Real(0, 1)})


def valley(config):
    """A narrow valley that is not along an axis; lowest at x = 1, y = 10, z = 0.3."""
    y = np.log10(config["y"])
    along, across = config["x"] + y - 2, config["x"] - y
    return float(along**2 + 100 * across**2 + (config["z"] - 0.3) ** 2)


def test_beats_random_search():
    assert beats_random(CMAES, NUMBERS, valley, trials=100)


def test_converges_on_a_turned_valley():
    _, values = search(CMAES(NUMBERS, seed=2), valley, 600)
    assert min(values) < 1e-8


def test_beats_random_search_on_mixed_kinds():
    def loss(config):
        shift = {"sgd": 0.5, "adam": 0.0, "rmsprop": 1.0}[config["optimizer"]]
        width = abs(np.log2(config["width"] / 64)) + abs(config["depth"] - 4)
        return (np.log10(config["lr"]) + 2.5) ** 2 + shift + width

    assert beats_random(CMAES, MIXED, loss, trials=100)


def test_suggests_what_the_library_draws_at_the_same_places():
    """Two generations of continuous numbers, drawn and told by hand."""
    searcher = CMAES(NUMBERS, seed=5)
    optimizer = cmaes.CatCMAwM(
        x_space=[[0, 1]] * 3, mean=np.full(3, 0.5), cov=0.25**2 * np.eye(3), seed=0
    )
    for start in (0, optimizer.population_size):
        drawn = []
        for number in range(start, start + optimizer.population_size):
            optimizer.reseed_rng(int(np.random.default_rng((5, number)).integers(2**31)))
            solution = optimizer.ask()
            suggestion = searcher.ask()
            np.testing.assert_allclose(NUMBERS.encode(suggestion.config), solution.x, atol=1e-12)
            value = valley(suggestion.config)
            kept = {"config": suggestion.config, "state": "done", "value": value}
            searcher.tell(Trial(number=number, seed=0, **kept))
            drawn.append((solution, value))
        ranked = sorted(drawn, key=lambda pair: pair[1])
        optimizer.tell([(solution, float(k)) for k, (solution, _) in enumerate(ranked)])


def test_only_ranks_of_values_count():
    def warped(config):
        return float(np.exp(np.sqrt(valley(config))))

    assert search(CMAES(NUMBERS, seed=3), valley, 60)[0] == search(
        CMAES(NUMBERS, seed=3), warped, 60
    )[0]  # fmt: skip


def test_asking_far_ahead_never_waits_and_late_trials_are_left_out():
    searcher = CMAES(NUMBERS, seed=1)
    asked = [searcher.ask() for _ in range(40)]
    assert None not in asked
    for number, suggestion in reversed(list(enumerate(asked))):
        value = valley(suggestion.config)
        kept = {"config": suggestion.config, "state": "done", "value": value}
        searcher.tell(Trial(number=number, seed=0, **kept))
    assert searcher.ask() is not None


def test_a_restart_follows_convergence():
    """A search in one dimension converges soon, and then looks elsewhere."""
    space = Box({"x": Real(0, 1)})
    configs, _ = search(CMAES(space, seed=0), lambda config: abs(config["x"] - 0.2), 800)
    distance = np.array([abs(config["x"] - 0.2) for config in configs])
    narrow = np.flatnonzero(distance < 1e-6)
    assert len(narrow)
    assert distance[narrow[0] :].max() > 0.1


def test_categories_of_a_conditional_space_are_learned():
    def loss(config):
        return float(config["optimizer"] == "sgd") + float(config["head"]["kind"] == "linear")

    found = search(CMAES(CONDITIONAL, seed=0), loss, 200)[0][-50:]
    assert np.mean([loss(config) == 0 for config in found]) > 0.6


def test_a_space_without_a_choice_is_refused():
    with pytest.raises(ValueError, match="CMAES needs a hyperparameter of more than one value"):
        CMAES(Box({"n": Integer(3, 3), "kind": Choice(("a",)), "e": Fixed(1)}))
