"""The small networks used across the book, each reproducible from its seed."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from hpcourse._check import require, require_count
from hpcourse.regularise import Dropout

__all__ = [
    "LSTM",
    "Place",
    "batch_norm_mlp",
    "dropout_cnn",
    "mlp",
    "pnet",
    "seeded",
    "small_cnn",
    "small_lstm",
]

Place = Literal["input", "output", "hidden", "hidden-once", "memory"]
"""Where a recurrent network drops out; see `small_lstm`."""


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
    with seeded(seed):
        layers: list[nn.Module] = [nn.Flatten()]
        for width_in, width_out in pairwise(sizes):
            layers += [nn.Linear(width_in, width_out), activation()]
            if dropout is not None:
                layers.append(Dropout(dropout))
    after_last = 1 if dropout is None else 2
    return nn.Sequential(*layers[:-after_last])


def batch_norm_mlp(
    sizes: Sequence[int],
    *,
    dropout: Literal["before", "after", "last"] | None = None,
    rate: float = 0.5,
    seed: int,
) -> nn.Sequential:
    """A fully connected network with batch norm after each activation, and dropout beside it.

    One block per hidden width: linear layer, ReLU, batch norm; then a linear layer.

    Args:
        sizes: Widths from input to output, such as ``[40, 64, 64, 10]``.
        dropout: ``"before"`` drops out directly before each batch norm, ``"after"`` directly after
            each, ``"last"`` once, after the last one, and None nowhere.
        rate: Rate of the `hpcourse.regularise.Dropout` layers.
        seed: Decides the initial weights (torch's default initialisation).

    Returns:
        Inputs (batch, ...), flattened to (batch, sizes[0]), to outputs (batch, sizes[-1]).

    Raises:
        ValueError: If there are fewer than three sizes, one is not an integer above zero, the
            rate is outside [0, 1), or `dropout` is unknown.

    Examples:
        >>> model = batch_norm_mlp([40, 16, 10], dropout="before", seed=0)
        >>> [type(layer).__name__ for layer in model]
        ['Flatten', 'Linear', 'ReLU', 'Dropout', 'BatchNorm1d', 'Linear']
    """
    require(len(sizes) >= 3, "batch_norm_mlp needs a hidden size", sizes=list(sizes))
    for index, size in enumerate(sizes):
        require_count("batch_norm_mlp", **{f"sizes[{index}]": size})
    known = dropout in (None, "before", "after", "last")
    need = 'batch_norm_mlp needs dropout "before", "after", "last" or None'
    require(known, need, dropout=dropout)
    with seeded(seed):
        layers: list[nn.Module] = [nn.Flatten()]
        for width_in, width_out in pairwise(sizes[:-1]):
            layers += [nn.Linear(width_in, width_out), nn.ReLU()]
            layers += [Dropout(rate)] if dropout == "before" else []
            layers.append(nn.BatchNorm1d(width_out))
            layers += [Dropout(rate)] if dropout == "after" else []
        layers += [Dropout(rate)] if dropout == "last" else []
        return nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]))


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
    with seeded(seed):
        layers: list[nn.Module] = []
        for width_in, width_out in pairwise((channels, *widths)):
            layers += _block(width_in, width_out, norm)
        # The last block's pooling gives way to the mean over all positions.
        layers[-1] = nn.AdaptiveAvgPool2d(1)
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(widths[-1], classes))


def dropout_cnn(
    conv_dropout: Sequence[float],
    dense_dropout: Sequence[float],
    *,
    channels: int = 1,
    size: int = 8,
    width: int = 8,
    classes: int = 10,
    seed: int,
) -> nn.Sequential:
    """Convolutions of 3 x 3, then dense layers, each followed by ReLU and dropout at its own rate.

    Args:
        conv_dropout: A rate for each convolution.
        dense_dropout: A rate for each hidden dense layer of 32 units.
        channels: Channels of the input.
        size: Height and width of the input, which the convolutions keep.
        width: Channels of each convolution.
        classes: Number of outputs.
        seed: Seed of the weights.

    Raises:
        ValueError: If a count is below one; torch names a rate outside [0, 1].

    Examples:
        >>> dropout_cnn([0.1, 0.2, 0.1], [0.2], seed=0)(torch.zeros(5, 1, 8, 8)).shape
        torch.Size([5, 10])
    """
    require_count("dropout_cnn", channels=channels, size=size, width=width, classes=classes)
    layers: list[nn.Module] = []
    with seeded(seed):
        for depth, rate in enumerate(conv_dropout):
            inputs = width if depth else channels
            layers += [nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU(), nn.Dropout(rate)]
        layers.append(nn.Flatten())
        features = size * size * (width if conv_dropout else channels)
        for rate in dense_dropout:
            layers += [nn.Linear(features, 32), nn.ReLU(), nn.Dropout(rate)]
            features = 32
        return nn.Sequential(*layers, nn.Linear(features, classes))


def pnet(*, seed: int) -> nn.Sequential:
    """The proposal network of a face detector, on grey windows of 12 x 12 pixels.

    Three convolutions of 3 x 3 with PReLU, 2 x 2 max pooling after the first, and one of 1 x 1 for
    all outputs; 6,551 parameters. The original has colour and five landmarks instead of two eyes.

    Args:
        seed: Decides the initial weights (torch's default initialisation).

    Returns:
        A network from windows (batch, 1, 12, 12) to (batch, 9), which are the logit of a face, four
        numbers of its box, and x and y of both eyes.

    References:
        K. Zhang, Z. Zhang, Z. Li and Y. Qiao, "Joint face detection and alignment using multitask
        cascaded convolutional networks", 2016, arXiv:1604.02878, figure 2.

    Examples:
        >>> network = pnet(seed=0)
        >>> network(torch.zeros(5, 1, 12, 12)).shape, sum(p.numel() for p in network.parameters())
        (torch.Size([5, 9]), 6551)
    """
    layers: list[nn.Module] = []
    with seeded(seed):
        for width_in, width_out in ((1, 10), (10, 16), (16, 32)):
            layers += [nn.Conv2d(width_in, width_out, 3), nn.PReLU(width_out)]
            layers += [nn.MaxPool2d(2)] if width_in == 1 else []
        return nn.Sequential(*layers, nn.Conv2d(32, 9, 1), nn.Flatten())


class LSTM(nn.Module):
    """A long short-term memory that reads a sequence and answers at its end; see `small_lstm`."""

    def __init__(
        self, inputs: int, hidden: int, classes: int, places: Collection[Place], rate: float
    ) -> None:
        super().__init__()
        self.read = nn.Linear(inputs, 4 * hidden)
        self.recur = nn.Linear(hidden, 4 * hidden, bias=False)
        self.answer = nn.Linear(hidden, classes)
        self.dropout = Dropout(rate)
        self.places = frozenset(places)

    def forward(self, x: Tensor) -> Tensor:
        """Sequences (batch, steps, inputs) to logits (batch, classes)."""
        gates = self.read(self._dropped(x, "input"))  # (batch, steps, 4 hidden)
        hidden = memory = gates.new_zeros(len(x), self.recur.in_features)
        once = self._dropped(torch.ones_like(hidden), "hidden-once")
        for step in range(x.shape[1]):
            recurrent = self.recur(once * self._dropped(hidden, "hidden"))
            write, keep, show, new = (gates[:, step] + recurrent).chunk(4, dim=1)
            memory = keep.sigmoid() * memory + write.sigmoid() * new.tanh()
            memory = self._dropped(memory, "memory")
            hidden = show.sigmoid() * memory.tanh()
        logits: Tensor = self.answer(self._dropped(hidden, "output"))
        return logits

    def _dropped(self, x: Tensor, place: Place) -> Tensor:
        """`x` with a fresh mask where the network drops out at `place`."""
        dropped: Tensor = self.dropout(x) if place in self.places else x
        return dropped


def small_lstm(
    inputs: int,
    *,
    hidden: int = 32,
    classes: int = 10,
    dropout: Collection[Place] = (),
    rate: float = 0.5,
    seed: int,
) -> LSTM:
    """A small recurrent network for sequences of any length, in plain tensor operations.

    At each step, with gates i, f, o and candidate g linear in the input and the last hidden state
    h, the memory is c = sigmoid(f) c + sigmoid(i) tanh(g), and h = sigmoid(o) tanh(c)
    (F. Gers, J. Schmidhuber and F. Cummins, "Learning to forget", Neural Computation 2000). A
    linear layer answers from the last h.

    Args:
        inputs: Features of a step.
        hidden: Width of the hidden state and of the memory.
        classes: Number of outputs.
        dropout: Any of ``"input"`` and ``"output"`` (outside the recurrence; W. Zaremba,
            I. Sutskever and O. Vinyals, "Recurrent neural network regularization", 2014),
            ``"hidden"`` (h, where it enters the gates, with a fresh mask at every step),
            ``"hidden-once"`` (h with one mask for all steps; Y. Gal and Z. Ghahramani, "A
            theoretically grounded application of dropout in recurrent neural networks", NIPS
            2016) and ``"memory"`` (c, with a fresh mask at every step).
        rate: Rate of the dropout.
        seed: Decides the initial weights (torch's default initialisation).

    Returns:
        Sequences (batch, steps, inputs) to logits (batch, classes).

    Raises:
        ValueError: If a size is not an integer above zero, a place is unknown, or the rate is
            outside [0, 1).

    Examples:
        >>> small_lstm(4, dropout=("input", "output"), seed=0)(torch.zeros(5, 10, 4)).shape
        torch.Size([5, 10])
    """
    require_count("small_lstm", inputs=inputs, hidden=hidden, classes=classes)
    known = set(dropout) <= set(get_args(Place))
    require(known, f"small_lstm needs places among {get_args(Place)}", dropout=dropout)
    with seeded(seed):
        return LSTM(inputs, hidden, classes, dropout, rate)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw from `seed` on the CPU, so that weights are the same everywhere, and change nothing.

    Examples:
        >>> def weight():
        ...     with seeded(3):
        ...         return nn.Linear(1, 1).weight
        >>> torch.equal(weight(), weight())
        True
    """
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
