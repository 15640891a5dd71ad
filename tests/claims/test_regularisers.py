"""Contrasts of trained arms: arithmetic seed by seed, and caveats that are inherited."""

from hpcourse.claims._regularisers import (
    NO_DIFFERENCE,
    Derived,
    derived_outcome,
    difference,
    trained,
)
from hpcourse.claims.registry import Outcome
from hpcourse.claims.tuning import Tuning

OUTCOME = Outcome(
    seeds=(1, 2),
    arms={"a": [1.0, 2.0], "b": [4.0, 3.0], "c": [0.0, 9.0]},
    device="cpu",
    seconds=1.0,
    caveats={"a": ["weak"], "c": ["odd"]},
)
TUNING = Tuning(
    rates=(0.1, 0.2),
    scores=dict.fromkeys("abc", (1.0, 2.0)),
    best=dict.fromkeys("abc", (0.1, 0.1)),
    widened=0,
    at_edge=("b",),
)


def test_differences_of_differences_are_taken_seed_by_seed():
    a, b, c = (trained(OUTCOME, arm) for arm in "abc")
    found = difference(difference(b, a), c)
    assert found == Derived(values=[3.0, -8.0], arms=("b", "a", "c"))


def test_contrasts_replace_the_arms_and_inherit_their_caveats():
    contrast = difference(trained(OUTCOME, "b"), trained(OUTCOME, "a"))
    found = derived_outcome(OUTCOME, {"b - a": contrast}, metric="loss")
    assert found.arms == {"b - a": [3.0, 1.0], NO_DIFFERENCE: [0.0, 0.0]}
    assert found.measures == {"loss": OUTCOME.arms}
    assert found.caveats == {"b - a": ["weak"]}


def test_derived_arms_may_stand_beside_the_trained_ones():
    derived = {"d": Derived(values=[5.0, 5.0], arms=("c",))}
    found = derived_outcome(OUTCOME, derived, metric="loss", keep=True)
    assert found.arms == {"d": [5.0, 5.0], **OUTCOME.arms}
    assert found.caveats == {"a": ["weak"], "b": [], "c": ["odd"], "d": ["odd"]}


def test_a_rate_at_the_edge_is_inherited_as_well():
    tuned = Outcome(
        seeds=OUTCOME.seeds, arms=OUTCOME.arms, device="cpu", seconds=1.0, tuning=TUNING
    )
    contrast = difference(trained(tuned, "b"), trained(tuned, "a"))
    found = derived_outcome(tuned, {"b - a": contrast}, metric="loss")
    assert found.caveats == {"b - a": ["tuned rates at the edge of the grid: b"]}
    assert found.tuning is None
