"""A stack of networks of one architecture, trained as one batched program (`torch.func`)."""

import copy
import inspect
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, count, repeat
from numbers import Real

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, stack_module_state, vmap

from hpcourse._check import require
from hpcourse.regularise import Dropout
from hpcourse.schedules import Schedule
from hpcourse.training.loop import Batches, Loss, eval_mode, moved
from hpcourse.training.progress import progress_bar
from hpcourse.training.updates import State, Tensors, Update, sgd

__all__ = ["Hyper", "Objective", "Stack", "Training", "evaluate_many", "train_many"]

Hyper = float | Schedule | Tensor | NDArray[np.float64] | Sequence[float | Schedule]
"""One value or schedule for all members; or one for each: a tensor or array (members,), or a
sequence, which may mix values and schedules."""

Objective = Callable[..., Tensor]
"""Outputs (batch, ...) and targets (batch, ...) of one member, and hyperparameters as keyword-only
arguments, to a scalar, a mean over the batch."""

_Net = tuple[Tensors, Tensors, Tensors]
"""Trained parameters, frozen parameters, buffers."""

_Stepped = tuple[_Net, State, Tensor]
"""The network and the optimiser's state after a step, and the loss before it."""

# Steps for which schedules are evaluated at once.
TABLE_STEPS = 256


class Stack:
    """Networks of one architecture, their parameters stacked along a first dimension of members.

    Args:
        build: Seed to network. The networks may differ in the values of their parameters and
            buffers only; anything else (a dropout rate, a mode) is taken from the first.
        seeds: One per member; members that share their initial weights share a seed.

    Attributes:
        seeds: The seeds given.
        params: Parameter name to tensor (members, ...), on the device where `build` put them.
        buffers: Buffer name to tensor (members, ...).
        template: The first network as built; it holds the architecture, not the weights.

    Raises:
        ValueError: If there is no seed, or parameters or buffers differ in name or shape.

    Examples:
        >>> stack = Stack(lambda seed: nn.Linear(3, 2), seeds=range(5))
        >>> len(stack), stack.params["weight"].shape
        (5, torch.Size([5, 2, 3]))
    """

    def __init__(self, build: Callable[[int], nn.Module], seeds: Iterable[int]) -> None:
        self.seeds = tuple(seeds)
        require(len(self.seeds) > 0, "Stack needs at least one seed", seeds=self.seeds)
        models = [build(seed) for seed in self.seeds]
        self.template = models[0]
        for seed, model in zip(self.seeds, models, strict=True):
            alike = _shapes(model) == _shapes(self.template)
            require(alike, f"Stack needs one architecture, as of seed {self.seeds[0]}", seed=seed)
        params, buffers = stack_module_state(models)
        self.params: Tensors = {name: p.detach() for name, p in params.items()}
        self.buffers: Tensors = {name: b.detach() for name, b in buffers.items()}

    def __len__(self) -> int:
        return len(self.seeds)

    def member(self, index: int) -> nn.Module:
        """A copy of one member, as it is now, as an ordinary module."""
        model = copy.deepcopy(self.template)
        with torch.no_grad():
            for name, tensor in _named_tensors(model):
                stacked = self.params[name] if name in self.params else self.buffers[name]
                tensor.copy_(stacked[index])
        return model


class Training(Iterator[Tensor]):
    """A running training: an iterator of the members' losses (members,), one for each batch.

    Attributes:
        stack: The networks as they are now. To go on from here with other hyperparameters pass
            ``stack.member`` as `build` and the members' positions as seeds.
    """

    def __init__(self, stack: Stack, losses: Iterator[Tensor]) -> None:
        self.stack = stack
        self._losses = losses

    def __next__(self) -> Tensor:
        return next(self._losses)


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
    that diverges becomes NaN and harms no other. The caller decides everything else, as with
    `train`, and may evaluate between any two steps.

    A hyperparameter belongs to whoever names it: the keyword-only arguments of `loss_fn`, those of
    `update`, and two more: ``clip_norm``, the largest norm of a member's gradient (over all its
    parameters, as ``torch.nn.utils.clip_grad_norm_``), and ``dropout``, the rate of all
    `hpcourse.regularise.Dropout` layers.

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
    _check_names(hypers, loss_fn, update, stack.template)
    like = next(iter(stack.params.values()))
    columns = {name: _column(name, h, len(stack), like) for name, h in hypers.items()}
    step = vmap(
        _step(stack.template, loss_fn, update),
        in_dims=(0, 0, 0, *_data_dims(own_batches)),
        randomness="different",
    )
    shown = progress_bar(batches, "training", show=progress)
    return Training(stack, _run(stack, shown, step, columns))


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
    model = stack.template
    x_dim, y_dim = _data_dims(own_batches)

    def score(params: Tensors, buffers: Tensors, x: Tensor, y: Tensor) -> Tensors:
        outputs = functional_call(model, (params, buffers), (x,))
        return {name: metric(outputs, y) for name, metric in metrics.items()}

    scores = vmap(score, in_dims=(0, 0, x_dim, y_dim), randomness="different")
    totals: dict[str, Tensor] = {}
    samples = 0
    with eval_mode(model), torch.no_grad():
        for x, y in moved(batches, stack.params.values()):
            size = x.shape[1] if own_batches else x.shape[0]
            for name, means in scores(stack.params, stack.buffers, x, y).items():
                totals[name] = size * means.cpu().double() + totals.get(name, 0.0)
            samples += size
    require(samples > 0, "evaluate_many needs at least one sample", samples=samples)
    return {name: total / samples for name, total in totals.items()}


