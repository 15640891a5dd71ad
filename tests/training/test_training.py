"""What may happen during a training: divergence, edits, modes, memory, clipping, dropout."""

import gc
import math
import weakref

import numpy as np
import pytest
import torch
from scipy.stats import binomtest
from stacks import DOUBLE, assert_equal_networks, build, data, finished
from torch import nn
from torch.nn.functional import cross_entropy

from hpcourse.regularise import Dropout
from hpcourse.training import (
    _repeated,
    adam,
    evaluate_many,
    sgd,
    train,
    train_many,
)


def test_frozen_parameters_stay():
    def build_frozen(seed):
        model = build(seed)
        model[1].requires_grad_(False)
        return model

    hypers = {"lr": 0.1, "weight_decay": 0.1}
    stack = finished(train_many(build_frozen, cross_entropy, hypers, data(steps=5), seeds=[0, 1]))
    for index in range(2):
        trained, start = stack.member(index), build(index)
        assert torch.equal(trained[1].weight, start[1].weight)
        assert not torch.equal(trained[3].weight, start[3].weight)
        assert [p.requires_grad for p in trained.parameters()] == [False, False, True, True]


def test_losses_and_clipping_take_each_members_hyperparameters():
    def shrunk(logits, targets, *, penalty):
        return cross_entropy(logits, targets) + penalty * logits.square().mean()

    batches = data(steps=20)
    hypers = {"lr": 0.5, "penalty": [0.0, 2.0], "clip_norm": [0.1, 1e9]}
    stack = finished(train_many(build, shrunk, hypers, batches, seeds=[0, 1]))
    for index, (penalty, norm) in enumerate(
        zip(hypers["penalty"], hypers["clip_norm"], strict=True)
    ):
        alone = build(index)
        optimizer = torch.optim.SGD(alone.parameters(), lr=0.5)
        for x, y in batches:
            optimizer.zero_grad()
            shrunk(alone(x), y, penalty=penalty).backward()
            nn.utils.clip_grad_norm_(alone.parameters(), norm)
            optimizer.step()
        assert_equal_networks(stack.member(index), alone)


def test_gradients_are_clipped_by_value_as_torch_does():
    batches = data(steps=20)
    hypers = {"lr": 0.5, "clip_value": [0.01, 1e9], "clip_norm": 0.05}
    stack = finished(train_many(build, cross_entropy, hypers, batches, seeds=[0, 1]))
    for index, value in enumerate(hypers["clip_value"]):
        alone = build(index)
        optimizer = torch.optim.SGD(alone.parameters(), lr=0.5)
        for x, y in batches:
            optimizer.zero_grad()
            cross_entropy(alone(x), y).backward()
            nn.utils.clip_grad_value_(alone.parameters(), value)
            nn.utils.clip_grad_norm_(alone.parameters(), 0.05)
            optimizer.step()
        assert_equal_networks(stack.member(index), alone)


@pytest.mark.parametrize("own_batches", [False, True])
def test_batches_may_lie_in_memory_in_any_order(own_batches):
    batches = data(steps=6, members=(2,) if own_batches else ())
    turned = [(x.mT.contiguous().mT, y.flip(-1).flip(-1)) for x, y in batches]
    turned[1:3] = [(x[..., :1, :].expand_as(x), y) for x, y in batches[1:3]]
    plain = [(x.contiguous(), y) for x, y in turned]
    losses = [
        torch.stack(
            list(
                train_many(
                    build, cross_entropy, {"lr": 0.1}, b, seeds=[0, 1], own_batches=own_batches
                )
            )
        )
        for b in (turned, plain)
    ]
    torch.testing.assert_close(*losses, rtol=0, atol=1e-12)


def test_a_finished_training_leaves_no_memory_behind():
    """It must not wait for the garbage collector: the next group needs the memory."""
    training = train_many(build, cross_entropy, {"lr": 0.1}, data(steps=5), seeds=[0, 1])
    stack = finished(training)
    evaluate_many(stack, data(steps=2), {"loss": cross_entropy})
    gone = [weakref.ref(training), weakref.ref(stack)]
    gc.disable()
    try:
        del training, stack
        assert [ref() for ref in gone] == [None, None]
    finally:
        gc.enable()


@pytest.mark.parametrize("own_batches", [False, True])
def test_groups_of_any_size_give_the_same(monkeypatch, own_batches):
    batches = data(steps=8, members=(7,) if own_batches else ())
    hypers = {"lr": np.geomspace(1e-3, 1e-2, 7)}
    results = []
    # A member takes some kilobytes here: one group, several of unequal size, one member each.
    for cache in (2**30, 20_000, 1):
        monkeypatch.setattr(_repeated, "CACHE", cache)
        training = train_many(
            build,
            cross_entropy,
            hypers,
            batches,
            seeds=range(7),
            update=adam,
            own_batches=own_batches,
        )
        losses = torch.stack(list(training))
        scores = evaluate_many(
            training.stack, batches, {"loss": cross_entropy}, own_batches=own_batches
        )
        results.append((losses, scores["loss"], training.stack.params["1.weight"]))
    for other in results[1:]:
        for one, two in zip(other, results[0], strict=True):
            torch.testing.assert_close(one, two, rtol=0, atol=1e-12)


