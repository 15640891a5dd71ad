"""The claims about defaults: arms, contrasts by hand, and the real path at a tiny budget."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from hpcourse.claims import defaults, judge
from hpcourse.claims.defaults import (
    ADAM,
    ADAM_DEFAULTS,
    ALLOWANCE,
    CHANCE,
    CLAIMS,
    MOMENTUM,
    SMALLEST,
    Family,
    adam_member,
    best_of,
    better_than,
    default_study,
    momentum_member,
)
from hpcourse.claims.study import Budget
from hpcourse.data import batches, mnist1d
from hpcourse.models import mlp
from hpcourse.training import Run, evaluate

CLAIM = {claim.id: claim for claim in CLAIMS}
TINY = Budget(rates=(0.5, 1.5, 4.5), tuning_size=1, seeds=(0, 1, 2))
FEW = ("beta 0", "beta 0.9", "beta 0.99")


@pytest.fixture(scope="module")
def family():
    return Family(
        arms={arm: MOMENTUM.arms[arm] for arm in FEW},
        default="beta 0.9",
        others={"near the best": ("beta 0", "beta 0.99")},
        budgets={"quick": TINY, "full": TINY},
    )


@pytest.fixture(scope="module")
def study(family):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(defaults, "EPOCHS", 1)
        yield default_study(family, TINY)


# Settings.


def test_members_differ_in_what_their_arm_names():
    for arm, make in ADAM.arms.items():
        hypers = make(100, 0.01, 7).hypers
        changed = {name: hypers[name] for name in ADAM_DEFAULTS} != dict(ADAM_DEFAULTS)
        name, _, value = arm.partition(" ")
        assert changed == (arm != ADAM.default)
        if changed:
            rest = {key: ADAM_DEFAULTS[key] for key in ADAM_DEFAULTS if key != name}
            assert {key: hypers[key] for key in rest} == rest
            assert hypers[name] == float(value)
    assert [MOMENTUM.arms[arm](9, 1.0, 0).hypers["momentum"] for arm in FEW] == [0, 0.9, 0.99]


def test_a_candidate_of_momentum_is_the_lasting_rate():
    for beta in (0.0, 0.9, 0.99):
        member = momentum_member(beta, 100, 2.0, 0)
        first = float(member.hypers["lr"](0))
        velocity = 0.0
        for _ in range(3000):  # a gradient of 1 that lasts
            velocity = beta * velocity + 1
        assert first * velocity == pytest.approx(2.0)


@pytest.mark.parametrize("which", ["momentum", "adam"])
def test_a_member_is_the_training_of_torch(which):
    data, steps = mnist1d().tensors(), 20
    model = mlp(defaults.SIZES, seed=3)
    if which == "momentum":
        member = momentum_member(0.8, steps, 0.5, 3)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.8)
    else:
        member = adam_member({"beta2": 0.99, "eps": 1e-4}, steps, 0.01, 3)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01, betas=(0.9, 0.99), eps=1e-4)
    found = defaults._train(data, [member], False)[0].final("test loss (nats)")
    pairs = iter(batches(*data.train, batch_size=member.batch_size, seed=3, epochs=None))
    first = optimizer.param_groups[0]["lr"]
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = first * (1 + math.cos(math.pi * step / steps)) / 2
        x, y = next(pairs)
        optimizer.zero_grad()
        cross_entropy(model(x), y).backward()
        optimizer.step()
    expected = evaluate(model, [data.test], {"loss": cross_entropy})["loss"]
    assert found == pytest.approx(expected, rel=1e-3)


# Contrasts.


def test_contrasts_are_the_allowance_less_the_regret(family, outcome_of):
    losses = {"beta 0": [1.0, 1.2], "beta 0.9": [1.1, 1.1], "beta 0.99": [2.0, 1.0]}
    contrasts = defaults.contrasts(family, outcome_of(losses), {"near the best": "beta 0"})
    found = {name: contrast.values for name, contrast in contrasts.items()}
    assert found["near the best"] == pytest.approx([ALLOWANCE - 0.1, ALLOWANCE + 0.1])
    assert found[better_than("beta 0")] == pytest.approx([-0.1, 0.1])
    assert found[better_than("beta 0.99")] == pytest.approx([0.9, -0.1])


@pytest.mark.parametrize(
    "case",
    [
        (0.0, 1e-4, "holds"),
        (0.9 * SMALLEST, 1e-4, "holds"),
        (1.1 * SMALLEST, 2e-3, "holds with a caveat"),  # perhaps below what matters
        (1.1 * SMALLEST, 1e-4, "fails"),  # surely above it
        (1.5 * SMALLEST, 5e-3, "undecided"),
    ],
)
def test_the_verdict_follows_the_regret(family, study, monkeypatch, case):
    regret, spread, verdict = case
    noise = spread * np.arange(-1, 2)
    losses = {"beta 0": 1 + noise, "beta 0.9": 1 + regret - noise, "beta 0.99": 2 + noise}
    runs = {
        arm: tuple(Run(steps=(9,), metrics=_metrics(loss)) for loss in losses[arm].tolist())
        for arm in FEW
    }
    tuning = replace(study.tuning, at_edge=(), scores=dict.fromkeys(FEW, (1.0, 2.0, 3.0)))
    made = replace(study, runs=runs, tuning=tuning)
    monkeypatch.setattr(defaults, "default_study", lambda family, budget: made)
    assert judge(_claim(family), "quick", defaults._outcome(family, "quick")).verdict == verdict


def _metrics(loss):
    return {"test loss (nats)": (loss,), "test accuracy (%)": (50.0,)}


def _claim(family):
    return replace(CLAIM["momentum-0.9"], claimed=tuple(family.others), context=family.context)


# The study.


def test_the_best_alternative_has_the_lowest_tuning_loss(study):
    lowest = {arm: min(scores) for arm, scores in study.tuning.scores.items()}
    assert best_of(study, FEW) == min(lowest, key=lowest.get)
    assert best_of(study, FEW[2:]) == FEW[2]


def test_every_setting_gets_the_same_budget(study):
    assert set(study.tuning.scores) == set(FEW) == set(study.runs)
    assert {len(row) for row in study.tuning.scores.values()} == {len(study.tuning.rates)}


def test_evidence_tells_of_edges_and_divergence(family, study, monkeypatch):
    lost = Run(steps=(50,), metrics=_metrics(math.nan))
    damaged = replace(
        study,
        runs={**study.runs, "beta 0.9": (lost, *study.runs["beta 0.9"][1:])},
        tuning=replace(study.tuning, at_edge=("beta 0.99",)),
    )
    monkeypatch.setattr(defaults, "default_study", lambda family, budget: damaged)
    evidence = judge(_claim(family), "quick", defaults._outcome(family, "quick"))
    assert evidence.measures["test loss (nats)"]["beta 0.9"][0] == pytest.approx(CHANCE, rel=1e-5)
    caveats = {c.arm: set(c.caveats) for c in evidence.comparisons}
    diverged = "1 runs of beta 0.9 diverged and count as chance"
    edge = "a best learning rate of beta 0.99 at the edge of its range"
    assert {diverged} <= caveats[better_than("beta 0")]
    assert {diverged, edge} <= caveats[better_than("beta 0.99")]
    assert edge not in caveats[better_than("beta 0")]
    best = evidence.settings["best_alternatives"]["near the best"]
    gain = evidence.arms[better_than(best)]
    assert evidence.arms["near the best"] == pytest.approx([g + ALLOWANCE for g in gain], rel=1e-5)


def test_every_alternative_is_judged_in_one_contrast():
    for family in (MOMENTUM, ADAM):
        named = [arm for others in family.others.values() for arm in others]
        assert sorted(named) == sorted(family.alternatives)
