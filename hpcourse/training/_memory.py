"""How much memory there is."""

import os

import torch

__all__ = ["free_bytes"]

# What is assumed to be free where the system does not tell.
UNKNOWN = 2 * 2**30


def free_bytes(device: torch.device) -> int:
    """Memory that is free on a device now, as far as the system tells."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    if "SC_AVPHYS_PAGES" in getattr(os, "sysconf_names", ()):
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return UNKNOWN
