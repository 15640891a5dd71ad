"""The sweep of the weight decay at a tiny budget, and its contrasts on losses made by hand."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from hpcourse.claims import regularisation, run
from hpcourse.claims.regularisation import (
    ALLOWANCE,
    BATCH,
    CHANCE,
    HELD_OUT,
    PLANS,
    SIZES,
    Plan,
    Sweep,
    contrasts,
    decay_sweep,
    fixed_rate,
    tuned_rate,
)
from hpcourse.data import batches, mnist1d
from hpcourse.models import mlp
from hpcourse.schedules import cosine_decay

TINY = Plan(rates=(0.03, 0.3, 3.0), decays=(0.0, 1e-2, 1.0), seeds=(0, 1), steps=60)


@pytest.fixture(scope="module")
def sweep():
    decay_sweep.cache_clear()
    yield decay_sweep(TINY)
    decay_sweep.cache_clear()


def made(training, validation):
    """A sweep of losses (rates, decays) on three seeds, which differ by a constant."""
    training, validation = (
        np.asarray(losses)[:, :, None] + np.array([0.0, 0.1, 0.2])
        for losses in (training, validation)
    )
    rates, decays, seeds = training.shape
    plan = Plan(
        rates=tuple(10.0**i for i in range(rates)),
        decays=(0.0, *(10.0**i for i in range(1, decays))),
        seeds=tuple(range(seeds)),
    )
    return Sweep(
        plan=plan,
        training=training,
        validation=validation,
        accuracy=100 - validation,
        device="cpu",
        seconds=1.0,
    )


def test_the_sweep_is_of_the_decay_alone_at_the_rate_that_trains_best():
    by_hand = made(
        training=[[1.0, 1.2, 1.5], [0.1, 0.6, 2.0]],
        validation=[[1.4, 1.3, 1.6], [3.0, 1.1, 2.1]],
    )
    fixed, tuned = fixed_rate(by_hand), tuned_rate(by_hand)
    assert (fixed.rates == 1).all()
    assert tuned.rates.tolist() == [[0] * 3, [1] * 3, [0] * 3]
    arms = {
        name: np.unique(np.round(values, 9)) for name, values in contrasts(fixed, tuned).items()
    }
    assert arms == {
        "left arm": [pytest.approx(1.9)],
        "right arm": [pytest.approx(1.0)],
        "training, left": [pytest.approx(0.5)],
        "training, right": [pytest.approx(1.4)],
        "training, no fall": [ALLOWANCE],
        "left arm, rate re-tuned": [pytest.approx(0.3)],
        "training, left, rate re-tuned": [pytest.approx(-0.4)],
        "no difference": [0.0],
    }


def test_a_fall_of_the_training_loss_counts_against_the_claim():
    by_hand = made([[0.5, 0.2, 0.9]], [[1.0, 0.8, 1.2]])
    found = fixed_rate(by_hand)
    assert contrasts(found, found)["training, no fall"] == pytest.approx([ALLOWANCE - 0.3] * 3)


def test_without_a_u_there_is_no_left_arm():
    found = fixed_rate(made([[0.1, 0.2, 0.3]], [[1.0, 1.1, 1.2]]))
    assert contrasts(found, found)["left arm"] == [0.0] * 3


def test_divergence_and_edges_are_told(monkeypatch):
    by_hand = made([[0.1, 0.2, 0.3]] * 2, [[1.0, 0.8, 1.2]] * 2)
    by_hand.validation[:, 0, 1] = np.nan
    found = fixed_rate(by_hand)
    assert found.validation[0, 1] == found.training[0, 1] == CHANCE
    monkeypatch.setattr(regularisation, "decay_sweep", lambda plan: by_hand)
    monkeypatch.setattr(regularisation, "tuned_rate", fixed_rate)  # no rate without a divergence
    evidence = run("optimisation-vs-regularisation")
    assert set(evidence.settings["best_rate_at_edge"]) < set(evidence.arms)
    for comparison in evidence.comparisons:
        assert comparison.caveats == (
            "a best learning rate at the edge of its range",
            "1 runs diverged and count as chance",
        )


def test_the_grid_is_complete_and_repeats(sweep):
    assert sweep.training.shape == sweep.validation.shape == (3, 3, 2)
    again = decay_sweep.__wrapped__(TINY)
    np.testing.assert_array_equal(again.training, sweep.training)
    np.testing.assert_array_equal(again.validation, sweep.validation)


def test_a_cell_equals_torchs_own_sgd_with_weight_decay(sweep):
    data = mnist1d(validation=HELD_OUT).tensors()
    model = mlp(SIZES, seed=1)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0, weight_decay=1e-2)
    schedule = cosine_decay(0.3, TINY.steps)
    feed = iter(batches(*data.train, batch_size=BATCH, seed=1, epochs=None))
    for step in range(TINY.steps):
        optimizer.param_groups[0]["lr"] = schedule(step)
        x, y = next(feed)
        optimizer.zero_grad()
        cross_entropy(model(x), y).backward()
        optimizer.step()
    with torch.no_grad():
        for part, grid in (("train", sweep.training), ("validation", sweep.validation)):
            x, y = getattr(data, part)
            assert grid[1, 1, 1] == pytest.approx(cross_entropy(model(x), y).item(), rel=1e-4)


def test_evidence(sweep, monkeypatch):
    monkeypatch.setitem(regularisation.PLANS, "quick", TINY)
    evidence = run("optimisation-vs-regularisation")
    assert evidence.seeds == TINY.seeds
    assert evidence.versions["mnist1d"]
    assert {comparison.arm for comparison in evidence.comparisons if comparison.decides} == {
        "left arm",
        "right arm",
        "training, left",
        "training, right",
        "training, no fall",
    }
    curve = evidence.curves["training loss (nats)"]["rate fixed"]
    rate = TINY.rates.index(evidence.settings["rate_fixed"][0])
    np.testing.assert_allclose(curve[0], sweep.training[rate, :, 0], rtol=1e-3)


def test_profiles_sweep_all_decades_with_fresh_seeds():
    for plan in PLANS.values():
        assert plan.decays[0] == 0
        assert plan.decays[1] == pytest.approx(1e-6)
        assert plan.decays[-1] == 1
        assert max(np.diff(np.log10(plan.decays[1:]))) < 1.01
    assert not set(PLANS["quick"].seeds) & set(PLANS["full"].seeds)
    assert len(PLANS["quick"].seeds) >= 5
    assert len(PLANS["full"].seeds) >= 20
