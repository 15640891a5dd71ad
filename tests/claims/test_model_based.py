"""The claim about search with a model: what is counted, and the real path at a tiny budget."""

import math
from itertools import permutations

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from hpcourse.claims import model_based
from hpcourse.claims.model_based import (
    BUDGETS,
    CHANCE,
    CLAIMS,
    DEAF,
    LISTENING,
    SEARCHERS,
    SPACE,
    TEST,
    VALIDATION,
    Budget,
    as_member,
    expected_needed,
    in_step,
    needed,
    scorer,
    searches,
)
from hpcourse.data import batches, mnist1d
from hpcourse.models import mlp
from hpcourse.search import Random
from hpcourse.training import evaluate
from hpcourse.training.stack import Stack

TINY = Budget(bar=2, trials=3, epochs=1, seeds=(0, 1))


@pytest.fixture(scope="module")
def outcome():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(BUDGETS, "quick", TINY)
        yield CLAIMS[0].experiment("quick")


# What is counted.


@pytest.mark.parametrize(("bar", "trials"), [(1, 3), (2, 4), (3, 3)])
def test_the_expected_number_is_the_mean_over_all_orders(bar, trials):
    # With different losses all orders of them are equally likely under random search.
    counts = [needed(order[bar:], min(order[:bar])) for order in permutations(range(bar + trials))]
    assert np.mean(counts) == pytest.approx(expected_needed(bar, trials))


def test_a_loss_as_low_as_the_bar_reaches_it():
    assert needed([3.0, 2.0, 1.0], 2.0) == 2


# Searches.


def loss_of(asked):
    return [(config["lr"], seed + config["lr"]) for config, seed in asked]


def test_asking_ahead_changes_nothing_for_a_searcher_that_does_not_listen():
    def runs():
        return [(Random(SPACE, seed=seed), 10 + seed) for seed in (3, 4)]

    one, other = in_step(runs(), loss_of, 6), in_step(runs(), loss_of, 6, ahead=3)
    assert [f.configs for f in one] == [f.configs for f in other]
    assert [f.test for f in one] == [f.test for f in other]
    assert one[1].test == tuple(14 + value for value in one[1].validation)


def test_a_search_goes_by_its_own_losses_alone():
    alone = [in_step([(SEARCHERS["TPE"](SPACE, seed=s), s)], loss_of, 14)[0] for s in (1, 2)]
    together = in_step([(SEARCHERS["TPE"](SPACE, seed=s), s) for s in (1, 2)], loss_of, 14)
    assert [f.configs for f in together] == [f.configs for f in alone]


def test_every_searcher_either_listens_or_does_not():
    assert set(LISTENING) | set(DEAF) == set(SEARCHERS)
    assert not set(LISTENING) & set(DEAF)


def test_a_score_is_the_loss_of_the_trained_network_and_never_above_chance():
    data = mnist1d().tensors()
    config = {"lr": 0.2, "forgets": 0.2, "weight_decay": 1e-4, "dropout": 0.0, "final": 0.1}
    wild = config | {"lr": 1.0, "forgets": 0.01}
    (first, wildest), steps = scorer(data, 1)([(config, 5), (wild, 5)]), 50
    model = mlp(model_based.SIZES, seed=5)
    member = as_member(config, seed=5, steps=steps)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0, momentum=0.8, weight_decay=1e-4)
    for step, (x, y) in enumerate(batches(*data.train, batch_size=64, seed=5, epochs=1)):
        optimizer.param_groups[0]["lr"] = member.hypers["lr"](step)
        optimizer.zero_grad()
        cross_entropy(model(x), y).backward()
        optimizer.step()
    for part, found in zip((data.validation, data.test), first, strict=True):
        assert found == pytest.approx(
            evaluate(model, [part], {"loss": cross_entropy})["loss"], rel=1e-3
        )
    assert wildest[0] <= CHANCE


def test_a_training_that_diverged_counts_as_chance():
    assert model_based._capped(math.nan) == model_based._capped(math.inf) == CHANCE


# The real path.


def test_the_outcome_counts_trainings_to_the_bar(outcome):
    found, behind, _ = searches(TINY)
    bars = [min(f.validation) for f in behind]
    assert outcome.settings["bars"] == bars
    for name in SEARCHERS:
        counts = [needed(f.validation, bar) for f, bar in zip(found[name], bars, strict=True)]
        assert outcome.arms[name] == counts
        best = outcome.measures["best validation loss (nats)"][name]
        curves = outcome.curves["best validation loss so far (nats)"][name]
        assert [curve[-1] for curve in curves] == best
    assert set(outcome.arms) == set(CLAIMS[0].arms)
    assert outcome.settings["seconds_of_one_training"] > 0


def test_no_searcher_sees_the_random_trainings_behind_the_bar():
    found, behind, _ = searches(TINY)
    hidden = [config for f in behind for config in f.configs]
    assert all(config not in hidden for own in found.values() for f in own for config in f.configs)


def test_metrics_have_the_names_that_are_measured():
    data = mnist1d().tensors()
    stack = Stack(lambda seed: mlp(model_based.SIZES, seed=seed), [0])
    assert {VALIDATION, TEST} <= set(model_based.classifier_scores(data)(stack))
