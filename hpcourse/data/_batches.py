"""Shuffled mini-batches of tensors that are already in memory."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from hpcourse._check import require, require_count
from hpcourse.data._split import check_seed


@dataclass(frozen=True, kw_only=True, eq=False)
class Batches:
    """Mini-batches made by `batches`; iterating again repeats them."""

    x: torch.Tensor
    y: torch.Tensor
    batch_size: int
    seed: int
    epochs: int | None
    drop_last: bool

    @property
    def per_epoch(self) -> int:
        """Number of batches in one epoch."""
        whole, rest = divmod(len(self.x), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def __len__(self) -> int:
        if self.epochs is None:
            raise TypeError("batches(..., epochs=None) is endless and has no length")
        return self.epochs * self.per_epoch

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        # The order is drawn on the CPU, so that it is the same on every device.
        generator = torch.Generator("cpu").manual_seed(self.seed)
        used = min(len(self.x), self.per_epoch * self.batch_size)
        epoch = 0
        while self.epochs is None or epoch < self.epochs:
            order = torch.randperm(len(self.x), generator=generator, device="cpu")
            order = order.to(self.x.device)
            for first in range(0, used, self.batch_size):
                rows = order[first : first + self.batch_size]
                yield self.x.index_select(0, rows), self.y.index_select(0, rows)
            epoch += 1


def batches(
    x: torch.Tensor,
    y: torch.Tensor,
    *,
    batch_size: int,
    seed: int,
    epochs: int | None = 1,
    drop_last: bool = False,
) -> Batches:
    """Iterate over shuffled mini-batches of `x` and `y`.

    Every epoch visits the rows in a new random order without replacement. The batches are
    gathered on the tensors' own device; there are no workers and no collation, which makes
    this much faster than a ``DataLoader`` for data that fit in memory. The result is an
    iterable: each iteration starts again at the first epoch with the same seed. Train over
    several epochs with ``epochs=...``, not with a loop around one epoch.

    Args:
        x: Features, (n, ...).
        y: Labels, (n, ...), on the device of `x`.
        batch_size: Rows per batch.
        seed: Seed of the order; the same on every device.
        epochs: Number of passes over the data; None for no end.
        drop_last: Leave out each epoch's last batch if it is smaller than `batch_size`.

    Returns:
        An iterable of ``(x, y)`` with ``len()`` (unless endless) and ``per_epoch``.

    Raises:
        TypeError: If `x` or `y` is no tensor.
        ValueError: If lengths or devices differ, the data are empty, a count is below one,
            or no batch is left with `drop_last`.

    Examples:
        >>> x = torch.arange(5.0)
        >>> [len(rows) for rows, _ in batches(x, x, batch_size=2, seed=0, epochs=2)]
        [2, 2, 1, 2, 2, 1]
    """
    for name, value in {"x": x, "y": y}.items():
        if not isinstance(value, torch.Tensor):
            raise TypeError(f"batches needs a tensor {name}, got {name}={type(value).__name__}")
    shapes = {"x": tuple(x.shape), "y": tuple(y.shape)}
    same = x.ndim > 0 and y.ndim > 0 and 0 < len(x) == len(y)
    require(same, "batches needs x and y of equal length n >= 1", **shapes)
    need = "batches needs x and y on one device"
    require(x.device == y.device, need, x=str(x.device), y=str(y.device))
    require_count("batches", batch_size=batch_size)
    check_seed("batches", seed)
    if epochs is not None:
        require_count("batches", epochs=epochs)
    full = not drop_last or batch_size <= len(x)
    require(full, f"batches with drop_last needs batch_size <= {len(x)}", batch_size=batch_size)
    return Batches(x=x, y=y, batch_size=batch_size, seed=seed, epochs=epochs, drop_last=drop_last)
