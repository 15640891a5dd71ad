"""Stochastic gradient descent, plain, with momentum and with Nesterov momentum."""

import torch
from torch import Tensor

from hpcourse._check import require
from hpcourse.training.updates._base import State, Tensors, descended, with_l2

__all__ = ["sgd"]


def sgd(
    params: Tensors,
    grads: Tensors,
    state: State,
    *,
    lr: Tensor,
    momentum: Tensor | None = None,
    dampening: Tensor | None = None,
    weight_decay: Tensor | None = None,
    nesterov: Tensor | None = None,
) -> tuple[Tensors, State]:
    """Stochastic gradient descent with momentum and L2 weight decay, as ``torch.optim.SGD``.

    With gradient g (weight decay included), velocity v, momentum m and dampening d:
    v = g at first, then v = m v + (1 - d) g; the step is -lr v, or -lr (g + m v) with Nesterov
    momentum (I. Sutskever, J. Martens, G. Dahl and G. Hinton, "On the importance of
    initialization and momentum in deep learning", ICML 2013, in torch's formulation). Where a
    member's momentum is 0, its dampening is ignored.

    Args:
        params: Parameters.
        grads: Gradients of the loss.
        state: ``{"velocity": ...}``; empty at the first step, and always without `momentum`.
        lr: Learning rate.
        momentum: Share of the velocity that is kept.
        dampening: Share of the gradient that does not enter the velocity.
        weight_decay: L2 coefficient; adds ``weight_decay * param`` to the gradient.
        nesterov: Nesterov momentum where this is not 0.

    Returns:
        New parameters and state.

    Raises:
        ValueError: If `nesterov` is given without `momentum`.

    Examples:
        >>> one = torch.tensor(1.0)
        >>> params, state = sgd({"w": one}, {"w": one}, {}, lr=0.1 * one, momentum=0.9 * one)
        >>> params, state = sgd(params, {"w": one}, state, lr=0.1 * one, momentum=0.9 * one)
        >>> round(params["w"].item(), 6)
        0.71
    """
    grads = with_l2(params, grads, weight_decay)
    if momentum is None:
        require(nesterov is None, "sgd with nesterov needs momentum", momentum=momentum)
        return descended(params, grads, lr), state
    velocity = _velocity(grads, state, momentum, dampening)
    steps = velocity
    if nesterov is not None:
        steps = {
            name: torch.where(nesterov != 0, torch.addcmul(grads[name], momentum, v), v)
            for name, v in velocity.items()
        }
    return descended(params, steps, lr), {"velocity": velocity}


def _velocity(grads: Tensors, state: State, momentum: Tensor, dampening: Tensor | None) -> Tensors:
    if not state:
        return grads
    if dampening is not None:
        fresh = torch.where(momentum == 0, 1.0, 1.0 - dampening)
        grads = {name: fresh * g for name, g in grads.items()}
    return {name: torch.addcmul(grads[name], momentum, v) for name, v in state["velocity"].items()}
