"""Spaces as plain data: round trips, YAML as people read it, and errors that name the path."""

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from spaces import SPACES
from test_domain_laws import choices, integers, normals, reals, rounded

from hpcourse.search import (
    Box,
    Choice,
    Fixed,
    Integer,
    List,
    Normal,
    Real,
    Rounded,
    When,
    space_file,
)
from hpcourse.search._yaml import Dumper, Loader
from hpcourse.search.space_file import read_space, space_from, space_to, write_space

domains = reals() | integers() | normals() | rounded() | choices()


def documented():
    return yaml.load(space_file.__doc__.split("::", 1)[1].replace(", adamw", ""), Loader)


def test_the_documented_space_is_what_it_says():
    assert space_from(documented()) == Box(
        {
            "lr": Real(1e-4, 1e-1, log=True),
            "batch": Choice((16, 32, 64), ordered=True),
            "decay": Normal(-7, 1, log=True, low=1e-6),
            "optimizer": Choice(("sgd", "adam")),
            "momentum": When("optimizer", "sgd", Real(0, 0.99)),
            "beta2": When("optimizer", ("adam",), Real(0.9, 0.999)),
            "layers": Integer(1, 3),
            "units": List(Integer(8, 256, log=True), "layers"),
            "kernel": List((Integer(1, 7, step=2), Fixed(3))),
            "window": Rounded(Real(16, 512, log=True), 16, integer=True),
            "head": Choice(("linear", Box({"dropout": Real(0, 0.5)}))),
            "epochs": Fixed(5),
            "betas": Fixed({"first": 0.9}),
        }
    )


@pytest.mark.parametrize("name", [*SPACES, "documented"])
def test_a_space_survives_its_file(name, tmp_path):
    box = SPACES[name] if name in SPACES else space_from(documented())
    write_space(box, tmp_path / "space.yaml")
    assert read_space(tmp_path / "space.yaml") == box


DEEP = Box(
    {
        "a": Choice(("x", [1, 2], {"y": 3})),
        "b": When("a", ("x", [1, 2]), When("a", "x", Integer(0, 3))),
        "c": When("a", [1, 2], Box({"d": List(Box({"e": Real(0, 1)}), 2)})),
        "f": Choice((List((Fixed("g"), Real(0, 1))), "h")),
        "i": When("a", "x", Fixed({"j": 1})),
        "k": When("a", "x", Fixed([1, 2])),
    }
)


def test_a_condition_on_one_name_may_stand_once():
    with pytest.raises(ValueError, match="space_to: twice a condition, got on='a'"):
        space_to(DEEP)
    parameters = {name: own for name, own in DEEP.parameters.items() if name != "b"}
    box = Box(parameters)
    again = space_from(space_to(box))
    assert [axis.name for axis in again.axes] == [axis.name for axis in box.axes]
    assert again.axes == box.axes
    for u in np.random.default_rng(0).random((50, box.dimension)):
        assert again.decode(u) == box.decode(u)


@settings(max_examples=40)
@given(st.dictionaries(st.text(min_size=1, max_size=5), domains, min_size=1, max_size=2))
def test_every_domain_survives_yaml(parameters):
    box = Box(parameters)
    text = yaml.dump(space_to(box), Dumper=Dumper, sort_keys=False)
    assert space_from(yaml.load(text, Loader)) == box


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@settings(max_examples=60)
@given(plain)
def test_what_is_dumped_is_loaded(value):
    assert yaml.load(yaml.dump(value, Dumper=Dumper), Loader) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("1e-4", 1e-4), ("1E5", 1e5), (".5", 0.5), ("2.", 2.0), ("-3", -3), ("010", 10)),
        *(("no", "no"), ("on", "on"), ("y", "y"), ("true", True), ("False", False)),
        *(("null", None), ("None", "None"), ("1_000", "1_000"), ("1:30", "1:30")),
        *(("2020-01-01", "2020-01-01"), ("'1e-4'", "1e-4"), ("1e", "1e"), ("0x10", "0x10")),
    ],
)
def test_plain_words_are_read_as_people_do(text, value):
    found = yaml.load(text, Loader)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "A space needs names and parameters, got data=None"),
        ("lr: {real: [1, 0]}", "'lr': Real needs low < high, got low=1, high=0"),
        ("lr: {real: [1e-4, 1e-1], logg: true}", "'lr' has no option 'logg', got logg=True"),
        ("lr: {reel: [0, 1]}", r"'lr' needs one of real, .*, got parameter=\{'reel'"),
        ("lr: {real: 3}", r"'lr' needs \[low, high\] as real, got real=3"),
        ("lr: {real: [a, b]}", "'lr': Real needs a finite low, got low='a'"),
        ("o: {choice: sgd}", "'o' needs a list as choice, got choice='sgd'"),
        ("o: {choice: [1, 2], weights: 3}", "'o' needs a list as weights, got weights=3"),
        ("o: {choice: [{box: {p: {real: [1]}}}]}", r"'o<0>.p' needs \[low, high\]"),
        ("u: {list: {real: [0, 1]}}", r"'u' needs a length, got list=\{'real'"),
        ("u: {list: [{real: [0]}]}", r"'u\[0\]' needs \[low, high\] as real, got real=\[0\]"),
        ("r: {rounded: {real: [0, 1]}}", "'r' needs a step, got rounded="),
        ("b: {box: 3}", "'b' needs names and parameters, got box=3"),
        ("b: {box: {a: 1}, log: true}", "'b' has no options of a box"),
        ("a: {real: [0, 1], when: x}", "'a' needs {name: value} as when, got when='x'"),
        ("a: {real: [0, 1], when: {b: 1}}", "'a' needs a condition on an earlier name"),
        ("a: 1\na: 2", "'a' comes twice"),
        ("a: [1", "line 1, column 6: expected ',' or ']'"),
        ("a: 1\n\tb: 2", "line 2, column 1: found character"),
        ("a: \x07", "special characters are not allowed in"),
        ("a: &a [*a]", "a value contains itself"),
    ],
)
def test_what_is_wrong_is_named_with_its_path_and_file(text, message, tmp_path):
    path = tmp_path / "space.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        read_space(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_text_is_named(tmp_path):
    path = tmp_path / "space.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"space\.yaml: .*can't decode"):
        read_space(path)


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_space(tmp_path / "none.yaml")
