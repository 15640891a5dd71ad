"""Choice of the device."""

import pytest
import torch

from hpcourse.training import device


def test_cuda_where_present_else_the_cpu(monkeypatch):
    monkeypatch.delenv("HPCOURSE_DEVICE", raising=False)
    assert device().type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize(("wanted", "expected"), [("cpu", "cpu"), ("cpu:0", "cpu:0")])
def test_the_variable_overrides(monkeypatch, wanted, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv("HPCOURSE_DEVICE", wanted)
    assert device() == torch.device(expected)


def test_an_empty_variable_is_no_choice(monkeypatch):
    monkeypatch.setenv("HPCOURSE_DEVICE", "")
    assert device().type in {"cuda", "cpu"}


# CUDA device 99 is on no machine, whether torch was built with CUDA or not.
@pytest.mark.parametrize("wanted", ["gpu", "cuda:99", "cpu, please"])
def test_a_device_that_does_not_work_is_named(monkeypatch, wanted):
    monkeypatch.setenv("HPCOURSE_DEVICE", wanted)
    message = f"device needs a torch device of this machine, got HPCOURSE_DEVICE='{wanted}'"
    with pytest.raises(ValueError, match=message):
        device()
