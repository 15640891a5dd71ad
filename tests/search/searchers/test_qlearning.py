"""Q-values against a computation by hand, and their limit on a tree that is known."""

import numpy as np
import pytest

from hpcourse.search import METAQNN, Box, Choice, QLearning, Real, Trial, When

PAIR = Box({"a": Choice((0, 1)), "b": Choice((0, 1, 2))})
TREE = Box(
    {
        "kind": Choice(("x", "y")),
        "left": When("kind", "x", Choice((0, 1))),
        "right": When("kind", "y", Choice((0, 1, 2))),
    }
)


def tell(search, number, config, value):
    search.tell(Trial(number=number, config=config, seed=0, state="done", value=value))


def test_one_replay_is_the_equation():
    search = QLearning(PAIR, rate=0.25, replays=1)
    tell(search, 90, {"a": 0, "b": 2}, -8.0)
    # All is worth the mean reward, 8, so that nothing is learned from the first.
    assert search.value((), 0, 0) == search.value(((0, 0),), 1, 2) == 8.0
    tell(search, 91, {"a": 0, "b": 1}, -4.0)
    # b = 1 was never tried and counts as the mean, (8 + 4) / 2; its reward is 4.
    assert search.value(((0, 0),), 1, 1) == 6 + 0.25 * (4 - 6)
    # a = 0 leads to max(6 untried, 5.5, 8) = 8.
    assert search.value((), 0, 0) == 8 + 0.25 * (8 - 8)
    tell(search, 92, {"a": 1, "b": 0}, 0.0)
    # Mean reward 4: b = 0 after a = 1 becomes 4 + 0.25 (0 - 4) = 3, its best stays 4.
    assert search.value(((0, 1),), 1, 0) == 3.0
    assert search.value((), 0, 1) == 4.0


def test_the_limit_on_a_known_tree():
    losses = {("x", 0): 3.0, ("x", 1): 1.0, ("y", 0): 2.0, ("y", 1): 5.0, ("y", 2): 0.5}
    search = QLearning(TREE, rate=0.2, replays=20, noisy=True, schedule=((1.0, 1),))
    number = 0
    for _ in range(40):
        for (kind, option), loss in losses.items():
            name = "left" if kind == "x" else "right"
            tell(search, 900 + number, {"kind": kind, name: option}, loss)
            number += 1
    for (kind, option), loss in losses.items():
        code, column = (0, 1) if kind == "x" else (1, 2)
        assert search.value(((0, code),), column, option) == pytest.approx(-loss, abs=0.02)
    assert search.value((), 0, 0) == pytest.approx(-1.0, abs=0.05)
    assert search.value((), 0, 1) == pytest.approx(-0.5, abs=0.05)
    greedy = QLearning(TREE, noisy=True, schedule=((0.0, 1),))
    greedy._q = search._q
    assert greedy.ask().config == {"kind": "y", "right": 2}


def test_a_memory_of_one_choice_forgets_the_ones_before():
    box = Box({name: Choice((0, 1)) for name in "abc"})
    for memory, same in ((1, True), (2, False)):
        search = QLearning(box, memory=memory, rate=1.0, replays=1)
        for number, a in enumerate((0, 1)):
            tell(search, 90 + number, {"a": a, "b": 0, "c": 0}, float(a))
        first = search._steps(box.encode({"a": 0, "b": 0, "c": 0}))[-1]
        second = search._steps(box.encode({"a": 1, "b": 0, "c": 0}))[-1]
        assert (search.value(*first) == search.value(*second)) == same


def test_epsilon_follows_the_schedule_of_the_paper():
    search = QLearning(
        Box({"x": Real(0.0, 1.0)}), schedule=((1.0, 2), (0.5, 1), (0.1, 1)), replays=1
    )
    found = []
    for _ in range(6):
        found.append(search.epsilon)
        search.ask()
    assert found == [1.0, 1.0, 0.5, 0.1, 0.1, 0.1]
    assert sum(trials for _, trials in METAQNN) == 2700
    assert METAQNN[0] == (1.0, 1500)


def test_it_comes_to_prefer_what_is_good():
    box = Box({"x": Real(0.0, 1.0), "kind": Choice(("a", "b", "c"))})
    search, good = QLearning(box, seed=1, rate=0.1, levels=5), []
    for number in range(120):
        config = search.ask().config
        good.append(config["kind"] == "b" and 0.4 <= config["x"] < 0.6)
        loss = (config["x"] - 0.5) ** 2 + (config["kind"] != "b")
        tell(search, number, config, loss)
    assert np.mean(good[-30:]) > 0.5 > 3 * np.mean(good[:30])


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match=r"epsilon in \[0, 1\], got epsilon=1.5"):
        QLearning(PAIR, schedule=((1.5, 3),))
    with pytest.raises(ValueError, match="memory >= 0, got memory=-1"):
        QLearning(PAIR, memory=-1)
    with pytest.raises(ValueError, match=r"rate in \(0, 1\], got rate=0"):
        QLearning(PAIR, rate=0)
