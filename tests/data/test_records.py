import dataclasses
import pickle

import numpy as np
import pytest
import torch

from hpcourse.data import Split, wine


def split(**change):
    arrays = {"x": np.zeros((3, 2), np.float32), "y": np.zeros(3, np.int64)}
    return Split(**arrays | change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": np.zeros((3, 2))}, r"Split needs x of float32, got x=dtype\('float64'\)"),
        ({"y": np.zeros(3, np.int32)}, r"Split needs y of int64, got y=dtype\('int32'\)"),
        ({"y": np.zeros(2, np.int64)}, r"y of shape \(n,\), got x=\(3, 2\), y=\(2,\)"),
        ({"y": np.zeros((3, 1), np.int64)}, r"y of shape \(n,\), got x=\(3, 2\), y=\(3, 1\)"),
    ],
)
def test_arrays_that_do_not_fit_are_named(change, message):
    assert len(split()) == 3
    with pytest.raises(ValueError, match=message):
        split(**change)


def test_tensors_are_copies_of_the_arrays():
    data = wine()
    for name, part in data.tensors()._asdict().items():
        arrays = getattr(data, name)
        assert (part.x.dtype, part.y.dtype) == (torch.float32, torch.int64)
        assert np.array_equal(part.x.numpy(), arrays.x)
        assert np.array_equal(part.y.numpy(), arrays.y)
        part.x.zero_()
        assert np.any(arrays.x != 0)


def test_tensors_are_on_the_device_asked_for():
    parts = wine().tensors("meta")
    assert {part.x.device.type for part in parts} | {part.y.device.type for part in parts} == {
        "meta"
    }


def test_a_data_set_is_immutable_and_travels_to_other_processes():
    data = wine()
    with pytest.raises(dataclasses.FrozenInstanceError):
        data.name = "beer"
    copy = pickle.loads(pickle.dumps(data))
    assert copy.classes == data.classes
    assert np.array_equal(copy.train.x, data.train.x)
