"""Adam and its relatives: AdamW, Adamax, Nadam."""

import torch
from torch import Tensor

from hpcourse.training.updates._base import (
    Scalar,
    State,
    Tensors,
    averaged,
    counted,
    quotient_descended,
    squared,
    weight_so_far,
    with_l2,
)

__all__ = ["adam", "adamax", "adamw", "nadam"]

# T. Dozat's schedule of the momentum: beta1 (1 - 0.96**(t momentum_decay) / 2).
_NADAM_BASE = 0.96


def adam(
    params: Tensors,
    grads: Tensors,
    state: State,
    *,
    lr: Scalar = 1e-3,
    beta1: Scalar = 0.9,
    beta2: Scalar = 0.999,
    eps: Scalar = 1e-8,
    weight_decay: Tensor | None = None,
    amsgrad: Tensor | None = None,
) -> tuple[Tensors, State]:
    """Adam with L2 weight decay, as ``torch.optim.Adam``.

    With gradient g (weight decay included), m = beta1 m + (1 - beta1) g and v = beta2 v +
    (1 - beta2) g**2, both from zero, the step t, from 1, is -lr m' / (sqrt(v') + eps), where
    m' = m / (1 - beta1**t) and v' = v / (1 - beta2**t) (D. P. Kingma and J. Ba, "Adam: a method
    for stochastic optimization", ICLR 2015, algorithm 1). AMSGrad takes the largest v so far
    (S. J. Reddi, S. Kale and S. Kumar, "On the convergence of Adam and beyond", ICLR 2018).

    Args:
        params: Parameters.
        grads: Gradients of the loss.
        state: ``{"step": ..., "mean": ..., "square": ...}``, and ``"largest_square"`` with
            `amsgrad`; empty at the first step.
        lr: Learning rate.
        beta1: Decay of the mean of gradients.
        beta2: Decay of the mean of their squares.
        eps: Added to the root.
        weight_decay: L2 coefficient; adds ``weight_decay * param`` to the gradient.
        amsgrad: AMSGrad where this is not 0.

    Returns:
        New parameters and state.

    Examples:
        >>> one = torch.tensor(1.0)
        >>> params, state = adam({"w": one}, {"w": -3 * one}, {}, lr=0.1 * one)
        >>> round(params["w"].item(), 6), state["step"]["all"].item()
        (1.1, 1)
    """
    grads = with_l2(params, grads, weight_decay)
    hypers = {"lr": lr, "beta1": beta1, "beta2": beta2, "eps": eps}
    return _adam(params, grads, state, amsgrad=amsgrad, **hypers)


def adamw(
    params: Tensors,
    grads: Tensors,
    state: State,
    *,
    lr: Scalar = 1e-3,
    beta1: Scalar = 0.9,
    beta2: Scalar = 0.999,
    eps: Scalar = 1e-8,
    weight_decay: Scalar = 1e-2,
    amsgrad: Tensor | None = None,
) -> tuple[Tensors, State]:
    """Adam with decoupled weight decay, as ``torch.optim.AdamW``.

    The weights are first multiplied by 1 - lr weight_decay; then follows the step of `adam`
    without L2 (I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", ICLR 2019,
    algorithm 2, with the rate inside the decay as in torch).

    Args:
        params: Parameters.
        grads: Gradients of the loss.
        state: As for `adam`.
        lr: Learning rate.
        beta1: Decay of the mean of gradients.
        beta2: Decay of the mean of their squares.
        eps: Added to the root.
        weight_decay: Share of a weight that a rate of 1 would remove per step.
        amsgrad: AMSGrad where this is not 0.

    Returns:
        New parameters and state.

    Examples:
        >>> one = torch.tensor(1.0)
        >>> params, _ = adamw({"w": one}, {"w": 0 * one}, {}, lr=0.1 * one, weight_decay=0.5 * one)
        >>> round(params["w"].item(), 6)
        0.95
    """
    kept = 1 - lr * weight_decay
    decayed = {name: kept * p for name, p in params.items()}
    hypers = {"lr": lr, "beta1": beta1, "beta2": beta2, "eps": eps}
    return _adam(decayed, grads, state, amsgrad=amsgrad, **hypers)


def _adam(
    params: Tensors,
    grads: Tensors,
    state: State,
    *,
    lr: Scalar,
    beta1: Scalar,
    beta2: Scalar,
    eps: Scalar,
    amsgrad: Tensor | None,
) -> tuple[Tensors, State]:
    step, t = counted(state, params)
    mean = averaged(state, "mean", grads, beta1)
    square = averaged(state, "square", squared(grads), beta2)
    new_state = {"step": step, "mean": mean, "square": square}
    if amsgrad is not None:
        # At first a tensor of its own: tracing takes one tensor under two names for one input.
        largest = _maximum(state["largest_square"] if state else square, square)
        new_state["largest_square"] = largest
        square = {n: torch.where(amsgrad != 0, largest[n], s) for n, s in square.items()}
    # The corrections are scalars of a member: put together, they cost no pass over the weights.
    root = torch.sqrt(weight_so_far(beta2, t))
    rate = lr * root / weight_so_far(beta1, t)
    scales = {name: s.sqrt() for name, s in square.items()}
    return quotient_descended(params, rate, mean, scales, eps * root), new_state