def _keywords(function: Callable[..., object]) -> set[str]:
    """Names of the keyword-only arguments."""
    given = inspect.signature(function).parameters.values()
    return {p.name for p in given if p.kind is p.KEYWORD_ONLY}


def _check_names(
    hypers: Mapping[str, Hyper], loss_fn: Objective, update: Update, model: nn.Module
) -> None:
    """Every hyperparameter has a taker, and every taker has what it needs."""
    known = _keywords(update) | _keywords(loss_fn) | {"clip_norm"}
    if any(isinstance(module, Dropout) for module in model.modules()):
        known.add("dropout")
    if unknown := sorted(set(hypers) - known):
        takes = ", ".join(sorted(known))
        raise TypeError(
            f"train_many got hypers {unknown}, but loss, update and network take {takes}"
        )
    for function, arity in ((update, 3), (loss_fn, 2)):
        own = {name: h for name, h in hypers.items() if name in _keywords(function)}
        try:
            inspect.signature(function).bind(*[None] * arity, **own)
        except TypeError as error:
            message = f"train_many cannot call {function} with these hypers: {error}"
            raise TypeError(message) from None


def _step(model: nn.Module, loss_fn: Objective, update: Update) -> Callable[..., _Stepped]:
    """One training step of one member, as a pure function of its tensors."""
    of_update, of_loss = _keywords(update), _keywords(loss_fn)
    dropouts = [
        f"{name}.rate" if name else "rate"
        for name, module in model.named_modules()
        if isinstance(module, Dropout)
    ]

    def loss(
        params: Tensors, others: tuple[Tensors, Tensors], hypers: Tensors, x: Tensor, y: Tensor
    ) -> tuple[Tensor, Tensors]:
        frozen, buffers = others
        # Layers such as batch norm write into their buffers: let them write into copies.
        buffers = {name: buffer.clone() for name, buffer in buffers.items()}
        outputs = functional_call(model, (params, frozen, buffers), (x,))
        own = {name: h for name, h in hypers.items() if name in of_loss}
        return loss_fn(outputs, y, **own), buffers

    def step(net: _Net, state: State, hypers: Tensors, x: Tensor, y: Tensor) -> _Stepped:
        params, frozen, buffers = net
        if "dropout" in hypers:
            buffers = buffers | dict.fromkeys(dropouts, hypers["dropout"])
        gradient = grad_and_value(loss, has_aux=True)
        grads, (value, buffers) = gradient(params, (frozen, buffers), hypers, x, y)
        if "clip_norm" in hypers:
            grads = clipped(grads, hypers["clip_norm"])
        own = {name: h for name, h in hypers.items() if name in of_update}
        params, state = update(params, grads, state, **own)
        return (params, frozen, buffers), state, value

    return step


def clipped(grads: Tensors, max_norm: Tensor) -> Tensors:
    """Gradients scaled down to a norm of at most `max_norm`, as torch's ``clip_grad_norm_``."""
    norm = torch.stack([torch.linalg.vector_norm(g) for g in grads.values()]).norm()
    factor = (max_norm / (norm + 1e-6)).clamp(max=1.0)
    return {name: factor * g for name, g in grads.items()}


def _run(
    stack: Stack,
    batches: Batches,
    step: Callable[..., _Stepped],
    columns: Mapping[str, Iterator[Tensor]],
) -> Iterator[Tensor]:
    trained = {name for name, p in stack.template.named_parameters() if p.requires_grad}
    state: State = {}
    for x, y in moved(batches, stack.params.values()):
        params = {name: p for name, p in stack.params.items() if name in trained}
        frozen = {name: p for name, p in stack.params.items() if name not in trained}
        hypers = {name: next(column) for name, column in columns.items()}
        net, state, losses = step((params, frozen, stack.buffers), state, hypers, x, y)
        params, frozen, stack.buffers = net
        stack.params = {**params, **frozen}
        yield losses


def _data_dims(own_batches: bool) -> tuple[int | None, int | None]:
    return (0, 0) if own_batches else (None, None)


def _column(name: str, hyper: Hyper, members: int, like: Tensor) -> Iterator[Tensor]:
    """A hyperparameter's values (members,) for each step, without end."""
    if isinstance(hyper, Tensor | np.ndarray):
        hyper = hyper.tolist()
    each = list(hyper) if isinstance(hyper, Sequence) else [hyper] * members
    for value in each:
        ok = callable(value) or (isinstance(value, Real) and math.isfinite(value))
        require(ok, f"train_many needs finite numbers or schedules for {name}", **{name: hyper})
    require(len(each) == members, f"train_many needs {members} values for {name}", **{name: hyper})
    if any(callable(value) for value in each):
        return _tabulated(each, like)
    return repeat(torch.tensor(each, dtype=torch.float64).to(like))


def _tabulated(each: Sequence[float | Schedule], like: Tensor) -> Iterator[Tensor]:
    for start in count(0, TABLE_STEPS):
        steps = np.arange(start, start + TABLE_STEPS)
        curves = [np.broadcast_to(h(steps) if callable(h) else h, TABLE_STEPS) for h in each]
        yield from torch.from_numpy(np.stack(curves, axis=1)).to(like)


def _named_tensors(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    return chain(model.named_parameters(), model.named_buffers())


def _shapes(model: nn.Module) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in _named_tensors(model)}
