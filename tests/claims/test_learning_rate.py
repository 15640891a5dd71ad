"""The schedule study at a tiny budget: the real data, network and code paths."""

import math
from dataclasses import replace

import numpy as np
import pytest

from hpcourse.claims import judge, learning_rate, run
from hpcourse.claims.learning_rate import ARMS, CHANCE, schedule_study
from hpcourse.claims.study import Budget
from hpcourse.training import Run

TINY = Budget(rates=(0.02, 0.06, 0.18), tuning_size=1, seeds=(0, 1))
SHARED = ("schedule-beats-constant", "cosine-vs-step", "restarts-help", "noise-helps")


@pytest.fixture(scope="module")
def study():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learning_rate, "EPOCHS", 1)
        schedule_study.cache_clear()
        yield schedule_study(TINY)
        schedule_study.cache_clear()


@pytest.fixture
def tiny_budget(monkeypatch, study):
    for name in ("quick", "full"):
        monkeypatch.setitem(learning_rate.BUDGETS, name, TINY)


def test_every_arm_gets_the_same_budget(study):
    assert set(study.tuning.scores) == set(ARMS) == set(study.runs)
    assert {len(row) for row in study.tuning.scores.values()} == {len(study.tuning.rates)}
    assert {len(runs) for runs in study.runs.values()} == {len(TINY.seeds)}
    assert {len(rates) for rates in study.tuning.best.values()} == {len(TINY.seeds)}
    assert {run.steps for runs in study.runs.values() for run in runs} == {(50,)}


def test_the_same_budget_gives_the_same_numbers(study):
    again = schedule_study.__wrapped__(TINY)
    assert again.tuning == study.tuning
    assert again.runs == study.runs


def test_profiles_use_fresh_seeds_for_the_final_runs():
    for budget in learning_rate.BUDGETS.values():
        assert not set(budget.tuning_seeds) & set(budget.seeds)
        used = [position for group in budget.groups for position in group]
        assert used == list(range(len(budget.tuning_seeds)))  # each by one final run
        assert len(budget.seeds) >= 5
    assert len(learning_rate.BUDGETS["full"].seeds) >= 20


@pytest.mark.parametrize("arm", ARMS)
def test_arms_start_at_their_rate_and_all_but_the_constant_end_far_below(arm):
    steps, rate = 700, 0.1
    rates = ARMS[arm](rate, steps, 0)(np.arange(steps))
    noise = arm.startswith("noisy")  # its first rate has noise of standard deviation one
    assert noise or rates[0] == pytest.approx(rate, rel=2e-3)
    last = rates[-20:].mean()
    assert last == pytest.approx(rate) if arm == "constant" else abs(last) < 0.02 * rate


def test_restarts_end_at_the_end_of_a_cycle():
    rates = ARMS["restarts"](0.1, 700, 0)(np.arange(701))
    jumps = np.flatnonzero(np.diff(rates) > 0.05) + 1
    assert jumps.tolist() == [100, 300, 700]


def test_noise_comes_from_the_seed():
    steps = np.arange(50)
    first, same, other = (ARMS["noisy-linear-cosine"](0.1, 50, seed)(steps) for seed in (1, 1, 2))
    assert (first == same).all()
    assert (first != other).any()


@pytest.mark.parametrize("claim_id", SHARED)
def test_evidence_of_each_claim(tiny_budget, study, claim_id):
    evidence = run(claim_id)
    assert evidence.claim == claim_id
    assert evidence.seeds == TINY.seeds
    assert evidence.versions["mnist1d"]
    assert evidence.settings["tuning_runs_per_arm"] == len(study.tuning.rates)
    for arm, values in evidence.arms.items():
        assert values == pytest.approx(study.final(arm, "test loss (nats)"), rel=1e-6)
        rates = evidence.settings["best_rates"][arm]
        assert rates == pytest.approx(study.tuning.best[arm], rel=1e-5)
        curve = evidence.curves["test loss (nats)"][arm]
        assert [seed[-1] for seed in curve] == pytest.approx(values, rel=1e-3)
    assert all(0 < v < 100 for row in evidence.measures["test accuracy (%)"].values() for v in row)


def test_divergence_and_edges_are_told(tiny_budget, study, monkeypatch):
    lost = Run(steps=(50,), metrics=dict.fromkeys(study.runs["cosine"][0].metrics, (math.nan,)))
    damaged = replace(
        study,
        runs={**study.runs, "cosine": (study.runs["cosine"][0], lost)},
        tuning=replace(study.tuning, at_edge=("constant", "linear")),
    )
    monkeypatch.setattr(learning_rate, "schedule_study", lambda budget: damaged)
    claim = next(c for c in learning_rate.CLAIMS if c.id == "schedule-beats-constant")
    evidence = judge(claim, "quick", claim.experiment("quick"))
    assert evidence.arms["cosine"][1] == pytest.approx(CHANCE)
    assert evidence.curves["test loss (nats)"]["cosine"][1] == [None]
    assert set(evidence.caveats) == {
        "1 runs of cosine diverged and count as chance",
        "a best learning rate of constant at the edge of its range",
    }
