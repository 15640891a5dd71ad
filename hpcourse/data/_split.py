"""Stratified splits of row numbers."""

import numpy as np
from numpy.typing import NDArray

from hpcourse._check import is_finite, require

Rows = NDArray[np.int64]


def check_seed(where: str, seed: int) -> None:
    """Raise unless `seed` is an integer that both NumPy and torch accept."""
    ok = isinstance(seed, int) and not isinstance(seed, bool) and 0 <= seed < 2**64
    require(ok, f"{where} needs an integer seed in 0 ... 2**64 - 1", seed=seed)


def check_split(where: str, *, seed: int, **fractions: float) -> None:
    """Raise unless `seed` is valid and the fractions leave rows for training."""
    check_seed(where, seed)
    for name, value in fractions.items():
        ok = is_finite(value) and 0 <= value < 1
        require(ok, f"{where} needs 0 <= {name} < 1", **{name: value})
    names = " + ".join(fractions)
    require(sum(fractions.values()) < 1, f"{where} needs {names} < 1", **fractions)


def stratified_rows(
    y: NDArray[np.integer],
    *,
    seed: int,
    validation: float,
    test: float = 0.0,
    where: str = "stratified_rows",
) -> tuple[Rows, Rows, Rows]:
    """Divide the row numbers of `y` into train, validation and test.

    Each class is shuffled and cut by itself, so that every part holds its share of every
    class to within one row. The order of rows within a part is random too. The test rows
    depend on `y`, `seed` and `test` alone: another `validation` changes none of them.

    Args:
        y: Class of each row, (n,).
        seed: Seed of the shuffle.
        validation: Fraction of all rows for validation, in [0, 1).
        test: Fraction of all rows for the test, in [0, 1).
        where: Name of the caller for error messages.

    Returns:
        Row numbers of train, validation and test, disjoint and together all of 0 ... n - 1.

    Raises:
        ValueError: If `y` is empty, a fraction is out of range, or a part that should have
            rows lacks a class.

    Examples:
        >>> y = np.array([0, 0, 0, 0, 1, 1, 1, 1])
        >>> train, validation, test = stratified_rows(y, seed=0, validation=0.25, test=0.25)
        >>> y[np.sort(train)], y[np.sort(validation)], y[np.sort(test)]
        (array([0, 0, 1, 1]), array([0, 1]), array([0, 1]))
    """
    check_split(where, seed=seed, validation=validation, test=test)
    require(y.ndim == 1 and len(y) > 0, f"{where} needs y of shape (n,), n >= 1", shape=y.shape)
    rng = np.random.default_rng(seed)
    # One row of chunks per class: its test, validation and training rows.
    classes = [rng.permutation(np.flatnonzero(y == label)) for label in np.unique(y)]
    chunks = [np.split(rows, _cuts(len(rows), test, test + validation)) for rows in classes]
    in_test, in_validation, in_train = zip(*chunks, strict=True)
    for part, fraction in (in_test, test), (in_validation, validation), (in_train, 1):
        complete = fraction == 0 or min(map(len, part)) > 0
        need = f"{where} needs fractions that leave every class a row in every part"
        require(complete, need, validation=validation, test=test)
    test_rows = rng.permutation(np.concatenate(in_test))
    validation_rows = rng.permutation(np.concatenate(in_validation))
    return rng.permutation(np.concatenate(in_train)), validation_rows, test_rows


def _cuts(n: int, *fractions: float) -> list[int]:
    return [round(n * fraction) for fraction in fractions]
