"""The torch adapter: a real scheduler whose rates are the schedule's."""

import io
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop
from torch.optim.lr_scheduler import LRScheduler, SequentialLR

from hpcourse.optim import lambda_lr, set_lr
from hpcourse.schedules import constant, cosine_decay, noisy_linear_cosine_decay, warmup

SCHEDULE = warmup(cosine_decay(0.1, decay_steps=20, alpha=0.1), steps=5, start=0.01)


def parameter() -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.zeros(3, dtype=torch.float64))


def two_groups(make: Callable[..., Optimizer] = SGD) -> Optimizer:
    return make([{"params": [parameter()], "lr_scale": 0.25}, {"params": [parameter()]}], lr=0.3)


def rates(optimizer: Optimizer) -> list[float]:
    return [float(group["lr"]) for group in optimizer.param_groups]


def advance(optimizer: Optimizer, scheduler: LRScheduler, steps: int) -> list[list[float]]:
    """Train for some steps; the rates that were used."""
    used = []
    for _ in range(steps):
        used.append(rates(optimizer))
        optimizer.step()
        scheduler.step()
    return used


# --- set_lr ---


def test_set_lr_scales_each_group():
    optimizer = two_groups()
    set_lr(optimizer, 0.5)
    assert rates(optimizer) == [0.125, 0.5]


def test_set_lr_keeps_a_rate_in_its_tensor():
    optimizer = AdamW([parameter()], lr=torch.tensor(0.1, dtype=torch.float64))
    tensor = optimizer.param_groups[0]["lr"]
    set_lr(optimizer, 0.5)
    assert optimizer.param_groups[0]["lr"] is tensor
    assert tensor.item() == 0.5


@pytest.mark.parametrize("lr", [math.nan, math.inf, "0.1", None])
def test_set_lr_refuses_what_is_no_rate(lr: object):
    optimizer = two_groups()
    with pytest.raises(ValueError, match=f"set_lr needs a finite lr, got lr={lr!r}"):
        set_lr(optimizer, lr)
    assert rates(optimizer) == [0.3, 0.3]


# --- lambda_lr ---


@pytest.mark.parametrize("make", [SGD, Adam, AdamW, RMSprop])
def test_every_group_follows_the_schedule(make: Callable[..., Optimizer]):
    optimizer = two_groups(make)
    scheduler = lambda_lr(optimizer, SCHEDULE)
    assert isinstance(scheduler, LRScheduler)
    used = advance(optimizer, scheduler, 40)
    expected = SCHEDULE(np.arange(40))
    np.testing.assert_allclose(used, np.stack([expected * 0.25, expected], axis=1), rtol=1e-12)
    assert scheduler.get_last_lr() == rates(optimizer)


def test_the_optimiser_steps_by_the_rates():
    """With gradient 1 plain SGD moves by the rate, so the way is the sum of the rates."""
    weight = parameter()
    optimizer = SGD([weight], lr=1.0)
    scheduler = lambda_lr(optimizer, SCHEDULE)
    weight.grad = torch.ones_like(weight)
    advance(optimizer, scheduler, 30)
    expected = -SCHEDULE(np.arange(30)).sum()
    np.testing.assert_allclose(weight.detach().numpy(), expected, rtol=1e-12)


def test_any_function_of_the_step_is_a_schedule():
    optimizer = two_groups()
    used = advance(optimizer, lambda_lr(optimizer, lambda step: 1.0 / (1 + step)), 4)
    assert used == [[0.25, 1.0], [0.125, 0.5], [0.25 / 3, 1 / 3], [0.0625, 0.25]]


def test_a_numpy_scalar_does_not_get_into_the_state():
    optimizer = SGD([{"params": [parameter()], "lr_scale": np.float64(0.25)}])
    scheduler = lambda_lr(optimizer, lambda step: np.float64(1.0 / (1 + step)))
    advance(optimizer, scheduler, 1)
    assert [type(lr) for lr in scheduler.get_last_lr()] == [float]
    set_lr(optimizer, np.float64(0.5))
    assert type(optimizer.param_groups[0]["lr"]) is float


def test_a_negative_rate_of_a_noisy_schedule_passes():
    schedule = noisy_linear_cosine_decay(0.1, decay_steps=100, initial_variance=100.0)
    assert schedule(np.arange(20)).min() < 0
    optimizer = SGD([parameter()])
    used = advance(optimizer, lambda_lr(optimizer, schedule), 20)
    np.testing.assert_allclose(used, schedule(np.arange(20))[:, None], rtol=1e-12)


def test_a_rate_in_a_tensor_stays_there():
    optimizer = AdamW([parameter()], lr=torch.tensor(0.3, dtype=torch.float64))
    tensor = optimizer.param_groups[0]["lr"]
    used = advance(optimizer, lambda_lr(optimizer, SCHEDULE), 10)
    np.testing.assert_allclose(used, SCHEDULE(np.arange(10))[:, None], rtol=1e-12)
    assert optimizer.param_groups[0]["lr"] is tensor


