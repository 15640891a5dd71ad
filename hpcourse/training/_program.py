"""Recorded kernels on fixed memory.

Every tensor gets its place before the first run. What is computed goes into buffers that are used
again as soon as nobody reads them; element-wise kernels write over what they read last; and what is
carried from one run to the next is updated where it lies. A run is then a plain list of calls:
nothing is allocated, and fresh memory would cost more than the arithmetic on it. On a CUDA device
the calls become one CUDA graph.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from hpcourse.training._kernels import COPIES, EMPTY, into, is_pointwise
from hpcourse.training._tape import Call, Kind, Ref, Tape

__all__ = ["Program", "Scratch"]

_Run = Callable[[], object]


class Scratch:
    """Buffers that are handed out and taken back while programs are laid out.

    Attributes:
        bytes: How much memory they take.
    """

    def __init__(self) -> None:
        self.bytes = 0
        self._free: dict[Kind, list[Tensor]] = {}

    def take(self, kind: Kind) -> Tensor:
        """A buffer (numbers,), the one given back last if there is one: it is in the cache."""
        free = self._free.setdefault(kind, [])
        if free:
            return free.pop()
        buffer = torch.empty(kind.numbers, dtype=kind.dtype, device=kind.device)
        self.bytes += buffer.nbytes
        return buffer

    def give(self, kind: Kind, buffer: Tensor) -> None:
        """Take a buffer back."""
        self._free[kind].append(buffer)


class Program:
    """A tape that is played on memory of its own.

    Args:
        tape: The kernels.
        inputs: What they work on, laid out as when the tape was recorded. New values are copied
            into these tensors.
        carried: How many of the outputs, from the first on, replace the inputs of the same
            positions.
        scratch: Memory for everything between; programs that share it take turns.

    Attributes:
        results: The other outputs; valid from a run to the next one on this scratch memory.
    """

    def __init__(
        self, tape: Tape, inputs: Sequence[Tensor], carried: int, scratch: Scratch
    ) -> None:
        layout = _Layout(tape, inputs, carried, scratch)
        self.results = layout.results
        self._calls = layout.calls
        # A first run without recording lets the libraries find their own memory.
        self._graph: torch.cuda.CUDAGraph | None = None
        self._until_recorded = 1 if inputs[0].is_cuda else -1

    def __call__(self) -> list[Tensor]:
        """Run once; the results."""
        if self._until_recorded == 0:
            self._graph = self._recorded()
        self._until_recorded -= 1
        if self._graph is not None:
            self._graph.replay()
        else:
            self._play()
        return self.results

    def _play(self) -> None:
        for call in self._calls:
            call()

    def _recorded(self) -> torch.cuda.CUDAGraph | None:
        """The calls as one CUDA graph, unless one of them waits for the CPU."""
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                self._play()
        except RuntimeError:
            return None
        return graph


class _Layout:
    """Finds a place for each piece of a tape's memory, call by call."""

    def __init__(
        self, tape: Tape, inputs: Sequence[Tensor], carried: int, scratch: Scratch
    ) -> None:
        self.tape, self.scratch = tape, scratch
        self.places = dict(zip((ref.memory for ref in tape.inputs), inputs, strict=True))
        self.places |= tape.constants
        self.pairs = list(zip(tape.inputs, tape.outputs, strict=False))[:carried]
        self.last = _last_uses(tape)
        self.taken: dict[int, Tensor] = {}
        self.calls: list[_Run] = []
        for index, call in enumerate(tape.calls):
            for ref in call.made:
                self.places[ref.memory] = self._place(index, call, ref)
            if call.kernel not in EMPTY:
                self.calls.append(self._bound(call))
            self._release(index)
        self._carry()
        self._release(len(tape.calls))

    def tensor(self, ref: Ref) -> Tensor:
        """Where a tensor lies."""
        place = self.places[ref.memory]
        start = 0 if ref.memory in self.tape.constants else place.storage_offset()
        return place.as_strided(ref.shape, ref.stride, start + ref.offset)

    def _place(self, index: int, call: Call, ref: Ref) -> Tensor:
        for old, new in self.pairs:
            if new == ref and self._may_overwrite(index, call, old, ref):
                return self.places[old.memory]
        for old in call.reads:
            if old.memory in self.taken and self._may_overwrite(index, call, old, ref):
                self.taken[ref.memory] = self.taken.pop(old.memory)
                return self.taken[ref.memory]
        self.taken[ref.memory] = self.scratch.take(self.tape.kinds[ref.memory])
        return self.taken[ref.memory]

    def _may_overwrite(self, index: int, call: Call, old: Ref, new: Ref) -> bool:
        """Whether the result of a call may lie where something older lay."""
        kinds = self.tape.kinds
        alike = replace(old, memory=new.memory) == new and kinds[old.memory] == kinds[new.memory]
        if not alike or self.last[old.memory] > index:
            return False
        readers = [ref for ref in call.reads if ref.memory == old.memory]
        return all(ref == old for ref in readers) and (not readers or is_pointwise(call.kernel))

    def _bound(self, call: Call) -> _Run:
        """The call with its tensors; results go straight to their places if the kernel can that."""
        args, kwargs = tree_map(
            lambda leaf: self.tensor(leaf) if isinstance(leaf, Ref) else leaf,
            (call.args, call.kwargs),
        )
        places = [None if ref is None else self.tensor(ref) for ref in call.results]
        if not call.made:
            return partial(call.kernel, *args, **kwargs)
        if call.kernel in COPIES:
            return partial(self.tensor(call.made[0]).copy_, args[0])
        direct = into(call.kernel, args, kwargs, [p for p in places if p is not None])
        if call.direct and direct is not None:
            return direct
        return partial(_copied, partial(call.kernel, *args, **kwargs), places)

    def _release(self, index: int) -> None:
        for memory in [m for m in self.taken if self.last[m] <= index]:
            self.scratch.give(self.tape.kinds[memory], self.taken.pop(memory))

    def _carry(self) -> None:
        """Copy what is carried, but does not lie where it belongs."""
        copies: list[_Run] = []
        for old, new in self.pairs:
            home = self.places[new.memory] is self.places[old.memory]
            if not home or replace(new, memory=old.memory) != old:
                copies.append(partial(self.tensor(old).copy_, self._kept(new)))
        self.results = [self._kept(ref) for ref in self.tape.outputs[len(self.pairs) :]]
        self.calls += copies

    def _kept(self, output: Ref) -> Tensor:
        """Where an output lies that may be an input, which is overwritten at the end."""
        value = self.tensor(output)
        if all(output.memory != ref.memory for ref in self.tape.inputs):
            return value
        kept = torch.empty_like(value)
        self.calls.append(partial(kept.copy_, value))
        return kept


def _last_uses(tape: Tape) -> dict[int, int]:
    """The last call that has to do with each piece of memory; of outputs, the end."""
    last: dict[int, int] = {}
    for index, call in enumerate(tape.calls):
        last |= dict.fromkeys((ref.memory for ref in (*call.reads, *call.made)), index)
    inputs = dict.fromkeys((ref.memory for ref in tape.inputs), -1)
    return inputs | last | dict.fromkeys((ref.memory for ref in tape.outputs), len(tape.calls))


def _copied(kernel: _Run, places: Sequence[Tensor | None]) -> None:
    """For a kernel that makes its results itself."""
    results = [leaf for leaf in tree_leaves(kernel()) if leaf is not None]
    for place, result in zip(places, results, strict=True):
        if place is not None:
            place.copy_(result)
