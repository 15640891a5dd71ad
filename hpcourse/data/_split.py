"""Stratified splits of row numbers."""

import numpy as np
from numpy.typing import NDArray

from hpcourse._check import is_finite, require

Rows = NDArray[np.int64]


def check_split(where: str, *, seed: int, **fractions: float) -> None:
    """Raise unless `seed` is an integer >= 0 and the fractions leave rows for training."""
    ok = isinstance(seed, int) and not isinstance(seed, bool) and seed >= 0
    require(ok, f"{where} needs an integer seed >= 0", seed=seed)
    for name, value in fractions.items():
        ok = is_finite(value) and 0 <= value < 1
        require(ok, f"{where} needs 0 <= {name} < 1", **{name: value})
    names = " + ".join(fractions)
    require(sum(fractions.values()) < 1, f"{where} needs {names} < 1", **fractions)


def stratified_rows(
    y: Rows, *, seed: int, validation: float, test: float = 0.0, where: str = "stratified_rows"
) -> tuple[Rows, Rows, Rows]:
    """Divide the row numbers of `y` into train, validation and test.

    Each class is shuffled and cut by itself, so that every part holds its share of every
    class to within one row. The order of rows within a part is random too. The test rows
    depend on `seed` and `test` alone: another `validation` moves none of them.

    Args:
        y: Class of each row, (n,).
        seed: Seed of the shuffle.
        validation: Fraction of all rows for validation, in [0, 1).
        test: Fraction of all rows for the test, in [0, 1).
        where: Name of the caller for error messages.

    Returns:
        Row numbers of train, validation and test: disjoint, together all of 0 ... n - 1.

    Raises:
        ValueError: If a fraction is out of range or so small or large that a part which
            should have rows lacks a class.
    """
    check_split(where, seed=seed, validation=validation, test=test)
    rng = np.random.default_rng(seed)
    chunks: tuple[list[Rows], list[Rows], list[Rows]] = ([], [], [])
    for label in np.unique(y):
        rows = rng.permutation(np.flatnonzero(y == label))
        cuts = np.rint(len(rows) * np.array([test, test + validation])).astype(int)
        in_test, in_validation, in_train = np.split(rows, cuts)
        for part, rows_of_class in zip(chunks, (in_train, in_validation, in_test), strict=True):
            part.append(rows_of_class)
    wanted = (True, validation > 0, test > 0)
    complete = all(
        min(map(len, part)) > 0 for part, want in zip(chunks, wanted, strict=True) if want
    )
    need = f"{where} needs fractions that leave every class a row in every part"
    require(complete, need, validation=validation, test=test)
    shuffled = [rng.permutation(np.concatenate(part)) for part in chunks]
    return shuffled[0], shuffled[1], shuffled[2]
