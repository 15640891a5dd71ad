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
