"""Networks of one architecture, trained and evaluated as one batched program (`torch.func`).

One step of one member is a pure function of its tensors; `vmap` makes it a function of the stacked
tensors of all members, and `Repeated` repeats the kernels that it calls without searching for them.
"""

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from hpcourse._check import require
from hpcourse.training._hypers import Hyper, Objective, check_names, column
from hpcourse.training._repeated import Repeated
from hpcourse.training._training import Training, member_step
from hpcourse.training.loop import Batches, Loss, eval_mode, moved
from hpcourse.training.progress import progress_bar
from hpcourse.training.stack import Stack
from hpcourse.training.updates import Update, sgd

__all__ = ["Hyper", "Objective", "Stack", "Training", "evaluate_many", "train_many"]

# Rows that are evaluated at once, so that the memory needed does not grow with the data.
ROWS = {"cpu": 256, "cuda": 8192}


def train_many(
    build: Callable[[int], nn.Module],
    loss_fn: Objective,
    hypers: Mapping[str, Hyper],
    batches: Batches,
    *,
    seeds: Iterable[int],
    update: Update = sgd,
    own_batches: bool = False,
    progress: bool = False,
) -> Training:
    """Train networks of one architecture together, one update per batch, and yield their losses.

    Each member's training is the one that `train` would do alone, within rounding, as long as
    its layers draw no random numbers (they draw torch's global ones, as with `train`). A member
    whose loss is not finite becomes NaN, stays so, and harms no other. The caller decides
    everything else, as with `train`, and may evaluate between any two steps.

    A hyperparameter belongs to whoever names it: the keyword-only arguments of `loss_fn`, those of
    `update`, and three more: ``clip_norm``, the largest norm of a member's gradient (over all its
    parameters, as ``torch.nn.utils.clip_grad_norm_``), ``clip_value``, the largest size of its
    entries (as ``clip_grad_value_``), and ``dropout``, the rate of all
    `hpcourse.regularise.Dropout` layers.

    The Python code of the networks, the loss and the update runs in the first steps with batches of
    a shape and with the modules' modes; later steps repeat the kernels that it called (see
    `Training.slow`). So it may draw torch's random numbers, but must not depend on anything else
    that changes, such as a counter.

    On a CPU call ``torch.set_flush_denormal(True)`` first if some members may underflow, since
    arithmetic on denormals is many times slower and here all members wait for the slowest.

    Args:
        build: Seed to network, see `Stack`; batches are moved to the networks' device.
        loss_fn: Outputs (batch, ...) and targets (batch, ...) of one member to a scalar. Its
            keyword-only arguments are hyperparameters, as 0-dim tensors.
        hypers: Hyperparameters by name, such as ``{"lr": [0.1, 0.01]}``. Schedules are given the
            step's number, from 0, and are tabulated, so they must take arrays.
        batches: Inputs (batch, ...) and targets (batch, ...) shared by all members; with
            `own_batches` (members, batch, ...) each.
        seeds: One per member.
        update: The optimiser.
        own_batches: Whether each member has its own batches.
        progress: Whether to show a progress bar where somebody watches.

    Returns:
        A `Training`: iterate over it for the members' losses (members,) on each batch, before the
        update with it; its `stack` holds the networks.

    Raises:
        TypeError: If nobody takes a hyperparameter, or `update` or `loss_fn` lacks one.
        ValueError: If a hyperparameter has not one finite value or schedule per member, or one
            outside its domain (a negative rate, a beta of one), or the networks are not of one
            architecture.

    Examples:
        >>> x = torch.linspace(-1, 1, 8).unsqueeze(1)
        >>> batches = [(x, 3 * x + 1)] * 100
        >>> hypers = {"lr": [0.5, 0.0], "momentum": 0.5}
        >>> training = train_many(
        ...     lambda seed: nn.Linear(1, 1), nn.functional.mse_loss, hypers, batches, seeds=[0, 0]
        ... )
        >>> for losses in training:
        ...     pass
        >>> round(training.stack.params["weight"][0].item(), 3), bool(losses[1] > 0.1)
        (3.0, True)
    """
    stack = Stack(build, seeds)
    check_names(hypers, loss_fn, update, stack.template)
    like = next(iter(stack.params.values()))
    columns = {name: column(name, h, len(stack), like) for name, h in hypers.items()}
    step = vmap(
        member_step(stack.template, loss_fn, update),
        in_dims=(0, 0, 0, *_data_dims(own_batches)),
        randomness="different",
    )
    shown = moved(progress_bar(batches, "training", show=progress), stack.params.values())
    return Training(stack, step, columns, shown, own_batches=own_batches)


def evaluate_many(
    stack: Stack,
    batches: Batches,
    metrics: Mapping[str, Loss],
    *,
    own_batches: bool = False,
) -> dict[str, Tensor]:
    """Mean of each metric over all samples, for each member; see `evaluate`.

    Args:
        stack: The networks; batches are moved to their device.
        batches: Inputs and targets, as for `train_many`.
        metrics: Name to a function of one member's outputs and targets.
        own_batches: Whether each member has its own batches.

    Returns:
        Name to means (members,), float64, on the CPU.

    Raises:
        ValueError: If there is no sample.

    Examples:
        >>> lines = Stack(lambda seed: nn.Linear(1, 1, bias=False), seeds=[0, 1])
        >>> lines.params["weight"][:, 0, 0] = torch.tensor([1.0, 2.0])
        >>> x = torch.tensor([[1.0], [3.0]])
        >>> evaluate_many(lines, [(x, x)], {"mse": nn.functional.mse_loss})
        {'mse': tensor([0., 5.], dtype=torch.float64)}
    """
    require(len(metrics) > 0, "evaluate_many needs at least one metric", metrics=metrics)
    scores = _scores(stack, metrics, own_batches)
    tensors = [*stack.params.values(), *stack.buffers.values()]
    dim = 1 if own_batches else 0
    totals = torch.zeros(len(metrics), len(stack), dtype=torch.float64)
    samples = 0
    with eval_mode(stack.template), torch.no_grad():
        for x, y in moved(batches, stack.params.values()):
            rows = ROWS.get(x.device.type, ROWS["cuda"])
            for piece in zip(torch.split(x, rows, dim), torch.split(y, rows, dim), strict=True):
                size = piece[0].shape[dim]
                if size == 0:
                    continue
                totals += size * torch.stack(scores(tensors, piece)).cpu().double()
                samples += size
    require(samples > 0, "evaluate_many needs at least one sample", samples=samples)
    return dict(zip(metrics, totals / samples, strict=True))


def _scores(stack: Stack, metrics: Mapping[str, Loss], own_batches: bool) -> Repeated:
    """The metrics as a function of the stack's tensors and a batch, as they were last used."""
    functions = tuple(metrics.values())
    key = (own_batches, functions)
    if stack.evaluation is None or stack.evaluation[0] != key:
        model, names = stack.template, [*stack.params, *stack.buffers]

        def score(*tensors: Tensor) -> list[Tensor]:
            *own, x, y = tensors
            outputs = functional_call(model, dict(zip(names, own, strict=True)), (x,))
            return [metric(outputs, y) for metric in functions]

        dims = (*(0 for _ in names), *_data_dims(own_batches))
        scores = vmap(score, in_dims=dims, randomness="different")
        stack.evaluation = key, Repeated(scores, carried=0, own_data=own_batches)
    return stack.evaluation[1]


def _data_dims(own_batches: bool) -> tuple[int | None, int | None]:
    return (0, 0) if own_batches else (None, None)
