"""Laws of every domain: the prior, the cells, and that what is decoded is encoded again."""

import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hpcourse.search import Choice, Integer, Normal, Real, Rounded

numbers = st.floats(-1e6, 1e6)
widths = st.floats(1e-3, 1e6)
places = st.floats(0, 1)


@st.composite
def reals(draw):
    log = draw(st.booleans())
    low = draw(st.floats(1e-6, 1e6) if log else numbers)
    high = low * draw(st.floats(1.01, 1e6)) if log else low + draw(widths)
    step = draw(st.none() | st.floats(1e-3, 1).map(lambda share: share * (high - low)))
    return Real(low, high, log=log, step=step)


@st.composite
def integers(draw):
    log = draw(st.booleans())
    low = draw(st.integers(1, 10**6) if log else st.integers(-(10**12), 10**12))
    width = draw(st.integers(0, 50) | st.integers(0, 10**11))
    return Integer(low, low + width, log=log, step=draw(st.integers(1, 7)))


@st.composite
def normals(draw):
    mean, std = draw(st.floats(-20, 20)), draw(st.floats(0.1, 5))
    log = draw(st.booleans())
    a, b = draw(st.floats(-4, 3)), draw(st.floats(0.5, 4))
    ends = [mean + std * a, mean + std * (a + b)]
    low, high = np.exp(ends).tolist() if log else ends
    low, high = draw(st.sampled_from([(None, None), (low, None), (None, high), (low, high)]))
    return Normal(mean, std, log=log, low=low, high=high)


@st.composite
def rounded(draw):
    inner = draw(reals().filter(lambda domain: not domain.levels) | normals())
    width = inner.decode(0.9) - inner.decode(0.1)
    integer = draw(st.booleans())
    step = draw(st.floats(0.01, 3)) * width
    return Rounded(inner, max(1, round(step)) if integer else step, integer=integer)


@st.composite
def choices(draw):
    values = draw(st.lists(st.integers() | st.text() | st.booleans(), min_size=1, unique_by=repr))
    weights = st.lists(st.floats(0.01, 10), min_size=len(values), max_size=len(values))
    return Choice(tuple(values), weights=draw(st.none() | weights))


domains = reals() | integers() | normals() | rounded() | choices()


@given(domains, places)
def test_what_is_decoded_is_encoded_again(domain, u):
    value = domain.decode(u)
    again = domain.decode(domain.encode(value))
    if domain.levels:
        assert again == value
        assert type(again) is type(value)
        assert domain.codes(u) == domain.codes(domain.encode(value))
    else:
        assert domain.encode(value) == pytest.approx(u, abs=1e-7)


@given(domains.filter(lambda domain: 0 < domain.levels <= 10**4), st.integers(0, 2**32))
def test_cells_tile_the_unit_interval(domain, seed):
    codes = np.arange(domain.levels)
    low, high = domain.edges(codes)
    assert low[0] == 0
    assert high[-1] == 1
    np.testing.assert_allclose(high[:-1], low[1:], atol=1e-12)
    assert (high >= low).all()
    wide = high - low > 1e-9
    inside = low + (high - low) * np.random.default_rng(seed).uniform(0.01, 0.99, low.shape)
    np.testing.assert_array_equal(domain.codes(inside)[wide], codes[wide])


@given(domains)
def test_domains_pickle_and_equal_their_copies(domain):
    domain.decode(0.3)  # what is prepared in advance travels too
    copy = pickle.loads(pickle.dumps(domain))
    assert copy == domain
    assert copy.decode(0.7) == domain.decode(0.7)


@given(domains)
def test_both_ends_of_the_interval_are_values_of_the_domain(domain):
    for u in (0.0, 1.0):
        value = domain.decode(u)
        assert 0 <= domain.encode(value) <= 1
        if isinstance(value, float):
            assert math.isfinite(value)


