"""Rates for torch optimisers: set them for a step, or from a schedule."""

from torch.optim import Optimizer

__all__ = ["set_lr"]


def set_lr(optimizer: Optimizer, lr: float) -> None:
    """Give every parameter group the rate ``lr * group.get("lr_scale", 1)``.

    A group's optional ``lr_scale`` is how discriminative and layer-wise rates are written.

    Args:
        optimizer: Any torch optimiser.
        lr: The rate before scaling, usually ``schedule(step)``.
    """
    for group in optimizer.param_groups:
        group["lr"] = lr * group.get("lr_scale", 1.0)
