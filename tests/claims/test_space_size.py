"""The claim about the size of a space: nested spaces, equal budgets, and the real path, tiny."""

import math

import numpy as np
import pytest

from hpcourse.claims import space_size
from hpcourse.claims.contrasts import NO_DIFFERENCE
from hpcourse.claims.space_size import (
    BUDGETS,
    CLAIMS,
    REFERENCE,
    SEARCHERS,
    SPACES,
    Budget,
    contrast,
    searches,
)

TINY = Budget(trials=3, steps=4, seeds=(0, 1))


@pytest.fixture(scope="module")
def outcome():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(BUDGETS, "quick", TINY)
        yield CLAIMS[0].experiment("quick")


def test_each_space_contains_the_one_before():
    for inner, outer in zip(list(SPACES.values()), list(SPACES.values())[1:], strict=False):
        for axis, wider in zip(inner.axes, outer.axes, strict=True):
            assert axis.name == wider.name
            assert axis.domain.log
            assert wider.domain.log
            assert wider.domain.low <= axis.domain.low < axis.domain.high <= wider.domain.high


def test_all_searches_spend_the_same(outcome):
    found = searches(TINY)
    assert set(found) == {(name, space) for name in SEARCHERS for space in SPACES}
    for every in found.values():
        assert [len(each.validation) for each in every] == [TINY.trials] * len(TINY.seeds)


def test_configurations_are_of_their_space_and_random_ones_those_of_the_seed(outcome):
    for (name, space), every in searches(TINY).items():
        for seed, each in zip(TINY.seeds, every, strict=True):
            for config in each.configs:
                SPACES[space].encode(config)
            if name == "random search":
                search = SEARCHERS[name](SPACES[space], seed=seed)
                assert each.configs == [search.ask().config for _ in range(TINY.trials)]


def test_the_contrasts_are_those_of_the_choices(outcome):
    found = searches(TINY)
    for searcher in SEARCHERS:
        for space in ("narrow", "huge"):
            expected = [
                wide.best_test - sensible.best_test
                for wide, sensible in zip(
                    found[searcher, space], found[searcher, REFERENCE], strict=True
                )
            ]
            assert outcome.arms[contrast(space, searcher)] == pytest.approx(expected)
    assert outcome.arms[NO_DIFFERENCE] == [0.0, 0.0]
    assert set(outcome.arms) == set(CLAIMS[0].arms)


def test_what_is_reported_is_what_was_chosen_by_the_validation_loss(outcome):
    losses = outcome.measures["test loss of the choice (nats)"]
    rates = outcome.measures["learning rate of the choice"]
    for (searcher, space), every in searches(TINY).items():
        name = f"{space}, {searcher}"
        for place, each in enumerate(every):
            best = int(np.argmin(each.validation))
            assert losses[name][place] == each.test[best] <= math.log(10)
            assert rates[name][place] == each.configs[best]["lr"]


def test_momentum_is_what_is_not_forgotten(monkeypatch):
    seen = []
    monkeypatch.setattr(
        space_size, "train_signals", lambda configs, seeds, steps: seen.append((configs, steps))
    )
    space_size.scorer(7)([{"lr": 0.1, "forgets": 0.25, "weight_decay": 0.0}], [3])
    ((configs, steps),) = seen
    assert configs[0]["momentum"] == 0.75
    assert steps == 7
