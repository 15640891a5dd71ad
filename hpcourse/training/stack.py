"""Networks of one architecture, their tensors stacked."""

import copy
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

import torch
from torch import Tensor, nn
from torch.func import stack_module_state

from hpcourse._check import require
from hpcourse.training._repeated import Repeated
from hpcourse.training.updates import Tensors

__all__ = ["Stack"]


class Stack:
    """Networks of one architecture, their parameters stacked along a first dimension of members.

    `train_many` changes the tensors in place, so clone what must stay. Between two steps the caller
    may change them too, in place or by putting another tensor of the same shape into the dicts.

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
        # What evaluate_many was last asked for, and how it computes that.
        self.evaluation: tuple[object, Repeated] | None = None

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


def _named_tensors(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    return chain(model.named_parameters(), model.named_buffers())


def _shapes(model: nn.Module) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in _named_tensors(model)}
