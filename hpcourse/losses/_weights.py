"""One loss from those of several tasks: fixed, uncertainty-based and gradient-based weights."""

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from hpcourse._check import require
from hpcourse.losses._shapes import Scalar, require_range

__all__ = [
    "Task",
    "UncertaintyWeights",
    "gradient_norms",
    "gradnorm_gradient",
    "gradnorm_step",
    "uncertainty_weighted",
    "weighted_sum",
]

Task = Literal["regression", "classification"]
"""A task's likelihood: Gaussian (mean squared error) or softmax (cross-entropy)."""

# GradNorm's step can throw a weight below zero, where its loss would be maximised.
_LEAST_WEIGHT = 1e-3


def weighted_sum(losses: Tensor | Sequence[Tensor], weights: Tensor | Sequence[Scalar]) -> Tensor:
    """Sum of weighted losses, the plain way to train several heads.

    Args:
        losses: One scalar for each task, or a tensor (tasks,).
        weights: One for each task, at least 0, or a tensor (tasks,).

    Returns:
        A scalar.

    Raises:
        ValueError: If the numbers of losses and weights differ, there are none, or a plain weight
            is below 0.

    Examples:
        >>> weighted_sum(torch.tensor([1.0, 10.0]), [1.0, 0.5]).item()
        6.0
    """
    losses = _stacked("weighted_sum", losses)
    if not isinstance(weights, Tensor):
        count = len(losses)
        require(len(weights) == count, f"weighted_sum needs {count} weights", weights=weights)
        for weight in weights:
            require_range("weighted_sum", weight=weight)
        weights = torch.stack(
            [torch.as_tensor(w, dtype=losses.dtype, device=losses.device) for w in weights]
        )
    _require_alike("weighted_sum", losses, weights=weights)
    return (weights * losses).sum()


def uncertainty_weighted(
    losses: Tensor | Sequence[Tensor], log_variances: Tensor, *, tasks: Sequence[Task]
) -> Tensor:
    """Losses weighted by how uncertain each task is, which is learned with the network.

    With s the log of a task's variance (log sigma**2), a regression adds exp(-s) L / 2 + s / 2, L
    being its mean squared error, and a classification exp(-s) L + s / 2, L being its cross-entropy
    (A. Kendall, Y. Gal and R. Cipolla, "Multi-task learning using uncertainty to weigh losses for
    scene geometry and semantics", CVPR 2018, eqs. 5 and 10). The best s is log L for a regression
    and log 2L for a classification, so that in the end each task weighs as the reciprocal of its
    loss. The sum can be negative.

    Args:
        losses: One scalar for each task, or a tensor (tasks,).
        log_variances: Learned s (tasks,); train it with the network, without weight decay.
        tasks: ``"regression"`` or ``"classification"`` for each.

    Returns:
        A scalar.

    Raises:
        ValueError: If the numbers of losses, variances and tasks differ, or a task is unknown.

    Examples:
        >>> losses, s = torch.tensor([4.0, 4.0]), torch.zeros(2)
        >>> uncertainty_weighted(losses, s, tasks=["regression", "classification"]).item()
        6.0
    """
    losses = _stacked("uncertainty_weighted", losses)
    _require_tasks("uncertainty_weighted", tasks)
    _require_alike("uncertainty_weighted", losses, log_variances=log_variances)
    require(
        len(tasks) == len(losses),
        f"uncertainty_weighted needs {len(losses)} tasks",
        tasks=tuple(tasks),
    )
    factors = torch.tensor([0.5 if task == "regression" else 1.0 for task in tasks]).to(losses)
    return (factors * torch.exp(-log_variances) * losses + log_variances / 2).sum()


