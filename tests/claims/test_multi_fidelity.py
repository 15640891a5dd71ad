"""The claim on Hyperband: its accounting, its real path once, and what stands for checkpoints."""

import math
from itertools import pairwise, product

import numpy as np
import pytest

from hpcourse.claims import multi_fidelity
from hpcourse.claims.curves import GRID, Curves, in_hand, timeline
from hpcourse.claims.multi_fidelity import (
    ARMS,
    BUDGETS,
    CLAIMS,
    HALVING,
    HYPERBAND,
    RANDOM,
    Budget,
    member,
    searched,
)
from hpcourse.search import ASHA, Box, Choice, Hyperband, Random, SuccessiveHalving

TINY = Budget(max_budget=3, epochs=9, target=2.2, seeds=(1, 2))
CONFIG = {"learning rate": 0.05, "forget": 0.1, "weight decay": 1e-4}


@pytest.fixture
def untrained(monkeypatch):
    """Losses without a training: the nearer the rate to 0.1 and the longer, the better."""

    def losses(members):
        gaps = [abs(math.log10(m.hypers["lr"]) + 1) for m in members]
        return [(gap + 20 / m.steps, 2 * gap) for gap, m in zip(gaps, members, strict=True)]

    monkeypatch.setattr(multi_fidelity, "_losses", losses)
    yield
    searched.cache_clear()


def test_every_arm_spends_the_same_and_counts_what_it_continues(untrained):
    budget = Budget(max_budget=9, epochs=81, target=0.1, seeds=(3, 4, 5))
    found = searched(budget)
    assert found.keys() == ARMS.keys()
    for search in found[RANDOM]:
        assert search.spent == 81
        assert all(spent % 9 == 0 for spent, _ in search.trace)
    for search in found[HALVING]:
        # a bracket of 9, 3 and 1 trials costs 9 + 3 * 2 + 1 * 6 epochs
        assert search.spent >= 3 * 21
    for search in (s for arm in found.values() for s in arm):
        assert search.spent <= 81
        assert all(a < b for (a, _), (b, _) in pairwise(search.trace))


def test_what_is_in_hand_and_when_the_target_is_reached(untrained):
    budget = Budget(max_budget=9, epochs=81, target=0.1, seeds=(3, 4, 5))
    for search in (s for arm in searched(budget).values() for s in arm):
        hand = [search.in_hand(epoch) for epoch in range(82)]
        assert hand[0] == math.inf
        assert hand[-1] == search.trace[-1][1]
        for target in (0.05, 0.3, 1.0):
            first = next((epoch for epoch, loss in enumerate(hand) if loss <= target), None)
            assert search.reached(target) == first


def test_the_arms_share_their_first_configurations():
    hyperband, random = (ARMS[arm](27, 5) for arm in (HYPERBAND, RANDOM))
    assert [hyperband.ask().config for _ in range(10)] == [random.ask().config for _ in range(10)]


def test_a_training_from_the_start_stands_for_one_that_was_continued():
    short, whole = (multi_fidelity._losses([member(CONFIG, n, seed=0)])[0] for n in (2, 3))
    data = multi_fidelity.mnist1d().tensors()
    train = multi_fidelity.TensorSplit(data.train.x[:1000], data.train.y[:1000])
    population = multi_fidelity.Population(multi_fidelity.build, [member(CONFIG, 3, seed=0)])
    scores = multi_fidelity.classifier_scores(data)
    run = population.train(train, multi_fidelity.cross_entropy, scores, every=20)[0]
    along = run.metrics["validation loss (nats)"]
    assert along[1:] == pytest.approx([short[0], whole[0]], rel=1e-4)


def test_the_real_path(monkeypatch):
    monkeypatch.setitem(BUDGETS, "quick", TINY)
    outcome = CLAIMS[0].experiment("quick")
    assert outcome.seeds == TINY.seeds
    for values in outcome.arms.values():
        assert len(values) == 2
        assert all(0 <= value <= math.log2(9) for value in values)
    ends = outcome.measures["test loss at the end (nats)"]
    assert all(0 < loss <= multi_fidelity.CHANCE for losses in ends.values() for loss in losses)
    again = searched.__wrapped__(TINY)
    assert [s.trace for s in again[HYPERBAND]] == [s.trace for s in searched(TINY)[HYPERBAND]]
    assert set(outcome.arms) == {*CLAIMS[0].claimed, CLAIMS[0].reference, *CLAIMS[0].context}
    searched.cache_clear()


# --- Tables of curves


@pytest.fixture(name="table")
def _table():
    configs = [dict(zip(GRID, values, strict=True)) for values in product(*GRID.values())]
    losses = np.sort(np.random.default_rng(0).random((len(configs), 27)), axis=1)[:, ::-1]
    space = Box({name: Choice(values, ordered=True) for name, values in GRID.items()})
    return Curves(space, configs, losses)


def test_random_search_on_a_table_is_a_running_minimum(table):
    trace = in_hand(Random(table.space, seed=3), table, 27 * 6)
    random = Random(table.space, seed=3)
    drawn = [table.losses[table.configs.index(random.ask().config), -1] for _ in range(6)]
    expected = np.minimum.accumulate(drawn)
    assert trace[27::27].tolist() == expected.tolist()
    assert trace[26] == multi_fidelity.CHANCE


def test_halving_on_a_table_pays_for_what_is_new(table):
    # 27 x 1, 9 x 2, 3 x 6 and 1 x 18 epochs: the first bracket ends with epoch 81
    trace = in_hand(SuccessiveHalving(table.space, seed=3), table, 81)
    assert trace[80] > trace[81]


@pytest.mark.parametrize("make", [SuccessiveHalving, Hyperband, ASHA])
@pytest.mark.parametrize("workers", [1, 5])
def test_no_worker_does_two_things_at_a_time(table, make, workers):
    bars = timeline(make(table.space, seed=1), table, workers=workers, until=60)
    for worker in range(workers):
        own = sorted((bar.start, bar.end) for bar in bars if bar.worker == worker)
        assert own
        assert all(end <= start for (_, end), (start, _) in pairwise(own))
    if make is ASHA:
        spent = sum(min(bar.end, 60) - bar.start for bar in bars if bar.start < 60)
        assert spent == 60 * workers
