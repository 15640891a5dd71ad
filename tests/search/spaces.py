"""Spaces on which every searcher is tried."""

import pytest

from hpcourse.search import Box, Choice, Fixed, Integer, List, Normal, Real, When

FLAT = Box({"lr": Real(1e-4, 1e-1, log=True), "momentum": Real(0.0, 0.99)})
MIXED = Box(
    {
        "lr": Real(1e-4, 1e-1, log=True),
        "depth": Integer(1, 6),
        "width": Integer(8, 256, log=True),
        "optimizer": Choice(("sgd", "adam", "rmsprop")),
        "decay": Normal(-7.0, 1.0, log=True),
        "epochs": Fixed(5),
    }
)
CONDITIONAL = Box(
    {
        "optimizer": Choice(("sgd", "adam")),
        "momentum": When("optimizer", "sgd", Real(0.0, 0.99)),
        "beta2": When("optimizer", "adam", Choice((0.9, 0.99, 0.999), ordered=True)),
        "layers": Integer(1, 3),
        "units": List(Integer(8, 64, log=True), "layers"),
        "head": Choice(
            (Box({"kind": Fixed("linear")}), Box({"kind": Fixed("mlp"), "dropout": Real(0.0, 0.5)}))
        ),
    }
)
FINITE = Box(
    {
        "a": Choice(("x", "y", "z")),
        "b": Integer(0, 2),
        "c": When("a", "x", Choice((1, 2))),
    }
)
SPACES = {"flat": FLAT, "mixed": MIXED, "conditional": CONDITIONAL, "finite": FINITE}
FINITE_SIZE = 3 * 2 + 3 + 3  # configurations of FINITE


def alike(one, other):
    """Whether two configurations are equal but for rounding."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return one == pytest.approx(other, rel=1e-9, abs=1e-12)
    return type(one) is type(other) and one == other
