"""Optimisers as pure functions of one member's tensors, for `train_many`."""

from collections.abc import Callable

import torch
from torch import Tensor

from hpcourse._check import require

__all__ = ["State", "Tensors", "Update", "sgd"]

Tensors = dict[str, Tensor]
"""Parameter name to tensor."""

State = dict[str, Tensors]
"""Name of a statistic, such as ``"velocity"``, to its tensors by parameter."""

Update = Callable[..., tuple[Tensors, State]]
"""One step of one member: ``update(params, grads, state, *, lr, ...)`` to new params and state.

The state is empty at the first step. The keyword-only arguments are the hyperparameters it
takes, as scalar tensors of the parameters' dtype; those with a default may be left out. It is
batched over members by ``torch.func.vmap``, so it changes nothing in place and branches on
values with ``torch.where`` only.
"""


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
    if weight_decay is not None:
        grads = {name: torch.addcmul(g, weight_decay, params[name]) for name, g in grads.items()}
    if momentum is None:
        require(nesterov is None, "sgd with nesterov needs momentum", momentum=momentum)
        return _descend(params, grads, lr), state
    velocity = _velocity(grads, state, momentum, dampening)
    steps = velocity
    if nesterov is not None:
        steps = {
            name: torch.where(nesterov != 0, torch.addcmul(grads[name], momentum, v), v)
            for name, v in velocity.items()
        }
    return _descend(params, steps, lr), {"velocity": velocity}


def _velocity(grads: Tensors, state: State, momentum: Tensor, dampening: Tensor | None) -> Tensors:
    if not state:
        return grads
    if dampening is not None:
        fresh = torch.where(momentum == 0, 1.0, 1.0 - dampening)
        grads = {name: fresh * g for name, g in grads.items()}
    # addcmul multiplies and adds in one pass over memory, which is what an update costs.
    return {name: torch.addcmul(grads[name], momentum, v) for name, v in state["velocity"].items()}


def _descend(params: Tensors, steps: Tensors, lr: Tensor) -> Tensors:
    return {name: torch.addcmul(p, lr, steps[name], value=-1) for name, p in params.items()}
