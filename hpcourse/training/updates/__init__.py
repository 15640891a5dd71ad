"""Optimisers as pure functions of one member's tensors, for `train_many`."""

from collections.abc import Mapping
from types import MappingProxyType

from hpcourse.training.updates._adam import adam, adamax, adamw, nadam
from hpcourse.training.updates._adaptive import adadelta, adagrad, rmsprop
from hpcourse.training.updates._base import Scalar, State, Tensors, Update
from hpcourse.training.updates._sgd import sgd

__all__ = [
    "UPDATES",
    "Scalar",
    "State",
    "Tensors",
    "Update",
    "adadelta",
    "adagrad",
    "adam",
    "adamax",
    "adamw",
    "nadam",
    "rmsprop",
    "sgd",
]

UPDATES: Mapping[str, Update] = MappingProxyType(
    {
        "sgd": sgd,
        "adagrad": adagrad,
        "adadelta": adadelta,
        "rmsprop": rmsprop,
        "adam": adam,
        "adamw": adamw,
        "adamax": adamax,
        "nadam": nadam,
    }
)
"""The updates by name, so that a configuration can hold the optimiser as text."""
