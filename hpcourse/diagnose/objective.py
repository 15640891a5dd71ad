"""The loss of a model as a function of one flat vector, a sum of one term per batch."""

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

from hpcourse._check import require

__all__ = ["FlatLoss", "Function", "flat_loss", "terms"]

Function = Callable[[Tensor], Tensor]
"""A differentiable scalar function of a flat parameter vector (n,)."""


@dataclass(frozen=True)
class FlatLoss:
    """A sum of functions of one flat vector (n,), which is itself such a function.

    Derivatives are linear, so they can be added up term by term: memory then grows with one
    term (one batch of data), not with all of them.
    """

    terms: tuple[Function, ...]

    def __call__(self, x: Tensor) -> Tensor:
        """Value of the sum at `x` (n,), a tensor of shape ()."""
        return torch.stack([term(x) for term in self.terms]).sum()


def terms(f: Function) -> tuple[Function, ...]:
    """Functions whose sum is `f`: those of a `FlatLoss`, else `f` alone."""
    return f.terms if isinstance(f, FlatLoss) else (f,)


def flat_loss(
    model: nn.Module,
    loss_fn: Callable[[Tensor, Tensor], Tensor],
    batches: Iterable[tuple[Tensor, Tensor]],
    *,
    dtype: torch.dtype | None = None,
) -> tuple[FlatLoss, Tensor]:
    """Mean loss over `batches` as a function of the trainable parameters, and their value now.

    A copy of the model in evaluation mode is taken: dropout would make the loss random and
    batch norm would make it depend on how the data are cut. The model itself is left alone and
    may go on training. Attention runs as plain matrix products, since its fused kernels have no
    second derivative.

    Args:
        model: The network; parameters that need no gradient count as constants.
        loss_fn: Loss of (outputs, targets), a mean over the samples of a batch.
        batches: Pairs (inputs, targets), sized (batch, ...) each; any order and any sizes.
        dtype: Precision of parameters and real data, ``torch.float64`` for reliable curvature;
            None keeps the model's.

    Returns:
        The loss, and the parameters (n,) flattened in the order of ``named_parameters``; they
        live on the model's device, to which each batch is moved when it is needed.

    Raises:
        ValueError: Without a trainable parameter, without a sample, or where a batch holds
            different numbers of inputs and targets.

    Examples:
        >>> model = nn.Linear(1, 1, bias=False)
        >>> data = [(torch.tensor([[2.0], [4.0]]), torch.tensor([[0.0], [0.0]]))]
        >>> loss, _ = flat_loss(model, nn.functional.mse_loss, data)
        >>> loss(torch.tensor([3.0])).item()  # mean of 6² and 12²
        90.0
    """
    frozen = copy.deepcopy(model).to(dtype=dtype).eval()
    trainable = {name: p for name, p in frozen.named_parameters() if p.requires_grad}
    require(bool(trainable), "flat_loss needs a trainable parameter", trainable=len(trainable))
    x = nn.utils.parameters_to_vector(trainable.values()).detach()
    data = [(inputs, targets) for inputs, targets in batches]
    for number, (inputs, targets) in enumerate(data):
        need = f"flat_loss needs as many targets as inputs in batch {number}"
        require(len(inputs) == len(targets), need, inputs=len(inputs), targets=len(targets))
    samples = sum(len(inputs) for inputs, _ in data)
    require(samples > 0, "flat_loss needs at least one sample", samples=samples)

    def term(inputs: Tensor, targets: Tensor) -> Function:
        def value(flat: Tensor) -> Tensor:
            with sdpa_kernel(SDPBackend.MATH):
                outputs = functional_call(frozen, _unflatten(flat, trainable), (_like(inputs, x),))
            loss: Tensor = loss_fn(outputs, _like(targets, x))
            return loss * (len(inputs) / samples)

        return value

    return FlatLoss(tuple(term(inputs, targets) for inputs, targets in data)), x


def _unflatten(flat: Tensor, shapes: dict[str, nn.Parameter]) -> dict[str, Tensor]:
    """Named tensors in the shapes given, cut from `flat` in order."""
    parts = torch.split(flat, [p.numel() for p in shapes.values()])
    return {name: part.view_as(p) for (name, p), part in zip(shapes.items(), parts, strict=True)}


def _like(data: Tensor, x: Tensor) -> Tensor:
    """`data` on the device of `x`, real numbers in its precision too."""
    return data.to(x) if data.is_floating_point() else data.to(x.device)
