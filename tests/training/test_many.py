"""A stack equals its members trained alone; evaluation, divergence, bad input."""

import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from stacks import DOUBLE, assert_equal_networks, build, data, finished
from torch import nn
from torch.nn.functional import cross_entropy

from hpcourse.models import mlp, small_cnn
from hpcourse.schedules import cosine_decay, step_decay, warmup
from hpcourse.training import (
    Stack,
    _hypers,
    accuracy,
    evaluate,
    evaluate_many,
    many,
    sgd,
    train,
    train_many,
)


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
        ({"lr": [0.1, -0.1]}, ValueError, "needs 0 <= lr < inf, got lr=[0.1, -0.1]"),
        ({"lr": 0.1, "momentum": -1}, ValueError, "needs 0 <= momentum < inf, got momentum=-1"),
        ({"lr": 0.1, "clip_norm": -2.0}, ValueError, "needs 0 <= clip_norm < inf"),
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


def test_smaller_last_batches_train_as_alone():
    def make_optimizer(parameters, index):
        return torch.optim.SGD(parameters, lr=0.1, momentum=0.9), None

    batches = [(x[:size], y[:size]) for (x, y), size in zip(data(9), [12, 12, 5] * 3, strict=True)]
    hypers = {"lr": 0.1, "momentum": 0.9}
    assert_members_train_as_alone([0, 1], hypers, batches, make_optimizer)


def test_data_are_evaluated_in_pieces(monkeypatch):
    stack = Stack(build, seeds=[0, 1])
    batches = data(steps=2, size=11)
    whole = evaluate_many(stack, batches, {"loss": cross_entropy})["loss"]
    monkeypatch.setitem(many.ROWS, "cpu", 4)
    pieces = evaluate_many(stack, batches, {"loss": cross_entropy})["loss"]
    torch.testing.assert_close(pieces, whole, rtol=1e-12, atol=0)
