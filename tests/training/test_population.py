"""Groups of configurations: each member trains as alone, whatever it is trained beside."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from hpcourse.data import TensorSplit, batches
from hpcourse.models import mlp
from hpcourse.training import (
    Member,
    Population,
    evaluate,
    evaluate_many,
    feed,
    population,
    train,
)


def split(rows=30):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(rows, 6, generator=generator, dtype=torch.float64)
    return TensorSplit(x, torch.randint(3, (rows,), generator=generator))


def build(width, seed):
    return mlp([6, width, 3], seed=seed).double()


def measure(stack):
    return evaluate_many(stack, [split()], {"loss": cross_entropy})


MEMBERS = [
    Member(seed=seed, hypers={"lr": lr}, steps=12, batch_size=size, shape=width, data_seed=order)
    for lr, seed, order in [(0.1, 0, None), (0.3, 1, 5), (0.05, 2, 5)]
    for size in (4, 8)
    for width in (5, 7)
]


def test_members_train_as_alone_in_the_order_given():
    runs = Population(build, MEMBERS).train(split(), cross_entropy, measure)
    for member, run in zip(MEMBERS, runs, strict=True):
        model = build(member.shape, member.seed)
        optimizer = torch.optim.SGD(model.parameters(), lr=member.hypers["lr"])
        order = member.seed if member.data_seed is None else member.data_seed
        shuffled = batches(*split(), batch_size=member.batch_size, seed=order, epochs=None)
        for step in train(model, shuffled, cross_entropy, optimizer):
            if step.number == member.steps - 1:
                break
        expected = evaluate(model, [split()], {"loss": cross_entropy})["loss"]
        assert run.steps == (12,)
        assert math.isclose(run.final("loss"), expected, rel_tol=1e-9)


def test_groups_hold_what_differs_in_numbers_only():
    groups = Population(build, MEMBERS).groups
    assert sorted(position for group in groups for position in group) == list(range(len(MEMBERS)))
    assert [len(group) for group in groups] == [3, 3, 3, 3]
    for group in groups:
        assert len({(MEMBERS[i].batch_size, MEMBERS[i].shape) for i in group}) == 1


def test_chunks_change_nothing(monkeypatch):
    whole = Population(build, MEMBERS).train(split(), cross_entropy, measure, every=5)
    monkeypatch.setattr(population, "TOGETHER", 2)
    parts = Population(build, MEMBERS).train(split(), cross_entropy, measure, every=5)
    for one, other in zip(whole, parts, strict=True):
        assert one.steps == other.steps == (5, 10, 12)
        assert one.metrics["loss"] == pytest.approx(other.metrics["loss"], rel=1e-12)


def test_bad_members_are_named():
    with pytest.raises(ValueError, match="at least one member"):
        Population(build, [])
    with pytest.raises(ValueError, match="got steps=0"):
        Member(seed=0, hypers={"lr": 0.1}, steps=0, batch_size=4)


def test_members_of_one_seed_share_their_batches_and_those_of_others_do_not():
    data = TensorSplit(torch.arange(10.0).unsqueeze(1), torch.arange(10))
    seeds = [7, 3, 7]
    steps = list(feed(data, seeds, batch_size=4, steps=5))  # beyond one epoch of three
    assert len(steps) == 5
    for number, seed in enumerate(seeds):
        alone = iter(batches(*data, batch_size=4, seed=seed, epochs=None))
        for x, y in steps:
            expected_x, expected_y = next(alone)
            assert torch.equal(x[number], expected_x)
            assert torch.equal(y[number], expected_y)
    assert any(not torch.equal(x[0], x[1]) for x, _ in steps)
