"""Tuned comparisons: equal budgets, honest pairing, and runs that equal torch's own."""

import math
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cross_entropy

from hpcourse.claims.study import (
    Budget,
    capped_outcome,
    classifier_scores,
    seeds_from,
    study_outcome,
    tuned_study,
    with_rates_of,
)
from hpcourse.data import TensorDataset, TensorSplit, batches
from hpcourse.models import mlp
from hpcourse.training import Member, Population, Run

BUDGET = Budget(rates=(1.0, 2.0, 4.0), tuning_size=2, seeds=(10, 11, 12))
ARMS = {
    name: lambda rate, seed, best=best: Member(
        seed=seed, hypers={"lr": rate}, steps=1, batch_size=1, shape=best
    )
    for name, best in (("left", 2.0), ("right", 64.0))
}


def score(member):
    """Decades from the arm's optimum; the seed moves that by less than a candidate."""
    return abs(math.log2(member.hypers["lr"] / member.shape)) + 0.01 * (member.seed % 3)


def made_up(asked):
    """A way of training that notes what was asked for and trains nothing."""

    def train(members, curves):
        asked.append((list(members), curves))
        steps = (1, 2) if curves else (2,)
        return [Run(steps=steps, metrics={"s": (score(m),) * len(steps)}) for m in members]

    return train


def test_all_arms_share_candidates_and_seeds_and_each_final_run_has_its_own_tuning():
    asked = []
    study = tuned_study(ARMS, BUDGET, made_up(asked), score="s")
    *tunings, (finals, curves) = asked
    for arm in ARMS:
        assert len(study.tuning.scores[arm]) == len(study.tuning.rates)
    seeds = [member.seed for members, _ in tunings for member in members]
    assert {seeds.count(seed) for seed in seeds} == {len(ARMS) * len(study.tuning.rates)}
    assert not set(seeds) & set(BUDGET.seeds)
    assert sorted(set(seeds)) == [p + 13 for group in BUDGET.groups for p in group]
    assert curves
    assert not any(flag for _, flag in tunings)
    assert [member.seed for member in finals] == list(BUDGET.seeds) * len(ARMS)
    assert study.tuning.best["left"] == (2.0,) * 3  # within the first grid
    assert study.tuning.best["right"] == (32.0,) * 3  # the grid may grow three times
    assert study.tuning.at_edge == ("right",)
    assert study.final("left", "s") == [score(m) for m in finals[:3]]


def outcome(study, **changes):
    settings = {"metric": "s", "worst": 9.0, "settings": {"data": "none"}} | changes
    return study_outcome(study, ["left"], **settings)


def test_an_outcome_keeps_values_curves_and_the_tuning():
    study = tuned_study(ARMS, BUDGET, made_up([]), score="s")
    found = outcome(study, measures=["s"], curves=["s"])
    assert found.seeds == BUDGET.seeds
    assert found.arms == found.measures["s"] == {"left": study.final("left", "s")}
    assert [curve[-1] for curve in found.curves["s"]["left"]] == study.final("left", "s")
    assert found.settings["data"] == "none"
    assert found.settings["best_rates"] == {"left": study.tuning.best["left"]}
    assert found.settings["tuning_runs_per_arm"] == 2 * len(study.tuning.rates)
    assert found.caveats == {"left": []}


def test_an_outcome_tells_of_divergence_and_keeps_the_tuning():
    study = tuned_study(ARMS, BUDGET, made_up([]), score="s")
    lost = Run(steps=(1, 2), metrics={"s": (1.0, math.nan)})
    runs = {**study.runs, "left": (lost, *study.runs["left"][1:])}
    found = outcome(replace(study, runs=runs), curves=["s"])
    assert found.arms["left"][0] == 9.0
    assert found.curves["s"]["left"][0] == [1.0, None]
    assert found.caveats["left"] == ["1 runs of left diverged and count as chance"]
    assert found.tuning is study.tuning


def test_where_chance_is_the_worst_it_is_counted_and_no_caveat(outcome_of):
    found = capped_outcome(
        outcome_of({"a": [9.0, 12.0, 1.0]}, settings={"b": 1}, caveats={"a": ["lost"]}), 9.0
    )
    assert found.arms == {"a": [9.0, 9.0, 1.0]}
    assert found.settings == {"b": 1, "runs_at_chance": {"a": 2}}
    assert found.caveats == {}


def test_further_arms_train_at_the_rates_of_another_and_were_not_tuned():
    asked = []
    study = tuned_study(ARMS, BUDGET, made_up([]), score="s")
    found = with_rates_of(study, {"new": (ARMS["left"], "right")}, made_up(asked))
    ((members, _),) = asked
    assert [member.seed for member in members] == list(BUDGET.seeds)
    assert [member.hypers["lr"] for member in members] == list(study.tuning.best["right"])
    assert found.final("new", "s") == [score(member) for member in members]
    assert found.final("left", "s") == study.final("left", "s")
    assert found.seconds >= study.seconds
    kept = study_outcome(found, ["left", "new"], metric="s", worst=9.0, settings={})
    assert set(kept.arms) == {"left", "new"}
    assert set(kept.settings["best_rates"]) == {"left"}


def small_data():
    generator = torch.Generator().manual_seed(0)

    def part(rows):
        x = torch.randn(rows, 6, generator=generator)
        return TensorSplit(x, torch.randint(3, (rows,), generator=generator))

    return TensorDataset(train=part(40), validation=part(20), test=part(20))


def test_classifier_scores_of_a_population_equal_torchs_own_runs():
    data = small_data()
    members = [
        Member(seed=s, hypers={"lr": lr, "momentum": 0.9}, steps=20, batch_size=8)
        for s, lr in [(3, 0.05), (4, 0.2), (3, 0.01)]
    ]
    population = Population(lambda _, seed: mlp([6, 8, 3], seed=seed), members)
    runs = population.train(data.train, cross_entropy, classifier_scores(data))
    for member, run in zip(members, runs, strict=True):
        model = mlp([6, 8, 3], seed=member.seed)
        optimizer = torch.optim.SGD(model.parameters(), **member.hypers)
        shuffled = iter(batches(*data.train, batch_size=8, seed=member.seed, epochs=None))
        for _ in range(20):
            x, y = next(shuffled)
            optimizer.zero_grad()
            cross_entropy(model(x), y).backward()
            optimizer.step()
        with torch.no_grad():
            for name, part in (("validation", data.validation), ("test", data.test)):
                logits = model(part.x)
                loss = cross_entropy(logits, part.y).item()
                hits = (logits.argmax(dim=1) == part.y).sum().item()
                assert run.final(f"{name} loss (nats)") == pytest.approx(loss, rel=1e-4)
                assert run.final(f"{name} accuracy (%)") == pytest.approx(5 * hits)


def test_seeds_in_a_row():
    assert seeds_from(5, 3) == (5, 6, 7)
