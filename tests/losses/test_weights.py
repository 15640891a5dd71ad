"""Task weights against closed forms, hand computation and a toy problem out of balance."""

import math
import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.func import grad, vmap

from hpcourse.losses import (
    UncertaintyWeights,
    gradient_norms,
    gradnorm_gradient,
    gradnorm_step,
    uncertainty_weighted,
    weighted_sum,
)

DOUBLE = torch.float64
LOSSES = st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=5)
TASKS = st.sampled_from(["regression", "classification"])


def doubles(values):
    return torch.tensor(values, dtype=DOUBLE)


def assert_close(ours, expected):
    torch.testing.assert_close(ours, expected, rtol=1e-12, atol=1e-12)


def positive(seed, count):
    """As many vectors (tasks,) of positive numbers as asked for."""
    generator = torch.Generator().manual_seed(seed)
    return torch.exp(torch.randn(count, 4, generator=generator, dtype=DOUBLE))


@settings(max_examples=25)
@given(LOSSES, st.randoms(use_true_random=False))
def test_weighted_sum_takes_numbers_and_tensors(losses, random):
    weights = [random.random() for _ in losses]
    expected = doubles(sum(loss * w for loss, w in zip(losses, weights, strict=True)))
    mixed = [doubles(weights[0]), *weights[1:]]
    for own in (weights, mixed, doubles(weights)):
        assert_close(weighted_sum(doubles(losses), own), expected)
        assert_close(weighted_sum([doubles(loss) for loss in losses], own), expected)


@settings(max_examples=25)
@given(st.floats(0.01, 10), st.floats(-3, 3), st.integers(0, 10**6))
def test_a_regression_is_the_gaussian_likelihood(deviation, mean, seed):
    """Kendall et al., eq. 5, without the constant log(2 pi) / 2."""
    y = torch.randn(7, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)
    normal = torch.distributions.Normal(mean, deviation)
    expected = -normal.log_prob(y).mean() - math.log(2 * math.pi) / 2
    s = doubles([2 * math.log(deviation)])
    ours = uncertainty_weighted([(y - mean).square().mean()], s, tasks=["regression"])
    torch.testing.assert_close(ours, expected, rtol=1e-6, atol=1e-6)


@settings(max_examples=25)
@given(LOSSES, st.data())
def test_the_best_variances_are_those_stated(losses, drawn):
    """There the network's gradient does not depend on a task's unit."""
    tasks = [drawn.draw(TASKS) for _ in losses]
    factors = doubles([1.0 if task == "regression" else 2.0 for task in tasks])
    best = (factors * doubles(losses)).log()
    weigh = UncertaintyWeights(tasks).double()
    with torch.no_grad():
        weigh.log_variances.copy_(best)
    at_losses = doubles(losses).requires_grad_()
    weigh(at_losses).backward()
    assert_close(weigh.log_variances.grad, torch.zeros_like(best))
    assert_close(at_losses.grad * at_losses.detach(), torch.full_like(best, 0.5))
    for shift in (-0.1, 0.1):
        moved = uncertainty_weighted(doubles(losses), best + shift, tasks=tasks)
        assert moved > weigh(doubles(losses))


def test_the_variances_are_learned():
    weigh = UncertaintyWeights(["regression", "classification"]).double()
    losses = doubles([0.01, 3.0])
    optimizer = torch.optim.SGD(weigh.parameters(), lr=0.3)
    for _ in range(500):
        optimizer.zero_grad()
        weigh(losses).backward()
        optimizer.step()
    assert_close(weigh.log_variances.detach(), doubles([0.01, 6.0]).log())


def test_uncertainty_is_batched_over_members():
    s = doubles([[0.0, 1.0], [-1.0, 2.0]])
    tasks = ["regression", "classification"]
    losses = doubles([2.0, 3.0])
    many = vmap(lambda s: uncertainty_weighted(losses, s, tasks=tasks))(s)
    for ours, own in zip(many, s, strict=True):
        assert_close(ours, uncertainty_weighted(losses, own, tasks=tasks))


def test_gradient_norms_are_over_all_shared_parameters_and_keep_the_graph():
    a, b = (torch.tensor(v, dtype=DOUBLE, requires_grad=True) for v in ([1.0, 2.0], 3.0))
    losses = torch.stack([(3 * a).sum() + 4 * b, (a * b).sum()])
    norms = gradient_norms(losses, [a, b])
    assert_close(norms, doubles([math.sqrt(9 + 9 + 16), math.sqrt(9 + 9 + 9)]))
    assert not norms.requires_grad
    weighted_sum(losses, [1.0, 2.0]).backward()
    assert_close(b.grad, doubles(4.0 + 2 * 3.0))


