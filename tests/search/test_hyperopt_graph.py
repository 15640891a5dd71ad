"""Spaces of hyperopt as boxes, against hyperopt's own sampler."""

import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from hyperopt import hp
from hyperopt.pyll import as_apply, scope
from hyperopt.pyll.stochastic import sample
from scipy import stats

from hpcourse.search import Box, Choice, Fixed, Integer, List, Normal, Real, Rounded

DRAWS = 1000


def drawn(space, count=DRAWS):
    graph = as_apply(space)
    rng = np.random.default_rng(0)
    return [sample(graph, rng) for _ in range(count)]


def ours(box, count=DRAWS):
    return [box.decode(u) for u in np.random.default_rng(1).random((count, box.dimension))]


def kind(config):
    """A configuration without its continuous numbers; tuples are lists in JSON."""
    if isinstance(config, dict):
        return tuple(sorted((name, kind(value)) for name, value in config.items()))
    if isinstance(config, list | tuple):
        return tuple(map(kind, config))
    return "x" if isinstance(config, float) else f"{type(config).__name__} {config}"


CONTINUOUS = {
    "uniform": (hp.uniform("x", -2, 3), Real(-2, 3)),
    "loguniform": (hp.loguniform("x", -7, -1), Real(np.exp(-7), np.exp(-1), log=True)),
    "normal": (hp.normal("x", 3, 2), Normal(3, 2)),
    "lognormal": (hp.lognormal("x", -5, 0.5), Normal(-5, 0.5, log=True)),
}
SEPARATE = {
    "quniform": (hp.quniform("x", 0, 11, 4), Rounded(Real(0, 11), 4.0)),
    "quniform of a part": (hp.quniform("x", 0.3, 2.2, 0.5), Rounded(Real(0.3, 2.2), 0.5)),
    "qloguniform": (
        hp.qloguniform("x", 0, 3, 2),
        Rounded(Real(1.0, np.exp(3), log=True), 2.0),
    ),
    "qnormal": (hp.qnormal("x", 1, 2, 1), Rounded(Normal(1, 2), 1.0)),
    "qlognormal": (hp.qlognormal("x", 0, 1, 0.5), Rounded(Normal(0, 1, log=True), 0.5)),
    "randint": (hp.randint("x", 5), Integer(0, 4)),
    "randint between": (hp.randint("x", 3, 9), Integer(3, 8)),
    "uniformint": (hp.uniformint("x", 2, 7), Rounded(Real(2, 7), 1, integer=True)),
    "int of quniform": (
        scope.int(hp.quniform("x", 16, 64, 16)),
        Rounded(Real(16, 64), 16, integer=True),
    ),
    "choice": (hp.choice("x", ["sgd", "adam", "adam"]), Choice(("sgd", "adam"), weights=(1, 2))),
    "pchoice": (
        hp.pchoice("x", [(0.2, 16), (0.0, 32), (0.8, 64)]),
        Choice((16, 64), weights=(0.2, 0.8)),
    ),
}


@pytest.mark.parametrize("name", CONTINUOUS)
def test_continuous_numbers_have_the_same_distribution(name):
    space, domain = CONTINUOUS[name]
    box = Box.from_hyperopt(space)
    assert box == Box({"x": domain})
    values = np.array(drawn(space))
    places = [box.encode({"x": float(value)})[0] for value in values]
    assert stats.kstest(places, stats.uniform.cdf).pvalue > 0.01


