"""A training: what one member does in a step, and the tensors of all that live through it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value

from hpcourse.training._hypers import Objective, dropout_rates, keywords
from hpcourse.training._repeated import Repeated
from hpcourse.training.stack import Stack
from hpcourse.training.updates import State, Tensors, Update

__all__ = ["Training", "member_step"]

# Members of which the first step, whose memory is not planned, is made at once.
FIRST = 64

_Path = tuple[str, ...]
_Tree = dict[str, Any]
_Net = tuple[Tensors, Tensors, State]
"""Trained parameters, buffers, the optimiser's state."""


def member_step(
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


class Training(Iterator[Tensor]):
    """A running training: an iterator of the members' losses (members,), one for each batch.

    `train_many` makes it.

    Attributes:
        stack: The networks as they are now. To go on from here with other hyperparameters pass
            ``stack.member`` as `build` and the members' positions as seeds.
    """

    def __init__(
        self,
        stack: Stack,
        step: Callable[..., tuple[_Net, Tensor]],
        columns: Mapping[str, Iterator[Tensor]],
        batches: Iterable[tuple[Tensor, Tensor]],
        *,
        own_batches: bool,
    ) -> None:
        self.stack, self._step, self._columns = stack, step, columns
        self._batches, self._own_batches = iter(batches), own_batches
        self._modules = list(stack.template.modules())
        trained = {n for n, p in stack.template.named_parameters() if p.requires_grad}
        self._part = {n: "params" if n in trained else "frozen" for n in stack.params}
        self._tensors: dict[_Path, Tensor] = {}
        self._repeated: Repeated | None = None

    @property
    def slow(self) -> str | None:
        """Why every step searches for its kernels anew; None if it does not have to."""
        return None if self._repeated is None else self._repeated.reason

    @property
    def nbytes(self) -> int:
        """Bytes of the members' networks, hyperparameters and optimiser's states."""
        return sum(tensor.nbytes for tensor in self._tensors.values())

    def __next__(self) -> Tensor:
        x, y = next(self._batches)
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
        (losses,) = self._repeated(list(self._tensors.values()), (x, y), modes)
        return losses

    def _keep(self, path: _Path, tensor: Tensor) -> Tensor:
        """Where a tensor is kept, holding the values of the one given."""
        kept = self._tensors.get(path)
        if kept is None:
            kept = self._tensors[path] = tensor.detach().contiguous()
        return kept if kept is tensor else kept.copy_(tensor.detach())

    def _first(self, x: Tensor, y: Tensor) -> Tensor:
        """The step that makes the optimiser's state, without haste."""
        parts = []
        for first in range(0, len(self.stack), FIRST):
            rows = slice(first, first + FIRST)
            own = {path: tensor[rows] for path, tensor in self._tensors.items()}
            batch = (x[rows], y[rows]) if self._own_batches else (x, y)
            parts.append(_flat_step(self._step, own, *batch))
        for path in parts[0][0]:
            self._keep(path, torch.cat([new[path] for new, _ in parts]))
        return torch.cat([losses for _, losses in parts])

    def _later(self) -> Repeated:
        """The steps that update all that is carried in place."""
        given = {path: t for path, t in self._tensors.items() if path[0] in ("frozen", "hypers")}
        carried = {path: t for path, t in self._tensors.items() if path not in given}
        self._tensors = carried | given
        step, paths, replaced = self._step, list(self._tensors), list(carried)

        def function(*tensors: Tensor) -> list[Tensor]:
            own = dict(zip(paths, tensors, strict=False))
            new, losses = _flat_step(step, own, *tensors[-2:])
            return [*(new[path] for path in replaced), losses]

        return Repeated(function, carried=len(carried), own_data=self._own_batches)


_CARRIED = ("params", "buffers", "state")


def _flat_step(
    step: Callable[..., tuple[_Net, Tensor]], own: Mapping[_Path, Tensor], x: Tensor, y: Tensor
) -> tuple[dict[_Path, Tensor], Tensor]:
    """A step on tensors by their paths: those that it replaces, and the losses."""
    tree = _nested(own)
    net = tuple(tree.get(part, {}) for part in _CARRIED)
    new, losses = step(net, tree.get("frozen", {}), tree.get("hypers", {}), x, y)
    return _by_path(dict(zip(_CARRIED, new, strict=True))), losses


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