def test_gradnorm_by_hand():
    """Weighted norms 4 and 1; rates of progress 0.5 and 0.25 over their mean, 4/3 and 2/3."""
    weights, norms = doubles([0.5, 1.5]), doubles([8.0, 2 / 3])
    losses, initial = doubles([1.0, 2.0]), doubles([2.0, 8.0])
    assert_close(weights * norms, doubles([4.0, 1.0]))
    # The targets, 2.5 times 4/3 and 2/3, lie below and above the weighted norms.
    gradient = gradnorm_gradient(weights, norms, losses, initial, alpha=1.0)
    assert_close(gradient, doubles([8.0, -2 / 3]))
    # 0.5 - 0.03 * 8 = 0.26 and 1.5 + 0.02 = 1.52, which add up to 1.78.
    moved = gradnorm_step(weights, norms, losses, initial, alpha=1.0, lr=0.03)
    assert_close(moved, doubles([0.26, 1.52]) * 2 / 1.78)
    # A force of 4 asks for 2.5 * (4/3)**4 = 7.9 of the first task: now it is the one that lags.
    gradient = gradnorm_gradient(weights, norms, losses, initial, alpha=4.0)
    assert_close(gradient, doubles([-8.0, 2 / 3]))


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.floats(0, 3))
def test_gradnorm_is_the_derivative_of_equation_2(seed, alpha):
    weights, norms, losses, initial = positive(seed, 4)
    mean = (weights * norms).mean()
    r = (losses / initial) / (losses / initial).mean()

    def equation_2(w):
        return (w * norms - mean * r**alpha).abs().sum()

    ours = gradnorm_gradient(weights, norms, losses, initial, alpha=alpha)
    assert_close(ours, grad(equation_2)(weights))


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.floats(0, 3), st.floats(0, 100), st.permutations(range(4)))
def test_weights_stay_positive_sum_to_the_tasks_and_follow_their_order(seed, alpha, lr, order):
    arguments = positive(seed, 4)
    ours = gradnorm_step(*arguments, alpha=alpha, lr=lr)
    assert bool((ours > 0).all())
    assert math.isclose(ours.sum(), 4, rel_tol=1e-12)
    assert_close(gradnorm_step(*arguments[:, order], alpha=alpha, lr=lr), ours[order])
    both = vmap(lambda a, r: gradnorm_step(*arguments, alpha=a, lr=r))(
        doubles([alpha, 0.5]), doubles([lr, 0.1])
    )
    assert_close(both[0], ours)


def toy(steps, balance):
    """Two regressions on one layer, one of ten times the scale, as in the paper's example.

    Returns the relative losses, the weights and the unweighted gradient norms at the end.
    """
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(64, 5, generator=generator, dtype=DOUBLE)
    common = torch.randn(5, 8, generator=generator, dtype=DOUBLE)
    own = [common + 0.3 * torch.randn(5, 8, generator=generator, dtype=DOUBLE) for _ in range(2)]
    scales = (1.0, 10.0)
    y = [scale * torch.tanh(x @ matrix) for scale, matrix in zip(scales, own, strict=True)]
    shared = (torch.randn(5, 8, generator=generator, dtype=DOUBLE) / 3).requires_grad_()
    weights = torch.ones(2, dtype=DOUBLE)
    initial = None
    for _ in range(steps):
        hidden = torch.tanh(x @ shared)
        pairs = zip(scales, y, strict=True)
        losses = torch.stack([(scale * hidden - target).square().mean() for scale, target in pairs])
        initial = losses.detach() if initial is None else initial
        norms = gradient_norms(losses, [shared])
        (slope,) = torch.autograd.grad(weighted_sum(losses, weights), shared)
        with torch.no_grad():
            shared -= 1e-3 * slope
        if balance:
            weights = gradnorm_step(weights, norms, losses, initial, alpha=0.0, lr=3e-4)
    return (losses / initial).detach(), weights, norms


def test_gradnorm_balances_tasks_of_different_scale():
    """Equal weights leave the net to the large task; GradNorm gives both equal gradients."""
    plain, _, plain_norms = toy(300, balance=False)
    assert plain_norms[1] > 10 * plain_norms[0]
    balanced, weights, norms = toy(300, balance=True)
    weighted = weights * norms
    assert 0.5 < weighted[1] / weighted[0] < 2
    # The tasks' relative losses come nearer to each other, too.
    assert plain[0] / plain[1] > balanced[0] / balanced[1] > 0.5
    assert not weights.requires_grad


ONE = torch.ones(2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: weighted_sum(ONE, [1.0]), "weighted_sum needs 2 weights, got weights=[1.0]"),
        (lambda: weighted_sum(ONE, torch.ones(3)), "weights (2,), got weights=(3,)"),
        (lambda: weighted_sum(ONE, [1.0, -1.0]), "weight >= 0, got weight=-1.0"),
        (lambda: weighted_sum([], []), "needs a loss, got losses=[]"),
        (lambda: weighted_sum([ONE], [1.0]), "scalar losses, got shape=(2,)"),
        (lambda: weighted_sum(torch.ones(2, 2), ONE), "got losses=(2, 2)"),
        (
            lambda: uncertainty_weighted(ONE, torch.zeros(3), tasks=["regression"] * 2),
            "log_variances (2,), got log_variances=(3,)",
        ),
        (
            lambda: uncertainty_weighted(ONE, torch.zeros(2), tasks=["regression"]),
            "uncertainty_weighted needs 2 tasks, got tasks=('regression',)",
        ),
        (lambda: UncertaintyWeights(["ranking"]), "got tasks=('ranking',)"),
        (lambda: UncertaintyWeights([]), "got tasks=()"),
        (lambda: gradient_norms(ONE, []), "shared parameters, got shared=[]"),
        (lambda: gradnorm_gradient(ONE, torch.ones(3), ONE, ONE), "norms (2,), got norms=(3,)"),
        (lambda: gradnorm_step(ONE, ONE, ONE, ONE, alpha=-1), "alpha >= 0, got alpha=-1"),
        (lambda: gradnorm_step(ONE, ONE, ONE, ONE, lr=math.inf), "lr >= 0, got lr=inf"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
