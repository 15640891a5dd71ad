"""The focal loss on rare positives: the metric, the data, the choice, and a tiny budget."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from hpcourse.claims import focal, run
from hpcourse.claims.focal import (
    ALPHAS,
    BATCH,
    GAMMAS,
    MARGIN,
    METRIC,
    PAPER,
    PLAIN,
    PLANS,
    PREVALENCE,
    SETTINGS,
    Plan,
    average_precision,
    build,
    focal_study,
    rare,
    setting,
)
from hpcourse.data import batches, mnist5k
from hpcourse.training import Member, adam

TINY = Plan(rates=(0.003, 0.01, 0.03), tuning_size=1, seeds=(0, 1), epochs=1)


@pytest.fixture(scope="module")
def data():
    return mnist5k().tensors()


@pytest.fixture(scope="module")
def study():
    focal_study.cache_clear()
    yield focal_study(TINY)
    focal_study.cache_clear()


@settings(deadline=None, max_examples=50)
@given(
    seed=st.integers(0, 2**32 - 1),
    positives=st.integers(1, 20),
    negatives=st.integers(1, 60),
    prevalence=st.floats(0.001, 0.999),
)
def test_average_precision_is_scikit_learns_with_weights(seed, positives, negatives, prevalence):
    generator = np.random.default_rng(seed)
    targets = generator.permutation([1] * positives + [0] * negatives)
    scores = generator.permutation(len(targets)).astype(float)  # no ties
    weights = np.where(targets == 1, prevalence / positives, (1 - prevalence) / negatives)
    expected = average_precision_score(targets, scores, sample_weight=weights)
    found = average_precision(
        torch.tensor(scores), torch.tensor(targets), prevalence=prevalence
    ).item()
    assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("digit", [0, 3])
def test_the_positives_are_made_rare_in_the_training_part_alone(data, digit):
    made = rare(data, digit)
    share = made.train.y.double().mean().item()
    assert share == pytest.approx(PREVALENCE, abs=0.5 / len(made.train.y))
    assert (made.train.y == 0).sum() == (data.train.y != digit).sum()
    for part, whole in ((made.validation, data.validation), (made.test, data.test)):
        assert torch.equal(part.y, (whole.y == digit).long())
    block = data.test.x[7, 0, 8:12, 20:24].mean()
    assert made.test.x[7, 0, 2, 5].item() == pytest.approx(block.item(), abs=1e-6)


def test_the_network_starts_with_the_frequency_of_positives(data):
    *_, bias = build(4).parameters()
    assert torch.sigmoid(bias).item() == pytest.approx(PREVALENCE)


def test_the_papers_setting_and_cross_entropy_are_in_the_grid():
    assert SETTINGS[PAPER] == (2.0, 0.25)
    assert SETTINGS[PLAIN] == (0.0, 0.5)
    assert len(SETTINGS) == len(GAMMAS) * len(ALPHAS)


def test_runs_equal_torchs_own_optimiser_one_at_a_time(data):
    parts = [rare(data, digit) for digit in (0, 1)]
    asked = [(0.01, 2.0, 0.25, 1, 7), (0.02, 0.5, 0.75, 0, 8), (0.01, 0.0, 0.5, 1, 9)]
    members = [
        Member(
            seed=seed,
            hypers={"lr": rate, "gamma": gamma, "alpha": alpha, **focal.ADAM},
            steps=15,
            batch_size=BATCH,
            update=adam,
            shape=digit,
        )
        for rate, gamma, alpha, digit, seed in asked
    ]
    found = focal._train(parts, members, curves=False)
    for one, (rate, gamma, alpha, digit, seed) in zip(found, asked, strict=True):
        train, _, test = parts[digit]
        model = build(seed)
        optimizer = torch.optim.Adam(model.parameters(), lr=rate)
        feed = batches(*train, batch_size=BATCH, seed=seed)
        for _, (x, y) in zip(range(15), feed, strict=False):
            p = torch.sigmoid(model(x).squeeze(1))
            hit, weight = torch.where(y == 1, p, 1 - p), torch.where(y == 1, alpha, 1 - alpha)
            optimizer.zero_grad()
            (-weight * (1 - hit) ** gamma * hit.log()).mean().backward()
            optimizer.step()
        expected = average_precision(model(test.x).squeeze(1), test.y, prevalence=PREVALENCE)
        assert one.final(METRIC) == pytest.approx(100 * expected.item(), abs=0.5)


def test_contrasts_by_hand(outcome_of):
    test = {PAPER: [60.0, 70.0], PLAIN: [65.0, 66.0], "good": [72.0, 71.0], "bad": [40.0, 30.0]}
    found = focal.contrasts(outcome_of(test), ["good", PLAIN], ["bad", "bad"])
    assert {name: contrast.values for name, contrast in found.items()} == {
        focal.MATTERS: [32.0, 36.0],
        focal.NEAR: [MARGIN - 12, MARGIN + 4],
        focal.PAPER_PLAIN: [-5.0, 4.0],
        focal.BEST_PLAIN: [7.0, 0.0],
    }
    assert set(found[focal.NEAR].arms) == {PAPER, "good", PLAIN}


def test_evidence_at_a_tiny_budget(monkeypatch, study):
    monkeypatch.setitem(focal.PLANS, "quick", TINY)
    evidence = run("focal-gamma-alpha")
    assert set(study.tuning.scores) == set(SETTINGS)
    found = evidence.measures[METRIC]
    assert all(0 < value <= 100 for row in found.values() for value in row)
    assert found[setting(1.0, 0.5)] == pytest.approx(
        study.final(setting(1.0, 0.5), METRIC), rel=1e-5
    )
    best, worst = evidence.settings["best"], evidence.settings["worst"]
    matters = [found[b][i] - found[w][i] for i, (b, w) in enumerate(zip(best, worst, strict=True))]
    assert evidence.arms[focal.MATTERS] == pytest.approx(matters, abs=1e-3)


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_a_final_run_and_its_tuning_have_the_same_positive_digit(plan):
    assert len(plan.seeds) % focal.DIGITS == 0  # every digit as often
    for group, seed in zip(plan.groups, plan.seeds, strict=True):
        digits = {plan.positive(plan.tuning_seeds[position]) for position in group}
        assert digits == {plan.positive(seed)}
