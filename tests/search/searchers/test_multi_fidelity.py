"""Halving, Hyperband, ASHA, BOHB and the median rule against what their papers say."""

import math
from functools import partial
from itertools import pairwise
from statistics import median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcourse.search import (
    ASHA,
    BOHB,
    TPE,
    Box,
    FreezeThaw,
    HalvingTPE,
    Hyperband,
    MedianRule,
    Random,
    Real,
    SuccessiveHalving,
    Trial,
    minimize,
)
from hpcourse.search.searchers._rungs import ladder
from hpcourse.search.searchers.hyperband import brackets

SPACE = Box({"x": Real(0.0, 1.0), "y": Real(0.0, 1.0)})
ALL = {
    "halving": SuccessiveHalving,
    "Hyperband": Hyperband,
    "ASHA": ASHA,
    "BOHB": BOHB,
    "halving TPE": HalvingTPE,
    "freeze and thaw": FreezeThaw,
    "median rule": lambda space, seed=0, **more: MedianRule(Random(space, seed=seed), **more),
}
SYNCHRONOUS = {name: ALL[name] for name in ("halving", "Hyperband", "BOHB")}


def curve(config, budget):
    """A learning curve: far points learn faster, near ones become better."""
    gap = (config["x"] - 0.8) ** 2 + (config["y"] - 0.3) ** 2
    return gap + (1 - gap) / (1 + budget)


def end(number, suggestion, *, state="done", value=None):
    kept = {"config": suggestion.config, "budget": suggestion.budget, "parent": suggestion.parent}
    if state == "failed":
        return Trial(number=number, seed=0, state=state, error="diverged", **kept)
    value = curve(suggestion.config, suggestion.budget) if value is None else value
    return Trial(number=number, seed=0, state=state, value=value, **kept)


def run(searcher, count, *, of=curve, state=lambda number: "done"):
    """The ended trials of a search without parallel asks."""
    trials = []
    for number in range(count):
        suggestion = searcher.ask()
        if suggestion is None:
            break
        value = of(suggestion.config, suggestion.budget)
        trials.append(end(number, suggestion, state=state(number), value=value))
        searcher.tell(trials[-1])
    return trials


# --- Budgets


def test_brackets_are_those_of_algorithm_1():
    # ceil(B / R * eta^s / (s + 1)) configurations at R eta^-s, then floor(n_i / eta)
    assert brackets(max_budget=81) == (
        ((81, 1), (27, 3), (9, 9), (3, 27), (1, 81)),
        ((34, 3), (11, 9), (3, 27), (1, 81)),
        ((15, 9), (5, 27), (1, 81)),
        ((8, 27), (2, 81)),
        ((5, 81),),
    )


@given(st.integers(1, 20), st.integers(0, 500), st.integers(2, 5))
def test_rungs_rise_by_the_factor_between_the_ends(low, more, eta):
    budgets = ladder("test", min_budget=low, max_budget=low + more, eta=eta)
    assert budgets[-1] == low + more
    assert budgets[0] >= low
    assert budgets[0] < low * eta + 1
    for below, above in pairwise(budgets):
        assert below < above
        assert abs(above - eta * below) <= eta / 2 + 0.5


