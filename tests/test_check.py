"""Argument checks: what they accept, and that the message quotes name and value."""

import re

import numpy as np
import pytest

from hpcourse import _check

NOT_NUMBERS = [None, "1", True, [1.0], 1j, np.nan, np.inf, -np.inf]


@pytest.mark.parametrize("value", [3, 2.5, np.float32(1.5), np.int64(7)])
def test_numbers_of_every_kind_are_finite(value):
    assert _check.is_finite(value)
    _check.require_finite("f", x=value)
    _check.require_positive("f", x=value)
    _check.require_non_negative("f", x=value)


@pytest.mark.parametrize("value", NOT_NUMBERS)
@pytest.mark.parametrize(
    "check",
    [
        _check.require_finite,
        _check.require_positive,
        _check.require_non_negative,
        _check.require_count,
    ],
)
def test_what_is_no_finite_number_is_refused_by_name_and_value(check, value):
    with pytest.raises(ValueError, match=re.escape(f"x={value!r}")):
        check("f", x=value)


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (_check.require_positive, 0),
        (_check.require_positive, -1e-9),
        (_check.require_non_negative, -1e-9),
        (_check.require_count, 0),
        (_check.require_count, 1.0),
    ],
)
def test_numbers_out_of_range_are_refused(check, value):
    with pytest.raises(ValueError, match=re.escape("f needs") + ".*" + re.escape(f"x={value!r}")):
        check("f", y=1, x=value)


def test_counts_and_zero_are_accepted():
    _check.require_count("f", n=1, m=np.int64(3))
    _check.require_non_negative("f", x=0)