@pytest.mark.parametrize("name", SEPARATE)
def test_separate_values_have_the_same_probabilities(name):
    space, domain = SEPARATE[name]
    box = Box.from_hyperopt(space)
    assert box == Box({"x": domain})
    numbers = [int(domain.codes(box.encode({"x": plain(v)})[0])) for v in drawn(space)]
    found = np.bincount(numbers, minlength=domain.levels)
    expected = np.diff(np.array(domain.edges(np.arange(domain.levels))), axis=0)[0] * DRAWS
    rare = expected < 5  # pooled, as a chi-squared test needs
    found, expected = ([*a[~rare], a[rare].sum()] for a in (found, expected))
    keep = np.array(expected) > 1e-3
    assert not np.array(found)[~keep].any()
    found, expected = np.array(found)[keep], np.array(expected)[keep]
    assert stats.chisquare(found, expected * found.sum() / expected.sum()).pvalue > 0.01


def plain(value):
    return value.item() if hasattr(value, "item") else value


NESTED = {
    "lr": hp.loguniform("lr", -9, 0),
    "epochs": 5,
    "betas": (0.9, [0.99, "x"]),
    "optimizer": hp.choice(
        "optimizer",
        [
            {"name": "sgd", "momentum": hp.uniform("momentum", 0, 1)},
            {"name": "adam", "decay": hp.choice("decay", [None, hp.uniform("rate", 0, 1)])},
            "lbfgs",
            ["list", hp.randint("entry", 2)],
        ],
    ),
    "layers": [hp.randint("first", 1, 3), {"second": hp.normal("second", 0, 1)}],
}


def test_conditions_lists_and_dicts_keep_their_form():
    box = Box.from_hyperopt(NESTED)
    assert [axis.name for axis in box.axes][:3] == ["lr", "optimizer", "optimizer.momentum"]
    assert box.parameters["epochs"] == Fixed(5)
    assert box.parameters["betas"] == Fixed([0.9, [0.99, "x"]])
    assert isinstance(box.parameters["layers"], List)
    theirs, mine = (Counter(map(kind, configs)) for configs in (drawn(NESTED), ours(box)))
    assert theirs.keys() == mine.keys()
    found = np.array([[theirs[name], mine[name]] for name in theirs])
    assert stats.chi2_contingency(found).pvalue > 0.01
    assert Counter(kind(box.decode(box.encode(config))) for config in ours(box, 50)) == Counter(
        map(kind, ours(box, 50))
    )


def test_one_label_in_branches_that_exclude_each_other():
    rate = hp.uniform("rate", 0, 1)
    space = hp.choice("kind", [{"a": rate}, {"b": rate}])
    box = Box.from_hyperopt(space)
    assert box == Box({"kind": Choice((Box({"a": Real(0, 1)}), Box({"b": Real(0, 1)})))})


def test_a_list_of_expressions_is_called_by_their_labels():
    box = Box.from_hyperopt([hp.uniform("x", 0, 1), hp.choice("kind", ["a", "b"])])
    assert list(box.parameters) == ["x", "kind"]


RATE = hp.uniform("rate", 0, 1)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"x": 2 * hp.uniform("x", 0, 1)}, "not what is computed, at 'x', got expression='mul'"),
        ({"a": RATE, "b": RATE}, "each label at one place at a time, got label='rate'"),
        ({"f": hp.choice("f", [print, 1])}, "needs JSON values, got f<0>=<built-in function print"),
        ({"n": scope.int(hp.uniform("n", 0, 9))}, "'n': only a quantised number can be an integer"),
        ({"n": scope.int(hp.quniform("n", 0, 9, 0.5))}, "'n': an integer needs an integer step"),
        ({"x": hp.uniform("x", 0, hp.uniform("y", 1, 2))}, "needs numbers for 'x', got high="),
        ({"e": 5, "f": [1]}, ""),
    ],
)
def test_what_has_no_place_in_a_box_is_quoted(space, message):
    if not message:
        assert Box.from_hyperopt(space).dimension == 0
        return
    with pytest.raises(ValueError, match=message):
        Box.from_hyperopt(space)


def test_reading_needs_no_hyperopt():
    read = "import sys, hpcourse.search as search; search.Box.from_hyperopt({'a': 1})"
    code = f"{read}; print('hyperopt' in sys.modules)"
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "False\n"
