"""Center loss against the paper's formulas by hand, and inside a population."""

import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.nn import functional

from hpcourse.losses import CenterLoss, center_loss, cross_entropy, update_centers
from hpcourse.models import mlp
from hpcourse.training import train, train_many

DOUBLE = torch.float64
SEEDS = st.integers(0, 10**6)


def problem(seed, batch=8, dim=3, classes=5):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(batch, dim, generator=generator, dtype=DOUBLE)
    centers = torch.randn(classes, dim, generator=generator, dtype=DOUBLE)
    return features, torch.randint(classes, (batch,), generator=generator), centers


def assert_close(ours, expected):
    torch.testing.assert_close(ours, expected, rtol=1e-12, atol=1e-12)


@settings(max_examples=25)
@given(SEEDS)
def test_the_loss_and_its_gradient_are_the_papers_for_a_mean(seed):
    """Eq. 2, and x - c of section 3.2, both divided by the batch's size."""
    features, targets, centers = problem(seed)
    ours = center_loss(features, targets, centers)
    pairs = zip(features, targets.tolist(), strict=True)
    assert_close(ours, sum(((x - centers[y]) ** 2).sum() / 2 for x, y in pairs) / len(features))
    slope = grad(center_loss)(features, targets, centers)
    assert_close(slope, (features - centers[targets]) / len(features))


@settings(max_examples=25)
@given(SEEDS, st.floats(0, 1))
def test_centres_move_by_equation_4(seed, alpha):
    features, targets, centers = problem(seed)
    expected = centers.clone()
    for j in range(len(centers)):
        own = features[targets == j]
        expected[j] -= alpha * (centers[j] - own).sum(dim=0) / (1 + len(own))
    for rate in (alpha, torch.tensor(alpha, dtype=DOUBLE)):
        assert_close(update_centers(features, targets, centers, alpha=rate), expected)


@settings(max_examples=25)
@given(SEEDS, st.floats(0.1, 1))
def test_centres_end_at_the_means_and_missing_classes_stay(seed, alpha):
    features, targets, centers = problem(seed)
    moved = centers
    for _ in range(1000):
        moved = update_centers(features, targets, moved, alpha=alpha)
    for j in range(len(centers)):
        own = features[targets == j]
        wanted = own.mean(dim=0) if len(own) else centers[j]
        torch.testing.assert_close(moved[j], wanted, rtol=0, atol=1e-9)


@settings(max_examples=10)
@given(SEEDS, st.permutations(range(8)))
def test_the_order_of_the_samples_does_not_matter(seed, order):
    features, targets, centers = problem(seed)
    mixed = features[order], targets[order], centers
    assert_close(center_loss(*mixed), center_loss(features, targets, centers))
    assert_close(update_centers(*mixed), update_centers(features, targets, centers))


def test_the_module_is_the_two_functions():
    module = CenterLoss(classes=5, dim=3, alpha=0.25).double()
    centers = torch.zeros(5, 3, dtype=DOUBLE)
    for seed in range(4):
        features, targets, _ = problem(seed)
        features.requires_grad_()
        loss = module(features, targets)
        assert_close(loss, center_loss(features, targets, centers))
        loss.backward()
        assert_close(features.grad, (features.detach() - centers[targets]) / len(features))
        centers = update_centers(features, targets, centers, alpha=0.25)
        assert not centers.requires_grad
        assert_close(module.centers, centers)
    assert not list(module.parameters())
    module.eval()
    module(features, targets)
    assert_close(module.centers, centers)


def test_under_functional_call_the_buffers_given_are_written():
    modules = [CenterLoss(classes=5, dim=3, alpha=alpha).double() for alpha in (0.0, 0.5)]
    features, targets, _ = problem(0)
    _, stacked = stack_module_state(modules)

    def loss(features, buffers):
        buffers = {name: buffer.clone() for name, buffer in buffers.items()}
        return functional_call(modules[0], buffers, (features, targets)), buffers

    slopes, buffers = vmap(grad(loss, has_aux=True), in_dims=(None, 0))(features, stacked)
    assert_close(slopes[0], features / len(features))
    assert not bool(stacked["centers"].any())
    for index, module in enumerate(modules):
        module(features, targets)
        assert_close(buffers["centers"][index], module.centers)


class Net(nn.Module):
    """A network that is also fed the class, as the last column, for its centres."""

    def __init__(self, seed):
        super().__init__()
        self.body = nn.Sequential(mlp([6, 8, 3], activation=nn.Tanh, seed=seed), nn.Tanh())
        self.head = mlp([3, 4], seed=seed)
        self.center_loss = CenterLoss(classes=4, dim=3)

    def forward(self, rows):
        features = self.body(rows[:, :-1])
        return self.head(features), self.center_loss(features, rows[:, -1].long())


def joint_loss(outputs, targets, *, weight):
    logits, center = outputs
    return cross_entropy(logits, targets) + weight * center


def test_in_a_population_each_member_has_its_weight_and_its_centres():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(20, 12, 6, generator=generator, dtype=DOUBLE)
    y = torch.randint(4, (20, 12), generator=generator)
    batches = [(torch.cat([a, b.unsqueeze(1)], dim=1), b) for a, b in zip(x, y, strict=True)]
    weights = [0.0, 0.1, 10.0]

    def build(seed):
        return Net(seed).double()

    hypers = {"lr": 0.1, "weight": weights}
    training = train_many(build, joint_loss, hypers, batches, seeds=[0, 1, 2])
    losses = torch.stack(list(training))
    for index, weight in enumerate(weights):
        alone = build(index)
        optimizer = torch.optim.SGD(alone.parameters(), lr=0.1)

        def loss_fn(outputs, targets, weight=weight):
            return functional.cross_entropy(outputs[0], targets) + weight * outputs[1]

        steps = list(train(alone, batches, loss_fn, optimizer))
        expected = torch.tensor([step.loss for step in steps], dtype=DOUBLE)
        assert_close(losses[:, index], expected)
        member = training.stack.member(index)
        assert_close(member.center_loss.centers, alone.center_loss.centers)
        assert bool(member.center_loss.centers.any())


FEATURES, TARGETS, CENTERS = torch.zeros(2, 3), torch.zeros(2, dtype=torch.int64), torch.zeros(4, 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: center_loss(FEATURES, TARGETS[:1], CENTERS), "features=(2, 3), targets=(1,)"),
        (lambda: center_loss(FEATURES, TARGETS, CENTERS[:, :2]), "centers=(4, 2)"),
        (lambda: update_centers(FEATURES[0], TARGETS, CENTERS), "got features=(3,)"),
        (lambda: center_loss(FEATURES, TARGETS.float(), CENTERS), "got dtype=torch.float32"),
        (
            lambda: update_centers(FEATURES, TARGETS, CENTERS, alpha=1.5),
            "update_centers needs alpha in [0, 1], got alpha=1.5",
        ),
        (lambda: CenterLoss(0, 2), "classes >= 1, got classes=0"),
        (lambda: CenterLoss(2, 2.5), "dim >= 1, got dim=2.5"),
        (lambda: CenterLoss(2, 2, alpha=-0.1), "got alpha=-0.1"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
