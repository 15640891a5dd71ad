"""Checks of what `fanova` is given."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hpcourse._check import require, require_count

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


def checked_points(points: ArrayLike) -> Matrix:
    """`points` as (n, dimension), n >= 4."""
    x = np.asarray(points, dtype=np.float64)
    shaped = x.ndim == 2 and len(x) >= 4 and x.shape[1] > 0
    require(shaped, "fanova needs points of shape (n >= 4, dimension)", shape=x.shape)
    return x


def checked_values(values: ArrayLike) -> Vector:
    """`values` as (n,), finite and not all equal."""
    y = np.asarray(values, dtype=np.float64)
    require(y.ndim == 1 and y.size > 0, "fanova needs values of shape (n,)", shape=y.shape)
    bad = np.flatnonzero(~np.isfinite(y))
    if bad.size:
        raise ValueError(
            f"fanova needs finite values, got values[{bad[0]}]={y[bad[0]]} ({bad.size} of {y.size} "
            "are not finite): decide what a diverged training is worth with cap(values, at=...) "
            "or ranks(values)"
        )
    require(bool(np.ptp(y) > 0), "fanova needs values that differ", value=float(y[0]))
    return y


def checked_names(names: Sequence[str] | None, dimension: int) -> tuple[str, ...]:
    """`names`, or x0, x1, ..."""
    columns = tuple(names) if names is not None else tuple(f"x{j}" for j in range(dimension))
    fits = len(columns) == dimension == len(set(columns))
    require(fits, f"fanova needs {dimension} distinct names, one a column", names=columns)
    return columns


def checked_levels(levels: Mapping[str, int], columns: Sequence[str], x: Matrix) -> list[int]:
    """Levels of every column, 0 where continuous, after checking what the columns hold."""
    for name, count in levels.items():
        require(name in columns, f"fanova needs levels of columns in {columns}", name=name)
        require_count(f"fanova: levels of {name!r}", levels=count)
    counts = [levels.get(name, 0) for name in columns]
    for j, (name, count) in enumerate(zip(columns, counts, strict=True)):
        column = x[:, j]
        if count:
            need = f"codes 0..{count - 1}"
            good = (column >= 0) & (column < count) & (column == np.floor(column))
        else:
            need = "points in [0, 1]"
            good = (column >= 0) & (column <= 1)
        if not good.all():
            row = int(np.flatnonzero(~good)[0])
            at = f"points[{row}, {j}]={column[row]}"
            raise ValueError(f"fanova needs {need} in column {name!r}, got {at}")
    return counts
