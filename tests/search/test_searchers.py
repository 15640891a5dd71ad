"""What every searcher must do, whatever its method."""

import json
import math
import pickle
from functools import partial

import numpy as np
import pytest
from spaces import FINITE, FINITE_SIZE, SPACES, alike

from hpcourse.search import (
    ASHA,
    BOHB,
    CMAES,
    GP,
    TPE,
    Auto,
    Box,
    Evolution,
    Fixed,
    Forest,
    FreezeThaw,
    Grid,
    HalvingTPE,
    Hyperband,
    Integer,
    MedianRule,
    Narrowing,
    PolicyGradient,
    QLearning,
    QuasiRandom,
    Random,
    RefinedGrid,
    SuccessiveHalving,
    Trial,
)


def median_rule(space, **settings):
    return MedianRule(Random(space, **settings))


SEARCHERS = {
    "random": Random,
    "forest": Forest,
    "CMA-ES": CMAES,
    "evolution": Evolution,
    "TPE": TPE,
    "GP": GP,
    "auto": Auto,
    "successive halving": SuccessiveHalving,
    "Hyperband": Hyperband,
    "ASHA": ASHA,
    "BOHB": BOHB,
    "halving TPE": HalvingTPE,
    "freeze and thaw": FreezeThaw,
    "median rule": median_rule,
    "grid": partial(Grid, shuffle=True),
    "refined grid": RefinedGrid,
    "Sobol": QuasiRandom,
    "Halton": partial(QuasiRandom, sequence="halton"),
    "narrowing": Narrowing,
    "Q-learning": QLearning,
    "policy gradient": PolicyGradient,
}
"""Name to a callable of a space and the keyword argument `seed`."""


def loss(config):
    """Deterministic, bounded, and different for each configuration of the test spaces."""
    text = json.dumps(config, sort_keys=True)
    numbers = [v for v in config.values() if isinstance(v, int | float)]
    return math.log1p(sum(numbers)) + (sum(map(ord, text)) % 97) / 97


def ended(number, suggestion, *, value=None, state="done"):
    kept = {"config": suggestion.config, "budget": suggestion.budget, "parent": suggestion.parent}
    if state == "failed":
        return Trial(number=number, seed=0, state=state, error="diverged", **kept)
    value = loss(suggestion.config) if value is None else value
    return Trial(number=number, seed=0, state=state, value=value, **kept)


def run(searcher, count, *, fail=lambda number: False):
    """Suggestions of a search that evaluates one trial after the other."""
    found = []
    for number in range(count):
        suggestion = searcher.ask()
        if suggestion is None:
            break
        found.append(suggestion)
        searcher.tell(ended(number, suggestion, state="failed" if fail(number) else "done"))
    return found


FOUND = {}


def whole(make, space):
    """The suggestions of a search with seed 5, which many tests compare others with."""
    key = make, id(space)  # spaces are made once, when their module is imported
    if key not in FOUND:
        FOUND[key] = tuple(run(make(space, seed=5), 30))
    return FOUND[key]


@pytest.fixture(params=SEARCHERS, name="make")
def _make(request):
    return SEARCHERS[request.param]


@pytest.fixture(params=SPACES, name="space")
def _space(request):
    return SPACES[request.param]


def test_suggestions_belong_to_the_space(make, space):
    for suggestion in whole(make, space):
        assert json.loads(json.dumps(suggestion.config)) == suggestion.config
        assert alike(space.decode(space.encode(suggestion.config)), suggestion.config)


def test_a_seed_gives_one_search_and_another_seed_another(make, space):
    first = list(whole(make, space))[:25]
    again, other = (run(make(space, seed=seed), 25) for seed in (5, 6))
    assert first == again
    assert first != other


