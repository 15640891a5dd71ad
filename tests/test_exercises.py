"""Every check accepts a right answer, and refuses an empty, a wrong and a raising one."""

import math
from itertools import pairwise, permutations
from statistics import NormalDist

import numpy as np
import pytest
import torch

from hpcourse import exercises, losses
from hpcourse.schedules import cosine_decay, join, polynomial_decay, time_decay


def in_order_seconds(durations, workers):
    ends = []
    for number, duration in enumerate(durations):
        known = max(0, number - workers + 1)
        ends.append(max(ends[:known], default=0.0) + duration)
    return max(ends)


RIGHT = {
    "check_best_choice": lambda scores, direction: (max if direction == "max" else min)(
        scores, key=scores.get
    ),
    "check_expected_distinct": lambda size, trials: size * (1 - (1 - 1 / size) ** trials),
    "check_decades_moved": lambda factor: math.log10((1 + factor) / 2),
    "check_lognormal_arguments": lambda median, factor: (
        math.log(median),
        math.log(factor) / 1.96,
    ),
    "check_lowest_loss": lambda results: min(
        (result["loss"] for result in results if result["status"] == "ok"), default=math.inf
    ),
    "check_lognormal": lambda median, factor: [
        math.log(median),
        math.log(factor) / NormalDist().inv_cdf(0.975),
    ],
    "check_quantised": lambda low, high, q, value: (
        max(0.0, min(high, value + q / 2) - max(low, value - q / 2)) / (high - low)
    ),
    "check_trials_to_hit": lambda ranges, good, chance: next(
        n
        for n in range(1, 10**6)
        if (
            1
            - math.prod(
                math.log10(b / a) / math.log10(d / c)
                for (a, b), (c, d) in zip(good, ranges, strict=True)
            )
        )
        ** n
        <= 1 - chance
    ),
    "check_next_centre": lambda centre, below, here, above: (
        centre if here <= min(below, above) else centre * (0.55 if below < above else 5.5)
    ),
    "check_chosen_batch": lambda first, losses: (
        first
        * 2 ** next((k for k, (a, b) in enumerate(pairwise(losses)) if b >= a), len(losses) - 1)
    ),
    "check_trials_for_the_best": lambda share, confidence: next(
        n for n in range(1, 10_000) if 1 - (1 - share) ** n >= confidence
    ),
    "check_golden_evaluations": lambda tolerance: next(
        n for n in range(2, 100) if ((math.sqrt(5) - 1) / 2) ** (n - 1) <= tolerance
    ),
    "check_chance_of_the_grid": lambda values, width: (
        sum(
            min((k + 0.5) / values, 1 - width) - max((k + 0.5) / values - width, 0)
            for k in range(values)
        )
        / (1 - width)
    ),
    "check_bracket_cost": lambda sizes, budgets: sum(
        n * (b - a) for n, b, a in zip(sizes, budgets, [0, *budgets], strict=False)
    ),
    "check_promotable": lambda losses, promoted, eta: [
        n
        for n in sorted(range(len(losses)), key=losses.__getitem__)[: len(losses) // eta]
        if n not in promoted and math.isfinite(losses[n])
    ],
    "check_kept_best": lambda rungs, eta: 1 / eta ** (rungs - 1),
    "check_useful_workers": lambda trial_seconds, ask_seconds: math.ceil(
        (trial_seconds + ask_seconds) / ask_seconds
    ),
    "check_results_known": lambda number, workers, size: max(0, number - workers * size + 1),
    "check_in_order_seconds": in_order_seconds,
    "check_auxiliary_weight": lambda main, auxiliary, decades: math.exp(
        math.log(main) - math.log(auxiliary) + decades * math.log(10)
    ),
    "check_epochs_for_updates": lambda samples, batch_size, updates: next(
        epochs for epochs in range(1, updates + 1) if epochs * -(-samples // batch_size) >= updates
    ),
    "check_focal_factor": lambda probability, positive, gamma, alpha: (
        losses.binary_focal_loss(
            torch.tensor([math.log(probability / (1 - probability))], dtype=torch.float64),
            torch.tensor([int(positive)]),
            gamma=gamma,
            alpha=alpha,
        ).item()
        / -math.log(probability if positive else 1 - probability)
    ),
    "check_convolution_parameters": lambda channels, kernels, height, width, bias: sum(
        p.numel()
        for p in torch.nn.Conv2d(channels, kernels, (height, width), bias=bias).parameters()
    ),
    "check_kind": lambda name: {
        **dict.fromkeys(
            ["weights of a kernel", "bias of a layer", "scale of batch norm"], "parameter"
        ),
        **dict.fromkeys(["number of kernels", "kernel size", "activation"], "network"),
        **dict.fromkeys(["dropout rate", "weight decay"], "regularisation"),
    }.get(name, "optimisation"),
    "check_risk_gap": lambda losses, probabilities, sample: (
        sum(p * loss for p, loss in zip(probabilities, losses, strict=True))
        - sum(losses[i] for i in sample) / len(sample)
    ),
    "check_middle": lambda low, high: low * math.exp(math.log(high / low) / 2),
    "check_candidates": lambda low, high, per_decade: [
        low * 10 ** (i / per_decade) for i in range(int(math.log10(high / low) * per_decade + 1.5))
    ],
    "check_decades_of_decay": lambda decay, updates: -math.log10(time_decay(1.0, decay)(updates)),
    "check_variance_shares": lambda slopes, widths: [
        (a * w) ** 2 / sum((b * v) ** 2 for b, v in zip(slopes, widths, strict=True))
        for a, w in zip(slopes, widths, strict=True)
    ],
    "check_effective_rate": lambda lr, momentum, steps: lr * (1 - momentum**steps) / (1 - momentum),
    "check_narrowed_range": lambda share, wanted: math.sqrt(
        math.sqrt(wanted * (1 - share) / (share * (1 - wanted)))
    ),
    "check_expected_improvement": lambda mean, std, best: (
        std * math.exp(-(((best - mean) / std) ** 2) / 2) / math.sqrt(2 * math.pi)
        + (best - mean) * math.erfc((mean - best) / std / math.sqrt(2)) / 2
    ),
    "check_posterior_of_one": lambda value, distance: (
        value * math.exp(-(distance**2) / 2),
        math.sqrt(-math.expm1(-(distance**2))),
    ),
    "check_still_behind": lambda earlier, further: (
        math.comb(earlier + further - 1, further) / math.comb(earlier + further, further)
    ),
    "check_decay_rate": lambda fraction, steps, decay_steps: fraction ** (decay_steps / steps),
    "check_compounded_decay": lambda lr, k, n: math.prod(
        [lr, *(1 / (1 + k * t) for t in range(1, n + 1))]
    ),
    "check_triangular": lambda low, high, half: (
        lambda step: high - (high - low) * abs(step % (2 * half) - half) / half
    ),
    "check_warmup_cosine": lambda peak, warm, total: join(
        [polynomial_decay(0.0, warm, peak), cosine_decay(peak, total - warm)], [warm]
    ),
    "check_stable_rate": lambda curvature, momentum: 2 * (1 + momentum) / curvature,
    "check_escape_steps": lambda lr, curvature, start, radius: (
        (math.log(radius) - math.log(start)) / math.log(1 - lr * curvature)
    ),
    "check_hessian_vector_product": lambda gradient, point, direction: (
        (gradient(point + 1e-5 * direction) - gradient(point - 1e-5 * direction)) / 2e-5
    ),
    "check_critical_point": lambda eigenvalues: (
        "saddle"
        if min(eigenvalues) < 0 < max(eigenvalues)
        else "degenerate"
        if 0 in eigenvalues
        else "minimum"
        if min(eigenvalues) > 0
        else "maximum"
    ),
    "check_variance_ratio": lambda mean, variance, rate: (
        variance * (1 - rate) / (variance + rate * mean**2)
    ),
    "check_mlp_parameters": lambda inputs, width, depth, outputs: sum(
        (a + 1) * b for a, b in pairwise([inputs, *[width] * depth, outputs])
    ),
    "check_shrinkage": lambda lr, weight_decay, steps: math.exp(
        steps * math.log1p(-lr * weight_decay)
    ),
}
WRONG = {
    "check_decades_moved": lambda factor: math.log10(factor) / 2,
    "check_best_choice": lambda scores, direction: min(scores, key=scores.get),
    "check_expected_distinct": min,
    "check_lognormal_arguments": lambda median, factor: (median, factor / 1.96),
    "check_lowest_loss": lambda results: min(
        (result["loss"] for result in results if "loss" in result), default=math.inf
    ),
    "check_lognormal": lambda median, factor: [median, math.log(factor) / 1.96],
    "check_quantised": lambda low, high, q, value: 1 / (round(high / q) - round(low / q) + 1),
    "check_trials_to_hit": lambda ranges, good, chance: math.ceil(
        sum(math.log(d / c) / math.log(b / a) for (a, b), (c, d) in zip(good, ranges, strict=True))
    ),
    "check_next_centre": lambda centre, below, here, above: (
        centre / 10 if below < here else 10 * centre if above < here else centre
    ),
    "check_chosen_batch": lambda first, losses: first * 2 ** int(np.argmin(losses)),
    "check_trials_for_the_best": lambda share, confidence: math.ceil(1 / share),
    "check_golden_evaluations": lambda tolerance: math.ceil(math.log2(1 / tolerance)),
    "check_chance_of_the_grid": lambda values, width: values * width,
    "check_bracket_cost": lambda sizes, budgets: sum(
        n * b for n, b in zip(sizes, budgets, strict=True)
    ),
    "check_promotable": lambda losses, promoted, eta: [
        n
        for n in sorted(range(len(losses)), key=losses.__getitem__)
        if n not in promoted and math.isfinite(losses[n])
    ][: len(losses) // eta],
    "check_kept_best": lambda rungs, eta: 1 / eta**rungs,
    "check_useful_workers": lambda trial_seconds, ask_seconds: trial_seconds / ask_seconds,
    "check_results_known": lambda number, workers, size: number,
    "check_in_order_seconds": lambda durations, workers: sum(durations) / workers,
    "check_variance_ratio": lambda mean, variance, rate: 1 - rate,
    "check_mlp_parameters": lambda inputs, width, depth, outputs: (
        inputs * width + (depth - 1) * width**2 + width * outputs
    ),
    "check_shrinkage": lambda lr, weight_decay, steps: 1 - lr * weight_decay * steps,
    "check_auxiliary_weight": lambda main, auxiliary, decades: 10**decades,
    "check_epochs_for_updates": lambda samples, batch_size, updates: (
        updates * batch_size // samples
    ),
    "check_focal_factor": lambda probability, positive, gamma, alpha: (
        alpha * (1 - probability) ** gamma
    ),
    "check_convolution_parameters": lambda channels, kernels, height, width, bias: (
        kernels * (height * width + bias)
    ),
    "check_kind": lambda name: "parameter" if "weight" in name else "network",
    "check_risk_gap": lambda losses, probabilities, sample: (
        sum(losses) / len(losses) - sum(losses[i] for i in sample) / len(sample)
    ),
    "check_middle": lambda low, high: (low + high) / 2,
    "check_candidates": lambda low, high, per_decade: np.linspace(low, high, per_decade + 1),
    "check_decades_of_decay": lambda decay, updates: decay * updates,
    "check_variance_shares": lambda slopes, widths: [a / sum(slopes) for a in slopes],
    "check_effective_rate": lambda lr, momentum, steps: lr / (1 - momentum),
    "check_narrowed_range": lambda share, wanted: wanted / share,
    "check_decay_rate": lambda fraction, steps, decay_steps: fraction ** (steps / decay_steps),
    "check_compounded_decay": lambda lr, k, n: lr / (1 + k * n),
    "check_triangular": lambda low, high, half: (
        lambda step: low + (high - low) * (step % half) / half
    ),
    "check_warmup_cosine": lambda peak, warm, total: cosine_decay(peak, total),
    "check_stable_rate": lambda curvature, momentum: 2 / curvature,
    "check_escape_steps": lambda lr, curvature, start, radius: radius / start / lr,
    "check_hessian_vector_product": lambda gradient, point, direction: gradient(direction),
    "check_critical_point": lambda eigenvalues: "minimum" if min(eigenvalues) > 0 else "saddle",
    "check_expected_improvement": lambda mean, std, best: max(best - mean, 0.0),
    "check_posterior_of_one": lambda value, distance: (
        value * math.exp(-(distance**2) / 2),
        1.0,
    ),
    "check_still_behind": lambda earlier, further: further / (earlier + further),
}


def check(name):
    return getattr(exercises, name)


def test_every_check_is_covered():
    assert set(RIGHT) == set(WRONG) == set(exercises.__all__)


@pytest.mark.parametrize("name", exercises.__all__)
def test_a_right_answer_passes(name, capsys):
    assert check(name)(RIGHT[name]) is True
    assert capsys.readouterr().out == "Right.\n"


@pytest.mark.parametrize("name", exercises.__all__)
def test_a_wrong_answer_is_told_what_was_expected(name, capsys):
    assert check(name)(WRONG[name]) is False
    assert "expected" in capsys.readouterr().out


@pytest.mark.parametrize("name", exercises.__all__)
@pytest.mark.parametrize("empty", [None, ...])
def test_an_empty_answer_fails(name, empty, capsys):
    assert check(name)(lambda *arguments: empty) is False
    assert "still empty" in capsys.readouterr().out


@pytest.mark.parametrize("name", exercises.__all__)
def test_an_answer_that_raises_is_told_the_error(name, capsys):
    assert check(name)(lambda *arguments: 1 / 0) is False
    assert "ZeroDivisionError: division by zero" in capsys.readouterr().out


@pytest.mark.parametrize("name", exercises.__all__)
def test_an_answer_of_the_wrong_type_fails(name, capsys):
    assert check(name)(lambda *arguments: {"no": "number"}) is False
    assert "Not yet" in capsys.readouterr().out


def test_escape_steps_agree_with_descent():
    lr, curvature, start = 0.1, -1.0, 1e-6
    position, steps = start, 0
    while position < 0.5:
        position, steps = position - lr * curvature * position, steps + 1
    assert math.ceil(RIGHT["check_escape_steps"](lr, curvature, start, 0.5)) == steps


def test_the_critical_stable_rate_neither_grows_nor_shrinks():
    curvature, momentum = 10.0, 0.9
    rate = RIGHT["check_stable_rate"](curvature, momentum)

    def size_after(lr):
        x, velocity = 1.0, 0.0
        for _ in range(400):
            velocity = momentum * velocity - lr * curvature * x
            x += velocity
        return np.hypot(x, velocity)

    assert size_after(0.98 * rate) < 1e-2
    assert size_after(1.02 * rate) > 1e2


def test_the_effective_rate_is_what_sgd_does():
    lr, momentum, steps = 0.1, 0.9, 7
    weight = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=lr, momentum=momentum)
    for _ in range(steps):
        before = weight.item()
        weight.grad = torch.ones_like(weight)
        optimizer.step()
    moved = before - weight.item()
    assert RIGHT["check_effective_rate"](lr, momentum, steps) == pytest.approx(moved, rel=1e-12)


def test_a_narrowed_parabola_has_the_wanted_share():
    share, wanted = 0.6, 0.05
    factor = RIGHT["check_narrowed_range"](share, wanted)
    places = np.linspace(-1, 1, 100_001)
    wide, narrow = np.var(places**2), np.var((factor * places) ** 2)
    rest = wide * (1 - share) / share
    assert narrow / (narrow + rest) == pytest.approx(wanted, rel=1e-6)


def test_expected_improvement_is_the_mean_of_what_falls_below():
    mean, std, best = 0.4, 0.3, 0.2
    losses = np.random.default_rng(0).normal(mean, std, 400_000)
    drawn = np.maximum(best - losses, 0).mean()
    assert RIGHT["check_expected_improvement"](mean, std, best) == pytest.approx(drawn, rel=0.02)


@pytest.mark.parametrize(("earlier", "further"), [(1, 2), (3, 2), (2, 4)])
def test_random_search_is_behind_as_often_as_all_orders_say(earlier, further):
    orders = list(permutations(range(earlier + further)))
    behind = sum(min(order[:earlier]) == 0 for order in orders) / len(orders)
    assert RIGHT["check_still_behind"](earlier, further) == pytest.approx(behind)
