"""The pure optimiser steps against torch's optimisers, alone and as members of a population."""

import inspect
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.func import vmap
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn.functional import cross_entropy

from hpcourse.models import mlp
from hpcourse.training import UPDATES, adam, rmsprop, sgd, train, train_many

DOUBLE = torch.float64
TORCH = {
    "sgd": torch.optim.SGD,
    "adagrad": torch.optim.Adagrad,
    "adadelta": torch.optim.Adadelta,
    "rmsprop": torch.optim.RMSprop,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "adamax": torch.optim.Adamax,
    "nadam": torch.optim.NAdam,
}


def zero_or(low, high):
    return st.one_of(st.just(0.0), st.floats(low, high))


DECAY = zero_or(1e-4, 0.1)
EPS = st.floats(-10, -2).map(lambda exponent: 10**exponent)
# With large rates and short memories these steps are chaotic: any rounding grows beyond 1e-9.
BETAS = {"beta1": zero_or(0.1, 0.95), "beta2": st.floats(0.9, 0.9999)}
ADAM = {"lr": zero_or(1e-4, 0.003), **BETAS, "eps": EPS, "weight_decay": DECAY}
HYPERS = {
    "sgd": {
        "lr": zero_or(1e-4, 0.3),
        "momentum": zero_or(0.1, 0.95),
        "dampening": zero_or(0.1, 1),
        "weight_decay": DECAY,
        "nesterov": st.booleans(),
    },
    "adagrad": {
        "lr": zero_or(1e-4, 0.3),
        "lr_decay": zero_or(1e-3, 0.1),
        "weight_decay": DECAY,
        "initial_accumulator_value": zero_or(1e-3, 1),
        "eps": EPS,
    },
    "adadelta": {
        "lr": zero_or(1e-3, 2),
        "rho": zero_or(0.1, 0.99),
        "eps": EPS,
        "weight_decay": DECAY,
    },
    "rmsprop": {
        "lr": zero_or(1e-4, 0.01),
        "alpha": st.floats(0.5, 0.99),
        "eps": EPS,
        "weight_decay": DECAY,
        "momentum": zero_or(0.1, 0.9),
        "centered": st.booleans(),
    },
    "adam": ADAM | {"amsgrad": st.booleans()},
    "adamw": ADAM | {"amsgrad": st.booleans()},
    "adamax": ADAM,
    "nadam": ADAM | {"momentum_decay": zero_or(1e-3, 0.1)},
}
each_update = pytest.mark.parametrize("name", UPDATES)


def allowed(hypers):
    """Torch refuses Nesterov momentum without momentum or with dampening."""
    if not hypers.get("nesterov"):
        return "nesterov" not in hypers or "momentum" in hypers
    return bool(hypers.get("momentum")) and not hypers.get("dampening")


def members(name):
    """One to three members' hyperparameters, all of them given: 0 for some and not for others."""
    return st.lists(st.fixed_dictionaries(HYPERS[name]).filter(allowed), min_size=1, max_size=3)


def some_hypers(name):
    """The rate and some of the other hyperparameters."""
    others = {key: value for key, value in HYPERS[name].items() if key != "lr"}
    lr = {"lr": HYPERS[name]["lr"]}
    return st.fixed_dictionaries(lr, optional=others).filter(allowed)


def torch_optimizer(name, parameters, hypers):
    hypers = dict(hypers)
    if "beta1" in hypers or "beta2" in hypers:
        hypers["betas"] = (hypers.pop("beta1", 0.9), hypers.pop("beta2", 0.999))
    return TORCH[name](parameters, **hypers)


