import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcourse.search import Interval, Options


@given(st.floats(1e-6, 1e3), st.floats(1.001, 1e6), st.floats(0, 1), st.booleans())
def test_an_interval_decodes_what_it_encodes(low, ratio, u, log):
    axis = Interval(low, low * ratio, log=log)
    value = min(max(axis.decode(u), axis.low), axis.high)
    assert 0 <= axis.encode(value) <= 1
    assert axis.encode(value) == pytest.approx(u, abs=1e-9)


def test_options_tell_true_from_one():
    axis = Options((1, True, "1", None))
    assert [axis.encode(value) for value in (1, True, "1", None)] == [0, 1, 2, 3]
    assert [axis.decode(code) for code in range(4)] == [1, True, "1", None]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Interval(1, 1), "Interval needs low < high, got low=1, high=1"),
        (lambda: Interval(0, 1, log=True), "Interval on the log scale needs low > 0, got low=0"),
        (lambda: Interval(0, math.inf), "Interval needs a finite high, got high=inf"),
        (lambda: Options(()), r"Options needs distinct values, got values=\(\)"),
        (lambda: Options(("a", "a")), "Options needs distinct values"),
        (lambda: Options((math.nan,)), r"JSON values, got config\['values'\]\[0\]=nan"),
        (lambda: Options(("a",)).encode("b"), r"Options needs one of \('a',\), got value='b'"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
