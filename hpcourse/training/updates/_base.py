"""What the updates share: their types and the statistics that they keep."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

Tensors = dict[str, Tensor]
"""Parameter name to tensor."""

State = dict[str, Tensors]
"""Name of a statistic, such as ``"velocity"``, to its tensors by parameter; a statistic that all
parameters share, such as the number of steps, is one scalar under the name ``"all"``."""

Update = Callable[..., tuple[Tensors, State]]
"""One step of one member: ``update(params, grads, state, *, lr, ...)`` to new params and state.

The state is empty at the first step. The keyword-only arguments are the hyperparameters it
takes, as scalar tensors of the parameters' dtype; those with a default may be left out. It is
batched over members by ``torch.func.vmap``, so it changes nothing in place and branches on
values with ``torch.where`` only.
"""

Scalar = float | Tensor
"""A hyperparameter: a default, or one member's value as a scalar tensor."""


def with_l2(params: Tensors, grads: Tensors, weight_decay: Tensor | None) -> Tensors:
    """Gradients of the loss plus ``weight_decay / 2 * param**2``."""
    if weight_decay is None:
        return grads
    # addcmul multiplies and adds in one pass over memory, which is what an update costs.
    return {name: torch.addcmul(g, weight_decay, params[name]) for name, g in grads.items()}


def squared(tensors: Tensors) -> Tensors:
    """Each tensor's squares."""
    return {name: tensor.square() for name, tensor in tensors.items()}


def averaged(state: State, statistic: str, values: Tensors, decay: Scalar) -> Tensors:
    """The next moving averages, ``decay * average + (1 - decay) * value``, from zero."""
    if not state:
        return {name: (1 - decay) * value for name, value in values.items()}
    old = state[statistic]
    return {name: torch.lerp(old[name], value, 1 - decay) for name, value in values.items()}


def counted(state: State, params: Tensors) -> tuple[Tensors, Tensor]:
    """The count of steps, this one included, for the state and as a number of params' dtype."""
    like = next(iter(params.values()))
    # An integer, for a half-precision count would stop growing at 2048.
    step = state["step"]["all"] + 1 if state else like.new_ones((), dtype=torch.int64)
    return {"all": step}, step.to(like.dtype)


def weight_so_far(decay: Scalar, t: Tensor) -> Tensor:
    """Sum of the weights of the values in a moving average after `t` steps, 1 - decay**t."""
    if not isinstance(decay, Tensor):
        log = math.log(decay) if decay else -math.inf
        return -torch.expm1(t * log)
    # In single precision the difference from 1 would keep few digits of a decay near 1.
    return -torch.expm1(t * torch.log(decay))


def descended(params: Tensors, steps: Tensors, lr: Scalar) -> Tensors:
    """Parameters after a step of ``-lr * step``."""
    if not isinstance(lr, Tensor):
        return {name: torch.sub(p, steps[name], alpha=lr) for name, p in params.items()}
    return {name: torch.addcmul(p, lr, steps[name], value=-1) for name, p in params.items()}


def quotient_descended(
    params: Tensors, lr: Scalar, steps: Tensors, scales: Tensors, eps: Scalar
) -> Tensors:
    """Parameters after a step of ``-lr * step / (scale + eps)``, where no scale is negative."""
    return {
        name: torch.addcdiv(p, lr * steps[name], scales[name] + eps, value=-1)
        for name, p in params.items()
    }
