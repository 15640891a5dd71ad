"""The small networks used across the book, each reproducible from its seed."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Literal

import torch
from torch import nn

from hpcourse._check import require, require_count
from hpcourse.regularise import Dropout

__all__ = ["mlp", "small_cnn"]


def mlp(
    sizes: Sequence[int],
    *,
    activation: Callable[[], nn.Module] = nn.ReLU,
    dropout: float | None = None,
    seed: int,
) -> nn.Sequential:
    """A fully connected network: linear layers with an activation between them.

    Args:
        sizes: Widths from input to output, such as ``[64, 128, 10]``.
        activation: Makes the activation that follows every linear layer but the last.
        dropout: Rate of a `hpcourse.regularise.Dropout` after each activation; None for none.
        seed: Decides the initial weights (torch's default initialisation).

    Returns:
        Inputs (batch, ...), flattened to (batch, sizes[0]), to outputs (batch, sizes[-1]).

    Raises:
        ValueError: If there are fewer than two sizes or one is not an integer above zero.

    Examples:
        >>> mlp([64, 32, 10], seed=0)(torch.zeros(5, 1, 8, 8)).shape
        torch.Size([5, 10])
    """
    require(len(sizes) >= 2, "mlp needs an input and an output size", sizes=list(sizes))
    for index, size in enumerate(sizes):
        require_count("mlp", **{f"sizes[{index}]": size})
    with _seeded(seed):
        layers: list[nn.Module] = [nn.Flatten()]
        for width_in, width_out in pairwise(sizes):
            layers += [nn.Linear(width_in, width_out), activation()]
            if dropout is not None:
                layers.append(Dropout(dropout))
    after_last = 1 if dropout is None else 2
    return nn.Sequential(*layers[:-after_last])


def small_cnn(
    widths: Sequence[int] = (16, 32),
    *,
    channels: int = 1,
    classes: int = 10,
    norm: Literal["batch", "group"] | None = None,
    seed: int,
) -> nn.Sequential:
    """A small convolutional network for images of any size, from 8 x 8 up.

    One block per width: 3 x 3 convolution, optional norm, ReLU, and 2 x 2 max pooling between
    blocks; then the mean over all positions and a linear layer.

    Args:
        widths: Output channels of the blocks; each multiple of 8 with ``norm="group"``.
        channels: Channels of the images.
        classes: Number of outputs.
        norm: ``"batch"``, ``"group"`` (groups of 8 channels), or None.
        seed: Decides the initial weights (torch's default initialisation).

    Returns:
        Images (batch, channels, height, width) to logits (batch, classes).

    Raises:
        ValueError: If a width or count is not an integer above zero, or `norm` is unknown.

    Examples:
        >>> small_cnn(norm="batch", seed=0)(torch.zeros(5, 1, 28, 28)).shape
        torch.Size([5, 10])
    """
    require(len(widths) >= 1, "small_cnn needs at least one width", widths=list(widths))
    require_count("small_cnn", channels=channels, classes=classes)
    for index, width in enumerate(widths):
        require_count("small_cnn", **{f"widths[{index}]": width})
        ok = norm != "group" or width % 8 == 0
        require(
            ok, 'small_cnn with norm="group" needs multiples of 8', **{f"widths[{index}]": width}
        )
    require(
        norm in (None, "batch", "group"), 'small_cnn needs norm "batch", "group" or None', norm=norm
    )
    with _seeded(seed):
        layers: list[nn.Module] = []
        for width_in, width_out in pairwise((channels, *widths)):
            layers += _block(width_in, width_out, norm)
        # The last block's pooling gives way to the mean over all positions.
        layers[-1] = nn.AdaptiveAvgPool2d(1)
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(widths[-1], classes))


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Draw from `seed` on the CPU, so that weights are the same everywhere, and change nothing."""
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        # torch.manual_seed would also seed the GPUs, which are not forked here.
        torch.default_generator.manual_seed(seed)
        yield


def _block(width_in: int, width_out: int, norm: str | None) -> list[nn.Module]:
    # A norm has its own shift, which makes the convolution's bias redundant.
    layers: list[nn.Module] = [nn.Conv2d(width_in, width_out, 3, padding=1, bias=norm is None)]
    if norm == "batch":
        layers.append(nn.BatchNorm2d(width_out))
    elif norm == "group":
        layers.append(nn.GroupNorm(width_out // 8, width_out))
    return [*layers, nn.ReLU(), nn.MaxPool2d(2)]