@pytest.fixture(autouse=True)
def _double():
    """Torch keeps NAdam's product of momenta in the default dtype."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(DOUBLE)
    yield
    torch.set_default_dtype(before)


def build(seed):
    return mlp([6, 8, 3], activation=nn.Tanh, seed=seed).double()


def data(steps, size=12):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(steps, size, 6, generator=generator)
    y = torch.randint(3, (steps, size), generator=generator)
    return list(zip(x, y, strict=True))


def scalars(hypers):
    return {key: torch.tensor(float(value)) for key, value in hypers.items()}


def assert_close(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


@each_update
@settings(max_examples=3)
@given(drawn=st.data())
def test_each_member_of_a_population_equals_its_own_torch_run(name, drawn):
    hypers = drawn.draw(members(name))
    columns = {key: [member[key] for member in hypers] for key in hypers[0]}
    batches = data(steps=200)
    training = train_many(
        build, cross_entropy, columns, batches, seeds=range(len(hypers)), update=UPDATES[name]
    )
    losses = torch.stack(list(training))
    for index, member in enumerate(hypers):
        alone = build(index)
        optimizer = torch_optimizer(name, alone.parameters(), member)
        steps = list(train(alone, batches, cross_entropy, optimizer))
        assert_close(losses[:, index], torch.tensor([step.loss for step in steps]))
        weights = training.stack.member(index).parameters()
        for ours, theirs in zip(weights, alone.parameters(), strict=True):
            assert_close(ours.detach(), theirs.detach())


def noisy_bowl(params, step):
    """Gradients of a bowl with noise, as a training's."""
    generator = torch.Generator().manual_seed(step)
    return {name: 0.3 * p + torch.randn(p.shape, generator=generator) for name, p in params.items()}


@each_update
@settings(max_examples=15)
@given(drawn=st.data())
def test_one_member_alone_follows_torch_through_a_schedule(name, drawn):
    """With any choice of hyperparameters left out: their defaults are torch's."""
    hypers = drawn.draw(some_hypers(name))
    params, state = {"w": torch.tensor([1.0, -2.0]), "b": torch.tensor(3.0)}, {}
    theirs = [p.clone().requires_grad_() for p in params.values()]
    optimizer = torch_optimizer(name, theirs, hypers)
    own = scalars(hypers)
    for step in range(200):
        lr = hypers["lr"] * (1 + math.cos(step / 20))
        optimizer.param_groups[0]["lr"] = lr
        wanted = noisy_bowl(dict(zip(params, theirs, strict=True)), step)
        for p, grad in zip(theirs, wanted.values(), strict=True):
            p.grad = grad.detach()
        optimizer.step()
        grads = noisy_bowl(params, step)
        params, state = UPDATES[name](params, grads, state, **own | {"lr": torch.tensor(lr)})
    for ours, expected in zip(params.values(), theirs, strict=True):
        assert_close(ours, expected.detach())


@each_update
def test_defaults_are_those_of_torch(name):
    """Left out is what torch calls 0 or False; sgd wants its rate."""
    theirs = {k: p.default for k, p in inspect.signature(TORCH[name]).parameters.items()}
    if "betas" in theirs:
        theirs["beta1"], theirs["beta2"] = theirs["betas"]
    for key, parameter in inspect.signature(UPDATES[name]).parameters.items():
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.default is not parameter.empty:
            assert (parameter.default or 0) == theirs[key], key


@each_update
@settings(max_examples=3)
@given(order=st.permutations(range(4)))
def test_permuting_the_members_permutes_the_results(name, order):
    hypers = {"lr": torch.tensor([0.0, 0.01, 0.02, 0.05])}
    for key in set(HYPERS[name]) & {"weight_decay", "momentum", "eps", "beta1", "beta2", "alpha"}:
        hypers[key] = torch.tensor([0.0, 0.1, 0.5, 0.9])
    update = vmap(lambda p, g, s, h: UPDATES[name](p, g, s, **h))

    def run(positions):
        weights = torch.linspace(-1, 1, 8).reshape(4, 2)
        params, state = {"w": weights[positions]}, {}
        own = {key: value[positions] for key, value in hypers.items()}
        for _ in range(10):
            grads = {"w": torch.cos(3 * params["w"]) + 0.1}
            params, state = update(params, grads, state, own)
        return params["w"]

    assert torch.equal(run([0, 1, 2, 3])[order], run(order))


