"""Batch size 1: the data, the network, the contrasts, and a tiny budget."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from hpcourse.claims import batch_one, run
from hpcourse.claims.batch_one import (
    CHANCE,
    FIXED,
    NORMED,
    PLAIN,
    SCORE,
    SHAPES,
    TAME,
    Plan,
    Shape,
    Signals,
    arm_name,
    batch_study,
    noise_scale,
    with_spread,
)
from hpcourse.data import TensorSplit, batches, mnist1d
from hpcourse.training import Member

TINY = Plan(rates=(0.02, 0.1, 0.5), tuning_size=1, seeds=(0, 1), signals=64, epochs=1)


@pytest.fixture(scope="module")
def data():
    train = mnist1d().train.tensors()
    return TensorSplit(train.x[:200], train.y[:200])


@pytest.fixture(scope="module")
def study():
    batch_study.cache_clear()
    yield batch_study(TINY)[0]
    batch_study.cache_clear()


def by_class(data):
    return [data.x[data.y == label].double() for label in range(10)]


@pytest.mark.parametrize("spread", [0.25, 1.0, 2.0])
def test_spread_scales_the_differences_within_classes_alone(data, spread):
    made = with_spread(data, spread)
    assert torch.equal(made.y, data.y)
    for new, old in zip(by_class(made), by_class(data), strict=True):
        assert torch.allclose(new.mean(dim=0), old.mean(dim=0), atol=1e-5)
        assert torch.allclose(new.std(dim=0), spread * old.std(dim=0), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("norm", [False, True])
def test_the_network_is_a_convolution(data, norm):
    model = Signals(norm, seed=3)
    convolve = nn.Conv1d(1, batch_one.CHANNELS, batch_one.WINDOW, stride=batch_one.STRIDE)
    with torch.no_grad():
        convolve.weight.copy_(model.convolve.weight.unsqueeze(1))
        convolve.bias.copy_(model.convolve.bias)
    maps = convolve(data.x.unsqueeze(1))
    assert maps.shape[2] == batch_one.POSITIONS
    if norm:
        maps = nn.BatchNorm1d(batch_one.CHANNELS)(maps)
    assert torch.allclose(model(data.x), model.answer(maps.relu().flatten(1)), atol=1e-5)


def test_noise_scale_is_that_of_gradients_taken_one_by_one(data):
    few = TensorSplit(data.x[:30], data.y[:30])
    model = Signals(norm=False, seed=1)
    rows = []
    for x, y in zip(few.x, few.y, strict=True):
        model.zero_grad()
        cross_entropy(model(x[None]), y[None]).backward()
        rows.append(torch.cat([p.grad.flatten() for p in model.parameters()]).double().numpy())
    table = np.array(rows)
    covariance = np.cov(table.T)
    expected = np.trace(covariance) / np.sum(table.mean(axis=0) ** 2)
    assert noise_scale(model, few) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("size", [1, 32])
def test_runs_equal_torchs_own_optimiser_batch_norm_included(data, shape, size):
    member = Member(seed=6, hypers={"lr": 0.05}, steps=25, batch_size=size, shape=shape)
    parts = {each: with_spread(data, each.spread) for each in SHAPES}
    (found,) = batch_one._train(parts, [member], curves=False)
    model, part = Signals(shape.norm, seed=6), parts[shape]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    feed = batches(*part, batch_size=size, seed=6, epochs=None)
    for _, (x, y) in zip(range(25), feed, strict=False):
        optimizer.zero_grad()
        cross_entropy(model(x), y).backward()
        optimizer.step()
    expected = cross_entropy(model.eval()(part.x), part.y).item()
    assert found.final(SCORE) == pytest.approx(expected, rel=1e-3)


def test_torch_refuses_batch_norm_of_one_sample_after_a_linear_layer():
    with pytest.raises(ValueError, match="Expected more than 1 value per channel"):
        nn.BatchNorm1d(8)(torch.zeros(1, 8))


def test_contrasts_by_hand(outcome_of):
    losses = {
        (TAME, 1): [0.2, 0.3],
        (TAME, 32): [0.3, 0.3],
        (PLAIN, 1): [1.5, 1.0],
        (PLAIN, 32): [1.0, 0.9],
        (NORMED, 1): [CHANCE, 1.4],
        (NORMED, 32): [1.0, 1.0],
    }
    arms = {arm_name(shape, size): values for (shape, size), values in losses.items()}
    arms |= {name: [CHANCE, 1.0] for name in FIXED}
    contrasts = batch_one.contrasts(outcome_of(arms))
    found = {name: contrast.values for name, contrast in contrasts.items()}
    assert found[batch_one.WORSE] == pytest.approx([0.5, 0.1])
    assert found[batch_one.GROWS] == pytest.approx([0.6, 0.1])
    assert found[batch_one.NORM] == pytest.approx([CHANCE - 1.0 - 0.5, 0.3])
    assert found[batch_one.COLLAPSE] == pytest.approx([(CHANCE - 1) / 2, 0.9 - CHANCE / 2])
    assert found[f"at the rate of 32, {PLAIN}"] == pytest.approx([CHANCE - 1.0, 0.1])
    assert set(contrasts[batch_one.COLLAPSE].arms) == {arm_name(NORMED, s) for s in (1, 32)}


def test_evidence_at_a_tiny_budget(monkeypatch, study):
    monkeypatch.setitem(batch_one.PLANS, "quick", TINY)
    evidence = run("batch-size-one")
    assert set(study.runs) == {*study.tuning.scores, *FIXED}
    losses = evidence.measures[SCORE]
    assert set(losses) == set(study.runs)
    pairs = zip(losses[f"batch 1, {PLAIN}"], losses[f"batch 32, {PLAIN}"], strict=True)
    assert evidence.arms[batch_one.WORSE] == pytest.approx([a - b for a, b in pairs], abs=1e-5)
    noise = evidence.settings["noise_scale"]
    assert noise[str(TAME)] < noise[str(PLAIN)]


def test_runs_at_the_rate_of_the_larger_batch_use_that_rate(study, data):
    rate = study.tuning.best[f"batch 32, {NORMED}"][1]
    train = mnist1d().train.tensors()
    part = TensorSplit(train.x[:64], train.y[:64])
    member = Member(seed=1, hypers={"lr": rate}, steps=64, batch_size=1, shape=NORMED)
    (again,) = batch_one._train({NORMED: part}, [member], curves=False)
    found = study.runs[f"at the rate of 32, {NORMED}"][1]
    assert found.final(SCORE) == pytest.approx(again.final(SCORE), rel=1e-2)


def test_shapes_have_names_of_their_own():
    assert [str(shape) for shape in SHAPES] == [
        "spread 0.25",
        "spread 1",
        "batch norm, spread 1",
    ]
    assert Shape(1.0) == PLAIN
