"""A stack equals its members trained alone; evaluation, divergence, bad input."""

import gc
import math
import re
import weakref

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from torch import nn
from torch.nn.functional import cross_entropy

from hpcourse.models import mlp, small_cnn
from hpcourse.regularise import Dropout
from hpcourse.schedules import cosine_decay, step_decay, warmup
from hpcourse.training import (
    Stack,
    _hypers,
    _repeated,
    accuracy,
    adam,
    evaluate,
    evaluate_many,
    many,
    sgd,
    train,
    train_many,
)

DOUBLE = torch.float64


def build(seed):
    return mlp([6, 8, 3], activation=nn.Tanh, seed=seed).double()


def data(steps, size=12, members=()):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(steps, *members, size, 6, generator=generator, dtype=DOUBLE)
    y = torch.randint(3, (steps, *members, size), generator=generator)
    return list(zip(x, y, strict=True))


def assert_equal_networks(one, other, atol=1e-9):
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    for p, q in pairs:
        torch.testing.assert_close(p, q, rtol=0, atol=atol)


def finished(training):
    """The networks at the end of a training."""
    for _ in training:
        pass
    return training.stack


def assert_members_train_as_alone(seeds, hypers, batches, make_optimizer, own_batches=False):
    """Losses of every step and the final weights, against torch's own optimiser."""
    training = train_many(
        build, cross_entropy, hypers, batches, seeds=seeds, own_batches=own_batches
    )
    losses = torch.stack(list(training))
    for index, seed in enumerate(seeds):
        alone = build(seed)
        own = [(x[index], y[index]) for x, y in batches] if own_batches else batches
        optimizer, schedule = make_optimizer(alone.parameters(), index)
        steps = list(train(alone, own, cross_entropy, optimizer, schedule=schedule))
        expected = torch.tensor([step.loss for step in steps], dtype=DOUBLE)
        torch.testing.assert_close(losses[:, index], expected, rtol=0, atol=1e-9)
        assert_equal_networks(training.stack.member(index), alone)


