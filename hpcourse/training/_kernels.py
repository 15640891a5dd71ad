"""What is worth knowing about single kernels of torch."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload

__all__ = [
    "BATCH_NORMS",
    "BY_SHAPE",
    "COPIES",
    "EMPTY",
    "QUICKER",
    "into",
    "is_pointwise",
    "is_random",
    "looks_at_values",
    "writes_well",
]

aten = torch.ops.aten

EMPTY = {aten.empty.memory_format, aten.empty_like.default, aten.new_empty.default}
"""Kernels that only find memory."""

COPIES = {aten.clone.default, aten._to_copy.default}
"""Kernels that only copy."""

BATCH_NORMS = {aten.native_batch_norm.default, aten.cudnn_batch_norm.default}
"""Kernels that change their running statistics without saying so."""

BY_SHAPE = {
    aten.full_like.default,
    aten.new_full.default,
    aten.new_ones.default,
    aten.new_zeros.default,
    aten.ones_like.default,
    aten.zeros_like.default,
}
"""Kernels that look at their argument's shape alone."""

# Kernels whose last dimension is shorter than a vector register work number by number.
VECTOR = 16


def is_random(kernel: OpOverload) -> bool:
    """Whether a kernel draws random numbers."""
    return torch.Tag.nondeterministic_seeded in kernel.tags


def is_pointwise(kernel: OpOverload) -> bool:
    """Whether each number of the result depends on those at the same place alone."""
    return torch.Tag.pointwise in kernel.tags


def looks_at_values(kernel: OpOverload, args: Sequence[Any]) -> bool:
    """Whether a result is a number or has a shape that depends on the values of a tensor."""
    if kernel is aten.index.Tensor:  # only with masks
        return any(index is not None and index.dtype in _MASKS for index in args[1])
    tags = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}
    return bool(tags & set(kernel.tags))


_MASKS = (torch.bool, torch.uint8)


@cache
def _writing(kernel: OpOverload) -> tuple[OpOverload, tuple[str, ...]] | None:
    """The variant of a kernel that writes into given tensors, and its names for them."""
    for overload in kernel.overloadpacket.overloads():
        variant = getattr(kernel.overloadpacket, overload)
        places = tuple(a.name for a in variant._schema.arguments if a.is_out)
        given = [(a.name, str(a.type)) for a in variant._schema.arguments if not a.is_out]
        needed = [(a.name, str(a.type)) for a in kernel._schema.arguments]
        # What describes a new tensor is needless where the tensor is given.
        needed = [a for a in needed if a in given or a[0] not in _OF_NEW_TENSORS]
        if places and given == needed:
            return variant, places
    return None


def into(
    kernel: OpOverload, args: Sequence[Any], kwargs: Mapping[str, Any], places: Sequence[Tensor]
) -> Callable[[], object] | None:
    """The call that writes a kernel's results into given places, if there is one."""
    found = _writing(kernel)
    if found is None or len(found[1]) != len(places):
        return None
    variant, names = found
    known = {argument.name for argument in variant._schema.arguments}
    kwargs = {name: value for name, value in kwargs.items() if name in known}
    return partial(variant, *args, **kwargs, **dict(zip(names, places, strict=True)))


def writes_well(
    kernel: OpOverload, args: Sequence[Any], kwargs: Mapping[str, Any], results: Sequence[Tensor]
) -> bool:
    """Whether writing into given places gives these results. For batch norm, for one, it does not.

    Random kernels are trusted, since their results cannot be compared.
    """
    places = [_filled_otherwise(result) for result in results]
    call = into(kernel, args, kwargs, places)
    if call is None or is_random(kernel):
        return call is not None
    call()
    same = [
        (place == result) | ((place != place) & (result != result))  # noqa: PLR0124  # NaN is not NaN
        for place, result in zip(places, results, strict=True)
    ]
    return all(bool(part.all()) for part in same)


def _filled_otherwise(result: Tensor) -> Tensor:
    """A tensor of the same layout, no number of which is right."""
    place = torch.empty_strided(
        result.shape, result.stride(), dtype=result.dtype, device=result.device
    )
    return place.copy_(~result if result.dtype == torch.bool else result + 1)


_OF_NEW_TENSORS = {"dtype", "layout", "device", "pin_memory", "memory_format"}


def _relu(x: Tensor) -> Any:
    return aten.clamp_min(x, 0)  # the same numbers; relu itself cannot write into a given tensor


def _argmax(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    return NotImplemented if dim is None else torch.max(x, dim, keepdim).indices


def _bmm(a: Tensor, b: Tensor) -> Any:
    narrow = b.shape[2] < min(VECTOR, a.shape[1])
    return torch.bmm(b.mT, a.mT).mT if narrow else NotImplemented


def _log_softmax(x: Tensor, dim: int, half_to_float: bool) -> Any:
    if not _is_narrow(x, dim):
        return NotImplemented
    return aten._log_softmax(_turned(x), x.ndim - 2, half_to_float).mT


def _log_softmax_backward(grad: Tensor, output: Tensor, dim: int, dtype: torch.dtype) -> Any:
    if not _is_narrow(output, dim):
        return NotImplemented
    turned = _turned(grad), _turned(output)
    return aten._log_softmax_backward_data(*turned, output.ndim - 2, dtype).mT


def _turned(x: Tensor) -> Tensor:
    turned = x.mT
    return turned if turned.is_contiguous() else turned.clone(memory_format=torch.contiguous_format)


def _is_narrow(x: Tensor, dim: int) -> bool:
    last = x.ndim >= 2 and dim in (-1, x.ndim - 1)
    return last and x.shape[-1] < min(VECTOR, x.shape[-2])


QUICKER: dict[OpOverload, Callable[..., Any]] = {
    aten.relu.default: _relu,
    aten.argmax.default: _argmax,
    aten.bmm.default: _bmm,
    aten._log_softmax.default: _log_softmax,
    aten._log_softmax_backward_data.default: _log_softmax_backward,
}
"""Other ways to the same result that are quicker on a CPU: a kernel to a function of its arguments,
which returns NotImplemented where the kernel is the best way. Ten classes make a last dimension of
ten; with samples last, the softmax takes a tenth of the time, the product a half."""
