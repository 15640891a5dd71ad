"""The weight of the center loss: the network, the choice of weights, and a tiny budget."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from hpcourse.claims import center, run
from hpcourse.claims.center import (
    BATCH,
    CHANCE,
    DECADES,
    HARMLESS,
    HELPS,
    MARGIN,
    NONE,
    RATIO,
    SIZES,
    Centered,
    Plan,
    arm_name,
    center_study,
    labelled,
    level_weight,
    loss_fn,
)
from hpcourse.data import TensorDataset, batches, mnist1d
from hpcourse.losses import center_loss, update_centers
from hpcourse.models import mlp
from hpcourse.training import Member

TINY = Plan(rates=(0.02, 0.08, 0.32), tuning_size=1, seeds=(0, 1, 2), epochs=1)
ARMS = [arm_name(d) for d in DECADES]


@pytest.fixture(scope="module")
def data():
    return TensorDataset(*(labelled(part) for part in mnist1d().tensors()))


@pytest.fixture(scope="module")
def study():
    center_study.cache_clear()
    yield center_study(TINY)
    center_study.cache_clear()


def test_the_logits_are_those_of_a_plain_network_and_know_no_label(data):
    x, y = data.test.x[:50], data.test.y[:50]
    logits, auxiliary = Centered(3).eval()(x)
    assert torch.equal(logits, mlp(SIZES, seed=3)(x[:, :-1]))
    other = x.clone()
    other[:, -1] = (other[:, -1] + 1) % 10
    assert torch.equal(Centered(3).eval()(other)[0], logits)
    assert auxiliary > 0
    loss = loss_fn((logits, auxiliary), y, weight=torch.tensor(0.5))
    assert loss.item() == pytest.approx((cross_entropy(logits, y) + auxiliary / 2).item())


def test_the_losses_start_level(data):
    networks = [mlp(SIZES, seed=seed) for seed in range(10)]
    x, y = data.train.x[:, :-1], data.train.y
    main = sum(cross_entropy(net(x), y).item() for net in networks)
    features = [net[:-1](x) for net in networks]
    auxiliary = sum(0.5 * f.square().sum(dim=1).mean().item() for f in features)
    assert level_weight(data.train) == pytest.approx(main / auxiliary, rel=1e-5)


def test_a_run_equals_torchs_own_optimiser_with_centres_moved_by_hand(data):
    weight, rate = 0.3, 0.05
    hypers = {"lr": rate, "momentum": center.MOMENTUM, "weight": weight}
    member = Member(seed=5, hypers=hypers, steps=20, batch_size=BATCH)
    (found,) = center._train(data, 10, [member], curves=True)
    model, centers = mlp(SIZES, seed=5), torch.zeros(10, SIZES[-2])
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=center.MOMENTUM)
    for _, (x, y) in zip(range(20), batches(*data.train, batch_size=BATCH, seed=5), strict=False):
        features = model[:-1](x[:, :-1])
        loss = cross_entropy(model[-1](features), y) + weight * center_loss(features, y, centers)
        centers = update_centers(features, y, centers)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    validation, train = data.validation, data.train
    expected = cross_entropy(model(validation.x[:, :-1]), validation.y).item()
    assert found.final(center.SCORE) == pytest.approx(expected, rel=1e-4)
    with torch.no_grad():
        features = model[:-1](train.x[:, :-1])
        main = cross_entropy(model[-1](features), train.y)
        ratio = (center_loss(features, train.y, centers) / main).item()
    assert found.final("unweighted ratio") == pytest.approx(ratio, rel=1e-3)
    assert found.steps == (10, 20)


def test_the_band_is_two_decades_to_either_side():
    assert [f"{d:+d} decades" for d in (-2, -1, 0, 1, 2)] == list(center.INSIDE)


def test_contrasts_are_gains_over_no_auxiliary_loss(outcome_of):
    test = {NONE: [1.0, 2.0], **{arm: [1.5, 2.5] for arm in ARMS}}
    test["-1 decades"] = [0.9, 1.7]
    test["+2 decades"] = [1.01, 2.03]
    best, worst = ["-1 decades"] * 2, ["-1 decades", "+2 decades"]
    contrasts = center.contrasts(outcome_of(test), best, worst)
    found = {name: contrast.values for name, contrast in contrasts.items()}
    assert found[HELPS] == pytest.approx([0.1, 0.3])
    assert found[HARMLESS] == pytest.approx([MARGIN + 0.1, MARGIN - 0.03])
    assert found[center.ABOVE] == pytest.approx([0.5, 0.5])
    assert found[center.BELOW] == pytest.approx([0.5, 0.5])
    assert found["gain at +2 decades"] == pytest.approx([-0.01, -0.03])
    assert contrasts[HARMLESS].arms == (NONE, *worst)


def test_evidence_at_a_tiny_budget(monkeypatch, study):
    monkeypatch.setitem(center.PLANS, "quick", TINY)
    found, level = study
    evidence = run("aux-loss-two-decades")
    assert evidence.seeds == TINY.seeds
    assert evidence.settings["weights"]["+1 decades"] == pytest.approx(10 * level, rel=1e-5)
    losses = evidence.measures["test loss (nats)"]
    assert set(losses) == {NONE, *ARMS} == set(found.tuning.scores)
    assert all(0 < loss <= CHANCE + 1e-5 for row in losses.values() for loss in row)
    gains = evidence.arms["gain at -2 decades"]
    pairs = zip(losses[NONE], losses["-2 decades"], strict=True)
    assert gains == pytest.approx([a - b for a, b in pairs], abs=1e-5)
    ratios = evidence.measures[RATIO]
    assert all(math.log10(center.LEAST_RATIO) <= r < 3 for row in ratios.values() for r in row)
    # A tenth of the weight changes little where the auxiliary loss is small.
    assert ratios["-2 decades"][0] - ratios["-3 decades"][0] == pytest.approx(1, abs=0.5)
