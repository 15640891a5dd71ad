"""What the experiments share: steady arithmetic, and each member's own order of the data."""

import pytest
import torch

from hpcourse.claims._compute import device_name, own_batches, steady_cpu
from hpcourse.data import TensorSplit, batches


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


def test_members_of_one_seed_share_their_batches_and_those_of_others_do_not():
    data = TensorSplit(torch.arange(10.0).unsqueeze(1), torch.arange(10))
    seeds = [7, 3, 7]
    steps = list(own_batches(data, seeds, batch_size=4, steps=5))  # beyond one epoch of three
    assert len(steps) == 5
    for number, seed in enumerate(seeds):
        alone = iter(batches(*data, batch_size=4, seed=seed, epochs=None))
        for x, y in steps:
            expected_x, expected_y = next(alone)
            assert torch.equal(x[number], expected_x)
            assert torch.equal(y[number], expected_y)
    assert any(not torch.equal(x[0], x[1]) for x, _ in steps)


def test_device_name_begins_with_the_type():
    assert device_name(torch.device("cpu")).startswith("cpu, ")
    assert device_name(torch.device("meta")) == "meta"
