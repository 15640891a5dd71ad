"""Variances before batch norm: the formula, the statistics re-estimated, a tiny experiment."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from hpcourse.claims import judge, variance_shift
from hpcourse.claims._regularisers import Plan
from hpcourse.claims.variance_shift import (
    ARMS,
    BEFORE,
    BLOCKS,
    CLAIMS,
    REESTIMATED,
    reestimated,
    variance_ratio,
    variance_ratios,
)
from hpcourse.models import batch_norm_mlp
from hpcourse.training import Stack

(CLAIM,) = CLAIMS
TINY = Plan(rates=(0.01, 0.03, 0.09), tuning_size=1, seeds=(0, 1), steps=4, width=5)


@given(
    values=st.lists(st.floats(-5, 5), min_size=2, max_size=6),
    rate=st.floats(0.0, 0.95),
)
def test_variance_ratio_is_that_of_the_mixture(values, rate):
    """Enumerate: each value is kept with probability 1 - rate, and zero otherwise."""
    x = np.array(values)
    if x.var() < 1e-6:
        return
    scaled = x / (1 - rate)
    mean, square = (1 - rate) * scaled.mean(), (1 - rate) * (scaled**2).mean()
    expected = x.var() / (square - mean**2)
    assert variance_ratio(x.mean(), x.var(), rate) == pytest.approx(expected, rel=1e-6)
    assert variance_ratio(x.mean(), x.var(), rate) <= 1 - rate + 1e-9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((math.nan, 1.0, 0.5), "finite mean, got mean=nan"),
        ((0.0, 0.0, 0.5), "variance > 0, got variance=0.0"),
        ((0.0, 1.0, 1.0), r"rate in \[0, 1\), got rate=1.0"),
    ],
)
def test_variance_ratio_names_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        variance_ratio(*arguments)


@pytest.fixture
def stack():
    """Two networks with statistics unlike any data's."""
    stack = Stack(lambda seed: batch_norm_mlp([6, 5, 4, 3], dropout="before", seed=seed), [0, 1])
    for name in stack.buffers:
        if "running" in name:
            stack.buffers[name] = stack.buffers[name] + 3.0
    return stack


def test_reestimated_statistics_are_those_of_a_pass_without_dropout(stack):
    x = torch.randn(50, 6, generator=torch.Generator().manual_seed(0))
    before = {name: buffer.clone() for name, buffer in stack.buffers.items()}
    again = reestimated(stack, x)
    for index in range(2):
        hidden = x
        for layer in again.member(index).eval():
            if isinstance(layer, nn.BatchNorm1d):
                torch.testing.assert_close(layer.running_mean, hidden.mean(dim=0))
                torch.testing.assert_close(layer.running_var, hidden.var(dim=0))
                # In this pass each layer was normalised by the batch's own biased variance.
                biased = hidden.var(dim=0, unbiased=False)
                scaled = (hidden - hidden.mean(dim=0)) / (biased + layer.eps).sqrt()
                hidden = scaled * layer.weight + layer.bias
            else:
                hidden = layer(hidden)
    for name, buffer in stack.buffers.items():
        assert torch.equal(buffer, before[name])
    assert again.params is stack.params


def test_variance_ratios_compare_inference_with_the_running_variance(stack):
    x = torch.randn(50, 6, generator=torch.Generator().manual_seed(0))
    settled = reestimated(stack, x).member(0)
    assert variance_ratios(settled, x) == pytest.approx([1.0, 1.0], rel=0.05)  # 50 rows, not 49
    with torch.no_grad():
        first = next(layer for layer in settled if isinstance(layer, nn.BatchNorm1d))
        first.running_var.mul_(4.0)
    found = variance_ratios(settled, x)
    assert found[0] == pytest.approx(0.25, rel=1e-4)
    assert found[1] < 1


def test_the_formula_predicts_the_first_batch_norm():
    """Normal inputs, so that the moments behind ReLU are known; many rows of training."""
    generator = torch.Generator().manual_seed(0)
    model = batch_norm_mlp([30, 40, 3], dropout="before", rate=0.5, seed=0)
    for layer in model:
        if isinstance(layer, nn.BatchNorm1d):
            layer.momentum = 1.0
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(0)
        model[1].bias.zero_()
        model(torch.randn(20_000, 30, generator=generator))
    (found,) = variance_ratios(model, torch.randn(20_000, 30, generator=generator))
    mean, variance = 1 / math.sqrt(2 * math.pi), 0.5 - 1 / (2 * math.pi)
    assert found == pytest.approx(variance_ratio(mean, variance, 0.5), rel=0.03)


@pytest.fixture(scope="module")
def evidence():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(variance_shift.PLANS, "quick", TINY)
        return judge(CLAIM, "quick", CLAIM.experiment("quick"))


def test_the_reestimated_arm_is_the_reference_with_other_statistics(evidence):
    again = evidence.measures["re-estimated test loss (nats)"]
    assert evidence.arms[REESTIMATED] == pytest.approx(again[BEFORE], rel=1e-5)
    assert set(evidence.measures["test loss (nats)"]) == set(ARMS)
    assert evidence.reference == BEFORE


def test_ratios_are_kept_for_every_arm_and_block(evidence):
    for block in range(BLOCKS):
        ratios = evidence.measures[f"variance ratio at block {block + 1}"]
        assert set(ratios) == set(ARMS)
        assert all(value > 0 for values in ratios.values() for value in values)


def test_the_same_budget_gives_the_same_numbers(monkeypatch):
    """Dropout draws torch's global numbers, which the experiment sets and puts back."""
    monkeypatch.setitem(variance_shift.PLANS, "quick", TINY)
    monkeypatch.setattr(variance_shift, "ARMS", {BEFORE: ARMS[BEFORE]})
    once = CLAIM.experiment("quick")
    before = torch.get_rng_state()
    again = CLAIM.experiment("quick")
    assert once.arms == again.arms
    assert torch.equal(torch.get_rng_state(), before)
