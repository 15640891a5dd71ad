"""Searchers of few spaces, and without chance, keep the contract as far as it concerns them."""

from functools import partial

import pytest
from test_searchers import (  # the tests that follow run with the fixtures of this module
    ended,
    run,
    test_a_bad_seed_is_named,
    test_a_searcher_can_be_pickled_between_trials,
    test_a_trial_is_told_once_and_when_it_has_ended,
    test_a_trial_that_was_never_asked_for_counts,
    test_suggestions_belong_to_the_space,
)

from hpcourse.search import (
    Bisection,
    Box,
    Choice,
    GoldenSection,
    Integer,
    Manual,
    Real,
    TernarySearch,
)

__all__ = [
    "test_a_bad_seed_is_named",
    "test_a_searcher_can_be_pickled_between_trials",
    "test_a_trial_is_told_once_and_when_it_has_ended",
    "test_a_trial_that_was_never_asked_for_counts",
    "test_suggestions_belong_to_the_space",
]

REAL = Box({"x": Real(3.0, 7.0)})
WHOLE = Box({"x": Integer(1, 500, log=True)})
TRAINING = Box(
    {
        "lr": Real(1e-5, 1.0, log=True),
        "batch_size": Integer(16, 512, log=True),
        "schedule": Choice(("constant", "cosine", "drop")),
        "momentum": Real(0.0, 0.99),
    }
)
CASES = {
    f"{name} {kind}": (make, space)
    for name, make in (
        ("bisection", Bisection),
        ("ternary", TernarySearch),
        ("golden", GoldenSection),
        ("noisy golden", partial(GoldenSection, noisy=True, repeats=3)),
    )
    for kind, space in (("real", REAL), ("whole", WHOLE))
} | {"manual": (partial(Manual, schedule="schedule"), TRAINING)}


@pytest.fixture(params=CASES, name="case")
def _case(request):
    return CASES[request.param]


@pytest.fixture(name="make")
def _make(case):
    return case[0]


@pytest.fixture(name="space")
def _space(case):
    return case[1]


def test_a_search_repeats_and_ends(make, space):
    found = run(make(space, seed=1), 400)
    assert found == run(make(space, seed=1), 400)
    assert 2 < len(found) < 400


@pytest.mark.parametrize("cut", [1, 4, 9])
def test_replaying_a_journal_goes_on_as_if_nothing_had_happened(make, space, cut):
    whole = run(make(space), 400)
    searcher = make(space)
    assert run(searcher, min(cut, len(whole))) == whole[:cut]
    for number, expected in list(enumerate(whole))[cut:]:
        assert searcher.ask() == expected
        searcher.tell(ended(number, expected))
    assert searcher.ask() is None


def test_asking_while_trials_run_changes_nothing(make, space):
    eager, patient = make(space), make(space)
    running = []
    while (suggestion := eager.ask()) is not None:
        running.append(suggestion)
    assert len(running) <= 3
    for _ in range(3):
        assert eager.ask() is None
    assert running == [patient.ask() for _ in running]
    for number, suggestion in enumerate(running):
        for searcher in (eager, patient):
            searcher.tell(ended(number, suggestion))
    assert eager.ask() == patient.ask()


def test_a_search_survives_that_all_trials_fail(make, space):
    found = run(make(space), 400, fail=lambda number: True)
    assert 3 <= len(found) < 400


@pytest.mark.parametrize("make", [Bisection, TernarySearch, GoldenSection])
def test_line_searches_refuse_spaces_that_are_no_line(make):
    with pytest.raises(ValueError, match=r"one ordered axis, got axes=\['x', 'y'\]"):
        make(Box({"x": Real(0.0, 1.0), "y": Real(0.0, 1.0)}))
    with pytest.raises(ValueError, match="one ordered axis"):
        make(Box({"x": Choice(("a", "b"))}))
    with pytest.raises(ValueError, match=r"tolerance in \(0, 1\), got tolerance=0"):
        make(REAL, tolerance=0)
