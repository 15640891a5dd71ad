"""The boxes of the narrowing search are those stated."""

import numpy as np
import pytest

from hpcourse.search import Box, Choice, Integer, Narrowing, Real, Trial

BOX = Box(
    {
        "lr": Real(1e-5, 1.0, log=True),
        "batch": Choice((16, 32, 64, 128, 256), ordered=True),
        "width": Integer(8, 512, log=True),
        "dropout": Real(0.0, 0.9),
        "kind": Choice(("a", "b", "c")),
    }
)
BEST = {"lr": 1e-2, "batch": 64, "width": 100, "dropout": 0.3, "kind": "b"}


def told(search, configs, values, first=0):
    for number, (config, value) in enumerate(zip(configs, values, strict=True), start=first):
        search.tell(Trial(number=number, config=config, seed=0, state="done", value=value))


def drawn(search, count=200):
    return [search.ask().config for _ in range(count)]


def ends(configs, name):
    values = [config[name] for config in configs]
    return min(values), max(values)


def test_the_first_box_goes_from_half_to_twice_the_best():
    search = Narrowing(BOX, size=2)
    told(search, [BEST, BEST | {"lr": 1e-4}], [0.0, 1.0], first=900)
    configs = drawn(search)
    for name in ("lr", "width", "dropout"):
        low, high = ends(configs, name)
        assert BEST[name] / 2 <= low < BEST[name] < high <= 2 * BEST[name]
        assert low < 0.55 * BEST[name]
        assert high > 1.8 * BEST[name]
    assert {config["batch"] for config in configs} == {32, 64, 128}
    assert {config["kind"] for config in configs} == {"b"}


def test_boxes_halve_while_it_improves_and_then_the_space_is_whole_again():
    search, widths = Narrowing(BOX, size=1), []
    log_width = np.log(4) / np.log(1e5)
    for number, value in enumerate([3.0, 2.0, 1.0, 1.5, 2.5]):
        told(search, [BEST], [value], first=900 + number)
        low, high = search.box
        widths.append((high - low)[0])
    expected = [log_width, log_width / 2, log_width / 4, 1.0, log_width]
    # After the stall the next round has a best of its own, though it is worse than 1.0.
    assert np.allclose(widths, expected, atol=1e-9)


def test_what_has_no_ratio_is_narrowed_by_its_place():
    box = Box({"x": Real(-4.0, 4.0), "size": Choice(("s", "m", "l", "xl"), ordered=True)})
    search = Narrowing(box, size=1)
    told(search, [{"x": -2.0, "size": "s"}], [0.0], first=900)
    low, high = search.box
    assert np.allclose(low, [0.0, 0.0], atol=1e-9)
    assert np.allclose(high, [0.5, 0.5], atol=1e-9)


def test_a_round_in_which_all_fail_keeps_the_whole_space():
    search = Narrowing(BOX, size=3)
    for number in range(3):
        config = search.ask().config
        search.tell(Trial(number=number, config=config, seed=0, state="failed", error="diverged"))
    assert np.array_equal(search.box, (np.zeros(5), np.ones(5)))


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="factor > 1, got factor=1"):
        Narrowing(BOX, factor=1)
    with pytest.raises(ValueError, match="size >= 1, got size=0"):
        Narrowing(BOX, size=0)
