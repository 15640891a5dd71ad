"""One training, as a generator of steps; evaluation by sample-weighted means."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from hpcourse._check import require
from hpcourse.optim import set_lr
from hpcourse.training.progress import progress_bar

__all__ = ["Batches", "Loss", "Step", "accuracy", "eval_mode", "evaluate", "train"]

Loss = Callable[[Tensor, Tensor], Tensor]
"""Outputs (batch, ...) and targets (batch, ...) to a scalar, a mean over the batch."""

Batches = Iterable[tuple[Tensor, Tensor]]
"""Inputs (batch, ...) and targets (batch, ...), one pair per step."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One update: its number from 0, the batch's loss before it, and the first group's rate."""

    number: int
    loss: float
    lr: float


def train(
    model: nn.Module,
    batches: Batches,
    loss_fn: Loss,
    optimizer: Optimizer,
    *,
    schedule: Callable[[int], float] | None = None,
    progress: bool = False,
) -> Iterator[Step]:
    """Train `model` in place, one update per batch, and yield after each.

    The caller decides everything else: ``break`` to stop, evaluate every so many steps, average
    weights. Nothing happens until the first step is asked for. The modules keep the mode
    (training or evaluation) that the caller gave them, so a frozen batch norm stays frozen.
    Layers such as dropout draw torch's global random numbers: to fix them, seed and train inside
    ``torch.random.fork_rng()``.

    Args:
        model: The network; batches are moved to its device.
        batches: Inputs (batch, ...) and targets (batch, ...), one pair per step.
        loss_fn: Outputs and targets to a scalar loss.
        optimizer: Any torch optimiser over the parameters to train.
        schedule: A `hpcourse.schedules.Schedule`, or any function from the step's number, from 0,
            to its learning rate; each parameter group gets ``schedule(step) *
            group.get("lr_scale", 1)``. None leaves the optimiser's rates.
        progress: Whether to show a progress bar where somebody watches.

    Yields:
        A `Step` after each update.

    Examples:
        >>> line = nn.Linear(1, 1)
        >>> x = torch.linspace(-1, 1, 8).unsqueeze(1)
        >>> sgd = torch.optim.SGD(line.parameters(), lr=0.5)
        >>> steps = list(train(line, [(x, 3 * x + 1)] * 100, nn.functional.mse_loss, sgd))
        >>> [round(p.item(), 3) for p in line.parameters()], steps[-1].number
        ([3.0, 1.0], 99)
    """
    shown = progress_bar(batches, "training", show=progress)
    for number, (x, y) in enumerate(moved(shown, model.parameters())):
        if schedule is not None:
            set_lr(optimizer, float(schedule(number)))
        lr = float(optimizer.param_groups[0]["lr"])
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves this method untyped
        optimizer.step()
        yield Step(number=number, loss=loss.item(), lr=lr)


def evaluate(model: nn.Module, batches: Batches, metrics: Mapping[str, Loss]) -> dict[str, float]:
    """Mean of each metric over all samples, in evaluation mode and without gradients.

    A metric is a mean over its batch; the means are weighted by the batches' sizes, so that the
    result does not depend on how the samples are divided. Every module then gets its mode back.

    Args:
        model: The network; batches are moved to its device.
        batches: Inputs (batch, ...) and targets (batch, ...).
        metrics: Name to a function of outputs and targets.

    Returns:
        Name to mean.

    Raises:
        ValueError: If there is no sample.

    Examples:
        >>> double = nn.Linear(1, 1, bias=False)
        >>> _ = nn.init.constant_(double.weight, 2.0)
        >>> x = torch.tensor([[1.0], [2.0], [3.0]])
        >>> evaluate(double, [(x[:2], x[:2]), (x[2:], x[2:])], {"mse": nn.functional.mse_loss})
        {'mse': 4.666666666666667}
    """
    totals, count = dict.fromkeys(metrics, 0.0), 0
    with eval_mode(model), torch.no_grad():
        for x, y in moved(batches, model.parameters()):
            outputs = model(x)
            for name, metric in metrics.items():
                totals[name] += len(x) * metric(outputs, y).item()
            count += len(x)
    require(count > 0, "evaluate needs at least one sample", samples=count)
    return {name: total / count for name, total in totals.items()}


def accuracy(logits: Tensor, y: Tensor) -> Tensor:
    """Share of samples whose largest logit is the target class.

    Args:
        logits: Scores (batch, classes).
        y: Target classes (batch,).

    Returns:
        A scalar in [0, 1].

    Raises:
        ValueError: If the shapes are not (batch, classes) and (batch,).

    Examples:
        >>> accuracy(torch.tensor([[2.0, 1.0], [0.0, 1.0]]), torch.tensor([0, 0])).item()
        0.5
    """
    require(
        logits.ndim == 2 and y.shape == logits.shape[:1],
        "accuracy needs logits (batch, classes) and y (batch,)",
        logits=tuple(logits.shape),
        y=tuple(y.shape),
    )
    return (logits.argmax(dim=1) == y).float().mean()


@contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """Evaluation mode inside the ``with``; every module gets its own mode back after it.

    ``model.train()`` would not do that: it also wakes the modules that were frozen on purpose.
    """
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def moved(batches: Batches, tensors: Iterable[Tensor]) -> Batches:
    """The batches on the device of the first of `tensors`; where there is none, as they are."""
    first = next(iter(tensors), None)
    if first is None:
        return batches
    return ((x.to(first.device), y.to(first.device)) for x, y in batches)
