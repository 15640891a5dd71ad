"""The training that is tuned by hand, against torch's own loop and by its schedules."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from hpcourse.claims import manual_tuning
from hpcourse.claims.manual_tuning import (
    PATIENCE,
    curves_together,
    search_by_hand,
    train_by_hand,
    train_together,
    validation_curve,
)
from hpcourse.data import batches, mnist1d
from hpcourse.models import mlp
from hpcourse.search import Box, Choice, Grid, Real, Trial

CONFIG = {"lr": 0.01, "batch_size": 512}


def trial(**config):
    return Trial(number=0, config={**CONFIG, **config}, seed=3)


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    monkeypatch.setattr(manual_tuning, "EPOCHS", 4)


def test_the_curve_is_that_of_torch():
    data = mnist1d().tensors()
    model = mlp((40, 64, 10), seed=3)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    expected = []
    for number, (x, y) in enumerate(batches(*data.train, batch_size=512, seed=3, epochs=4)):
        optimizer.zero_grad()
        cross_entropy(model(x), y).backward()
        optimizer.step()
        if number % 7 == 6:  # 3,200 signals are seven batches
            with torch.no_grad():
                expected.append(cross_entropy(model(data.validation.x), data.validation.y).item())
    assert validation_curve(CONFIG, seed=3) == pytest.approx(expected, rel=1e-4)


def test_it_stops_when_it_has_stalled_and_divergence_is_chance():
    losses = validation_curve({"lr": 1e3, "batch_size": 512}, seed=3)
    assert losses == [pytest.approx(math.log(10))] * (1 + PATIENCE)


def test_schedules_get_the_rates_that_they_stand_for(monkeypatch):
    asked = []

    def curve(config, *, seed, schedule=None):
        asked.append(None if schedule is None else [float(schedule(k)) for k in range(28)])
        return [2.0, 1.5, 1.2, 1.6] if schedule is None else [1.0]

    monkeypatch.setattr(manual_tuning, "validation_curve", curve)
    assert train_by_hand(trial()) == 1.2
    assert train_by_hand(trial(schedule="cosine")) == 1.0
    assert train_by_hand(trial(schedule="drop")) == 1.0
    constant, cosine, first_look, dropped = asked
    assert constant is first_look is None
    assert cosine[0] == 0.01
    assert cosine[27] < 2e-4
    # The best epoch is the third; the rate falls a decade after the second, at step 14.
    assert dropped == pytest.approx([0.01] * 14 + [0.001] * 14)


def test_together_they_are_what_each_is_alone():
    kinds = ({}, {"batch_size": 256}, {"schedule": "cosine"}, {"schedule": "drop"}, {"lr": 1e3})
    trials = [trial(**kind) for kind in kinds]
    assert train_together(trials) == pytest.approx([train_by_hand(t) for t in trials], rel=1e-3)


def test_curves_together_end_where_they_have_stalled():
    trials = [trial(), trial(lr=1e3)]
    flat, diverged = curves_together(trials)
    assert flat == pytest.approx(validation_curve(CONFIG, seed=3), rel=1e-3)
    assert diverged == [pytest.approx(math.log(10))] * (1 + PATIENCE)


def test_searches_side_by_side_are_those_that_run_alone():
    space = Box({"lr": Real(1e-3, 1e-1, log=True), "batch_size": Choice((512,))})
    found = search_by_hand({seed: Grid(space, points=2) for seed in (0, 100)}, trials=3)
    assert [len(each.validation) for each in found] == [2, 2]  # each ended by itself
    again = [
        train_by_hand(Trial(number=0, config=config, seed=100 + number))
        for number, config in enumerate(found[1].configs)
    ]
    assert found[1].validation == pytest.approx(again, rel=1e-3)
    assert found[0].validation != found[1].validation  # trainings of other seeds
