"""Checks and views that the losses share."""

import torch
from torch import Tensor

from hpcourse._check import is_finite, require

Scalar = float | Tensor
"""A hyperparameter: a number, or a 0-dim tensor, which `torch.func.vmap` batches over members."""


def require_range(
    where: str, low: float = 0.0, high: float | None = None, **values: Scalar
) -> None:
    """Raise unless every plain number is in [`low`, `high`]; tensors may be traced: not read."""
    need = f"in [{low:g}, {high:g}]" if high is not None else f">= {low:g}"
    for name, value in values.items():
        if isinstance(value, Tensor):
            require(value.ndim == 0, f"{where} needs a scalar {name}", **{name: tuple(value.shape)})
            continue
        ok = is_finite(value) and value >= low and (high is None or value <= high)
        require(ok, f"{where} needs {name} {need}", **{name: value})


def require_classes(where: str, scores: Tensor, targets: Tensor, *, least: int = 1) -> None:
    """Raise unless `scores` are (batch, classes, ...) and `targets` integers (batch, ...)."""
    alike = scores.ndim >= 2 and targets.shape == scores.shape[:1] + scores.shape[2:]
    require(
        alike,
        f"{where} needs logits (batch, classes, ...) and targets (batch, ...)",
        logits=tuple(scores.shape),
        targets=tuple(targets.shape),
    )
    classes = scores.shape[1]
    require(classes >= least, f"{where} needs {least} classes or more", classes=classes)
    require_integers(where, targets)


def require_integers(where: str, targets: Tensor) -> None:
    """Raise unless the targets are class numbers."""
    whole = targets.dtype in (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
    require(whole, f"{where} needs integer targets", dtype=targets.dtype)


def at_target(values: Tensor, targets: Tensor) -> Tensor:
    """Of values (batch, classes, ...) those of the target class, (batch, ...)."""
    return values.gather(1, targets.long().unsqueeze(1)).squeeze(1)


def is_target(targets: Tensor, classes: int) -> Tensor:
    """Whether each class is the target, bool (batch, classes, ...), for targets (batch, ...)."""
    numbers = torch.arange(classes, device=targets.device)
    numbers = numbers.reshape(classes, *[1] * (targets.ndim - 1))
    return targets.unsqueeze(1) == numbers
