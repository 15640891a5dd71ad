"""Networks of one architecture, trained and evaluated as one batched program (`torch.func`).

One step of one member is a pure function of its tensors; `vmap` makes it a function of the stacked
tensors of all members, and `Repeated` repeats the kernels that it calls without searching for them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap

from hpcourse._check import require
from hpcourse.training._hypers import (
    Hyper,
    Objective,
    check_names,
    column,
    dropout_rates,
    keywords,
)
from hpcourse.training._repeated import Repeated
from hpcourse.training.loop import Batches, Loss, eval_mode, moved
from hpcourse.training.progress import progress_bar
from hpcourse.training.stack import Stack
from hpcourse.training.updates import State, Tensors, Update, sgd

__all__ = ["Hyper", "Objective", "Stack", "Training", "evaluate_many", "train_many"]

# Rows that are evaluated at once, so that the memory needed does not grow with the data.
ROWS = {"cpu": 256, "cuda": 8192}

# Members of which the first step, whose memory is not planned, is made at once.
FIRST = 64


class Training(Iterator[Tensor]):
    """A running training: an iterator of the members' losses (members,), one for each batch.

    Attributes:
        stack: The networks as they are now. To go on from here with other hyperparameters pass
            ``stack.member`` as `build` and the members' positions as seeds.
    """

    def __init__(self, steps: "_Steps", losses: Iterator[Tensor]) -> None:
        self.stack = steps.stack
        self._steps, self._losses = steps, losses

    def __next__(self) -> Tensor:
        return next(self._losses)

    @property
    def slow(self) -> str | None:
        """Why every step searches for its kernels anew; None if it does not have to."""
        return self._steps.slow

    @property
    def nbytes(self) -> int:
        """Memory of the members: their networks, hyperparameters and the optimiser's state."""
        return sum(tensor.nbytes for tensor in self._steps.tensors.values())


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
        ValueError: If a hyperparameter has not one finite value or schedule per member, or the
            networks are not of one architecture.

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
        _step(stack.template, loss_fn, update),
        in_dims=(0, 0, 0, *_data_dims(own_batches)),
        randomness="different",
    )
    steps = _Steps(stack, step, columns, own_batches)
    shown = progress_bar(batches, "training", show=progress)
    losses = (steps(x, y) for x, y in moved(shown, stack.params.values()))
    return Training(steps, losses)


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
    key = (own_batches, *metrics.values())
    if stack.evaluation is None or stack.evaluation[0] != key:
        names = [*stack.params, *stack.buffers]

        def score(*tensors: Tensor) -> list[Tensor]:
            *own, x, y = tensors
            outputs = functional_call(stack.template, dict(zip(names, own, strict=True)), (x,))
            return [metric(outputs, y) for metric in metrics.values()]

        dims = (*(0 for _ in names), *_data_dims(own_batches))
        scores = vmap(score, in_dims=dims, randomness="different")
        stack.evaluation = key, Repeated(scores, carried=0, own_data=own_batches)
    return stack.evaluation[1]


def _data_dims(own_batches: bool) -> tuple[int | None, int | None]:
    return (0, 0) if own_batches else (None, None)


_Path = tuple[str, ...]
_Tree = dict[str, Any]
_Net = tuple[Tensors, Tensors, State]
"""Trained parameters, buffers, the optimiser's state."""


def _step(
    model: nn.Module, loss_fn: Objective, update: Update
) -> Callable[..., tuple[_Net, Tensor]]:
    """One training step of one member, as a pure function of its tensors."""
    of_update, of_loss = keywords(update), keywords(loss_fn)
    rates = dropout_rates(model)

    def loss(
        params: Tensors, others: tuple[Tensors, Tensors], hypers: Tensors, x: Tensor, y: Tensor
    ) -> tuple[Tensor, Tensors]:
        frozen, buffers = others
        # Layers such as batch norm write into their buffers: let them write into copies.
        buffers = {name: buffer.clone() for name, buffer in buffers.items()}
        outputs = functional_call(model, (params, frozen, buffers), (x,))
        own = {name: h for name, h in hypers.items() if name in of_loss}
        return loss_fn(outputs, y, **own), buffers

    def step(
        net: _Net, frozen: Tensors, hypers: Tensors, x: Tensor, y: Tensor
    ) -> tuple[_Net, Tensor]:
        params, buffers, state = net
        if "dropout" in hypers:
            buffers = buffers | dict.fromkeys(rates, hypers["dropout"])
        gradient = grad_and_value(loss, has_aux=True)
        grads, (value, buffers) = gradient(params, (frozen, buffers), hypers, x, y)
        grads = _clipped(grads, hypers)
        own = {name: h for name, h in hypers.items() if name in of_update}
        # 0, or NaN from the first loss on that is not finite: a diverged member stays diverged.
        fate = value - value
        if "lr" in own:
            own["lr"] = own["lr"] + fate
        else:
            grads = {name: g + fate for name, g in grads.items()}
        params, state = update(params, grads, state, **own)
        return (params, buffers, state), value + fate

    return step


