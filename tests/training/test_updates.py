"""The pure optimiser steps against torch's optimisers, one network at a time."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hpcourse.training import sgd

OPTIONS = {
    "momentum": st.floats(0.01, 0.99),
    "dampening": st.floats(0, 1),
    "weight_decay": st.floats(0, 1),
    "nesterov": st.just(True),
}
# torch refuses Nesterov momentum without momentum or with dampening.
SETTINGS = st.fixed_dictionaries({"lr": st.floats(0, 1)}, optional=OPTIONS).filter(
    lambda s: not s.get("nesterov") or ("momentum" in s and not s.get("dampening"))
)


def tensors(*values):
    return {f"w{i}": torch.tensor(v, dtype=torch.float64) for i, v in enumerate(values)}


@given(SETTINGS)
def test_sgd_equals_torch_with_every_choice_of_options(settings):
    """Options that are left out included: their default is torch's default."""
    start = tensors([1.0, -2.0], 3.0)
    params, state = start, {}
    theirs = [p.clone().requires_grad_() for p in start.values()]
    optimizer = torch.optim.SGD(theirs, **settings)
    hypers = {name: torch.tensor(value, dtype=torch.float64) for name, value in settings.items()}
    for step in range(5):
        grads = tensors([step - 1.0, 0.5], (-1.0) ** step)
        for p, grad in zip(theirs, grads.values(), strict=True):
            p.grad = grad
        optimizer.step()
        before = {name: p.clone() for name, p in params.items()}
        old = params
        params, state = sgd(params, grads, state, **hypers)
        assert all(torch.equal(before[name], p) for name, p in old.items())
        for ours, expected in zip(params.values(), theirs, strict=True):
            torch.testing.assert_close(ours, expected.detach(), rtol=1e-12, atol=1e-12)


def test_sgd_refuses_nesterov_without_momentum():
    one = tensors(1.0)
    with pytest.raises(ValueError, match="sgd with nesterov needs momentum, got momentum=None"):
        sgd(one, one, {}, lr=one["w0"], nesterov=one["w0"])
