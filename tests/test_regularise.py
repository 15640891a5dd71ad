"""Dropout: its statistics, its modes, a rate of its own for each member."""

import re

import pytest
import torch
from scipy.stats import binomtest
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from hpcourse.regularise import Dropout


@pytest.fixture(autouse=True)
def _own_random_numbers():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.9])
def test_the_share_of_zeros_is_the_rate_and_the_rest_is_scaled_up(rate):
    x = torch.full((100_000,), 3.0)
    dropped = Dropout(rate)(x)
    zeros = int((dropped == 0).sum())
    assert binomtest(zeros, len(x), rate).pvalue > 1e-4
    expected = torch.full((len(x) - zeros,), 3 / (1 - rate))
    torch.testing.assert_close(dropped[dropped != 0], expected)


def test_gradients_pass_where_activations_do():
    x = torch.ones(1000, requires_grad=True)
    dropped = Dropout(0.3)(x)
    dropped.sum().backward()
    assert torch.equal(x.grad, dropped.detach())


def test_nothing_happens_in_evaluation_mode_or_at_rate_zero():
    x = torch.randn(50)
    assert torch.equal(Dropout(0.9).eval()(x), x)
    assert torch.equal(Dropout(0.0)(x), x)


def test_members_of_a_stack_have_rates_of_their_own():
    rates = (0.0, 0.2, 0.8)
    _, buffers = stack_module_state([nn.Sequential(Dropout(rate)) for rate in rates])
    template = nn.Sequential(Dropout(0.5))

    def call(own, x):
        return functional_call(template, own, (x,))

    dropped = vmap(call, in_dims=(0, None), randomness="different")(buffers, torch.ones(50_000))
    for row, rate in zip(dropped, rates, strict=True):
        assert binomtest(int((row == 0).sum()), row.numel(), rate).pvalue > 1e-4


@pytest.mark.parametrize("rate", [-0.1, 1.0, float("nan")])
def test_bad_rates_are_named(rate):
    with pytest.raises(ValueError, match=re.escape(f"rate in [0, 1), got rate={rate}")):
        Dropout(rate)


def test_the_rate_is_shown():
    assert repr(Dropout(0.25)) == "Dropout(rate=0.25)"