def _clipped(grads: Tensors, hypers: Tensors) -> Tensors:
    """Gradients as torch's ``clip_grad_value_`` and ``clip_grad_norm_`` leave them."""
    if "clip_value" in hypers:
        most = hypers["clip_value"]
        grads = {name: g.clamp(-most, most) for name, g in grads.items()}
    if "clip_norm" in hypers:
        norm = torch.stack([torch.linalg.vector_norm(g) for g in grads.values()]).norm()
        factor = (hypers["clip_norm"] / (norm + 1e-6)).clamp(max=1.0)
        grads = {name: factor * g for name, g in grads.items()}
    return grads


class _Steps:
    """The steps of a training, and the tensors that live through it."""

    def __init__(
        self,
        stack: Stack,
        step: Callable[..., tuple[_Net, Tensor]],
        columns: Mapping[str, Iterator[Tensor]],
        own_batches: bool,
    ) -> None:
        self.stack, self._step, self._columns = stack, step, columns
        self._own_batches = own_batches
        self._modules = list(stack.template.modules())
        trained = {n for n, p in stack.template.named_parameters() if p.requires_grad}
        self._part = {n: "params" if n in trained else "frozen" for n in stack.params}
        self.tensors: dict[_Path, Tensor] = {}
        self._repeated: Repeated | None = None

    @property
    def slow(self) -> str | None:
        """Why no step can be repeated."""
        return None if self._repeated is None else self._repeated.reason

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """Train on one batch; the losses (members,) before that."""
        for name, values in self._columns.items():
            self._keep(("hypers", name), next(values))
        for name, tensor in self.stack.params.items():
            self.stack.params[name] = self._keep((self._part[name], name), tensor)
        for name, tensor in self.stack.buffers.items():
            self.stack.buffers[name] = self._keep(("buffers", name), tensor)
        if self._repeated is None:
            losses = self._first(x, y)
            self._repeated = self._later()
            return losses
        modes = tuple([module.training for module in self._modules])
        (losses,) = self._repeated(list(self.tensors.values()), (x, y), modes)
        return losses

    def _keep(self, path: _Path, tensor: Tensor) -> Tensor:
        """Where a tensor is kept, holding the values of the one given."""
        kept = self.tensors.get(path)
        if kept is None:
            kept = self.tensors[path] = tensor.detach().contiguous()
        return kept if kept is tensor else kept.copy_(tensor.detach())

    def _first(self, x: Tensor, y: Tensor) -> Tensor:
        """The step that makes the optimiser's state, without haste."""
        parts = []
        for first in range(0, len(self.stack), FIRST):
            rows = slice(first, first + FIRST)
            own = _nested({path: tensor[rows] for path, tensor in self.tensors.items()})
            batch = (x[rows], y[rows]) if self._own_batches else (x, y)
            parts.append(self._called(own, *batch))
        new = {path: torch.cat([part[path] for part, _ in parts]) for path in parts[0][0]}
        for path, tensor in new.items():
            self._keep(path, tensor)
        return torch.cat([losses for _, losses in parts])

    def _later(self) -> Repeated:
        """The steps that update all that is carried in place."""
        given = {path: t for path, t in self.tensors.items() if path[0] in ("frozen", "hypers")}
        carried = {path: t for path, t in self.tensors.items() if path not in given}
        self.tensors = carried | given

        def function(*tensors: Tensor) -> list[Tensor]:
            own = _nested(dict(zip(self.tensors, tensors, strict=False)))
            new, losses = self._called(own, *tensors[-2:])
            return [*(new[path] for path in carried), losses]

        return Repeated(function, carried=len(carried), own_data=self._own_batches)

    def _called(self, own: _Tree, x: Tensor, y: Tensor) -> tuple[dict[_Path, Tensor], Tensor]:
        """The step, from nested tensors to those by path that it replaces, and the losses."""
        net = tuple(own.get(part, {}) for part in _CARRIED)
        new, losses = self._step(net, own.get("frozen", {}), own.get("hypers", {}), x, y)
        return _by_path(dict(zip(_CARRIED, new, strict=True))), losses


_CARRIED = ("params", "buffers", "state")


def _by_path(tree: _Tree, path: _Path = ()) -> dict[_Path, Tensor]:
    """The tensors of nested dicts by their keys."""
    found: dict[_Path, Tensor] = {}
    for key, value in tree.items():
        at = (*path, key)
        found |= {at: value} if isinstance(value, Tensor) else _by_path(value, at)
    return found


def _nested(tensors: Mapping[_Path, Tensor]) -> _Tree:
    """Nested dicts of tensors that are given by their keys."""
    tree: _Tree = {}
    for (*path, last), tensor in tensors.items():
        branch = tree
        for key in path:
            branch = branch.setdefault(key, {})
        branch[last] = tensor
    return tree