# torch refuses Nesterov momentum with dampening or without momentum.
MEMBERS = st.lists(
    st.fixed_dictionaries(
        {
            "lr": st.floats(0, 0.3),
            "momentum": st.one_of(st.just(0.0), st.floats(0, 0.95)),
            "dampening": st.floats(0, 1),
            "weight_decay": st.floats(0, 0.1),
            "nesterov": st.booleans(),
        }
    ).map(
        lambda h: (
            h | ({"dampening": 0.0} if h["nesterov"] and h["momentum"] else {"nesterov": False})
        )
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=10)
@given(MEMBERS)
def test_each_member_equals_its_own_torch_sgd_over_200_steps(members):
    hypers = {name: [member[name] for member in members] for name in members[0]}
    batches = data(steps=200)

    def make_optimizer(parameters, index):
        return torch.optim.SGD(parameters, **members[index]), None

    assert_members_train_as_alone(range(len(members)), hypers, batches, make_optimizer)


def test_own_batches_and_schedules_follow_each_member(monkeypatch):
    # Fewer than the steps, so that tables of schedules are joined.
    monkeypatch.setattr(_hypers, "TABLE_STEPS", 7)
    schedules = [
        cosine_decay(0.2, decay_steps=20),
        warmup(step_decay(0.3, factor=0.5, every=5), steps=3),
        lambda step: 0.1 + 0 * step,
    ]

    def make_optimizer(parameters, index):
        return torch.optim.SGD(parameters, lr=9.0, momentum=0.9), schedules[index]

    hypers = {"lr": schedules, "momentum": 0.9}
    batches = data(steps=20, members=(3,))
    assert_members_train_as_alone([3, 1, 3], hypers, batches, make_optimizer, own_batches=True)


@given(st.permutations(range(4)))
@settings(max_examples=5)
def test_permuting_the_members_permutes_the_results(order):
    rates = np.array([0.01, 0.1, 0.5, 1.0])
    batches = data(steps=10)

    def run(members):
        hypers = {"lr": rates[members], "momentum": torch.tensor(rates[members]) / 2}
        seeds = [10 + i for i in members]
        return torch.stack(list(train_many(build, cross_entropy, hypers, batches, seeds=seeds)))

    torch.testing.assert_close(run([0, 1, 2, 3])[:, order], run(order), rtol=0, atol=1e-12)


def test_a_value_for_all_equals_the_value_repeated():
    batches = data(steps=5)
    results = []
    for lr in (0.1, [0.1, 0.1], torch.tensor(0.1, dtype=DOUBLE), cosine_decay(0.1, 10**9)):
        *_, last = train_many(build, cross_entropy, {"lr": lr}, batches, seeds=[0, 1])
        results.append(last)
    for other in results[1:]:
        torch.testing.assert_close(other, results[0], rtol=1e-9, atol=0)


def test_a_member_that_diverges_harms_no_other():
    batches = data(steps=60)
    hypers = {"lr": [0.1, 1e300, 0.2], "weight_decay": 0.01}
    *_, losses = train_many(build, cross_entropy, hypers, batches, seeds=[0, 1, 2])
    assert math.isnan(losses[1])
    hypers["lr"] = [0.1, 0.2]
    *_, expected = train_many(build, cross_entropy, hypers, batches, seeds=[0, 2])
    torch.testing.assert_close(losses[[0, 2]], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("norm", ["batch", "group"])
def test_convolutions_and_norms_train_as_alone_buffers_included(norm):
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(6, 8, 1, 8, 8, generator=generator, dtype=DOUBLE)
    y = torch.randint(10, (6, 8), generator=generator)
    batches = list(zip(x, y, strict=True))

    def build_cnn(seed):
        return small_cnn((8, 16), norm=norm, seed=seed).double()

    stack = finished(
        train_many(build_cnn, cross_entropy, {"lr": [0.1, 0.3]}, batches, seeds=[0, 1])
    )
    for index, lr in enumerate([0.1, 0.3]):
        alone = build_cnn(index)
        for _ in train(alone, batches, cross_entropy, torch.optim.SGD(alone.parameters(), lr=lr)):
            pass
        assert_equal_networks(stack.member(index), alone)
        scores = evaluate_many(stack, batches, {"loss": cross_entropy})["loss"]
        expected = evaluate(alone, batches, {"loss": cross_entropy})["loss"]
        assert math.isclose(scores[index], expected, rel_tol=1e-9)


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


@pytest.mark.parametrize("own_batches", [False, True])
def test_evaluate_many_equals_evaluate_at_any_time(own_batches):
    metrics = {"loss": cross_entropy, "accuracy": accuracy}
    (x, y) = data(steps=1, size=11, members=(3,) if own_batches else ())[0]
    dim = 1 if own_batches else 0
    uneven = list(zip(x.split([5, 4, 2], dim), y.split([5, 4, 2], dim), strict=True))
    training = train_many(build, cross_entropy, {"lr": 0.1}, data(steps=4), seeds=[0, 1, 2])
    for number, _ in enumerate(training):
        if number % 2:
            continue
        scores = evaluate_many(training.stack, uneven, metrics, own_batches=own_batches)
        for index in range(3):
            own = (x[index], y[index]) if own_batches else (x, y)
            expected = evaluate(training.stack.member(index), [own], metrics)
            assert math.isclose(scores["loss"][index], expected["loss"], rel_tol=1e-9)
            assert math.isclose(scores["accuracy"][index], expected["accuracy"], rel_tol=1e-6)


def test_evaluate_many_uses_evaluation_mode_and_training_goes_on():
    def build_dropout(seed):
        return nn.Sequential(build(seed), nn.Dropout(0.5))

    def train_still():
        batches = data(steps=1)
        return train_many(build_dropout, cross_entropy, {"lr": 0.0}, batches, seeds=[0, 1])

    stack = train_still().stack
    with torch.random.fork_rng(devices=[]):
        scores = [evaluate_many(stack, data(steps=2), {"l": cross_entropy})["l"] for _ in "ab"]
        assert torch.equal(*scores)
        assert not torch.equal(next(train_still()), next(train_still()))
    assert stack.template.training


def test_members_are_copies_of_the_stack():
    stack = Stack(build, seeds=[5, 6])
    member = stack.member(1)
    assert_equal_networks(member, build(6), atol=0)
    nn.init.zeros_(member[1].weight)
    assert_equal_networks(stack.member(1), build(6), atol=0)


def test_any_pure_function_is_an_update():
    def sign_descent(params, grads, state, *, lr):
        return {name: p - lr * torch.sign(grads[name]) for name, p in params.items()}, state

    hypers = {"lr": [0.5, 0.25]}
    batches = data(steps=1)
    stack = finished(
        train_many(build, cross_entropy, hypers, batches, seeds=[0, 1], update=sign_descent)
    )
    start = Stack(build, seeds=[0, 1]).params
    for name, after in stack.params.items():
        moved = (after - start[name]).abs().flatten(1)
        torch.testing.assert_close(moved.amax(dim=1), torch.tensor([0.5, 0.25], dtype=DOUBLE))


@pytest.mark.parametrize(
    ("hypers", "error", "message"),
    [
        ({"lr": 0.1, "momentun": 0.9}, TypeError, "got hypers ['momentun'], but"),
        ({"momentum": 0.9}, TypeError, "missing a required argument: 'lr'"),
        ({"lr": 0.1, "dropout": 0.5}, TypeError, "got hypers ['dropout'], but"),
        ({"lr": [0.1]}, ValueError, "train_many needs 2 values for lr, got lr=[0.1]"),
        ({"lr": math.nan}, ValueError, "finite numbers or schedules for lr, got lr=nan"),
        ({"lr": [0.1, "0.2"]}, ValueError, "got lr=[0.1, '0.2']"),
        ({"lr": torch.ones(2, 2)}, ValueError, "got lr=[[1.0, 1.0], [1.0, 1.0]]"),
        ({"lr": np.array([1.0, math.inf])}, ValueError, "got lr=[1.0, inf]"),
    ],
)
def test_bad_hypers_are_named_before_any_work(hypers, error, message):
    with pytest.raises(error, match=re.escape(message)):
        train_many(build, cross_entropy, hypers, data(steps=1), seeds=[0, 1], update=sgd)


def test_bad_stacks_are_named():
    with pytest.raises(ValueError, match=re.escape("at least one seed, got seeds=()")):
        Stack(build, seeds=[])
    with pytest.raises(ValueError, match="one architecture, as of seed 1, got seed=2"):
        Stack(lambda seed: mlp([6, seed, 3], seed=seed), seeds=[1, 1, 2])
    with pytest.raises(ValueError, match="at least one sample, got samples=0"):
        evaluate_many(Stack(build, seeds=[0]), [], {"loss": cross_entropy})


@pytest.mark.gpu
def test_a_stack_trains_on_its_device():
    hypers = {"lr": [0.1, cosine_decay(0.1, decay_steps=50)]}
    first, *_, last = train_many(
        lambda seed: build(seed).cuda(), cross_entropy, hypers, data(steps=1) * 50, seeds=[0, 1]
    )
    assert last.device.type == "cuda"
    assert bool((last < first).all())


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


def test_smaller_last_batches_train_as_alone():
    def make_optimizer(parameters, index):
        return torch.optim.SGD(parameters, lr=0.1, momentum=0.9), None

    batches = [(x[:size], y[:size]) for (x, y), size in zip(data(9), [12, 12, 5] * 3, strict=True)]
    hypers = {"lr": 0.1, "momentum": 0.9}
    assert_members_train_as_alone([0, 1], hypers, batches, make_optimizer)


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


def test_data_are_evaluated_in_pieces(monkeypatch):
    stack = Stack(build, seeds=[0, 1])
    batches = data(steps=2, size=11)
    whole = evaluate_many(stack, batches, {"loss": cross_entropy})["loss"]
    monkeypatch.setitem(many.ROWS, "cpu", 4)
    pieces = evaluate_many(stack, batches, {"loss": cross_entropy})["loss"]
    torch.testing.assert_close(pieces, whole, rtol=1e-12, atol=0)


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
