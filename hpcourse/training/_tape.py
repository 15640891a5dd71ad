"""Which of torch's kernels a function calls, written down while it runs.

Most of what `vmap` and `grad` cost a small network is the search for the kernels to call, and
these are the same at every step. A `Tape` holds them, each with its arguments, where a tensor is
described by the piece of memory that it lies in. Views need no entry: they are other descriptions
of the same memory.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from hpcourse.training._kernels import (
    BATCH_NORMS,
    BY_SHAPE,
    is_random,
    looks_at_values,
    writes_well,
)
from hpcourse.training._quicker import QUICKER

__all__ = ["Call", "Kind", "NotRepeatable", "Ref", "Tape", "record"]


class NotRepeatable(RuntimeError):  # noqa: N818  # no fault, but a property of the function
    """Says why a function may call other kernels next time."""


@dataclass(frozen=True)
class Ref:
    """A tensor as a description of memory: which piece, and how the tensor lies in it."""

    memory: int
    dtype: torch.dtype
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int


class Kind(NamedTuple):
    """What a piece of memory holds."""

    dtype: torch.dtype
    device: torch.device
    numbers: int


@dataclass(frozen=True)
class Call:
    """A kernel with its arguments.

    Attributes:
        kernel: What is called.
        args: Its arguments, a `Ref` for each tensor.
        kwargs: Likewise.
        results: What it returns; None for what lies in older memory.
        changed: Memory that it writes into, beside its results.
        direct: Whether its results can be written into places that are given.
    """

    kernel: OpOverload
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    results: tuple[Ref | None, ...]
    changed: frozenset[int]
    direct: bool

    @property
    def reads(self) -> list[Ref]:
        """The tensors among the arguments."""
        return [leaf for leaf in tree_leaves((self.args, self.kwargs)) if isinstance(leaf, Ref)]

    @property
    def made(self) -> list[Ref]:
        """The results in new memory."""
        return [result for result in self.results if result is not None]


@dataclass(frozen=True)
class Tape:
    """The kernels that a function calls.

    Attributes:
        calls: In their order.
        inputs: The function's arguments.
        outputs: Its results.
        kinds: What each piece of memory holds.
        constants: The pieces of memory that no repetition makes anew.
    """

    calls: list[Call]
    inputs: list[Ref]
    outputs: list[Ref]
    kinds: list[Kind]
    constants: dict[int, Tensor]


def record(
    function: Callable[..., Sequence[Tensor]], inputs: Sequence[Tensor]
) -> tuple[Tape, list[Tensor]]:
    """Run a function and write down the kernels that it calls.

    Args:
        function: Takes and returns tensors. It may draw random numbers and change what it made.
        inputs: Its arguments, each alone in its memory; they must not be changed by the function.

    Returns:
        The kernels, without those whose result nobody reads or is known; and the results.

    Raises:
        NotRepeatable: If the function looks at a value of a tensor, or at memory in a way that a
            `Ref` does not describe.
    """
    recorder = _Recorder()
    refs = [recorder.ref(tensor) for tensor in inputs]
    given = len(refs)
    with recorder:
        outputs = list(function(*inputs))
    results = [recorder.ref(tensor) for tensor in outputs]
    samples = recorder.samples
    tape = Tape(
        calls=recorder.calls,
        inputs=refs,
        outputs=results,
        kinds=[_kind(sample) for sample in samples],
        constants=_constants(recorder, given),
    )
    return _without_unread(_without_known(tape)), outputs


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves it untyped
    """Sees every kernel below `vmap` and `grad`."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # likewise
        self.calls: list[Call] = []
        # One tensor for each piece of memory; while it is kept, the memory is given to no other.
        self.samples: list[Tensor] = []
        self.foreign: set[int] = set()
        self._memory: dict[tuple[int, torch.dtype | None], int] = {}

    def __torch_dispatch__(
        self,
        func: OpOverload,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func in QUICKER and args[0].device.type == "cpu":
            with self:
                result = QUICKER[func](*args, **kwargs)
            if result is not NotImplemented:
                return result
        if looks_at_values(func, args):
            raise NotRepeatable(f"{func} looks at the values of a tensor")
        refs, named = self._described(args), self._described(kwargs)
        result = func(*args, **kwargs)
        known = len(self.samples)
        leaves = [leaf for leaf in tree_leaves(result) if leaf is not None]
        results = [self.ref(leaf, new=True) for leaf in leaves]
        made = tuple(ref if ref.memory >= known else None for ref in results)
        changed = _changed(func, refs, named)
        if changed or any(made):
            direct = not changed and all(made) and writes_well(func, args, kwargs, leaves)
            self.calls.append(Call(func, refs, named, made, changed, direct))
        return result

    def ref(self, tensor: Tensor, *, new: bool = False) -> Ref:
        """The tensor's description."""
        if tensor.layout != torch.strided:
            raise NotRepeatable(f"a tensor is {tensor.layout}")
        # Empty tensors lie nowhere; let those of a type be one.
        address = tensor.untyped_storage().data_ptr()
        key = (address, None if address else tensor.dtype)
        memory = self._memory.setdefault(key, len(self.samples))
        if memory == len(self.samples):
            self.samples.append(tensor)
            if not new:
                self.foreign.add(memory)
        if tensor.dtype != self.samples[memory].dtype or tensor.is_complex():
            raise NotRepeatable(f"memory is read as {tensor.dtype}")
        offset = int(tensor.storage_offset())
        return Ref(memory, tensor.dtype, tuple(tensor.shape), tensor.stride(), offset)

    def _described(self, arguments: Any) -> Any:
        return tree_map(lambda x: self.ref(x) if isinstance(x, Tensor) else x, arguments)


def _changed(kernel: OpOverload, args: Sequence[Any], kwargs: dict[str, Any]) -> frozenset[int]:
    """Memory that the kernel writes into, beside its results."""
    arguments = kernel._schema.arguments
    given = dict(zip((a.name for a in arguments), args, strict=False)) | kwargs
    written = [given.get(a.name) for a in arguments if a.alias_info and a.alias_info.is_write]
    if kernel in BATCH_NORMS:
        written += [given["running_mean"], given["running_var"]]
    return frozenset(leaf.memory for leaf in tree_leaves(written) if isinstance(leaf, Ref))


def _kind(sample: Tensor) -> Kind:
    numbers = sample.untyped_storage().nbytes() // sample.element_size()
    return Kind(sample.dtype, sample.device, numbers)


def _constants(recorder: _Recorder, given: int) -> dict[int, Tensor]:
    """Memory that no repetition makes anew, but for the first pieces, which are given.

    It is what the function found outside, and may find changed next time, and what it computes from
    nothing, which is always the same.
    """
    changed = frozenset[int]().union(*(call.changed for call in recorder.calls))
    same: set[int] = set()
    for call in recorder.calls:
        made = {ref.memory for ref in call.made}
        reads = () if call.kernel in BY_SHAPE else call.reads
        known = all(ref.memory in same for ref in reads) and not is_random(call.kernel)
        if known and not made & changed:
            same |= made
    found = {memory for memory in recorder.foreign if memory >= given}
    return {memory: recorder.samples[memory] for memory in sorted(found | same)}


def _without_known(tape: Tape) -> Tape:
    """Leave out what makes constants, and what was computed before."""
    changed = frozenset[int]().union(*(call.changed for call in tape.calls))
    first: dict[tuple[object, ...], Call] = {}
    same: dict[int, int] = {}
    calls = []

    def renamed(leaf: Any) -> Any:
        ref = isinstance(leaf, Ref)
        return replace(leaf, memory=same.get(leaf.memory, leaf.memory)) if ref else leaf

    for old in tape.calls:
        made = {ref.memory for ref in old.made}
        if made and made <= tape.constants.keys():
            continue
        call = replace(old, args=tree_map(renamed, old.args), kwargs=tree_map(renamed, old.kwargs))
        touched = made | {ref.memory for ref in call.reads}
        key = (call.kernel, repr(call.args), repr(call.kwargs))
        if is_random(call.kernel) or touched & changed or first.setdefault(key, call) is call:
            calls.append(call)
        else:
            pairs = zip(call.made, first[key].made, strict=True)
            same |= {ref.memory: before.memory for ref, before in pairs}
    return replace(tape, calls=calls, outputs=[renamed(ref) for ref in tape.outputs])


def _without_unread(tape: Tape) -> Tape:
    """Leave out what nobody reads."""
    needed = {ref.memory for ref in tape.outputs}
    calls = []
    for call in reversed(tape.calls):
        if call.changed & needed or any(ref.memory in needed for ref in call.made):
            calls.append(call)
            needed |= {ref.memory for ref in call.reads}
    return replace(tape, calls=calls[::-1])