def test_a_group_added_later_follows_too():
    optimizer = two_groups()
    scheduler = lambda_lr(optimizer, SCHEDULE)
    advance(optimizer, scheduler, 3)
    optimizer.add_param_group({"params": [parameter()], "lr_scale": 2.0})
    optimizer.step()
    scheduler.step()
    assert rates(optimizer) == pytest.approx([SCHEDULE(4) * scale for scale in (0.25, 1.0, 2.0)])


@pytest.mark.parametrize("scheduler_first", [False, True])
def test_a_restored_training_goes_on_as_if_uninterrupted(scheduler_first: bool):
    whole = two_groups(Adam)
    expected = advance(whole, lambda_lr(whole, SCHEDULE), 30)

    optimizer = two_groups(Adam)
    scheduler = lambda_lr(optimizer, SCHEDULE)
    advance(optimizer, scheduler, 12)
    file = io.BytesIO()
    torch.save({"optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict()}, file)

    file.seek(0)
    state = torch.load(file, weights_only=True)  # plain values: nothing is unpickled that can run
    optimizer = two_groups(Adam)
    scheduler = lambda_lr(optimizer, SCHEDULE)
    if scheduler_first:
        scheduler.load_state_dict(state["scheduler"])
    optimizer.load_state_dict(state["optimizer"])
    if not scheduler_first:
        scheduler.load_state_dict(state["scheduler"])
    np.testing.assert_array_equal(advance(optimizer, scheduler, 18), expected[12:])


def test_the_state_holds_no_code():
    scheduler = lambda_lr(two_groups(), SCHEDULE)
    state = scheduler.state_dict()
    assert state["last_epoch"] == 0
    assert "schedule" not in state
    assert not any(callable(value) for value in state.values())


def test_loading_a_state_sets_the_rates():
    optimizer = two_groups()
    scheduler = lambda_lr(optimizer, SCHEDULE)
    advance(optimizer, scheduler, 7)
    fresh = two_groups()
    lambda_lr(fresh, SCHEDULE).load_state_dict(scheduler.state_dict())
    assert rates(fresh) == rates(optimizer) == [SCHEDULE(7) * 0.25, SCHEDULE(7)]


def test_training_resumes_after_a_given_step():
    optimizer = two_groups()
    scheduler = lambda_lr(optimizer, SCHEDULE, last_epoch=11)
    used = advance(optimizer, scheduler, 5)
    np.testing.assert_allclose(np.array(used)[:, 1], SCHEDULE(np.arange(12, 17)), rtol=1e-12)


def test_it_takes_its_place_among_torchs_schedulers():
    optimizer = SGD([parameter()], lr=1.0)
    parts = [lambda_lr(optimizer, constant(0.5)), lambda_lr(optimizer, SCHEDULE)]
    used = advance(optimizer, SequentialLR(optimizer, parts, milestones=[4]), 10)
    expected = [0.5] * 4 + SCHEDULE(np.arange(6)).tolist()
    np.testing.assert_allclose(np.ravel(used), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"schedule": 0.1}, "lambda_lr needs a schedule, got schedule=0.1"),
        ({"last_epoch": -2}, "integer last_epoch >= -1, got last_epoch=-2"),
        ({"last_epoch": 1.5}, "integer last_epoch >= -1, got last_epoch=1.5"),
        ({"last_epoch": True}, "integer last_epoch >= -1, got last_epoch=True"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, object], message: str):
    optimizer = two_groups()
    with pytest.raises(ValueError, match=message):
        lambda_lr(optimizer, **{"schedule": SCHEDULE, **arguments})
    assert rates(optimizer) == [0.3, 0.3]


@pytest.mark.parametrize("bad", [-1.0, math.nan, "2"])
def test_a_bad_lr_scale_is_refused(bad: object):
    optimizer = SGD([{"params": [parameter()], "lr_scale": bad}], lr=0.3)
    with pytest.raises(ValueError, match=f"lambda_lr needs lr_scale >= 0, got lr_scale={bad!r}"):
        lambda_lr(optimizer, SCHEDULE)


def test_something_else_than_an_optimiser_is_refused():
    with pytest.raises(TypeError, match="lambda_lr needs a torch optimiser, got optimizer='SGD'"):
        lambda_lr("SGD", SCHEDULE)


@pytest.mark.gpu
def test_a_captured_rate_on_the_gpu_follows_the_schedule():
    weight = torch.nn.Parameter(torch.zeros(3, device="cuda"))
    optimizer = AdamW([weight], lr=torch.tensor(0.1, device="cuda"), capturable=True)
    weight.grad = torch.ones_like(weight)
    used = advance(optimizer, lambda_lr(optimizer, SCHEDULE), 10)
    np.testing.assert_allclose(used, SCHEDULE(np.arange(10))[:, None], rtol=1e-6)
