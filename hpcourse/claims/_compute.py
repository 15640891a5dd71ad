"""What the experiments share: steady arithmetic, repeatable draws, the device in words."""

from collections.abc import Iterator
from contextlib import contextmanager
from platform import machine

import torch


@contextmanager
def steady_cpu() -> Iterator[None]:
    """One thread, and denormal floats as zero, inside the ``with``.

    One thread adds in one order, so that the results do not depend on how many cores there are,
    and notebooks that run side by side do not wait for each other's threads; programs this small
    gain little from more. Decayed momenta become denormal, which is slow to compute with.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(threads)


@contextmanager
def repeatable_draws() -> Iterator[None]:
    """The same dropout masks and noise whenever an experiment is run: torch's global numbers."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def device_name(device: torch.device) -> str:
    """The device in words, such as ``cuda, NVIDIA H200``; of a CPU what decides its rounding."""
    if device.type == "cuda":
        return f"cuda, {torch.cuda.get_device_name(device)}"
    if device.type == "cpu":
        return f"cpu, {machine()}, {torch.backends.cpu.get_cpu_capability()}, one thread"
    return device.type