@pytest.mark.parametrize("cut", [1, 7, 16])
def test_replaying_a_journal_goes_on_as_if_nothing_had_happened(make, space, cut):
    found = whole(make, space)[:24]
    searcher = make(space, seed=5)
    run(searcher, min(cut, len(found)))
    for number, expected in list(enumerate(found))[cut:]:
        suggestion = searcher.ask()
        assert suggestion == expected
        searcher.tell(ended(number, suggestion))


def test_no_configuration_comes_twice_and_a_finite_space_ends(make):
    found = run(make(FINITE, seed=0), FINITE_SIZE + 5)
    asked = [(json.dumps(s.config, sort_keys=True), s.budget) for s in found]
    assert len(set(asked)) == len(asked)
    assert has_budgets(found) or len(found) == FINITE_SIZE


def has_budgets(found):
    return any(suggestion.budget is not None for suggestion in found)


def test_a_search_goes_on_after_failures(make, space):
    found = run(make(space, seed=2), 25, fail=lambda number: number % 3 == 0)
    assert len(found) >= min(25, FINITE_SIZE)


def test_a_search_survives_that_all_trials_fail(make, space):
    assert len(run(make(space, seed=2), 15, fail=lambda number: True)) >= 10


def test_asking_ahead_gives_other_configurations(make, space):
    searcher = make(space, seed=6)
    running = {}
    for number in range(4):
        suggestion = searcher.ask()
        if suggestion is not None:
            running[number] = suggestion
    texts = {json.dumps(s.config, sort_keys=True) for s in running.values()}
    assert len(texts) == len(running) >= 1
    for number, suggestion in reversed(running.items()):
        searcher.tell(ended(number, suggestion))
    assert searcher.ask() is not None


def test_asking_in_vain_changes_nothing(make):
    searcher, patient = make(FINITE, seed=8), make(FINITE, seed=8)
    asked = [s for s in (searcher.ask() for _ in range(60)) if s is not None]
    assert asked[: len(asked)] == [patient.ask() for _ in asked]
    assert searcher.ask() is None
    for number, suggestion in enumerate(asked):
        for each in (searcher, patient):
            each.tell(ended(number, suggestion))
    assert searcher.ask() == patient.ask()


def test_a_trial_that_was_never_asked_for_counts(make, space):
    searcher = make(space, seed=9)
    rng = np.random.default_rng(0)
    for number in range(12):
        config = space.decode(rng.random(space.dimension))
        searcher.tell(
            Trial(number=1000 + number, config=config, seed=0, state="done", value=loss(config))
        )
    suggestion = searcher.ask()
    assert suggestion is None or space.encode(suggestion.config).shape == (space.dimension,)


def test_a_trial_is_told_once_and_when_it_has_ended(make, space):
    searcher = make(space, seed=0)
    suggestion = searcher.ask()
    with pytest.raises(ValueError, match="tell needs an ended trial, got number=0"):
        searcher.tell(Trial(number=0, config=suggestion.config, seed=0, budget=suggestion.budget))
    searcher.tell(ended(0, suggestion))
    with pytest.raises(ValueError, match="not told before, got number=0"):
        searcher.tell(ended(0, suggestion))


def test_a_searcher_can_be_pickled_between_trials(make, space):
    searcher = make(space, seed=4)
    run(searcher, 6)
    assert pickle.loads(pickle.dumps(searcher)).ask() == searcher.ask()


def test_a_bad_seed_is_named(make, space):
    with pytest.raises(ValueError, match="seed >= 0, got seed=-1"):
        make(space, seed=-1)


def test_a_space_without_a_choice_is_refused(make):
    with pytest.raises(ValueError, match="something to choose, got space=Box"):
        make(Box({"epochs": Fixed(5)}), seed=0)


def test_a_domain_of_very_many_values_is_searched(make):
    vast = Box({"seed": Integer(0, 10**12 - 1), "width": Integer(1, 10**9, log=True)})
    for suggestion in run(make(vast, seed=0), 20):
        assert vast.decode(vast.encode(suggestion.config)) == suggestion.config
