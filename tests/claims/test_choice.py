"""Choices made by the other seeds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hpcourse.claims.choice import best_on_others, extremes

TABLES = arrays(
    np.float64,
    st.tuples(st.integers(1, 5), st.integers(2, 6)),
    elements=st.floats(0, 10, width=16),
)


@given(TABLES)
def test_no_option_does_better_on_the_other_seeds(losses):
    for seed, option in enumerate(best_on_others(losses)):
        others = np.delete(losses, seed, axis=1).mean(axis=1)
        assert others[option] == others.min()


@given(TABLES, st.floats(0, 100, width=16))
def test_a_seed_has_no_say_in_its_own_choice(losses, other):
    changed = losses.copy()
    changed[:, 0] = np.flip(losses[:, 0]) + other * np.arange(len(losses))
    assert best_on_others(changed)[0] == best_on_others(losses)[0]


def test_an_option_that_diverged_elsewhere_is_not_chosen():
    losses = [[0.0, np.nan, 0.0], [1.0, 1.0, 1.0]]
    assert best_on_others(losses).tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        ([1.0, 2.0], r"shape=\(2,\)"),
        ([[1.0], [2.0]], r"shape=\(2, 1\)"),
        ([[np.nan, 1.0], [np.inf, 1.0]], "did not diverge, got losses"),
    ],
)
def test_tables_without_a_choice_are_refused(losses, message):
    with pytest.raises(ValueError, match=message):
        best_on_others(losses)


@given(TABLES)
def test_extremes_are_the_choices_of_the_losses_and_of_their_negatives(losses):
    best, worst = extremes({str(option): list(row) for option, row in enumerate(losses)})
    assert [int(name) for name in best] == best_on_others(losses).tolist()
    assert [int(name) for name in worst] == best_on_others(-losses).tolist()
