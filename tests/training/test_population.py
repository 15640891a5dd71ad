"""Populations of configurations of several shapes: grouping, order of data, divergence, memory."""

import math
import pickle
import re
from dataclasses import dataclass

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from hpcourse.data import TensorSplit, batches
from hpcourse.models import mlp
from hpcourse.schedules import cosine_decay
from hpcourse.search.trial import Batched, Trial
from hpcourse.training import (
    Member,
    Population,
    PopulationScore,
    accuracy,
    adam,
    evaluate,
    evaluate_many,
    feed,
    population,
    sgd,
    train,
)

DOUBLE = torch.float64
DECAY = 0.01  # it lets weights explode at an absurd rate
METRICS = {"loss": cross_entropy, "accuracy": accuracy}


def split(rows=50):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(rows, 6, generator=generator, dtype=DOUBLE)
    return TensorSplit(x, torch.randint(3, (rows,), generator=generator))


def build(width, seed):
    return mlp([6, width, 3], activation=nn.Tanh, seed=seed).double()


def measure(stack):
    return evaluate_many(stack, [split()], METRICS)


def member(seed=0, lr=0.1, **others):
    others = {"steps": 30, "batch_size": 16, "shape": 8} | others
    return Member(seed=seed, hypers={"lr": lr, "weight_decay": DECAY}, **others)


MIXED = (
    member(seed=0, lr=0.3),
    member(seed=1, lr=0.03, shape=5),
    member(seed=2, lr=cosine_decay(0.2, decay_steps=30)),
    member(seed=3, lr=0.01, update=adam),
    member(seed=4, lr=0.2, batch_size=7),
    member(seed=5, lr=0.1, data_seed=0),
    member(seed=6, lr=0.1, steps=11),
)


def alone(one):
    """The member's own run of torch.optim, batch by batch."""
    model = build(one.shape, one.seed)
    maker = torch.optim.Adam if one.update is adam else torch.optim.SGD
    lr = one.hypers["lr"]
    schedule = lr if callable(lr) else None
    optimizer = maker(model.parameters(), lr=0.5 if schedule else lr, weight_decay=DECAY)
    order = one.seed if one.data_seed is None else one.data_seed
    x, y = split()
    feeding = batches(x, y, batch_size=one.batch_size, seed=order, epochs=None)
    steps = zip(range(one.steps), feeding, strict=False)
    for _ in train(model, (pair for _, pair in steps), cross_entropy, optimizer, schedule=schedule):
        pass
    return evaluate(model, [split()], METRICS)


def assert_same_runs(some, others, tolerance=1e-12):
    for one, other in zip(some, others, strict=True):
        assert one.steps == other.steps
        assert one.metrics.keys() == other.metrics.keys()
        for name, values in one.metrics.items():
            for value, expected in zip(values, other.metrics[name], strict=True):
                both_nan = math.isnan(value) and math.isnan(expected)
                assert both_nan or abs(value - expected) <= tolerance


def test_every_member_trains_as_alone_whatever_the_others_are():
    runs = Population(build, MIXED).train(split(), cross_entropy, measure)
    for one, run in zip(MIXED, runs, strict=True):
        expected = alone(one)
        assert run.steps == (one.steps,)
        assert math.isclose(run.final("loss"), expected["loss"], abs_tol=1e-9)
        assert math.isclose(run.final("accuracy"), expected["accuracy"], abs_tol=1e-6)


def test_members_are_grouped_by_what_a_program_fixes():
    assert Population(build, MIXED).groups == ((0, 2, 5), (1,), (3,), (4,), (6,))


def test_permuting_the_members_permutes_the_runs():
    order = [3, 6, 0, 5, 1, 4, 2]
    runs = Population(build, MIXED).train(split(), cross_entropy, measure)
    shuffled = Population(build, [MIXED[i] for i in order]).train(split(), cross_entropy, measure)
    assert_same_runs([runs[i] for i in order], shuffled)


@pytest.mark.parametrize("bytes_free", [1, 20_000])
def test_chunks_that_fit_a_small_memory_change_nothing(monkeypatch, bytes_free):
    members = [member(seed=seed, lr=0.1 * (seed + 1)) for seed in range(7)]
    expected = Population(build, members).train(split(), cross_entropy, measure, every=10)
    sizes = []

    def counted(stack):
        sizes.append(len(stack))
        return measure(stack)

    monkeypatch.setattr(population, "free_bytes", lambda device: bytes_free)
    runs = Population(build, members).train(split(), cross_entropy, counted)
    assert sum(sizes) == 7
    assert max(sizes) < 7
    assert (max(sizes) == 1) == (bytes_free == 1)
    for run, one in zip(runs, expected, strict=True):
        assert math.isclose(run.final("loss"), one.final("loss"), abs_tol=1e-12)


