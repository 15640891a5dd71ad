"""Large batches four ways: lengths, rates, contrasts, and a tiny budget."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from hpcourse.claims import large_batch, run
from hpcourse.claims.contrasts import NO_DIFFERENCE
from hpcourse.claims.large_batch import (
    LARGE,
    LENGTHS,
    METRIC,
    SETTINGS,
    SIZES,
    SMALL,
    Plan,
    arm_name,
    batch_study,
    contrasts,
    training_steps,
)
from hpcourse.data import batches, mnist1d
from hpcourse.models import mlp
from hpcourse.training import Member

TINY = Plan(rates=(0.02, 0.1, 0.5), tuning_size=1, seeds=(0, 1), epochs=1)


@pytest.fixture(scope="module")
def study():
    batch_study.cache_clear()
    yield batch_study(TINY)
    batch_study.cache_clear()


@pytest.mark.parametrize("size", LARGE)
def test_lengths_are_equal_in_samples_or_in_updates(size):
    samples, epochs = 3200, 6
    small = training_steps(samples, SMALL, "equal epochs", epochs)
    by_epochs, by_steps = (training_steps(samples, size, length, epochs) for length in LENGTHS)
    assert by_epochs * size == small * SMALL == epochs * samples
    assert by_steps == small
    assert samples % size == 0  # no batch is smaller than its name


def test_all_tuned_arms_have_the_same_budget_and_lengths_as_named(study):
    scores = study.tuning.scores
    assert {len(row) for row in scores.values()} == {len(study.tuning.rates)}
    assert set(scores) == {str(SMALL)} | {f"{size}, {name}" for size in LARGE for name in LENGTHS}
    for arm, found in study.runs.items():
        size, length = (*arm.split(", "), "equal epochs")[:2]
        steps = training_steps(3200, int(size), length, TINY.epochs)
        assert {one.steps for one in found} == {(steps,)}


def test_the_fixed_rate_is_the_one_tuned_for_the_small_batch(study):
    data, size, place = mnist1d().tensors(), LARGE[0], 1
    rate = study.tuning.best[str(SMALL)][place]
    model = mlp(SIZES, seed=TINY.seeds[place])
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=large_batch.MOMENTUM)
    for x, y in batches(*data.train, batch_size=size, seed=TINY.seeds[place]):
        optimizer.zero_grad()
        cross_entropy(model(x), y).backward()
        optimizer.step()
    hits = (model(data.test.x).argmax(dim=1) == data.test.y).double().mean().item()
    found = study.runs[arm_name("fixed rate, equal epochs", size)][place]
    assert found.final(METRIC) == pytest.approx(100 * hits, abs=0.3)  # three signals of 1,000


def test_scores_are_errors_and_accuracies_of_their_parts():
    data = mnist1d().tensors()
    hypers = {"lr": 0.1, "momentum": 0.9}
    member = Member(seed=4, hypers=hypers, steps=1, batch_size=3200)
    (found,) = large_batch._train(data, [member], curves=False)
    model = mlp(SIZES, seed=4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    cross_entropy(model(data.train.x), data.train.y).backward()
    optimizer.step()
    shares = [(model(p.x).argmax(dim=1) == p.y).double().mean().item() for p in data]
    train, validation, test = (100 * share for share in shares)
    assert found.final("training accuracy (%)") == pytest.approx(train, abs=0.1)
    assert found.final(large_batch.SCORE) == pytest.approx(100 - validation, abs=0.3)
    assert found.final(METRIC) == pytest.approx(test, abs=0.3)


def test_evidence_at_a_tiny_budget(monkeypatch, study):
    monkeypatch.setitem(large_batch.PLANS, "quick", TINY)
    evidence = run("large-batch-accuracy")
    assert evidence.seeds == TINY.seeds
    assert set(evidence.arms) == {NO_DIFFERENCE, *SETTINGS}
    small = evidence.measures[f"{METRIC}, batch {SMALL}"]
    large = evidence.measures[f"{METRIC}, batch {LARGE[-1]}"]
    assert len({tuple(row) for row in small.values()}) == 1  # the same runs in every setting
    for setting in SETTINGS:
        lost = [a - b for a, b in zip(small[setting], large[setting], strict=True)]
        assert evidence.arms[setting] == pytest.approx(lost, abs=1e-3)
    fewer = evidence.arms["fixed rate, equal epochs"], evidence.arms["fixed rate, equal steps"]
    assert sum(fewer[0]) > sum(fewer[1])  # four updates against a hundred


def test_the_arms_behind_a_setting_are_those_whose_rates_it_used(outcome_of):
    small, names = str(SMALL), [arm_name(s, size) for s in SETTINGS for size in (SMALL, *LARGE)]
    found = contrasts(outcome_of({name: [50.0, 60.0] for name in names}))
    assert {setting: set(contrast.arms) for setting, contrast in found.items()} == {
        "fixed rate, equal epochs": {small, "800, equal epochs, fixed rate"},
        "tuned rate, equal epochs": {small, "800, equal epochs"},
        "fixed rate, equal steps": {small, "800, equal steps, fixed rate"},
        "tuned rate, equal steps": {small, "800, equal steps"},
    }
