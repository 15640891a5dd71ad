"""Grids equal products, without what does not count, and refined ones bracket a minimum."""

from itertools import product

import numpy as np
import pytest

from hpcourse.search import Box, Choice, Grid, Integer, Real, RefinedGrid, Trial, When


def configs(searcher):
    found = []
    while (suggestion := searcher.ask()) is not None:
        found.append(suggestion.config)
    return found


def test_a_grid_is_the_product_of_its_values():
    rates, drops, kinds = [1e-4, 1e-3, 1e-2], [0.4, 0.5, 0.6, 0.7], ["a", "b"]
    box = Box(
        {
            "kind": Choice(("a", "b")),
            "dropout": Real(0.0, 0.9),
            "lr": Real(1e-5, 1.0, log=True),
        }
    )
    found = configs(Grid(box, points={"dropout": drops, "lr": rates}))
    expected = list(product(kinds, drops, rates))
    assert [c["kind"] for c in found] == [kind for kind, _, _ in expected]
    got = np.array([(c["dropout"], c["lr"]) for c in found])
    assert np.allclose(got, [row[1:] for row in expected], rtol=1e-9)


def test_conditional_axes_bring_no_duplicates():
    box = Box(
        {
            "kind": Choice(("sgd", "adam")),
            "momentum": When("kind", "sgd", Real(0.0, 1.0)),
            "size": Integer(1, 3),
        }
    )
    found = configs(Grid(box, points=4))
    expected = [("sgd", m, s) for m in (0.125, 0.375, 0.625, 0.875) for s in (1, 2, 3)]
    expected += [("adam", None, s) for s in (1, 2, 3)]
    assert [(c["kind"], c.get("momentum"), c["size"]) for c in found] == expected


def test_an_order_drawn_from_the_seed_is_the_same_grid():
    box = Box({"a": Integer(1, 5), "b": Integer(1, 4)})
    plain = configs(Grid(box))
    shuffled = configs(Grid(box, seed=3, shuffle=True))
    assert plain != shuffled == configs(Grid(box, seed=3, shuffle=True))
    assert sorted(plain, key=str) == sorted(shuffled, key=str)


def test_many_integers_are_thinned_evenly():
    found = [c["n"] for c in configs(Grid(Box({"n": Integer(1, 100)}), points=4))]
    assert len(found) == 4
    assert np.ptp(np.diff(found)) <= 1


def test_bad_points_are_named():
    box = Box({"lr": Real(0.1, 1.0)})
    with pytest.raises(ValueError, match="name='rate'"):
        Grid(box, points={"rate": [0.1]})
    with pytest.raises(ValueError, match=r"'lr': Real needs a number in \[0.1, 1.0\]"):
        Grid(box, points={"lr": [2.0]})
    with pytest.raises(ValueError, match="needs a value of 'lr'"):
        Grid(box, points={"lr": []})
    with pytest.raises(ValueError, match="at most 100000 points, got points=1000000"):
        Grid(box, points=10**6)


@pytest.mark.parametrize("minimum", [-4.9, -3.2, 0.0, 2.71, 4.99])
def test_refined_grids_close_in_on_a_minimum(minimum):
    search = RefinedGrid(Box({"x": Real(-5.0, 5.0)}), points=3, rounds=9)
    errors, number = [], 0
    while (suggestion := search.ask()) is not None:
        x = suggestion.config["x"]
        errors.append(abs(x - minimum))
        trial = Trial(
            number=number, config=suggestion.config, seed=0, state="done", value=errors[-1] ** 1.5
        )
        search.tell(trial)
        number += 1
    # Every box is at most 2/3 as wide as the last, and holds the minimum.
    assert min(errors) < 10 * (2 / 3) ** 8


def test_refined_grids_need_an_inner_point():
    with pytest.raises(ValueError, match="points >= 3, got points=2"):
        RefinedGrid(Box({"x": Real(0.0, 1.0)}), points=2)