@each_update
@pytest.mark.parametrize("poison", [math.nan, math.inf, 1e300])
def test_a_member_that_diverges_harms_no_other(name, poison):
    update = vmap(lambda p, g, s, lr: UPDATES[name](p, g, s, lr=lr))

    def run(positions):
        params, state = {"w": torch.ones(3, 2)[positions]}, {}
        for step in range(20):
            grads = noisy_bowl({"w": torch.ones(3, 2)}, step)
            grads["w"][1] = poison
            grads["w"] = grads["w"][positions] * params["w"]
            lr = torch.tensor([0.01, 1e300, 0.02])[positions]
            params, state = update(params, grads, state, lr)
        return params["w"]

    together = run([0, 1, 2])
    assert not bool(together[1].isfinite().any())
    assert torch.equal(together[[0, 2]], run([0, 2]))


@each_update
def test_an_update_can_be_traced_and_changes_nothing_in_place(name):
    """Traced once with a state and once without, it serves all steps."""
    hypers = {
        key: torch.tensor([0.0, 0.5]) if key != "nesterov" else torch.tensor([0.0, 1.0])
        for key in HYPERS[name]
    }
    update = vmap(lambda p, g, s, h: UPDATES[name](p, g, s, **h))
    start = {"w": torch.ones(2, 3), "b": torch.ones(2)}
    first = make_fx(update)(start, start, {}, hypers)
    params, state = first(start, start, {}, hypers)
    later = make_fx(update)(params, start, state, hypers)
    called = [node.target for node in later.graph.nodes if node.op == "call_function"]
    names = [target.overloadpacket.__name__ for target in called if hasattr(target, "_schema")]
    assert len(names) > 3
    assert not [name for name in names if name.endswith("_")]
    wanted = update(start, start, {}, hypers)
    for step in range(3):
        grads = noisy_bowl(params, step)
        params, state = later(params, grads, state, hypers)
        wanted = update(wanted[0], grads, wanted[1], hypers)
    for key, value in params.items():
        torch.testing.assert_close(value, wanted[0][key], rtol=0, atol=0, equal_nan=True)
    assert bool((start["w"] == 1).all())


def test_sgd_refuses_nesterov_without_momentum():
    one = {"w": torch.tensor(1.0)}
    with pytest.raises(ValueError, match="sgd with nesterov needs momentum, got momentum=None"):
        sgd(one, one, {}, lr=one["w"], nesterov=one["w"])


@given(st.floats(0.01, 100), st.floats(0.05, 0.95))
def test_centred_rmsprop_survives_gradients_that_never_change(grad, alpha):
    """E[g**2] - E[g]**2 tends to 0 from above, and rounding makes it negative."""
    params, state = {"w": torch.tensor(1.0)}, {}
    hypers = scalars({"lr": 1e-3, "alpha": alpha, "centered": 1.0})
    for _ in range(200):
        params, state = rmsprop(params, {"w": torch.tensor(grad)}, state, **hypers)
    assert bool(params["w"].isfinite())


def test_steps_are_counted_in_half_precision_too():
    half = {"w": torch.ones(3, dtype=torch.float16)}
    _, state = adam(half, half, {})
    state["step"]["all"] = state["step"]["all"] + 4000
    params, state = adam(half, half, state)
    assert state["step"]["all"].item() == 4002
    assert params["w"].dtype == torch.float16


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_first_step_of_adam_is_the_rate_however_near_to_one_the_decays_are(dtype):
    """The corrections 1 - beta**t keep their digits in single precision."""
    start = {"w": torch.zeros(1, dtype=dtype)}
    hypers = {"lr": 1.0, "beta1": 0.99999, "beta2": 0.999999, "eps": 0.0}
    own = {key: torch.tensor(value, dtype=dtype) for key, value in hypers.items()}
    for given_hypers in (hypers, own):
        params, state = start, {}
        for step in range(1, 6):
            grads = {"w": torch.full((1,), 2.0, dtype=dtype)}
            params, state = adam(params, grads, state, **given_hypers)
            assert math.isclose(params["w"].item(), -step, rel_tol=100 * torch.finfo(dtype).eps)
