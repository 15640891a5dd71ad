"""Contrasts of trained arms: arithmetic seed by seed, and caveats that are inherited."""

from operator import add

import pytest

from hpcourse.claims.contrasts import (
    NO_DIFFERENCE,
    Derived,
    chosen,
    combined,
    derived_outcome,
    difference,
    plus,
    trained,
)
from hpcourse.claims.tuning import Tuning

ARMS = {"a": [1.0, 2.0], "b": [4.0, 3.0], "c": [0.0, 9.0]}
TUNING = Tuning(
    rates=(0.1, 0.2),
    scores=dict.fromkeys("abc", (1.0, 2.0)),
    best=dict.fromkeys("abc", (0.1, 0.1)),
    widened=0,
    at_edge=("b", "c"),
)


@pytest.fixture
def outcome(outcome_of):
    return outcome_of(ARMS, caveats={"a": ["weak"], "c": ["odd"]})


def test_differences_of_differences_are_taken_seed_by_seed(outcome):
    a, b, c = (trained(outcome, arm) for arm in "abc")
    found = difference(difference(b, a), c)
    assert found == Derived(values=[3.0, -8.0], arms=("b", "a", "c"))
    assert plus(found, 0.5) == Derived(values=[3.5, -7.5], arms=("b", "a", "c"))


def test_parts_of_different_lengths_are_refused(outcome):
    with pytest.raises(ValueError, match="shorter"):
        combined(add, trained(outcome, "a"), Derived(values=[1.0], arms=()))


def test_every_seed_has_the_arm_chosen_for_it(outcome):
    assert chosen(outcome, ["c", "a"]) == Derived(values=[0.0, 2.0], arms=("c", "a"))
    assert chosen(outcome, ["b", "b"]) == Derived(values=[4.0, 3.0], arms=("b",))


def test_contrasts_replace_the_arms_and_inherit_their_caveats(outcome):
    contrast = difference(trained(outcome, "b"), trained(outcome, "a"))
    found = derived_outcome(outcome, {"b - a": contrast}, metric="loss")
    assert found.arms == {"b - a": [3.0, 1.0], NO_DIFFERENCE: [0.0, 0.0]}
    assert found.measures == {"loss": ARMS}
    assert found.caveats == {"b - a": ["weak"]}


def test_derived_arms_may_stand_beside_the_trained_ones(outcome):
    derived = {"d": Derived(values=[5.0, 5.0], arms=("c",))}
    found = derived_outcome(outcome, derived, metric="loss", keep=True)
    assert found.arms == {"d": [5.0, 5.0], **ARMS}
    assert found.caveats == {"a": ["weak"], "b": [], "c": ["odd"], "d": ["odd"]}


def test_rates_at_the_edge_are_inherited_as_well(outcome_of):
    tuned = outcome_of(ARMS, tuning=TUNING)
    one, many = trained(tuned, "b"), chosen(tuned, ["c", "b"])
    contrasts = {"b": one, "b - a": difference(one, trained(tuned, "a")), "many": many}
    found = derived_outcome(tuned, contrasts | {"a": trained(tuned, "a")}, metric="loss")
    assert found.caveats == {
        "a": [],
        "b": ["a best learning rate of b at the edge of its range"],
        "b - a": ["a best learning rate of b at the edge of its range"],
        "many": ["a best learning rate of c and of b at the edge of its range"],
    }
    assert found.tuning is None