@pytest.mark.parametrize(
    ("domain", "law"),
    [
        (Real(-3.0, 5.0), stats.uniform(-3, 8)),
        (Real(1e-4, 1e-1, log=True), stats.loguniform(1e-4, 1e-1)),
        (Normal(0.15, 0.1), stats.norm(0.15, 0.1)),
        (Normal(-7.0, 1.5, log=True), stats.lognorm(1.5, scale=math.exp(-7))),
        (Normal(0.2, 0.1, low=0.0, high=0.9), stats.truncnorm(-2, 7, 0.2, 0.1)),
        (Normal(1.0, 2.0, low=10.0), stats.truncnorm(4.5, np.inf, 1, 2)),
        (Normal(1.0, 2.0, high=-8.0), stats.truncnorm(-np.inf, -4.5, 1, 2)),
    ],
)
def test_priors_are_those_of_scipy(domain, law):
    u = np.linspace(0.001, 0.999, 201)
    values = np.array([domain.decode(place) for place in u])
    np.testing.assert_allclose(values, law.ppf(u), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose([domain.encode(value) for value in values], u, atol=1e-9)


def test_a_normal_cut_in_its_upper_tail_mirrors_one_cut_in_its_lower():
    upper, lower = Normal(0.0, 1.0, low=5.9), Normal(0.0, 1.0, high=-5.9)
    for u in (0.01, 0.3, 0.99):
        assert upper.decode(u) == pytest.approx(-lower.decode(1 - u), rel=1e-12)


@pytest.mark.parametrize(
    ("domain", "law"),
    [
        (Rounded(Real(2.0, 7.0), 1.0), stats.uniform(2, 5)),
        (Rounded(Real(0.0, 11.0), 4.0), stats.uniform(0, 11)),
        (Rounded(Real(0.3, 2.2), 0.5), stats.uniform(0.3, 1.9)),
        (Rounded(Real(0.5, 60.0, log=True), 5.0), stats.loguniform(0.5, 60)),
        (Rounded(Normal(3.0, 2.0), 1.0), stats.norm(3, 2)),
        (Rounded(Normal(0.0, 1.0, log=True), 0.5), stats.lognorm(1)),
        (Normal(3.0, 2.0, step=1.0), stats.norm(3, 2)),
        (Normal(0.0, 1.0, log=True, step=0.5), stats.lognorm(1)),
    ],
)
def test_a_rounded_value_has_the_probability_of_its_cell(domain, law):
    low, high = domain.edges(np.arange(domain.levels))
    first = domain.decode(0.0)
    step = domain.step
    values = first + step * np.arange(domain.levels)
    expected = law.cdf(values + step / 2) - law.cdf(values - step / 2)
    np.testing.assert_allclose(high - low, expected, atol=5e-9)
    assert [domain.decode(u) for u in (low + high)[:5] / 2] == pytest.approx(values[:5].tolist())


def test_rounded_reaches_beyond_its_ends_as_rounding_does():
    assert Rounded(Real(0.0, 11.0), 4).decode(1.0) == 12.0
    assert Rounded(Real(0.0, 10.5), 3.0).decode(1.0) == 9.0  # 3.5 lies between two multiples


def test_grids_hold_decimals_as_they_are_written():
    assert [Real(0, 1, step=0.1).decode(u) for u in (0.3, 0.65)] == [0.3, 0.7]
    assert Real(-1.0, 1.0, step=0.001).decode(0.4999) == -0.0
    fine = Real(1e6, 1e6 + 1, step=1e-7)
    assert fine.decode(fine.encode(1000000.1234567)) == 1000000.1234567


def test_large_integers_are_exact():
    domain = Integer(2**52, 2**52 + 10**9)
    for value in (2**52, 2**52 + 1, 2**52 + 123456789, 2**52 + 10**9):
        assert domain.decode(domain.encode(value)) == value
    wide = Integer(1, 10**12, log=True)
    for value in (1, 2, 10**6 + 1, 10**12 - 1, 10**12):
        assert wide.decode(wide.encode(value)) == value


def test_values_that_may_be_changed_are_copies():
    domain = Choice(([16, 32], {"a": [1]}))
    domain.decode(0.1).append(64)
    assert domain.decode(0.1) == [16, 32]


def test_choices_tell_apart_what_json_does():
    assert Choice(([1], [True], [1.0])).encode([True]) == 0.5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Integer(0, 10**13), "A grid needs at most 1000000000000 values, got count=1000"),
        (lambda: Integer(2**60, 2**60 + 1), "Integer needs numbers that a float holds"),
        (lambda: Real(-1e308, 1e308), r"Real needs a finite high - low, got low=-1e\+308"),
        (lambda: Real(0, 1, step=1e-14), "A grid needs at most"),
        (lambda: Normal(0, 200, log=True), "Normal needs values that a float holds, got mean=0"),
        (lambda: Normal(0, 1, log=True, high=-1.0), "needs high > 0, got high=-1.0"),
        (lambda: Normal(0, 1, low=3.0, high=2.0), "Normal needs low < high, got low=3.0"),
        (lambda: Normal(0, 1, low=9.0), "Normal needs ends around its mass, got low=9.0"),
        (lambda: Choice((b"x",)), r"JSON values, got config\['values'\]\[0\]=b'x'"),
        (lambda: Choice(([1], [1])), "Choice needs distinct values"),
        (lambda: Rounded(Integer(0, 3), 1), r"without a step, got domain=Integer\(low=0"),
        (lambda: Rounded(Real(0, 3), 0), "Rounded needs step > 0, got step=0"),
        (lambda: Rounded(Real(0, 3), 0.5, integer=True), "integer step >= 1, got step=0.5"),
        (lambda: Rounded(Real(0, 3), 2).encode(1.0), "Rounded needs one of 0, 2, got value=1.0"),
        (lambda: Rounded(Real(0, 3), 1, integer=True).encode(1.0), "an integer, got value=1.0"),
        (lambda: Real(0, 1).encode(True), r"Real needs a number in \[0, 1\], got value=True"),
        (lambda: Real(0, 1, step=0.5).encode(0.4), "Real needs one of 0, 0.5, ..., 1, got value"),
        (lambda: Integer(0, 4).encode(2.0), r"Integer needs an integer in \[0, 4\], got value=2.0"),
        (lambda: Normal(0, 1, log=True).encode(0.0), "needs value > 0, got value=0.0"),
        (lambda: Normal(0, 1, low=0).encode(-1), r"Normal needs a number in \[0, inf\], got value"),
    ],
)
def test_what_does_not_fit_is_quoted(make, message):
    with pytest.raises(ValueError, match=message):
        make()
