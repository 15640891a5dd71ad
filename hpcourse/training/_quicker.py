"""Other ways to the results of some of torch's kernels, which are quicker on a CPU.

Some kernels cannot write into given places (`relu`, products with a number). Others go number by
number through a last dimension that is shorter than a vector register, such as that of ten classes:
with the samples last, a softmax takes a tenth of the time and a product half of it. Max pooling
wants the channels last, and a convolution with one input channel is best done as a product.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload

__all__ = ["QUICKER"]

aten = torch.ops.aten

# Numbers in a vector register.
VECTOR = 16


def _relu(x: Tensor) -> Any:
    return aten.clamp_min(x, 0)


def _times(x: Tensor, number: float) -> Any:
    return aten.mul.Tensor(x, _number(x, number)) if x.is_floating_point() else NotImplemented


def _divided(x: Tensor, number: float) -> Any:
    return aten.div.Tensor(x, _number(x, number)) if x.is_floating_point() else NotImplemented


def _number(like: Tensor, number: float) -> Tensor:
    return torch.scalar_tensor(number, dtype=like.dtype)


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


def _convolution(x: Tensor, weight: Tensor, bias: Tensor | None, *settings: Any) -> Any:
    windows = _windows(x, weight, settings) if bias is None else None
    if windows is None:
        return NotImplemented
    each = weight.reshape(len(weight), -1).expand(len(x), -1, -1)
    height = _positions(x.shape[2], weight.shape[2], *(setting[0] for setting in settings[:3]))
    return torch.bmm(each, windows).view(len(x), len(weight), height, -1)


def _convolution_backward(
    grad: Tensor, x: Tensor, weight: Tensor, bias_sizes: Any, *settings: Any
) -> Any:
    of_weight_alone = settings[-1] == [False, True, False]
    windows = _windows(x, weight, settings) if of_weight_alone else None
    if windows is None:
        return NotImplemented
    products = torch.bmm(grad.flatten(2), windows.mT)
    return None, products.sum(0).view(weight.shape), None


def _windows(x: Tensor, weight: Tensor, settings: Sequence[Any]) -> Tensor | None:
    """What a convolution with few inputs sees, (batch, window, positions)."""
    stride, padding, dilation, transposed = settings[:4]
    few = weight[0].numel() <= VECTOR < len(weight) and weight.shape[1] == x.shape[1]
    if transposed or x.ndim != 4 or not few:
        return None
    windows: Tensor = aten.im2col(x, list(weight.shape[2:]), dilation, padding, stride)
    return windows


def _positions(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def _max_pool(x: Tensor, *window: Any) -> Any:
    last = x.ndim == 4 and x.is_contiguous() and x.shape[1] > 1
    if not last:
        return NotImplemented
    turned = x.clone(memory_format=torch.channels_last)
    pooled = aten.max_pool2d_with_indices(turned, *window)
    return tuple(part.clone(memory_format=torch.contiguous_format) for part in pooled)


def _turned(x: Tensor) -> Tensor:
    turned = x.mT
    return turned if turned.is_contiguous() else turned.clone(memory_format=torch.contiguous_format)


def _is_narrow(x: Tensor, dim: int) -> bool:
    last = x.ndim >= 2 and dim in (-1, x.ndim - 1)
    return last and x.shape[-1] < min(VECTOR, x.shape[-2])


QUICKER: dict[OpOverload, Callable[..., Any]] = {
    aten.relu.default: _relu,
    aten.mul.Scalar: _times,
    aten.div.Scalar: _divided,
    aten.argmax.default: _argmax,
    aten.bmm.default: _bmm,
    aten.convolution.default: _convolution,
    aten.convolution_backward.default: _convolution_backward,
    aten.max_pool2d_with_indices.default: _max_pool,
    aten._log_softmax.default: _log_softmax,
    aten._log_softmax_backward_data.default: _log_softmax_backward,
}
"""Kernel to a function of its arguments, which returns NotImplemented where the kernel is best."""
