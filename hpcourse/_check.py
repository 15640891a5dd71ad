"""Argument checks whose messages quote the name and the value."""

import math
from numbers import Integral, Real
from typing import TypeGuard


def require(ok: bool, need: str, **got: object) -> None:
    """Raise ``ValueError("<need>, got <name>=<value>, ...")`` unless `ok`.

    Examples:
        >>> require(3 > 0, "cosine_decay needs decay_steps > 0", decay_steps=3)
        >>> require(-1 > 0, "cosine_decay needs decay_steps > 0", decay_steps=-1)
        Traceback (most recent call last):
        ...
        ValueError: cosine_decay needs decay_steps > 0, got decay_steps=-1
    """
    if not ok:
        values = ", ".join(f"{name}={value!r}" for name, value in got.items())
        raise ValueError(f"{need}, got {values}")


def is_finite(value: object) -> TypeGuard[float]:
    """Whether `value` is a real number (not a bool) that is neither NaN nor infinite."""
    # bool is a Real to Python, but True for a number is always a slip.
    return not isinstance(value, bool) and isinstance(value, Real) and math.isfinite(value)


def require_positive(where: str, **values: object) -> None:
    """Raise unless every value is a finite number above zero."""
    for name, value in values.items():
        require(is_finite(value) and value > 0, f"{where} needs {name} > 0", **{name: value})


def require_non_negative(where: str, **values: object) -> None:
    """Raise unless every value is a finite number of at least zero."""
    for name, value in values.items():
        require(is_finite(value) and value >= 0, f"{where} needs {name} >= 0", **{name: value})


def require_finite(where: str, **values: object) -> None:
    """Raise unless every value is a finite number."""
    for name, value in values.items():
        require(is_finite(value), f"{where} needs a finite {name}", **{name: value})


def require_count(where: str, **values: object) -> None:
    """Raise unless every value is an integer of at least one."""
    for name, value in values.items():
        ok = isinstance(value, Integral) and is_finite(value) and value >= 1
        require(ok, f"{where} needs an integer {name} >= 1", **{name: value})