@given(st.integers(1, 200), st.integers(2, 4))
def test_brackets_cost_about_the_same(top, eta):
    found = brackets(max_budget=top, eta=eta)
    for plan in found:
        assert all(below // eta == above for (below, _), (above, _) in pairwise(plan))
        assert plan[-1][0] >= 1
        assert plan[-1][1] == top
        # from nothing, each rung costs about (S + 1) / (s + 1) whole trainings
        assert plan[0][0] * plan[0][1] <= 2 * (len(found) / len(plan) + 1) * top


@pytest.mark.parametrize("make", ALL.values(), ids=ALL)
def test_bad_budgets_are_named(make):
    with pytest.raises(ValueError, match=r"integer max_budget >= 1, got max_budget=2\.5"):
        make(SPACE, max_budget=2.5)
    with pytest.raises(ValueError, match="min_budget <= max_budget, got min_budget=9, max_bud"):
        make(SPACE, min_budget=9, max_budget=3)
    with pytest.raises(ValueError, match="integer eta >= 2, got eta=1"):
        make(SPACE, eta=1)


def test_other_bad_settings_are_named():
    with pytest.raises(ValueError, match="SuccessiveHalving needs size >= 27, got size=26"):
        SuccessiveHalving(SPACE, size=26)
    with pytest.raises(ValueError, match=r"random_share in \[0, 1\], got random_share=2"):
        HalvingTPE(SPACE, random_share=2)
    with pytest.raises(ValueError, match=r"whole_share in \[0, 1\], got whole_share=nan"):
        HalvingTPE(SPACE, whole_share=math.nan)
    with pytest.raises(ValueError, match="integer warmup >= 1, got warmup=0"):
        MedianRule(Random(SPACE), warmup=0)
    with pytest.raises(ValueError, match="needs a searcher without budgets, got budget=1"):
        MedianRule(ASHA(SPACE)).ask()


# --- What all of them keep to


@pytest.mark.parametrize("make", ALL.values(), ids=ALL)
def test_a_trial_goes_on_where_its_parent_stopped(make):
    trials = run(make(SPACE, seed=1, max_budget=27), 120)
    children = [trial for trial in trials if trial.parent is not None]
    assert {trial.budget for trial in children} == {3, 9, 27}
    assert len({trial.parent for trial in children}) == len(children)
    for trial in children:
        parent = trials[trial.parent]
        assert parent.config == trial.config
        assert parent.budget * 3 == trial.budget
        assert parent.number < trial.number


@pytest.mark.parametrize("make", ALL.values(), ids=ALL)
@pytest.mark.parametrize("state", ["failed", "pruned"])
def test_what_failed_or_was_pruned_never_goes_on_and_blocks_nothing(make, state):
    searcher = make(SPACE, seed=2, max_budget=9)
    trials = run(searcher, 150, state=lambda number: state if number % 2 else "done")
    assert len(trials) == 150
    parents = [trials[trial.parent] for trial in trials if trial.parent is not None]
    assert len(parents) > 10
    assert {parent.state for parent in parents} == {"done"}


@pytest.mark.parametrize("name", sorted(set(ALL) - {"median rule"}))
def test_values_of_different_rungs_are_never_compared(name):
    def other(config, budget):
        return math.exp(3 * curve(config, budget)) + 1000 * (budget % 7)

    plain, warped = (run(ALL[name](SPACE, seed=3), 150, of=of) for of in (curve, other))
    same = [
        (a.config, a.budget, a.parent) == (b.config, b.budget, b.parent)
        for a, b in zip(plain, warped, strict=True)
    ]
    assert all(same)


@pytest.mark.parametrize("make", ALL.values(), ids=ALL)
def test_several_workers_finish(make):
    study = minimize(
        lambda trial: curve(trial.config, trial.budget),
        make(SPACE, seed=4, max_budget=9),
        trials=60,
        workers=1,
        progress=False,
    )
    assert len(study) == 60
    assert study.best.budget == 9


# --- Synchronous


@pytest.mark.parametrize("make", SYNCHRONOUS.values(), ids=SYNCHRONOUS)
def test_a_rung_is_asked_at_once_and_waits_for_its_last_trial(make):
    searcher = make(SPACE, seed=5, max_budget=9)
    rung = [searcher.ask() for _ in range(9)]
    assert [trial.budget for trial in rung] == [1] * 9
    assert searcher.ask() is None
    order = np.random.default_rng(0).permutation(9).tolist()
    for number in order[:-1]:
        searcher.tell(end(number, rung[number]))
        assert searcher.ask() is None
    searcher.tell(end(order[-1], rung[order[-1]]))
    above = [searcher.ask() for _ in range(3)]
    assert searcher.ask() is None
    best = sorted(range(9), key=lambda number: curve(rung[number].config, 1))[:3]
    assert [trial.parent for trial in above] == best
    assert [trial.budget for trial in above] == [3] * 3


def test_hyperband_runs_its_brackets_in_turn():
    searcher = Hyperband(SPACE, seed=6, max_budget=9)
    trials = run(searcher, 2 * (13 + 6 + 3))
    wanted = [budget for plan in searcher.brackets for size, budget in plan for _ in range(size)]
    assert [trial.budget for trial in trials] == 2 * wanted


def test_a_bracket_without_survivors_gives_way_to_the_next():
    trials = run(Hyperband(SPACE, seed=7, max_budget=9), 9 + 5, state=lambda number: "failed")
    assert [trial.budget for trial in trials] == [1] * 9 + [3] * 5


def test_halving_takes_as_many_as_it_is_told():
    searcher = SuccessiveHalving(SPACE, max_budget=9, size=12)
    assert searcher.plan == ((12, 1), (4, 3), (1, 9))
    assert [trial.budget for trial in run(searcher, 17)] == [1] * 12 + [3] * 4 + [9]


# --- Asynchronous


class Algorithm2:
    """ASHA's `get_job`, as printed: rungs as sets of ended trials and of promoted ones."""

    def __init__(self, top, eta):
        self.top, self.eta = top, eta
        self.ended = [{} for _ in range(top + 1)]
        self.promoted = [set() for _ in range(top + 1)]

    def job(self):
        for k in reversed(range(self.top)):
            rung = self.ended[k]
            candidates = sorted(rung, key=lambda number: (rung[number], number))
            candidates = candidates[: len(rung) // self.eta]
            promotable = [number for number in candidates if number not in self.promoted[k]]
            if promotable:
                self.promoted[k].add(promotable[0])
                return k + 1, promotable[0]
        return 0, None


@pytest.mark.parametrize("make", [ASHA, partial(HalvingTPE, whole_share=0)])
@pytest.mark.parametrize("workers", [1, 4, 30])
def test_promotion_is_that_of_algorithm_2(make, workers):
    searcher, oracle = make(SPACE, seed=8, max_budget=27), Algorithm2(top=3, eta=3)
    rng = np.random.default_rng(workers)
    running, levels = {}, []
    for number in range(250):
        suggestion, (level, parent) = searcher.ask(), oracle.job()
        assert (suggestion.budget, suggestion.parent) == (3**level, parent)
        running[number] = suggestion
        levels.append(level)
        if len(running) == workers:
            ended = int(rng.choice(list(running)))
            trial = end(ended, running.pop(ended))
            searcher.tell(trial)
            oracle.ended[levels[ended]][ended] = trial.value
    assert max(levels) >= (1 if workers == 30 else 3)


def test_the_first_trials_are_compared_as_soon_as_there_are_eta():
    trials = run(ASHA(SPACE, seed=9), 4)
    assert [trial.parent is None for trial in trials] == [True, True, True, False]
    assert trials[3].parent == min(trials[:3], key=lambda trial: trial.value).number


@pytest.mark.parametrize("make", [BOHB, HalvingTPE])
def test_a_model_finds_where_the_good_ones_are(make):
    near = []
    for seed in range(6):
        new = [trial.config for trial in run(make(SPACE, seed=seed), 200) if trial.parent is None]
        late = new[len(new) // 2 :]
        near += [abs(c["x"] - 0.8) < 0.2 and abs(c["y"] - 0.3) < 0.2 for c in late]
    assert np.mean(near) > 0.22  # random search: 0.16


@pytest.mark.parametrize("make", [BOHB, HalvingTPE])
def test_what_is_known_of_the_highest_rung_guides(make):
    """Trials of an earlier study, whose lowest rung would mislead."""
    searcher, rng = make(SPACE, seed=0), np.random.default_rng(0)
    for number in range(30):
        config = SPACE.decode(rng.random(2))
        trial = Trial(
            number=500 + number, config=config, seed=0, budget=27, state="done", value=config["x"]
        )
        searcher.tell(trial)
    low = [searcher.ask().config["x"] < 0.25 for _ in range(27)]
    assert np.mean(low) > 0.5


def test_a_share_of_random_configurations_of_one_draws_from_the_prior():
    trials = run(HalvingTPE(SPACE, seed=1, random_share=1.0), 300)
    new = [trial.config["x"] for trial in trials if trial.parent is None]
    assert abs(np.mean(np.array(new) < 0.5) - 0.5) < 0.12


def test_a_share_is_trained_to_the_end_after_the_first_bracket():
    trials = run(HalvingTPE(SPACE, seed=2, max_budget=9, whole_share=1.0), 200)
    new = [trial for trial in trials if trial.parent is None]
    ends = [trial for trial in trials if trial.budget == 9]
    # all but those of the first bracket, and one that is still on its way
    assert len(ends) >= len(new) - 9 - 1


def test_misleading_rungs_do_not_stop_the_search():
    def misleading(config, budget):
        gap = curve(config, 10**6)
        return gap if budget == 27 else -gap

    best = []
    for share in (0.0, 0.2):
        make = partial(HalvingTPE, whole_share=share)
        runs = [run(make(SPACE, seed=seed), 250, of=misleading) for seed in range(5)]
        best.append(np.median([min(t.value for t in r if t.budget == 27) for r in runs]))
    assert best[1] < best[0] / 3


# --- The median rule


def test_what_is_above_the_median_stops():
    trials = run(MedianRule(Random(SPACE, seed=3), max_budget=9, warmup=4), 80)
    seen = {1: [], 3: [], 9: []}
    parents = {trial.parent for trial in trials}
    for trial in trials[:-3]:
        before = seen[trial.budget]
        stops = trial.budget == 9 or (len(before) >= 4 and trial.value > median(before))
        assert (trial.number not in parents) == stops
        before.append(trial.value)
    assert 0 < len(seen[9]) < len(seen[3]) < len(seen[1])


def test_the_searcher_inside_is_told_of_whole_trainings():
    class Spy:
        def __init__(self):
            self.random, self.told = Random(SPACE, seed=1), []

        def ask(self):
            return self.random.ask()

        def tell(self, trial):
            self.random.tell(trial)
            self.told.append(trial)

    spy = Spy()
    trials = run(MedianRule(spy, max_budget=9), 100)
    assert [trial.number for trial in spy.told] == list(range(len(spy.told)))
    for inner in spy.told:
        last = [trial for trial in trials if trial.config == inner.config][-1]
        assert inner.value == last.value
        assert inner.state == ("done" if last.budget == 9 else "pruned")
        assert (inner.budget, inner.parent) == (None, None)


def test_the_median_rule_saves_and_the_searcher_inside_learns():
    trials = run(MedianRule(TPE(SPACE, seed=0), max_budget=9), 300)
    spent = sum(t.budget - (trials[t.parent].budget if t.parent is not None else 0) for t in trials)
    trainings = sum(trial.parent is None for trial in trials)
    assert spent < 0.75 * 9 * trainings
    assert min(t.value for t in trials if t.budget == 9) < curve({"x": 0.8, "y": 0.3}, 9) + 0.01
