"""Rates for each weight from its past gradients: Adagrad, Adadelta, RMSprop."""

import torch
from torch import Tensor

from hpcourse.training.updates._base import (
    Scalar,
    State,
    Tensors,
    averaged,
    counted,
    descended,
    quotient_descended,
    squared,
    with_l2,
)

__all__ = ["adadelta", "adagrad", "rmsprop"]


def adagrad(
    params: Tensors,
    grads: Tensors,
    state: State,
    *,
    lr: Scalar = 1e-2,
    lr_decay: Tensor | None = None,
    weight_decay: Tensor | None = None,
    initial_accumulator_value: Scalar = 0.0,
    eps: Scalar = 1e-10,
) -> tuple[Tensors, State]:
    """Adagrad, as ``torch.optim.Adagrad``.

    With gradient g (weight decay included), s starts at `initial_accumulator_value` and grows by
    g**2; the step is -lr g / (sqrt(s) + eps), where lr is divided by 1 + (t - 1) lr_decay at step
    t, from 1 (J. Duchi, E. Hazan and Y. Singer, "Adaptive subgradient methods for online learning
    and stochastic optimization", JMLR 12, 2011, diagonal case).

    Args:
        params: Parameters.
        grads: Gradients of the loss.
        state: ``{"sum": ...}``, and ``"step"`` with `lr_decay`; empty at the first step.
        lr: Learning rate.
        lr_decay: Time-based decay of the rate; none if left out.
        weight_decay: L2 coefficient; adds ``weight_decay * param`` to the gradient.
        initial_accumulator_value: Where the sums of squares start.
        eps: Added to the root.

    Returns:
        New parameters and state.

    Examples:
        >>> one = torch.tensor(1.0)
        >>> params, state = adagrad({"w": one}, {"w": 3 * one}, {}, lr=0.1 * one)
        >>> round(params["w"].item(), 6), state["sum"]["w"].item()
        (0.9, 9.0)
    """
    grads = with_l2(params, grads, weight_decay)
    if state:
        sums = {name: torch.addcmul(state["sum"][name], g, g) for name, g in grads.items()}
    else:
        sums = {name: g.square() + initial_accumulator_value for name, g in grads.items()}
    new_state = {"sum": sums}
    if lr_decay is not None:
        new_state["step"], t = counted(state, params)
        lr = lr / (1 + (t - 1) * lr_decay)
    roots = {name: s.sqrt() for name, s in sums.items()}
    return quotient_descended(params, lr, grads, roots, eps), new_state


def adadelta(
    params: Tensors,
    grads: Tensors,
    state: State,
    *,
    lr: Scalar = 1.0,
    rho: Scalar = 0.9,
    eps: Scalar = 1e-6,
    weight_decay: Tensor | None = None,
) -> tuple[Tensors, State]:
    """Adadelta, as ``torch.optim.Adadelta``.

    With gradient g (weight decay included) and moving averages E of decay `rho`, the step is -lr d
    with d = g sqrt(E[d**2] + eps) / sqrt(E[g**2] + eps), where E[g**2] includes this step and
    E[d**2] does not (M. D. Zeiler, "ADADELTA: an adaptive learning rate method", arXiv:1212.5701,
    algorithm 1, where lr = 1).

    Args:
        params: Parameters.
        grads: Gradients of the loss.
        state: ``{"square": ..., "delta_square": ...}``; empty at the first step.
        lr: Factor of the step.
        rho: Decay of the moving averages.
        eps: Added under both roots.
        weight_decay: L2 coefficient; adds ``weight_decay * param`` to the gradient.

    Returns:
        New parameters and state.

    Examples:
        >>> one = torch.tensor(1.0)
        >>> params, _ = adadelta({"w": one}, {"w": 3 * one}, {}, rho=0 * one, eps=one)
        >>> round(params["w"].item(), 6) == round(1 - 3 / 10**0.5, 6)
        True
    """
    grads = with_l2(params, grads, weight_decay)
    square = averaged(state, "square", squared(grads), rho)
    before = state["delta_square"] if state else {n: torch.zeros_like(g) for n, g in grads.items()}
    deltas = {n: g * torch.sqrt((before[n] + eps) / (square[n] + eps)) for n, g in grads.items()}
    delta_square = averaged(state, "delta_square", squared(deltas), rho)
    return descended(params, deltas, lr), {"square": square, "delta_square": delta_square}


def rmsprop(
    params: Tensors,
    grads: Tensors,
    state: State,
    *,
    lr: Scalar = 1e-2,
    alpha: Scalar = 0.99,
    eps: Scalar = 1e-8,
    weight_decay: Tensor | None = None,
    momentum: Tensor | None = None,
    centered: Tensor | None = None,
) -> tuple[Tensors, State]:
    """RMSprop, plain or centred, with or without momentum, as ``torch.optim.RMSprop``.

    With gradient g (weight decay included) and moving averages E of decay `alpha`, both from zero,
    q = g / (sqrt(E[g**2]) + eps); centred, E[g**2] - E[g]**2 takes the place of E[g**2]. The step
    is -lr q, or with momentum -lr b with b = momentum b + q (T. Tieleman and G. Hinton, "Lecture
    6.5: RMSProp", COURSERA: Neural Networks for Machine Learning, 2012; centred: A. Graves,
    "Generating sequences with recurrent neural networks", arXiv:1308.0850, eqs. 38-41). Where
    rounding makes the centred square negative it is taken as 0, while torch returns NaN.

    Args:
        params: Parameters.
        grads: Gradients of the loss.
        state: ``{"square": ...}``, ``"mean"`` with `centered`, ``"velocity"`` with `momentum`;
            empty at the first step.
        lr: Learning rate.
        alpha: Decay of the moving averages.
        eps: Added to the root.
        weight_decay: L2 coefficient; adds ``weight_decay * param`` to the gradient.
        momentum: Share of the velocity that is kept; none if left out.
        centered: Divide by the deviation from the mean gradient where this is not 0.

    Returns:
        New parameters and state.

    Examples:
        >>> one = torch.tensor(1.0)
        >>> params, _ = rmsprop({"w": one}, {"w": 3 * one}, {}, lr=0.1 * one, alpha=0.75 * one)
        >>> round(params["w"].item(), 6)
        0.8
    """
    grads = with_l2(params, grads, weight_decay)
    square = averaged(state, "square", squared(grads), alpha)
    new_state = {"square": square}
    if centered is not None:
        mean = new_state["mean"] = averaged(state, "mean", grads, alpha)
        square = {
            name: torch.where(centered != 0, _variance(s, mean[name]), s)
            for name, s in square.items()
        }
    roots = {name: s.sqrt() for name, s in square.items()}
    if momentum is None:
        return quotient_descended(params, lr, grads, roots, eps), new_state
    velocity = {name: g / (roots[name] + eps) for name, g in grads.items()}
    if state:
        old = state["velocity"]
        velocity = {name: torch.addcmul(v, momentum, old[name]) for name, v in velocity.items()}
    return descended(params, velocity, lr), new_state | {"velocity": velocity}


def _variance(square: Tensor, mean: Tensor) -> Tensor:
    return torch.addcmul(square, mean, mean, value=-1).clamp(min=0)
