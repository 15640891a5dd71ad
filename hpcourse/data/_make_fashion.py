"""Build the packaged Fashion-MNIST subset: ``python -m hpcourse.data._make_fashion``.

The subset is the first 1,000 training and the first 200 test images of every class, in the
order of the original files. It needs no random numbers, so anyone can build it again.
"""

import hashlib
from pathlib import Path

import numpy as np

from hpcourse.data import _fashion
from hpcourse.data._sources import Raw

TRAIN_PER_CLASS = 1000
TEST_PER_CLASS = 200


def first_of_each(raw: Raw, per_class: int) -> Raw:
    """The first `per_class` rows of every class, in their order.

    Examples:
        >>> first_of_each(Raw(np.arange(6), np.array([1, 0, 1, 1, 0, 0])), 2).x
        array([0, 1, 2, 4])
    """
    rows = [np.flatnonzero(raw.y == label)[:per_class] for label in np.unique(raw.y)]
    chosen = np.sort(np.concatenate(rows))
    return Raw(raw.x[chosen], raw.y[chosen])


def subset() -> tuple[Raw, Raw]:
    """The packaged training and test rows, taken from the full data."""
    train, test = _fashion.full()
    return first_of_each(train, TRAIN_PER_CLASS), first_of_each(test, TEST_PER_CLASS)


def write(path: Path) -> str:
    """Write the packaged file to `path` and return its SHA-256.

    The bytes depend on the compressor, the arrays do not: after building, put the printed
    digest into ``_fashion.PACKAGED_SHA256``.
    """
    train, test = subset()
    np.savez_compressed(path, x_train=train.x, y_train=train.y, x_test=test.x, y_test=test.y)
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    print(write(_fashion.PACKAGED))
