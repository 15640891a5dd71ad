"""Smoothed cross-entropy against torch, focal losses against the paper's closed forms."""

import math
import re
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.func import grad, vmap
from torch.nn import functional

from hpcourse.losses import binary_focal_loss, cross_entropy, focal_loss
from hpcourse.models import mlp
from hpcourse.training import train_many

DOUBLE = torch.float64
UNIT = st.floats(0, 1)
GAMMAS = st.one_of(st.just(0.0), st.floats(0.01, 5))
SEEDS = st.integers(0, 10**6)


def problem(seed, batch=5, classes=4, extra=()):
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(batch, classes, *extra, generator=generator, dtype=DOUBLE)
    return logits, torch.randint(classes, (batch, *extra), generator=generator)


def decisions(seed, shape=(6, 3)):
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(shape, generator=generator, dtype=DOUBLE)
    return logits, torch.randint(2, shape, generator=generator)


def scalar(value):
    return torch.tensor(value, dtype=DOUBLE)


def assert_close(ours, expected):
    torch.testing.assert_close(ours, expected, rtol=1e-12, atol=1e-12)


@settings(max_examples=25)
@given(SEEDS, UNIT, st.sampled_from([(), (2,), (2, 3)]))
def test_smoothed_cross_entropy_equals_torch_with_numbers_and_tensors(seed, smoothing, extra):
    logits, targets = problem(seed, extra=extra)
    expected = functional.cross_entropy(logits, targets, label_smoothing=smoothing)
    for given_smoothing in (smoothing, scalar(smoothing)):
        assert_close(cross_entropy(logits, targets, label_smoothing=given_smoothing), expected)


def test_a_class_ruled_out_costs_nothing_without_smoothing():
    logits = torch.tensor([[0.0, 0.0, -math.inf]])
    assert math.isclose(cross_entropy(logits, torch.tensor([1])), math.log(2), rel_tol=1e-6)


@settings(max_examples=25)
@given(SEEDS, GAMMAS, st.floats(0, 3), st.sampled_from([(), (2, 2)]))
def test_focal_loss_is_its_definition(seed, gamma, alpha, extra):
    logits, targets = problem(seed, extra=extra)
    p = torch.softmax(logits, dim=1).gather(1, targets.unsqueeze(1))
    expected = (-alpha * (1 - p) ** gamma * p.log()).mean()
    assert_close(focal_loss(logits, targets, gamma=gamma, alpha=alpha), expected)
    tensors = {"gamma": scalar(gamma), "alpha": scalar(alpha)}
    assert_close(focal_loss(logits, targets, **tensors), expected)


@settings(max_examples=25)
@given(SEEDS)
def test_focal_loss_without_focus_is_weighted_cross_entropy(seed):
    """The weights do not enter the divisor."""
    logits, targets = problem(seed)
    alpha = torch.linspace(0.1, 2, 4, dtype=DOUBLE)
    total = functional.cross_entropy(logits, targets, weight=alpha, reduction="sum")
    assert_close(focal_loss(logits, targets, gamma=0, alpha=alpha), total / len(targets))


@settings(max_examples=25)
@given(SEEDS, GAMMAS, st.floats(-5, 5))
def test_two_classes_are_one_decision_and_shifts_do_not_matter(seed, gamma, shift):
    z, targets = decisions(seed, shape=(7,))
    logits = torch.stack([torch.zeros_like(z), z], dim=1) + shift
    alpha = torch.tensor([0.25, 0.75], dtype=DOUBLE)
    ours = focal_loss(logits, targets, gamma=gamma, alpha=alpha)
    assert_close(ours, binary_focal_loss(z, targets, gamma=gamma, alpha=0.75))


@settings(max_examples=25)
@given(SEEDS, GAMMAS, UNIT, st.booleans())
def test_binary_focal_loss_is_its_definition(seed, gamma, alpha, by_positives):
    logits, targets = decisions(seed)
    p = torch.sigmoid(logits)
    positives = -alpha * (1 - p) ** gamma * p.log()
    negatives = -(1 - alpha) * p**gamma * (1 - p).log()
    total = torch.where(targets == 1, positives, negatives).sum()
    divisor = max(int(targets.sum()), 1) if by_positives else targets.numel()
    normalizer = "positives" if by_positives else "elements"
    for kind in (torch.int64, torch.bool, DOUBLE):
        ours = binary_focal_loss(
            logits, targets.to(kind), gamma=gamma, alpha=alpha, normalizer=normalizer
        )
        assert_close(ours, total / divisor)


def test_without_positives_the_divisor_is_one():
    logits, targets = torch.zeros(3, 2), torch.zeros(3, 2)
    ours = binary_focal_loss(logits, targets, gamma=0, alpha=0, normalizer="positives")
    assert math.isclose(ours, 6 * math.log(2), rel_tol=1e-6)


@settings(max_examples=25)
@given(SEEDS, GAMMAS)
def test_the_derivative_is_that_of_the_papers_appendix(seed, gamma):
    """y (1 - p_t)**gamma (gamma p_t log p_t + p_t - 1), with y = 1 or -1."""
    logits, targets = decisions(seed, shape=(1,))
    ours = grad(partial(binary_focal_loss, gamma=gamma, alpha=0.5))(logits, targets)
    y = 2 * targets - 1
    p = torch.sigmoid(y * logits)
    expected = y * (1 - p) ** gamma * (gamma * p * p.log() + p - 1)
    assert_close(ours, expected / 2)


