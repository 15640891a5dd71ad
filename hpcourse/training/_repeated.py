"""A function of stacked members that is fast from its second call on."""

import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from operator import is_

import torch
from torch import Tensor

from hpcourse.training._memory import free_bytes
from hpcourse.training._program import Program, Scratch
from hpcourse.training._tape import NotRepeatable, Tape, record

__all__ = ["Repeated"]

CACHE = 16 * 2**20
"""Bytes that a group of members may use on a CPU. Larger groups leave the caches, smaller ones make
more calls; from 8 to 64 MiB it matters little."""

GPU_SHARE = 0.3
"""Share of a GPU's free memory for a group, of which recording takes a few times as much."""

SHAPES = 16
"""Shapes of batches for which kernels and memory are kept."""

PROBED = 2
"""Members by whose memory the size of the groups is decided."""

UNMEASURED = 64
"""Members of a group where that is not known."""


@dataclass
class _Batch:
    """What is kept for batches of one shape."""

    data: list[Tensor]
    bound: list[Tensor] = field(default_factory=list)
    tapes: dict[int, Tape] = field(default_factory=dict)
    programs: dict[int, Program] = field(default_factory=dict)

    def bind(self, bound: Sequence[Tensor]) -> None:
        """Forget the programs if they work on other tensors."""
        if len(bound) != len(self.bound) or not all(map(is_, bound, self.bound)):
            self.bound = list(bound)
            self.programs.clear()


class Repeated:
    """Calls a function of stacked members group by group, and repeats its kernels later.

    The first call runs the function and writes its kernels down; later calls with batches of the
    same shape run these kernels alone. Groups are as large as a cache or a GPU's memory allows, by
    the memory that a few members take. A function that cannot be repeated is called every time.

    Args:
        function: Takes the members' tensors and the data, returns new tensors for the first
            `carried` of them and then results (members,).
        carried: Number of tensors that are replaced, in place.
        own_data: Whether data have a first dimension of members.

    Attributes:
        reason: Why the function cannot be repeated; None if it can.
    """

    def __init__(
        self, function: Callable[..., list[Tensor]], *, carried: int, own_data: bool
    ) -> None:
        self.reason: str | None = None
        self._function, self._carried, self._own_data = function, carried, own_data
        self._batches: dict[Hashable, _Batch] = {}
        self._scratch = Scratch()
        self._together: int | None = None

    def __call__(
        self, tensors: Sequence[Tensor], data: Sequence[Tensor], mode: Hashable = None
    ) -> list[Tensor]:
        """Call the function.

        Args:
            tensors: The members' tensors (members, ...); those that are replaced contiguous.
            data: The batch.
            mode: Whatever else decides which kernels the function calls.

        Returns:
            The results (members, ...).
        """
        key = (mode, *((tensor.shape, tensor.dtype) for tensor in data))
        if key not in self._batches:
            if len(self._batches) == SHAPES:
                self._batches.clear()
                self._scratch = Scratch()
            self._batches[key] = _Batch([tensor.new_empty(tensor.shape) for tensor in data])
        batch = self._batches[key]
        for place, tensor in zip(batch.data, data, strict=True):
            place.copy_(tensor)
        batch.bind([tensor.contiguous() for tensor in tensors])
        parts = [
            # The next group writes over a program's results.
            [result.clone() for result in self._group(batch, first, last)]
            for first, last in self._groups(batch)
        ]
        if len(parts) == 1:
            return parts[0]
        return [torch.cat(part) for part in zip(*parts, strict=True)]

    def _groups(self, batch: _Batch) -> Iterator[tuple[int, int]]:
        """Groups of nearly the same size."""
        members = len(batch.bound[0])
        if self._together is None:
            self._together = self._fitting(batch)
        groups = math.ceil(members / self._together)
        ends = [members * number // groups for number in range(groups + 1)]
        return pairwise(ends)

    def _group(self, batch: _Batch, first: int, last: int) -> list[Tensor]:
        if first in batch.programs:
            return batch.programs[first]()
        inputs = self._inputs(batch, first, last)
        if last - first in batch.tapes:
            tape = batch.tapes[last - first]
            batch.programs[first] = Program(tape, inputs, self._carried, self._scratch)
            return batch.programs[first]()
        outputs = self._recorded(batch, inputs)
        for place, new in zip(inputs[: self._carried], outputs, strict=False):
            place.copy_(new)
        return outputs[self._carried :]

    def _recorded(self, batch: _Batch, inputs: list[Tensor]) -> list[Tensor]:
        if self.reason is None:
            try:
                tape, outputs = record(self._function, _apart(inputs))
            except NotRepeatable as error:
                self.reason = str(error)
            else:
                batch.tapes[len(inputs[0])] = tape
                return outputs
        return self._function(*inputs)

    def _inputs(self, batch: _Batch, first: int, last: int) -> list[Tensor]:
        data = [tensor[first:last] for tensor in batch.data] if self._own_data else batch.data
        return [*(tensor[first:last] for tensor in batch.bound), *data]

    def _fitting(self, batch: _Batch) -> int:
        """How many members fit into a group."""
        few = min(PROBED, len(batch.bound[0]))
        inputs = _apart(self._inputs(batch, 0, few))
        device, scratch = inputs[0].device, Scratch()
        try:
            with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
                tape, _ = record(self._function, inputs)
        except NotRepeatable as error:
            self.reason = str(error)
            return UNMEASURED
        Program(tape, inputs, self._carried, scratch)
        each = (scratch.bytes + sum(tensor.nbytes for tensor in inputs)) / few
        space = CACHE if device.type == "cpu" else GPU_SHARE * free_bytes(device)
        return max(1, int(space / each))


def _apart(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Copies, each alone in its memory."""
    return [tensor.clone(memory_format=torch.contiguous_format) for tensor in tensors]
