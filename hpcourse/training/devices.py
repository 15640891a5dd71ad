"""Which device to compute on."""

import os

import torch

from hpcourse._check import require

__all__ = ["device"]


def device() -> torch.device:
    """The device to train on: ``HPCOURSE_DEVICE`` where set, else CUDA where present, else the CPU.

    Returns:
        A device on which a tensor has just been made, so that it is known to work.

    Raises:
        ValueError: If ``HPCOURSE_DEVICE`` names no device, or one that this machine lacks.

    Examples:
        >>> device().type in {"cpu", "cuda"}
        True
    """
    wanted = os.environ.get("HPCOURSE_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu")
    require(_works(wanted), "device needs a torch device of this machine", HPCOURSE_DEVICE=wanted)
    return torch.device(wanted)


def _works(name: str) -> bool:
    try:
        torch.empty(0, device=name)
    # torch raises AssertionError for a backend that it was built without.
    except (AssertionError, NotImplementedError, RuntimeError):
        return False
    return True