def test_a_member_stays_nan_once_its_loss_is_not_finite():
    """A poisoned batch hits one member; without the rule it would train on as if nothing was."""
    batches = data(steps=12, members=(3,))
    batches[6][0][1, 0, 0] = math.nan

    def bounded(outputs, y):
        return cross_entropy(outputs, y).nan_to_num(nan=math.inf) + 0 * outputs.nan_to_num().sum()

    for update, hypers in ((sgd, {"lr": 0.1, "momentum": 0.9}), (adam, {"beta1": 0.8})):
        training = train_many(
            build, bounded, hypers, batches, seeds=[0, 1, 2], own_batches=True, update=update
        )
        losses = torch.stack(list(training))
        assert bool(losses[:6].isfinite().all())
        assert bool(losses[6:, 1].isnan().all())
        assert all(bool(p[1].isnan().all()) for p in training.stack.params.values())
        healthy = [(x[[0, 2]], y[[0, 2]]) for x, y in batches]
        expected = train_many(
            build, bounded, hypers, healthy, seeds=[0, 2], own_batches=True, update=update
        )
        expected = torch.stack(list(expected))
        torch.testing.assert_close(losses[:, [0, 2]], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("how", ["in place", "another tensor", "a view"])
@pytest.mark.parametrize("after", [0, 1, 2, 5])
def test_the_caller_may_change_the_networks_between_steps(how, after):
    batches = data(steps=8)
    training = train_many(build, cross_entropy, {"lr": 0.1, "momentum": 0.9}, batches, seeds=[0, 1])
    models = [build(seed) for seed in (0, 1)]
    optimizers = [torch.optim.SGD(m.parameters(), lr=0.1, momentum=0.9) for m in models]
    for number, (x, y) in enumerate(batches):
        if number == after:
            params = training.stack.params
            if how == "in place":
                params["1.weight"].mul_(0.5)
            elif how == "another tensor":
                params["1.weight"] = 0.5 * params["1.weight"]
            else:
                params["1.weight"] = (0.5 * params["1.weight"]).mT.contiguous().mT
            for model in models:
                model[1].weight.data *= 0.5
        scores = evaluate_many(training.stack, [(x, y)], {"loss": cross_entropy})["loss"]
        losses = next(training)
        torch.testing.assert_close(losses, scores, rtol=1e-12, atol=0)
        for index, (model, optimizer) in enumerate(zip(models, optimizers, strict=True)):
            optimizer.zero_grad()
            loss = cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            assert math.isclose(losses[index], loss.item(), abs_tol=1e-9)


def test_dropout_rates_belong_to_members_and_every_step_draws_anew():
    def build_dropout(seed):
        return nn.Sequential(nn.Linear(1, 100), Dropout(0.5)).double()

    def share_of_zeros(outputs, y):
        return (outputs == 0).double().mean() + 0 * outputs.sum()

    rates, steps = [0.0, 0.1, 0.1, 0.7], 40
    batches = [(torch.ones(10, 1, dtype=DOUBLE), torch.zeros(10))] * steps
    hypers = {"lr": 0.0, "dropout": rates}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        training = train_many(build_dropout, share_of_zeros, hypers, batches, seeds=range(4))
        shares = torch.stack(list(training))
    for member, rate in enumerate(rates):
        zeros = round(1000 * float(shares[:, member].sum()))
        assert binomtest(zeros, 1000 * steps, rate).pvalue > 1e-4
    assert not torch.equal(shares[:, 1], shares[:, 2])
    # The spread between steps is that of independent draws: 0.7 x 0.3 / 1000 is its variance.
    assert len(set(shares[:, 3].tolist())) > steps / 3


def test_a_change_of_mode_is_seen_at_the_next_step():
    def build_dropout(seed):
        return nn.Sequential(build(seed), Dropout(0.5))

    (x, y), *_ = batches = data(steps=1) * 9
    training = train_many(build_dropout, cross_entropy, {"lr": 0.0}, batches, seeds=[0, 1])
    plain = torch.stack([cross_entropy(build(seed)(x), y).detach() for seed in (0, 1)])
    with torch.random.fork_rng(devices=[]):
        assert not any(torch.allclose(next(training), plain) for _ in range(4))
        training.stack.template.eval()
        torch.testing.assert_close(next(training), plain)
        torch.testing.assert_close(next(training), plain)
        training.stack.template.train()
        assert not any(torch.allclose(next(training), plain) for _ in range(3))


def test_what_cannot_be_repeated_is_trained_all_the_same_and_says_so():
    def spectral(outputs, y):
        return cross_entropy(outputs, y) + torch.fft.rfft(outputs, dim=0).abs().mean()

    batches = data(steps=6)
    training = train_many(build, spectral, {"lr": [0.1, 0.2]}, batches, seeds=[0, 1])
    stack = finished(training)
    assert "complex" in training.slow
    for index, lr in enumerate([0.1, 0.2]):
        alone = build(index)
        for _ in train(alone, batches, spectral, torch.optim.SGD(alone.parameters(), lr=lr)):
            pass
        assert_equal_networks(stack.member(index), alone)
    usual = train_many(build, cross_entropy, {"lr": 0.1}, batches, seeds=[0, 1])
    finished(usual)
    assert usual.slow is None
