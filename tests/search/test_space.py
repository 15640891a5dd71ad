import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from spaces import FINITE, FINITE_SIZE, SPACES, alike

from hpcourse.search import Box, Choice, Fixed, Integer, List, Normal, Real, When
from hpcourse.search.space import UNUSED, active, canonical

LR = Box({"lr": Real(0, 1)})


@pytest.mark.parametrize("name", SPACES)
@given(st.data())
def test_encode_and_decode_round_trip(name, data):
    space = SPACES[name]
    unit = st.lists(st.floats(0, 1), min_size=space.dimension, max_size=space.dimension)
    u = np.array(data.draw(unit))
    config = space.decode(u)
    point = space.encode(config)
    assert alike(space.decode(point), config)
    np.testing.assert_allclose(canonical(space.axes, u[None])[0], point, atol=1e-9)
    unused = ~active(space.axes, point[None])[0]
    assert (point[unused] == UNUSED).all()


def test_a_finite_space_has_its_configurations():
    u = np.random.default_rng(0).random((2000, FINITE.dimension))
    assert len(np.unique(canonical(FINITE.axes, u), axis=0)) == FINITE_SIZE
    assert len({repr(FINITE.decode(point)) for point in u}) == FINITE_SIZE


@pytest.mark.parametrize(
    ("domain", "draws"),
    [
        (Integer(1, 4), {1: 0.25, 2: 0.25, 3: 0.25, 4: 0.25}),
        (Choice(("a", "b"), weights=(3, 1)), {"a": 0.75, "b": 0.25}),
        (Real(0, 1, step=0.5), {0.0: 1 / 3, 0.5: 1 / 3, 1.0: 1 / 3}),
        (Integer(1, 2, log=True), {1: np.log(3) / np.log(5), 2: np.log(5 / 3) / np.log(5)}),
    ],
)
def test_a_uniform_draw_is_a_draw_of_the_prior(domain, draws):
    u = (np.arange(6000) + 0.5) / 6000
    values = [domain.decode(place) for place in u]
    assert set(values) == set(draws)
    for value, share in draws.items():
        assert np.mean([v == value for v in values]) == pytest.approx(share, abs=1e-3)


DEEP = Box(
    {
        "kind": Choice(("a", "b", "c")),
        "size": When("kind", ("a", "b"), Integer(1, 3)),
        "scale": When("size", (2, 3), When("kind", "b", Real(1, 2))),
        "parts": List(Real(0, 1), "size"),
        "net": Choice(
            (
                List(
                    Box({"act": Choice(("relu", "elu")), "alpha": When("act", "elu", Real(0, 1))}),
                    2,
                ),
                List((Integer(1, 4), Fixed("x"), Choice((0.1, List(Real(0, 1), 1))))),
                "none",
            )
        ),
    }
)


@given(st.lists(st.floats(0, 1), min_size=DEEP.dimension, max_size=DEEP.dimension))
def test_conditions_two_deep_and_lists_within_choices(u):
    config = DEEP.decode(np.array(u))
    assert ("size" in config) == (config["kind"] in ("a", "b"))
    assert ("scale" in config) == (config["kind"] == "b" and config["size"] > 1)
    assert len(config.get("parts", [])) == config.get("size", 0)
    net = config["net"]
    if isinstance(net, list) and isinstance(net[0], dict):
        assert [("alpha" in layer) == (layer["act"] == "elu") for layer in net] == [True, True]
    elif isinstance(net, list):
        assert net[1] == "x"
        assert net[2] == 0.1 or len(net[2]) == 1
    point = DEEP.encode(config)
    assert alike(DEEP.decode(point), config)
    np.testing.assert_allclose(canonical(DEEP.axes, np.array([u]))[0], point, atol=1e-9)


def test_what_counts_is_what_stands_in_the_configuration():
    names = [axis.name for axis in DEEP.axes]
    point = DEEP.encode({"kind": "a", "size": 2, "parts": [0.1, 0.2], "net": "none"})
    counts = active(DEEP.axes, point[None])[0]
    assert {name for name, on in zip(names, counts, strict=True) if on} == {
        *("kind", "size", "parts[0]", "parts[1]", "net")
    }


def test_coordinates_have_distinct_names():
    space = Box({"a.b": Real(0, 1), "a": Box({"b": Real(0, 1), "c": Real(0, 1)})})
    assert [axis.name for axis in space.axes] == ["a.b<0>", "a.b<1>", "a.c"]


def test_a_fixed_value_may_be_changed_by_its_user():
    box = Box({"betas": Fixed([0.9, 0.99]), "x": Real(0, 1)})
    box.decode(np.array([0.5]))["betas"].append(1)
    assert box.decode(np.array([0.5]))["betas"] == [0.9, 0.99]


def test_a_choice_says_why_each_branch_refuses():
    box = Box({"head": Choice((Box({"p": Real(0, 1)}), Box({"n": Integer(1, 2)})))})
    with pytest.raises(ValueError, match=r"'head\.p': Real needs .* got value=2; .* needs a value"):
        box.encode({"head": {"p": 2}})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Box({}), "Box needs a mapping of names to parameters"),
        (lambda: Box({"lr": 0.1}), "Box needs a parameter as 'lr', got 0.1"),
        (lambda: Box({"m": When("o", 1, Real(0, 1))}), "'m' needs a condition on an earlier name"),
        (
            lambda: Box({"o": Real(0, 1), "m": When("o", 1, Real(0, 1))}),
            "'m' needs a condition on separate values, got name='o'",
        ),
        (
            lambda: Box({"o": Choice((1, 2)), "m": When("o", 3, Real(0, 1))}),
            r"'m' depends on 'o': Choice needs one of \(1, 2\), got value=3",
        ),
        (lambda: Box({"u": List(Real(0, 1), "n")}), "'u' needs an earlier integer as length"),
        (
            lambda: Box({"lr": Real(0, 1)}).encode({"lr": 2}),
            r"'lr': Real needs a number in \[0, 1\]",
        ),
        (lambda: Box({"lr": Real(0, 1)}).encode({}), "config needs a value of 'lr'"),
        (
            lambda: Box({"lr": Real(0, 1)}).encode({"lr": 0, "x": 1}),
            "config has no 'x' here, got value=1",
        ),
        (lambda: Box({"e": Fixed(5)}).encode({"e": 6}), "'e': Fixed needs 5, got value=6"),
        (lambda: Box({"u": List((Real(0, 1),), 3)}), "List 'u' of a tuple, got length=3"),
        (lambda: Box({"u": List(())}), "List 'u' needs entries, got item="),
        (lambda: Box({"u": List(Real(0, 1))}), "List 'u' needs an integer length >= 1"),
        (lambda: Box({"u": List(3, 2)}), r"Box needs a parameter as 'u\[0\]', got 3"),
        (
            lambda: Box({"o": Choice((When("x", 1, Real(0, 1)), 2))}),
            "Box needs a parameter as 'o', got When",
        ),
        (lambda: Normal(0.0, -1.0), "Normal needs std > 0, got std=-1.0"),
        (lambda: Integer(3, 1), "Integer needs low <= high, got low=3, high=1"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
