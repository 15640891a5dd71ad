"""Rates for torch optimisers: set them for a step, or let a scheduler set them."""

from collections.abc import Callable
from typing import Any, final

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from hpcourse._check import require, require_finite, require_non_negative

__all__ = ["lambda_lr", "set_lr"]


def set_lr(optimizer: Optimizer, lr: float) -> None:
    """Give every parameter group the rate ``lr * group.get("lr_scale", 1)``.

    A group's optional ``lr_scale`` is how discriminative and layer-wise rates are written. A rate
    held in a tensor, as ``capturable`` and compiled optimisers want it, is changed in place.

    Args:
        optimizer: Any torch optimiser.
        lr: The rate before scaling, usually ``schedule(step)``.

    Raises:
        ValueError: If `lr` is not a finite number.

    Examples:
        >>> import torch
        >>> body, head = torch.nn.Parameter(torch.zeros(1)), torch.nn.Parameter(torch.zeros(1))
        >>> groups = [{"params": body, "lr_scale": 0.25}, {"params": head}]
        >>> optimizer = torch.optim.SGD(groups)
        >>> set_lr(optimizer, 0.5)
        >>> [group["lr"] for group in optimizer.param_groups]
        [0.125, 0.5]
    """
    require_finite("set_lr", lr=lr)
    for group in optimizer.param_groups:
        rate = _group_lr(group, lr)
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def lambda_lr(
    optimizer: Optimizer, schedule: Callable[[int], float], *, last_epoch: int = -1
) -> LRScheduler:
    """Drive an optimiser's rates by a schedule, in torch's own way.

    Each group's rate is ``schedule(step) * group.get("lr_scale", 1)``, where the step counts the
    calls of ``scheduler.step()``. Unlike torch's ``LambdaLR``, the schedule gives rates, not
    multiples of the optimiser's first rate, and groups may be added later.

    The state (``state_dict``) is the count of steps and the last rates; the schedule is code and
    is given anew. Loading a state also sets the optimiser's rates, so that it does not matter
    whether the optimiser or the scheduler is restored first.

    Args:
        optimizer: Any torch optimiser.
        schedule: A `hpcourse.schedules.Schedule`, or any function from the step to the rate.
        last_epoch: The last step done, when a training is resumed without a saved state: the rates
            become those of step ``last_epoch + 1``. In torch's words an epoch is a call of `step`.

    Returns:
        A scheduler; call ``scheduler.step()`` after each ``optimizer.step()``.

    Raises:
        TypeError: If `optimizer` is not a torch optimiser.
        ValueError: If `schedule` is not callable, a group's ``lr_scale`` is negative or not finite,
            or `last_epoch` is not an integer >= -1.

    Examples:
        >>> import torch
        >>> from hpcourse.schedules import constant_step
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))])
        >>> scheduler = lambda_lr(optimizer, constant_step(1.0, steps=4))
        >>> for _ in range(3):
        ...     print(scheduler.get_last_lr())
        ...     optimizer.step()
        ...     scheduler.step()
        [1.0]
        [0.75]
        [0.5]
    """
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"lambda_lr needs a torch optimiser, got optimizer={optimizer!r}")
    require(callable(schedule), "lambda_lr needs a schedule", schedule=schedule)
    is_step = isinstance(last_epoch, int) and not isinstance(last_epoch, bool) and last_epoch >= -1
    require(is_step, "lambda_lr needs an integer last_epoch >= -1", last_epoch=last_epoch)
    for group in optimizer.param_groups:
        require_non_negative("lambda_lr", lr_scale=group.get("lr_scale", 1.0))
        # torch asks for this when it resumes; here rates do not depend on it.
        group.setdefault("initial_lr", float(group["lr"]))
    return _ScheduleLR(optimizer, schedule, last_epoch)


@final
class _ScheduleLR(LRScheduler):
    """A torch scheduler in closed form; see `lambda_lr`."""

    def __init__(
        self, optimizer: Optimizer, schedule: Callable[[int], float], last_epoch: int
    ) -> None:
        self.schedule = schedule
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float | Tensor]:
        rate = self.schedule(self.last_epoch)
        return [_group_lr(group, rate) for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        return {key: value for key, value in super().state_dict().items() if key != "schedule"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        set_lr(self.optimizer, self.schedule(self.last_epoch))


def _group_lr(group: dict[str, Any], lr: float) -> float:
    # A float, not a NumPy scalar: torch.load refuses a state that holds one.
    return float(lr * group.get("lr_scale", 1.0))
