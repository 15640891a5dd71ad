"""How much memory there is."""

import os

import pytest
import torch

from hpcourse.training import _memory


def test_some_memory_is_free_but_not_more_than_there_is():
    free = _memory.free_bytes(torch.device("cpu"))
    assert free > 0
    if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", ()):
        assert free <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def test_a_system_that_does_not_tell_gets_a_guess(monkeypatch):
    monkeypatch.delattr(os, "sysconf_names", raising=False)
    assert _memory.free_bytes(torch.device("cpu")) == _memory.UNKNOWN


@pytest.mark.gpu
def test_a_tensor_takes_memory_of_the_gpu():
    device = torch.device("cuda")
    before = _memory.free_bytes(device)
    block = torch.empty(2**28, dtype=torch.uint8, device=device)
    assert before - _memory.free_bytes(device) >= block.nbytes
