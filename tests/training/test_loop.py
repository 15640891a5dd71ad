"""`train` against torch's own loop, `evaluate` against one pass over all data."""

import math
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import cross_entropy

from hpcourse.models import mlp, small_cnn
from hpcourse.schedules import cosine_decay
from hpcourse.training import accuracy, eval_mode, evaluate, train


def data(steps, size=16, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(steps, size, 6, generator=generator, dtype=dtype)
    y = torch.randint(3, (steps, size), generator=generator)
    return list(zip(x, y, strict=True))


def equal_weights(one, other):
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(p, q) for p, q in pairs)


@pytest.mark.parametrize(
    "make_optimizer",
    [
        lambda ps: torch.optim.SGD(ps, lr=0.3, momentum=0.9, weight_decay=1e-3, nesterov=True),
        lambda ps: torch.optim.AdamW(ps, lr=0.01),
    ],
)
def test_equals_a_handwritten_loop_bit_for_bit(make_optimizer):
    ours, theirs = mlp([6, 8, 3], seed=0), mlp([6, 8, 3], seed=0)
    batches = data(steps=30)
    steps = list(train(ours, batches, cross_entropy, make_optimizer(ours.parameters())))
    optimizer = make_optimizer(theirs.parameters())
    expected = []
    for x, y in batches:
        optimizer.zero_grad()
        loss = cross_entropy(theirs(x), y)
        loss.backward()
        optimizer.step()
        expected.append(loss.item())
    assert [step.loss for step in steps] == expected
    assert [step.number for step in steps] == list(range(30))
    assert {step.lr for step in steps} == {optimizer.param_groups[0]["lr"]}
    assert equal_weights(ours, theirs)


def test_a_schedule_sets_the_rate_of_its_own_step_in_every_group():
    """One weight with a constant gradient of 1 moves by exactly minus its group's rate."""
    body, head = nn.Parameter(torch.zeros((), dtype=torch.float64)), nn.Parameter(torch.zeros(()))
    model = nn.Module()
    model.body, model.head = body, head
    model.forward = lambda x: body + head
    groups = [{"params": [body], "lr_scale": 0.25}, {"params": [head]}]
    optimizer = torch.optim.SGD(groups, lr=123.0)
    batches = [(torch.zeros(1), torch.zeros(1))] * 8
    schedule = cosine_decay(0.5, decay_steps=8)
    before = (0.0, 0.0)
    for step in train(model, batches, lambda out, y: out, optimizer, schedule=schedule):
        rate = schedule(step.number)
        assert step.lr == 0.25 * rate
        after = (body.item(), head.item())
        assert math.isclose(before[0] - after[0], 0.25 * rate, abs_tol=1e-12)
        assert math.isclose(before[1] - after[1], rate, abs_tol=1e-6)
        before = after
    assert step.number == 7


def test_without_a_schedule_the_groups_keep_their_own_rates():
    model = mlp([6, 3], seed=0)
    weight, bias = model.parameters()
    optimizer = torch.optim.SGD([{"params": [weight], "lr": 0.2}, {"params": [bias], "lr": 0.7}])
    assert [s.lr for s in train(model, data(steps=3), cross_entropy, optimizer)] == [0.2] * 3
    assert [group["lr"] for group in optimizer.param_groups] == [0.2, 0.7]


def test_breaking_off_and_going_on_equals_one_run():
    whole, parts = mlp([6, 8, 3], seed=0), mlp([6, 8, 3], seed=0)
    batches = data(steps=10)
    list(train(whole, batches, cross_entropy, torch.optim.Adam(whole.parameters())))
    optimizer = torch.optim.Adam(parts.parameters())
    for step in train(parts, batches, cross_entropy, optimizer):
        if step.number == 3:
            break
    list(train(parts, batches[4:], cross_entropy, optimizer))
    assert equal_weights(whole, parts)


def test_nothing_happens_before_the_first_step_is_asked_for():
    model = mlp([6, 3], seed=0)
    train(model, data(steps=3), cross_entropy, torch.optim.SGD(model.parameters(), lr=1.0))
    assert equal_weights(model, mlp([6, 3], seed=0))


def test_train_leaves_frozen_batch_norm_alone():
    model = small_cnn((8,), norm="batch", seed=0)
    model[1].eval()
    statistics = model[1].running_mean.clone()
    batches = [(torch.rand(4, 1, 8, 8), torch.zeros(4, dtype=torch.long))] * 2
    list(train(model, batches, cross_entropy, torch.optim.SGD(model.parameters(), lr=0.1)))
    assert torch.equal(model[1].running_mean, statistics)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_evaluate_equals_one_pass_over_all_samples(sizes):
    """However unevenly the samples are divided into batches."""
    (x, y) = data(steps=1, size=sum(sizes), dtype=torch.float64)[0]
    model = mlp([6, 8, 3], seed=0).double()
    metrics = {"loss": cross_entropy, "accuracy": accuracy}
    divided = evaluate(model, list(zip(x.split(sizes), y.split(sizes), strict=True)), metrics)
    assert math.isclose(divided["loss"], cross_entropy(model(x), y).item(), rel_tol=1e-12)
    correct = sum(int(model(x)[i].argmax()) == int(y[i]) for i in range(len(y)))
    assert math.isclose(divided["accuracy"], correct / len(y), rel_tol=1e-6)


def test_evaluate_uses_evaluation_mode_and_gives_every_module_its_mode_back():
    model = nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6), nn.Dropout(0.5), nn.Linear(6, 3))
    model[1].eval()
    modes = [module.training for module in model.modules()]
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    losses = [evaluate(model, data(steps=4), {"loss": cross_entropy})["loss"] for _ in range(2)]
    assert losses[0] == losses[1]
    assert [module.training for module in model.modules()] == modes
    assert modes == [True, True, False, True, True]
    assert all(torch.equal(before[name], t) for name, t in model.state_dict().items())


def test_modes_come_back_after_an_error():
    model = mlp([6, 3], seed=0)
    with pytest.raises(ValueError, match="inside"), eval_mode(model):
        raise ValueError(f"inside, training={model.training}")
    assert model.training


def test_evaluate_needs_a_sample():
    message = "evaluate needs at least one sample, got samples=0"
    with pytest.raises(ValueError, match=message):
        evaluate(mlp([6, 3], seed=0), [], {"loss": cross_entropy})


@pytest.mark.parametrize(
    ("logits", "y"), [((4, 3), (4, 1)), ((4, 3), (3,)), ((4,), (4,)), ((4, 2, 3), (4,))]
)
def test_accuracy_refuses_shapes_that_would_broadcast(logits, y):
    with pytest.raises(ValueError, match=re.escape(f"got logits={logits}, y={y}")):
        accuracy(torch.zeros(logits), torch.zeros(y, dtype=torch.long))


@pytest.mark.gpu
def test_batches_follow_the_model_to_its_device():
    model = mlp([6, 8, 3], seed=0).cuda()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    first, *_, last = train(model, data(steps=1) * 50, cross_entropy, optimizer)
    assert last.loss < first.loss
    assert evaluate(model, data(steps=1), {"loss": cross_entropy})["loss"] < first.loss
