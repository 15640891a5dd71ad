"""What the experiments share: steady arithmetic, and the device in words."""

import pytest
import torch

from hpcourse.claims._compute import device_name, steady_cpu


def test_steady_cpu_uses_one_thread_and_gives_the_others_back():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with steady_cpu():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
        with pytest.raises(KeyError), steady_cpu():
            raise KeyError
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_device_name_begins_with_the_type():
    assert device_name(torch.device("cpu")).startswith("cpu, ")
    assert device_name(torch.device("meta")) == "meta"