def test_the_memory_of_a_member_is_that_of_its_tensors(monkeypatch):
    """One parameter tensor of 8 x 6 and one of 3 x 8, with biases, their means and squares."""
    members = [member(seed=seed, update=adam, lr=0.1) for seed in range(9)]
    weights = 8 * (8 * 6 + 8 + 3 * 8 + 3)
    hypers, steps, batch = 16, 8, 16 * (6 * 8 + 8)
    each = 3 * weights + hypers + steps + batch
    sizes = []

    def counted(stack):
        sizes.append(len(stack))
        return {"nothing": torch.zeros(len(stack))}

    for fitting in (4, 5):
        monkeypatch.setattr(population, "free_bytes", lambda _, n=fitting: int(2 * n * each) + 2)
        Population(build, members).train(split(), cross_entropy, counted)
    assert sizes == [4, 4, 1, 5, 4]


def test_members_are_measured_on_the_way():
    (run,) = Population(build, [member(steps=25)]).train(split(), cross_entropy, measure, every=10)
    assert run.steps == (10, 20, 25)
    expected = [alone(member(steps=steps))["loss"] for steps in run.steps]
    assert run.metrics["loss"] == pytest.approx(expected, abs=1e-9)


def test_a_diverged_member_has_no_metrics_and_harms_no_other():
    members = [member(lr=lr) for lr in (0.1, 1e200, 0.2)]
    runs = Population(build, members).train(split(), cross_entropy, measure, every=15)
    assert all(math.isnan(value) for values in runs[1].metrics.values() for value in values)
    healthy = Population(build, [members[0], members[2]])
    assert_same_runs([runs[0], runs[2]], healthy.train(split(), cross_entropy, measure, every=15))


@pytest.mark.parametrize("orders", [[3], [3, 3], [5, 1, 5, 0]])
def test_each_member_is_fed_the_batches_of_its_seed(orders):
    data = split(rows=20)
    fed = list(feed(data, orders, batch_size=8, steps=7))
    assert len(fed) == 7
    for index, seed in enumerate(orders):
        own = batches(data.x, data.y, batch_size=8, seed=seed, epochs=None)
        for (x, y), (own_x, own_y) in zip(fed, own, strict=False):
            assert torch.equal(x if len(orders) == 1 else x[index], own_x)
            assert torch.equal(y if len(orders) == 1 else y[index], own_y)


def of_trial(trial):
    return member(seed=trial.seed, lr=trial.config["lr"])


@dataclass(frozen=True)
class ValidationLoss:
    data: TensorSplit

    def __call__(self, stack):
        return evaluate_many(stack, [self.data], {"loss": cross_entropy})


def test_trials_of_a_search_are_scored_together():
    score = PopulationScore(
        build=build,
        member_of=of_trial,
        data=split(),
        loss_fn=cross_entropy,
        measure=ValidationLoss(split()),
        metric="loss",
    )
    rates = (0.01, 1e200, 0.3)
    trials = [Trial(number=n, config={"lr": lr}, seed=n) for n, lr in enumerate(rates)]
    values = Batched(pickle.loads(pickle.dumps(score)), size=3)(trials)
    assert math.isnan(values[1])
    for index in (0, 2):
        expected = alone(of_trial(trials[index]))["loss"]
        assert math.isclose(values[index], expected, abs_tol=1e-9)


def test_bad_members_are_named():
    with pytest.raises(ValueError, match=re.escape("at least one member, got members=[]")):
        Population(build, [])
    with pytest.raises(ValueError, match="integer steps >= 1, got steps=0"):
        member(steps=0)
    with pytest.raises(ValueError, match=re.escape("integer batch_size >= 1, got batch_size=2.5")):
        member(batch_size=2.5)
    with pytest.raises(ValueError, match="integer every >= 1, got every=0"):
        Population(build, [member()]).train(split(), cross_entropy, measure, every=0)
    slip = Member(seed=0, hypers={"momentun": 1}, steps=1, batch_size=2, update=sgd, shape=8)
    with pytest.raises(TypeError, match=re.escape("got hypers ['momentun']")):
        Population(build, [slip]).train(split(), cross_entropy, measure)


@pytest.mark.gpu
def test_a_population_trains_on_the_device_of_its_data():
    data = TensorSplit(*(tensor.cuda() for tensor in split()))

    def measure_there(stack):
        return evaluate_many(stack, [data], METRICS)

    runs = Population(build, MIXED).train(data, cross_entropy, measure_there)
    for one, run in zip(MIXED, runs, strict=True):
        assert math.isclose(run.final("loss"), alone(one)["loss"], abs_tol=1e-9)