@settings(max_examples=10)
@given(SEEDS, st.floats(0.05, 4), UNIT)
def test_gradients_agree_with_differences(seed, gamma, share):
    """By the hyperparameters too, so that they may be learned."""
    logits, targets = problem(seed)
    hyper = [scalar(value).requires_grad_() for value in (gamma, share)]
    logits.requires_grad_()
    for loss in (
        lambda z, g, s: focal_loss(z, targets, gamma=g, alpha=s),
        lambda z, g, s: binary_focal_loss(z[:, 0], targets > 1, gamma=g, alpha=s),
        lambda z, g, s: cross_entropy(z, targets, label_smoothing=s) * g,
    ):
        assert torch.autograd.gradcheck(loss, (logits, *hyper))


@pytest.mark.parametrize("gamma", [0.0, 0.1, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("size", [20.0, 200.0, 1e4])
@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
def test_sure_and_wrong_scores_have_finite_losses_and_gradients(gamma, size, dtype):
    z = torch.tensor([size, -size], dtype=dtype)
    binary = partial(binary_focal_loss, gamma=gamma, alpha=0.5)
    multi = partial(focal_loss, gamma=gamma)
    for right in (True, False):
        targets = torch.tensor([1, 0] if right else [0, 1])
        logits = torch.stack([torch.zeros_like(z), z, -z], dim=1)
        classes = torch.tensor([1, 2] if right else [2, 1])
        for loss, x, y in ((binary, z, targets), (multi, logits, classes)):
            value, slope = loss(x, y), grad(loss)(x, y)
            assert bool(slope.isfinite().all())
            # Sure and right costs nothing; sure and wrong as much as the cross-entropy.
            assert value.item() <= math.exp(-19) if right else math.isfinite(value)
        if not right:
            assert math.isclose(binary(z, targets), size / 2, rel_tol=1e-6)
            assert math.isclose(multi(logits, classes), 2 * size, rel_tol=1e-6)


@settings(max_examples=25)
@given(SEEDS, GAMMAS, GAMMAS)
def test_focus_lowers_every_loss_and_hard_samples_least(seed, one, other):
    logits, targets = problem(seed, batch=1)
    low, high = sorted((one, other))
    losses = [focal_loss(logits, targets, gamma=g).item() for g in (0, low, high)]
    assert losses[0] >= losses[1] >= losses[2] >= 0


@pytest.mark.parametrize(
    ("loss", "hyper"),
    [(cross_entropy, "label_smoothing"), (focal_loss, "gamma"), (focal_loss, "alpha")],
)
def test_members_of_a_population_have_their_own_hyperparameters(loss, hyper):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(12, 6, generator=generator, dtype=DOUBLE)
    y = torch.randint(3, (12,), generator=generator)
    values = [0.0, 0.3, 1.0]

    def build(seed):
        return mlp([6, 8, 3], activation=nn.Tanh, seed=seed).double()

    hypers = {"lr": 0.2, hyper: values}
    losses = torch.stack(list(train_many(build, loss, hypers, [(x, y)] * 20, seeds=[0, 0, 0])))
    for index, value in enumerate(values):
        alone = train_many(
            build, partial(loss, **{hyper: value}), {"lr": 0.2}, [(x, y)] * 20, seeds=[0]
        )
        assert_close(losses[:, index], torch.cat(list(alone)))


def test_the_binary_loss_is_batched_over_its_hyperparameters():
    logits, targets = decisions(0)
    gammas, alphas = torch.tensor([0.0, 2.0]).double(), torch.tensor([0.25, 0.9]).double()
    many = vmap(lambda g, a: binary_focal_loss(logits, targets, gamma=g, alpha=a))(gammas, alphas)
    for ours, g, a in zip(many, gammas.tolist(), alphas.tolist(), strict=True):
        assert_close(ours, binary_focal_loss(logits, targets, gamma=g, alpha=a))


LOGITS, TARGETS = torch.zeros(2, 3), torch.zeros(2, dtype=torch.int64)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cross_entropy(LOGITS, TARGETS[:1]), "got logits=(2, 3), targets=(1,)"),
        (lambda: cross_entropy(LOGITS[0], TARGETS), "got logits=(3,), targets=(2,)"),
        (lambda: cross_entropy(LOGITS, TARGETS.float()), "got dtype=torch.float32"),
        (
            lambda: cross_entropy(LOGITS, TARGETS, label_smoothing=1.5),
            "label_smoothing in [0, 1], got label_smoothing=1.5",
        ),
        (
            lambda: cross_entropy(LOGITS, TARGETS, label_smoothing=torch.zeros(2)),
            "scalar label_smoothing, got label_smoothing=(2,)",
        ),
        (lambda: focal_loss(LOGITS[:, :1], TARGETS), "2 classes or more, got classes=1"),
        (lambda: focal_loss(LOGITS, TARGETS, gamma=-1), "gamma >= 0, got gamma=-1"),
        (lambda: focal_loss(LOGITS, TARGETS, gamma=math.nan), "got gamma=nan"),
        (lambda: focal_loss(LOGITS, TARGETS, alpha=-0.5), "alpha >= 0, got alpha=-0.5"),
        (lambda: focal_loss(LOGITS, TARGETS, alpha=torch.ones(2)), "(3,), got alpha=(2,)"),
        (lambda: binary_focal_loss(LOGITS, TARGETS), "got logits=(2, 3), targets=(2,)"),
        (lambda: binary_focal_loss(LOGITS, LOGITS, alpha=2), "in [0, 1], got alpha=2"),
        (lambda: binary_focal_loss(LOGITS, LOGITS, gamma=True), "got gamma=True"),
        (
            lambda: binary_focal_loss(LOGITS, LOGITS, normalizer="mean"),
            '"elements" or "positives", got normalizer=\'mean\'',
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
