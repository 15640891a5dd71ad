import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcourse.search import Choice, Real


@given(st.floats(1e-6, 1e3), st.floats(1.001, 1e6), st.floats(0, 1), st.booleans())
def test_an_interval_decodes_what_it_encodes(low, ratio, u, log):
    axis = Real(low, low * ratio, log=log)
    value = min(max(axis.decode(u), axis.low), axis.high)
    assert 0 <= axis.encode(value) <= 1
    assert axis.encode(value) == pytest.approx(u, abs=1e-9)


def test_options_tell_true_from_one():
    axis = Choice((1, True, "1", None))
    places = [axis.encode(value) for value in (1, True, "1", None)]
    assert places == [0.125, 0.375, 0.625, 0.875]
    assert [axis.decode(u) for u in places] == [1, True, "1", None]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Real(1, 1), "Real needs low < high, got low=1, high=1"),
        (lambda: Real(0, 1, log=True), "Real on the log scale needs low > 0, got low=0"),
        (lambda: Real(0, math.inf), "Real needs a finite high, got high=inf"),
        (lambda: Choice(()), r"Choice needs distinct values, got values=\(\)"),
        (lambda: Choice(("a", "a")), "Choice needs distinct values"),
        (lambda: Choice((math.nan,)), r"JSON values, got config\['values'\]\[0\]=nan"),
        (lambda: Choice(("a",)).encode("b"), r"Choice needs one of \('a',\), got value='b'"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
