"""The importance claim: its designs, its shares on known losses, and the real path once."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from hpcourse.claims import designs, importance, judge
from hpcourse.claims.designs import AXES, Budget, Design, as_member, draw, trained_designs
from hpcourse.claims.importance import (
    BUDGETS,
    CHANCE,
    CLAIMS,
    FIRST,
    RANGES,
    SECOND,
    TIERS,
    agreement,
    contrasts,
    shares_by_range,
    with_pairs,
)
from hpcourse.data import batches, mnist1d
from hpcourse.models import mlp
from hpcourse.search import Choice, config_importance
from hpcourse.search._axes import encode
from hpcourse.training import evaluate

TINY = Budget(size=24, epochs=1, seeds=(0, 1, 2, 3))
CLAIM = CLAIMS[0]


# Few shapes and large batches: as many programs as there are groups.
SMALL = {
    **AXES,
    "batch size": Choice((256, 512)),
    "width": Choice((8,)),
    "depth": Choice((1, 2)),
}


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(designs, "AXES", SMALL)
    monkeypatch.setattr(importance, "AXES", SMALL)
    monkeypatch.setattr(importance, "config_importance", partial(config_importance, trees=8))


@pytest.fixture(scope="module")
def trained():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(designs, "AXES", SMALL)
        found = trained_designs(TINY)
    yield found
    trained_designs.cache_clear()


def synthetic(loss, size=300, seed=0):
    """A design whose losses are a function of the places (7,) of the configurations."""
    configs = draw(size, seed)
    places = encode(configs, AXES)
    for column, axis in enumerate(AXES.values()):
        places[:, column] /= axis.levels - 1 if axis.levels else 1
    named = [dict(zip(AXES, row, strict=True)) for row in places.tolist()]
    return Design(configs=configs, losses=tuple(loss(**_words(place)) for place in named))


def _words(place):
    return {name.replace(" ", "_"): value for name, value in place.items()}


# Designs.


def test_draws_lie_within_the_axes_and_reach_all_of_them():
    configs = draw(400, seed=3)
    assert configs == draw(400, seed=3) != draw(400, seed=4)
    places = encode(configs, AXES)  # raises for a value outside
    for column, axis in enumerate(AXES.values()):
        if axis.levels:
            assert set(places[:, column]) == set(range(axis.levels))
        else:
            quarters = np.histogram(places[:, column], bins=4, range=(0, 1))[0]
            assert quarters.min() > 70  # of 100


def test_a_configuration_is_the_training_that_it_names():
    config = {**draw(1, seed=5)[0], "batch size": 512, "dropout": 0.0, "width": 16, "depth": 2}
    config |= {"learning rate": 0.05, "momentum": 0.2, "weight decay": 1e-2}
    data = mnist1d().tensors()
    member = as_member(config, seed=3, epochs=2, rows=len(data.train.x))
    run = designs.Population(designs._build, [member]).train(
        data.train, cross_entropy, designs.classifier_scores(data)
    )[0]
    model = mlp((40, 16, 16, 10), seed=3)
    sgd = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.8, weight_decay=1e-2)
    for x, y in batches(*data.train, batch_size=512, seed=3, epochs=2):
        sgd.zero_grad()
        cross_entropy(model(x), y).backward()
        sgd.step()
    expected = evaluate(model, [data.validation], {"loss": cross_entropy})["loss"]
    assert run.final("validation loss (nats)") == pytest.approx(expected, rel=1e-4)


def test_designs_are_trained_the_same_way_twice(small, trained):
    assert [len(design.configs) for design in trained] == [TINY.size] * len(TINY.seeds)
    assert trained_designs.__wrapped__(TINY) == trained
    assert len({loss for design in trained for loss in design.losses}) > TINY.size


# Shares, against closed forms.


def test_shares_of_an_additive_loss():
    design = synthetic(lambda learning_rate, dropout, **_: 0.8 * learning_rate + 0.4 * dropout)
    found = importance.importance([design])
    assert found.main["learning rate"] == pytest.approx(0.8, abs=0.05)  # 0.8**2 : 0.4**2
    assert found.main["dropout"] == pytest.approx(0.2, abs=0.05)
    assert contrasts(found.main)[FIRST] == pytest.approx(80, abs=5)
    assert contrasts(found.main)[SECOND] == pytest.approx(-20, abs=5)


def test_the_score_is_what_is_explained():
    design = synthetic(lambda learning_rate, **_: math.exp(9 * learning_rate) / 1e4)
    plain = importance.importance([design]).curves["learning rate"].mean
    logs = importance.importance([design], score=np.log).curves["learning rate"].mean
    straight = np.linspace(-9.2, -0.2, len(logs))
    assert np.corrcoef(logs, straight)[0, 1] > 0.99
    assert np.corrcoef(plain, straight)[0, 1] < 0.9


def test_whatever_is_worse_than_chance_counts_as_chance():
    def loss(bad):
        return lambda learning_rate, **_: bad if learning_rate > 0.7 else learning_rate

    found = [importance.importance([synthetic(loss(bad))]).main for bad in (math.nan, 1e9, CHANCE)]
    assert found[0] == found[1] == found[2]


def test_a_pair_without_main_effects_shows_with_all_pairs():
    found = importance.importance(
        [synthetic(lambda learning_rate, momentum, **_: (learning_rate > 0.5) == (momentum > 0.5))]
    )
    together = with_pairs(found)
    assert max(found.main.values()) < 0.2
    assert together["learning rate"] > 0.7 < together["momentum"]
    assert together["depth"] < 0.2


def test_a_narrower_range_lowers_the_share_of_its_hyperparameter():
    found = [
        synthetic(lambda learning_rate, dropout, **_: learning_rate + 0.25 * dropout, 128, seed)
        for seed in range(8)
    ]
    table = shares_by_range(found)
    assert [len(table[label]["depth"]) for label in RANGES] == [8, 4, 2]
    for label, width in zip(RANGES, (1, 1 / 2, 1 / 4), strict=True):  # of four decades
        expected = 100 * width**2 / (width**2 + 0.25**2)
        assert np.mean(table[label]["learning rate"]) == pytest.approx(expected, abs=8)


# The order.


def test_contrasts_take_the_weakest_comparison_of_each_tier():
    shares = dict(zip(AXES, (0.4, 0.1, 0.3, 0.02, 0.05, 0.0, 0.01), strict=True))
    assert contrasts(shares) == pytest.approx({FIRST: 10, SECOND: 5})


def test_agreement_counts_pairs_of_different_tiers():
    right = {name: -float(tier) for name, tier in TIERS.items()}
    assert agreement(right) == 1
    assert agreement({name: -share for name, share in right.items()}) == -1
    # The learning rate last: its 6 of the 14 pairs turn round.
    assert agreement({**right, "learning rate": -9.0}) == pytest.approx((8 - 6) / 14)


def test_tiers_and_axes_name_the_same_hyperparameters():
    assert list(TIERS) == list(AXES)


# The claim.


def test_evidence(small, trained, monkeypatch):
    monkeypatch.setitem(BUDGETS, "quick", TINY)
    evidence = judge(CLAIM, "quick", CLAIM.experiment("quick"))
    shares = evidence.measures["share of the variance (%)"]
    for i, design in enumerate(trained):
        expected = importance.importance([design]).main
        assert {name: shares[name][i] / 100 for name in AXES} == pytest.approx(expected, abs=1e-5)
        of_each = {name: shares[name][i] / 100 for name in AXES}
        assert evidence.arms[FIRST][i] == pytest.approx(contrasts(of_each)[FIRST], abs=1e-3)
    assert evidence.seeds == TINY.seeds
    assert 0 <= evidence.settings["at_chance"] <= 1
    curves = evidence.curves["mean validation loss (nats)"]["learning rate"]
    assert {len(curve) for curve in curves} == {len(evidence.settings["learning_rates"])}


def test_profiles_have_seeds_of_their_own():
    quick, full = BUDGETS["quick"].seeds, BUDGETS["full"].seeds
    assert not set(quick) & set(full)
    assert len(quick) >= 5
    assert len(full) >= 20
    assert len(full) % 4 == 0  # the narrowest range takes four designs at once