def adamax(
    params: Tensors,
    grads: Tensors,
    state: State,
    *,
    lr: Scalar = 2e-3,
    beta1: Scalar = 0.9,
    beta2: Scalar = 0.999,
    eps: Scalar = 1e-8,
    weight_decay: Tensor | None = None,
) -> tuple[Tensors, State]:
    """Adamax, Adam with the infinity norm, as ``torch.optim.Adamax``.

    With gradient g (weight decay included) and m as in `adam`, u = max(beta2 u, abs(g) + eps) from
    zero; step t, from 1, is -lr m / (1 - beta1**t) / u (D. P. Kingma and J. Ba, ICLR 2015,
    algorithm 2; eps is torch's).

    Args:
        params: Parameters.
        grads: Gradients of the loss.
        state: ``{"step": ..., "mean": ..., "norm": ...}``; empty at the first step.
        lr: Learning rate.
        beta1: Decay of the mean of gradients.
        beta2: Decay of the norm.
        eps: Added to the gradient's absolute value.
        weight_decay: L2 coefficient; adds ``weight_decay * param`` to the gradient.

    Returns:
        New parameters and state.

    Examples:
        >>> one = torch.tensor(1.0)
        >>> params, _ = adamax({"w": one}, {"w": -3 * one}, {}, lr=0.1 * one)
        >>> round(params["w"].item(), 6)
        1.1
    """
    grads = with_l2(params, grads, weight_decay)
    step, t = counted(state, params)
    mean = averaged(state, "mean", grads, beta1)
    norm = {name: g.abs() + eps for name, g in grads.items()}
    if state:
        norm = _maximum({name: beta2 * u for name, u in state["norm"].items()}, norm)
    rate = lr / weight_so_far(beta1, t)
    new_params = {
        name: torch.addcdiv(p, rate * mean[name], norm[name], value=-1)
        for name, p in params.items()
    }
    return new_params, {"step": step, "mean": mean, "norm": norm}


def nadam(
    params: Tensors,
    grads: Tensors,
    state: State,
    *,
    lr: Scalar = 2e-3,
    beta1: Scalar = 0.9,
    beta2: Scalar = 0.999,
    eps: Scalar = 1e-8,
    weight_decay: Tensor | None = None,
    momentum_decay: Scalar = 4e-3,
) -> tuple[Tensors, State]:
    """Nadam, Adam with Nesterov momentum, as ``torch.optim.NAdam``.

    With gradient g (weight decay included), m and v as in `adam` and the momentum of step t, from
    1, mu(t) = beta1 (1 - 0.96**(t momentum_decay) / 2), the mean m' of `adam` becomes
    mu(t + 1) m / (1 - mu(1) ... mu(t + 1)) + (1 - mu(t)) g / (1 - mu(1) ... mu(t)) (T. Dozat,
    "Incorporating Nesterov momentum into Adam", ICLR workshop 2016).

    Args:
        params: Parameters.
        grads: Gradients of the loss.
        state: ``{"step": ..., "mean": ..., "square": ..., "momentum_product": ...}``; empty at the
            first step.
        lr: Learning rate.
        beta1: Decay of the mean of gradients, and where the momentum ends.
        beta2: Decay of the mean of their squares.
        eps: Added to the root.
        weight_decay: L2 coefficient; adds ``weight_decay * param`` to the gradient.
        momentum_decay: Pace at which the momentum rises from beta1 / 2 to beta1.

    Returns:
        New parameters and state.

    Examples:
        >>> one = torch.tensor(1.0)
        >>> hypers = {"lr": 0.1 * one, "momentum_decay": 0 * one}
        >>> params, state = nadam({"w": one}, {"w": one}, {}, **hypers)
        >>> round(state["momentum_product"]["all"].item(), 6)
        0.45
    """
    grads = with_l2(params, grads, weight_decay)
    step, t = counted(state, params)
    mean = averaged(state, "mean", grads, beta1)
    square = averaged(state, "square", squared(grads), beta2)
    now, after = (
        _nadam_momentum(beta1, momentum_decay, t),
        _nadam_momentum(beta1, momentum_decay, t + 1),
    )
    product = state["momentum_product"]["all"] * now if state else now
    of_grad = (1 - now) / (1 - product)
    of_mean = after / (1 - product * after)
    steps = {name: torch.addcmul(of_grad * g, of_mean, mean[name]) for name, g in grads.items()}
    root = torch.sqrt(weight_so_far(beta2, t))
    scales = {name: s.sqrt() for name, s in square.items()}
    new_state = {"step": step, "mean": mean, "square": square, "momentum_product": {"all": product}}
    return quotient_descended(params, lr * root, steps, scales, eps * root), new_state


def _nadam_momentum(beta1: Scalar, momentum_decay: Scalar, t: Tensor) -> Tensor:
    return beta1 * (1 - 0.5 * _NADAM_BASE ** (t * momentum_decay))


def _maximum(one: Tensors, other: Tensors) -> Tensors:
    return {name: torch.maximum(tensor, other[name]) for name, tensor in one.items()}
