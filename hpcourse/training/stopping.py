"""Early stopping and best checkpoints, as functions to call in the loop around `train`."""

import copy
import math
from collections.abc import Iterable
from typing import Any, Literal, Protocol

from hpcourse._check import require, require_count, require_non_negative

__all__ = ["Mode", "Stateful", "restore", "snapshot", "stalled"]

Mode = Literal["min", "max"]
"""Whether the lowest or the highest value is the best."""


class Stateful(Protocol):
    """What has a ``state_dict``: modules, optimisers, torch's schedulers."""

    def state_dict(self) -> dict[str, Any]:
        """The whole state."""
        ...

    def load_state_dict(self, state_dict: dict[str, Any], /) -> Any:
        """Take a state over."""
        ...


def stalled(
    values: Iterable[float], *, patience: int, min_delta: float = 0.0, mode: Mode = "min"
) -> bool:
    """Whether the last `patience` values have all failed to improve on the best before them.

    A value improves if it passes the best so far by more than `min_delta`; only then does it
    become the new best, so that many tiny gains add up to an improvement. NaN never improves.

    Args:
        values: The monitored quantity so far, oldest first.
        patience: How many values in a row may fail to improve.
        min_delta: The gain that counts as an improvement.
        mode: ``"min"`` for losses, ``"max"`` for accuracies.

    Raises:
        ValueError: If `patience` is not an integer above zero, or `min_delta` is negative.

    Examples:
        >>> stalled([3.0, 2.0, 2.1], patience=2), stalled([3.0, 2.0, 2.1, 2.0], patience=2)
        (False, True)
    """
    require_count("stalled", patience=patience)
    require_non_negative("stalled", min_delta=min_delta)
    require(mode in ("min", "max"), 'stalled needs mode "min" or "max"', mode=mode)
    sign = 1.0 if mode == "min" else -1.0
    best, waited = math.inf, 0
    for value in values:
        if sign * value < best - min_delta:
            best, waited = sign * value, 0
        else:
            waited += 1
    return waited >= patience


def snapshot(source: Stateful) -> dict[str, Any]:
    """A copy of the whole state of a module, optimiser or scheduler, which later steps leave alone.

    Examples:
        >>> import torch
        >>> model = torch.nn.Linear(1, 1)
        >>> best = snapshot(model)
        >>> _ = torch.nn.init.zeros_(model.weight)
        >>> restore(model, best)
        >>> bool(model.weight == best["weight"])
        True
    """
    return copy.deepcopy(source.state_dict())


def restore(target: Stateful, state: dict[str, Any]) -> None:
    """Put the state that `snapshot` took back into `target`; the snapshot can be used again.

    Args:
        target: What the snapshot was taken of, or its twin.
        state: The result of `snapshot`.
    """
    # Optimisers keep the tensors they are given and would train the snapshot along.
    target.load_state_dict(copy.deepcopy(state))
