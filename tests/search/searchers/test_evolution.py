import numpy as np
import pytest
from progress import beats_random, search
from scipy.stats import chisquare
from spaces import CONDITIONAL, MIXED, SPACES

from hpcourse.search import Box, Choice, Evolution, Integer, Real, Trial
from hpcourse.search.searchers._moves import moved
from hpcourse.search.space import active, canonical

PLANE = Box({"x": Real(-3, 2), "n": Integer(1, 40), "kind": Choice(("a", "b", "c"))})


def bowl(config):
    shift = {"a": 0.0, "b": 2.0, "c": 1.0}[config["kind"]]
    return (config["x"] - 1.1) ** 2 + (config["n"] / 10 - 2.4) ** 2 + shift


def points(space, count, seed=0):
    u = np.random.default_rng(seed).random((count, space.dimension))
    return canonical(space.axes, u)


def test_beats_random_search():
    assert beats_random(Evolution, PLANE, bowl, trials=100)


@pytest.mark.parametrize("name", SPACES)
def test_a_move_changes_one_hyperparameter_and_what_depends_on_it(name):
    axes = SPACES[name].axes
    before = points(SPACES[name], 300)
    after = moved(axes, before, np.random.default_rng(1))
    np.testing.assert_array_equal(after, canonical(axes, after))
    assert ((after >= 0) & (after <= 1)).all()
    both = active(axes, before) & active(axes, after)
    changed = (before != after) & both
    assert (changed.sum(axis=1) == 1).all()


def test_a_move_takes_another_category_as_the_prior_weights_it():
    space = Box({"kind": Choice(("a", "b", "c", "d"), weights=(1, 2, 3, 4))})
    before = np.repeat(points(space, 1), 6000, axis=0)
    after = moved(space.axes, before, np.random.default_rng(0))
    own = int(space.axes[0].domain.codes(before[0, 0]))
    counts = np.bincount(space.axes[0].domain.codes(after[:, 0]), minlength=4)
    assert counts[own] == 0
    weights = np.delete(np.arange(1.0, 5.0), own)
    assert chisquare(np.delete(counts, own), 6000 * weights / weights.sum()).pvalue > 1e-3


def test_a_step_of_an_ordered_value_is_as_likely_up_as_down_and_mostly_short():
    space = Box({"n": Integer(0, 100)})
    before = np.full((4000, 1), space.encode({"n": 50})[0])
    after = moved(space.axes, before, np.random.default_rng(0))
    steps = np.array([space.decode(u)["n"] - 50 for u in after])
    assert (steps != 0).all()
    assert chisquare([(steps > 0).sum(), (steps < 0).sum()]).pvalue > 1e-3
    assert np.median(abs(steps)) < 10 < abs(steps).max()


def test_a_child_differs_from_a_member_in_one_hyperparameter():
    configs, _ = search(Evolution(MIXED, seed=1, population=8, tournament=3),
                        lambda config: config["depth"] + config["lr"], 60)  # fmt: skip
    at = np.array([MIXED.encode(config) for config in configs])
    for number in range(8, len(configs)):
        members = at[number - 8 : number]  # the last eight; older ones are dead
        assert ((at[number] != members).sum(axis=1) == 1).any()


def test_the_oldest_dies_however_good_it_is():
    space = Box({"x": Real(0, 1)})
    searcher = Evolution(space, population=5, tournament=5)
    told = [(0.9, 0.0)] + [(0.1, 1.0)] * 5  # the best one comes first
    for number, (x, value) in enumerate(told):
        searcher.ask()
        searcher.tell(
            Trial(number=100 + number, config={"x": x}, seed=0, state="done", value=value)
        )
    children = [searcher.ask().config["x"] for _ in range(200)]
    assert np.median(children) == pytest.approx(0.1, abs=0.05)


def test_failed_trials_leave_no_children():
    space = Box({"x": Real(0, 1)})
    searcher = Evolution(space, population=4, tournament=4)
    for number in range(8):
        searcher.ask()
        lost = {"state": "failed", "error": "diverged"} if number % 2 else {"state": "done"}
        kept = {"config": {"x": 0.9 if number % 2 else 0.2}, "value": None if number % 2 else 1.0}
        searcher.tell(Trial(number=100 + number, seed=0, **kept, **lost))
    assert np.median([searcher.ask().config["x"] for _ in range(100)]) < 0.4


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="Evolution needs an integer population >= 1"):
        Evolution(CONDITIONAL, population=0)
    with pytest.raises(ValueError, match="tournament <= population, got tournament=9"):
        Evolution(CONDITIONAL, population=8, tournament=9)