class UncertaintyWeights(nn.Module):
    """`uncertainty_weighted` with the log-variances as a parameter, from 0.

    Give its parameters to the optimiser beside the network's. In a population let it be part of
    the network, which then returns its ``log_variances`` for the loss function.

    Args:
        tasks: ``"regression"`` or ``"classification"`` for each task.

    Attributes:
        tasks: The tasks given.
        log_variances: Logs of the tasks' variances (tasks,).

    Raises:
        ValueError: If there is no task, or one is unknown.

    Examples:
        >>> weigh = UncertaintyWeights(["regression", "classification"])
        >>> weigh([torch.tensor(4.0), torch.tensor(4.0)]).item()
        6.0
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        super().__init__()
        _require_tasks("UncertaintyWeights", tasks)
        self.tasks = tuple(tasks)
        self.log_variances = nn.Parameter(torch.zeros(len(self.tasks)))

    def forward(self, losses: Tensor | Sequence[Tensor]) -> Tensor:
        """One scalar for each task, or a tensor (tasks,), to a scalar."""
        return uncertainty_weighted(losses, self.log_variances, tasks=self.tasks)


def gradient_norms(losses: Tensor | Sequence[Tensor], shared: Sequence[Tensor]) -> Tensor:
    """Norm of each unweighted loss's gradient by the weights that the tasks share.

    The graph is kept, so that the losses can still be added up and differentiated.

    Args:
        losses: One scalar for each task, or a tensor (tasks,).
        shared: Parameters whose gradients count, for GradNorm those of the last shared layer.

    Returns:
        Norms (tasks,), over all shared parameters together, without gradient.

    Raises:
        ValueError: If there is no loss or no shared parameter.

    Examples:
        >>> w = torch.tensor([1.0, 2.0], requires_grad=True)
        >>> gradient_norms([3 * w[0] + 4 * w[1], 2 * w[0]], [w])
        tensor([5., 2.])
    """
    losses = _stacked("gradient_norms", losses)
    require(len(shared) > 0, "gradient_norms needs shared parameters", shared=shared)
    norms = []
    for loss in losses:
        grads = torch.autograd.grad(loss, shared, retain_graph=True)
        parts = torch.stack([torch.linalg.vector_norm(grad) for grad in grads])
        norms.append(torch.linalg.vector_norm(parts))
    return torch.stack(norms)


def gradnorm_gradient(
    weights: Tensor,
    norms: Tensor,
    losses: Tensor,
    initial_losses: Tensor,
    *,
    alpha: Scalar = 1.5,
) -> Tensor:
    """Gradient of GradNorm's loss by the task weights.

    Task i with weight w and gradient norm g has the weighted norm G_i = w g. With r_i its share of
    progress, (L_i / L_i(0)) over the mean of that over the tasks, the loss is the sum of
    abs(G_i - mean(G) r_i**alpha), the second term held constant (Z. Chen, V. Badrinarayanan,
    C.-Y. Lee and A. Rabinovich, "GradNorm: gradient normalization for adaptive loss balancing in
    deep multitask networks", ICML 2018, eq. 2). Its gradient is sign(G_i - mean(G) r_i**alpha) g.

    Args:
        weights: Task weights (tasks,), above 0.
        norms: Gradient norms g of the unweighted losses (tasks,); see `gradient_norms`.
        losses: Unweighted losses now (tasks,), above 0; they get no gradient.
        initial_losses: Unweighted losses at the first step (tasks,), above 0; for a classifier the
            paper suggests the log of the number of classes.
        alpha: Restoring force, at least 0: how strongly a task that lags is favoured; 0 makes the
            weighted norms equal.

    Returns:
        Gradient (tasks,).

    Raises:
        ValueError: If the shapes differ, or a plain `alpha` is below 0.

    Examples:
        >>> one = torch.ones(2)
        >>> gradnorm_gradient(one, torch.tensor([3.0, 1.0]), one, one).tolist()
        [3.0, -1.0]
    """
    _require_alike("gradnorm", weights, norms=norms, losses=losses, initial_losses=initial_losses)
    require_range("gradnorm", alpha=alpha)
    weighted = weights * norms
    left = losses.detach() / initial_losses.detach()
    target = weighted.mean() * (left / left.mean()) ** alpha
    return torch.sign(weighted - target) * norms


def gradnorm_step(
    weights: Tensor,
    norms: Tensor,
    losses: Tensor,
    initial_losses: Tensor,
    *,
    alpha: Scalar = 1.5,
    lr: Scalar = 0.025,
) -> Tensor:
    """GradNorm's weights for the next step (Chen et al., ICML 2018, algorithm 1).

    A step of gradient descent (see `gradnorm_gradient`); then the weights are scaled to sum to the
    number of tasks. Weights are held at 1e-3 or more before that, since a step is as long as the
    gradient is, not as the weights are: lower `lr` where it happens. Starting from ones, a
    training step reads::

        losses = torch.stack([loss_a, loss_b])
        norms = gradient_norms(losses, [shared.weight])
        weighted_sum(losses, weights).backward()
        weights = gradnorm_step(weights, norms, losses, initial_losses)

    Args:
        weights: Task weights (tasks,), above 0.
        norms: Gradient norms of the unweighted losses (tasks,).
        losses: Unweighted losses now (tasks,), above 0; they get no gradient.
        initial_losses: Unweighted losses at the first step (tasks,), above 0.
        alpha: Restoring force, at least 0.
        lr: Rate of the weights, at least 0.

    Returns:
        Weights (tasks,), above 0, that sum to the number of tasks.

    Raises:
        ValueError: If the shapes differ, or a plain `alpha` or `lr` is below 0.

    Examples:
        >>> one = torch.ones(2)
        >>> weights = gradnorm_step(one, torch.tensor([3.0, 1.0]), one, one, lr=0.1)
        >>> [round(weight, 3) for weight in weights.tolist()]  # 0.7 and 1.1, scaled
        [0.778, 1.222]
    """
    require_range("gradnorm", lr=lr)
    gradient = gradnorm_gradient(weights, norms, losses, initial_losses, alpha=alpha)
    moved = (weights - lr * gradient).clamp(min=_LEAST_WEIGHT)
    return moved * (len(weights) / moved.sum())


def _stacked(where: str, losses: Tensor | Sequence[Tensor]) -> Tensor:
    if not isinstance(losses, Tensor):
        require(len(losses) > 0, f"{where} needs a loss", losses=losses)
        for loss in losses:
            require(loss.ndim == 0, f"{where} needs scalar losses", shape=tuple(loss.shape))
        return torch.stack(list(losses))
    fits = losses.ndim == 1 and len(losses) > 0
    require(fits, f"{where} needs losses (tasks,)", losses=tuple(losses.shape))
    return losses


def _require_alike(where: str, like: Tensor, **tensors: Tensor) -> None:
    for name, tensor in tensors.items():
        need = f"{where} needs {name} {tuple(like.shape)}"
        require(tensor.shape == like.shape, need, **{name: tuple(tensor.shape)})


def _require_tasks(where: str, tasks: Sequence[Task]) -> None:
    ok = len(tasks) > 0 and all(task in get_args(Task) for task in tasks)
    require(ok, f"{where} needs tasks out of {get_args(Task)}", tasks=tuple(tasks))
