"""Hyperopt's programs with our searchers and spaces, and its algorithms as searchers."""

import json
import math
from functools import partial

import numpy as np
import pytest

hyperopt = pytest.importorskip("hyperopt", reason="needs the extra `search`")
adapter = pytest.importorskip("hpcourse.interop.hyperopt", reason="needs the extra `search`")

from hyperopt import anneal, fmin, hp, rand, space_eval, tpe  # noqa: E402
from hyperopt.pyll.stochastic import sample  # noqa: E402
from scipy import stats  # noqa: E402

from hpcourse import search  # noqa: E402
from hpcourse.interop._hyperopt_space import label_space  # noqa: E402
from hpcourse.search import (  # noqa: E402
    Box,
    Choice,
    Integer,
    List,
    Normal,
    Random,
    Real,
    Suggestion,
    Trial,
    When,
    minimize,
)

HyperoptSearcher, suggest_with = adapter.HyperoptSearcher, adapter.suggest_with
fmin = partial(fmin, show_progressbar=False)

MIXED = Box(
    {
        "lr": Real(1e-4, 1e-1, log=True),
        "depth": Integer(1, 6),
        "width": Integer(8, 256, log=True),
        "rate": Real(0.0, 0.5, step=0.1),
        "decay": Normal(-7.0, 1.0, log=True),
        "drop": Normal(0.15, 0.1, low=0.0, high=0.9),
        "batch": Choice((16, 32, 64), ordered=True),
        "kernel": Choice(([3, 3], [1, 5]), weights=(1, 3)),
    }
)
CONDITIONAL = Box(
    {
        "optimizer": Choice(("sgd", "adam")),
        "momentum": When("optimizer", "sgd", Real(0.0, 0.99)),
        "layers": Integer(1, 3),
        "units": List(Integer(8, 64, log=True), "layers"),
        "head": Choice(
            (Box({"lr": Real(0.0, 1.0)}), Box({"lr": Real(2.0, 3.0), "b": Choice((1, 2))}))
        ),
    }
)
SPACES = {"mixed": MIXED, "conditional": CONDITIONAL}
SEARCHERS = {name: getattr(search, name) for name in ("Random", "TPE") if hasattr(search, name)}
GRAPH = hp.choice(
    "model",
    [
        {"kind": "svm", "C": hp.lognormal("C", 0, 1)},
        {
            "kind": "mlp",
            "lr": hp.loguniform("lr", math.log(1e-4), math.log(1e-1)),
            "units": hp.quniform("units", 16, 64, 16),
            "layers": hp.uniformint("layers", 1, 3),
            "drop": hp.choice("drop", [0, hp.uniform("rate", 0.1, 0.5)]),
            "seed": hp.randint("seed", 5),
        },
    ],
)


@pytest.fixture(params=SPACES, name="space")
def _space(request):
    return SPACES[request.param]


def loss(config):
    """Deterministic, and different for each configuration."""
    text = json.dumps(config, sort_keys=True)
    return (sum(ord(letter) * (3 + place % 7) for place, letter in enumerate(text)) % 997) / 997


def near(one, other):
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(near(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(near, one, other))
    return one == pytest.approx(other, rel=1e-9) if isinstance(one, float) else one == other


@pytest.mark.parametrize("algo", [tpe.suggest, rand.suggest, suggest_with(Random)])
def test_the_objective_gets_our_configurations_and_so_do_we(space, algo):
    graph, trials, seen = adapter.to_hyperopt(space), hyperopt.Trials(), []

    def objective(config):
        seen.append(config)
        return loss(config)

    best = fmin(
        objective, graph, algo=algo, max_evals=25, trials=trials, rstate=np.random.default_rng(1)
    )
    study = adapter.from_trials(trials, graph)
    assert [trial.config for trial in study.trials] == seen
    assert [trial.value for trial in study.trials] == [loss(config) for config in seen]
    assert all(near(space.decode(space.encode(config)), config) for config in seen)
    assert space_eval(graph, best) == study.best.config


def test_a_graph_draws_from_the_prior_of_the_space(space):
    """Hyperopt's own draws against ours, each coordinate by a two-sample test."""
    graph, rng = adapter.to_hyperopt(space), np.random.default_rng(3)
    theirs = [space.encode(sample(graph, rng)) for _ in range(500)]
    ours = [space.encode(space.decode(rng.random(space.dimension))) for _ in range(500)]
    for column in range(space.dimension):
        one, other = ([u[column] for u in points] for points in (theirs, ours))
        assert stats.ks_2samp(one, other).pvalue > 1e-3


def test_the_labels_of_a_graph_are_a_space_of_what_it_draws():
    labels, trials = label_space(GRAPH), hyperopt.Trials()
    fmin(lambda config: 0.0, GRAPH, algo=rand.suggest, max_evals=60, trials=trials)
    for document in trials.trials:
        drawn = {k: v[0].item() for k, v in document["misc"]["vals"].items() if v}
        assert near(labels.decode(labels.encode(drawn)), drawn)
    counts = {axis.name: axis.conditions for axis in labels.axes}
    place = {axis.name: number for number, axis in enumerate(labels.axes)}
    assert counts["model"] == ()
    assert counts["C"] == ((place["model"], frozenset({0})),)
    assert counts["rate"] == (
        (place["model"], frozenset({1})),
        (place["drop"], frozenset({1})),
    )


@pytest.mark.parametrize("make", SEARCHERS.values(), ids=SEARCHERS)
def test_fmin_with_a_searcher_is_that_search(make):
    trials, seen = hyperopt.Trials(), []

    def objective(config):
        seen.append(config)
        return loss(config)

    fmin(objective, GRAPH, algo=suggest_with(make, seed=4), max_evals=25, trials=trials)
    labels = label_space(GRAPH)
    own = minimize(
        lambda trial: loss(space_eval(GRAPH, trial.config)),
        make(labels, seed=4),
        trials=25,
        progress=False,
    )
    assert seen == [space_eval(GRAPH, trial.config) for trial in own.trials]


def test_the_seed_of_fmin_is_the_seed_of_the_search():
    def run(seed):
        trials = hyperopt.Trials()
        rstate = np.random.default_rng(seed)
        fmin(loss, GRAPH, algo=suggest_with(Random), max_evals=8, trials=trials, rstate=rstate)
        return trials.vals

    assert run(1) == run(1) != run(2)


class Listening(Random):
    told: list[Trial] = []  # noqa: RUF012

    def tell(self, trial):
        self.told.append(trial)
        super().tell(trial)


def test_failures_and_earlier_trials_are_told(monkeypatch):
    monkeypatch.setattr(Listening, "told", [])
    trials, space = hyperopt.Trials(), hp.uniform("x", -1, 1)
    fmin(lambda x: x, space, algo=rand.suggest, max_evals=3, trials=trials)

    calls = iter(range(3, 10))

    def objective(x):
        number = next(calls)
        if number == 4:
            raise OSError("disk full")
        if number == 5:
            return {"status": "fail", "error": "x = 0 is invalid"}
        return math.nan if number == 6 else x

    fmin(
        objective,
        space,
        algo=suggest_with(Listening),
        max_evals=10,
        trials=trials,
        catch_eval_exceptions=True,
    )
    told = Listening.told
    assert [trial.state for trial in told[:3]] == ["done"] * 3
    failed = [trial for trial in told if trial.state == "failed"]
    assert "disk full" in failed[0].error
    assert [t.error for t in failed[1:]] == ["x = 0 is invalid", "loss=nan"]
    assert [trial.number for trial in told[3:]] == list(range(len(told) - 3))


def test_a_used_up_space_ends_the_search():
    trials = hyperopt.Trials()
    fmin(
        loss,
        {"a": hp.choice("a", [1, 2, 3])},
        algo=suggest_with(Random),
        max_evals=9,
        trials=trials,
    )
    assert sorted(trials.vals["a"]) == [0, 1, 2]


def test_a_choice_is_no_integer():
    kinds = {axis.name: type(axis.domain).__name__ for axis in label_space(GRAPH).axes}
    assert (kinds["drop"], kinds["seed"]) == ("Choice", "Integer")
    (axis,) = label_space({"a": hp.choice("a", [8, 16])}).axes
    assert isinstance(axis.domain, Choice)


def test_budgets_and_unknown_distributions_are_refused():
    class Halving(Random):
        def ask(self):
            return Suggestion(config=super().ask().config, budget=3)

    with pytest.raises(ValueError, match="a searcher without budgets, got suggestion"):
        fmin(loss, GRAPH, algo=suggest_with(Halving), max_evals=1)
    with pytest.raises(ValueError, match="no 'C' in a trial"):
        label_space(GRAPH).encode({"model": 0})
    with pytest.raises(ValueError, match="seed >= 0, got seed=-1"):
        HyperoptSearcher(MIXED, seed=-1)


@pytest.mark.parametrize("algo", [tpe.suggest, rand.suggest, anneal.suggest])
def test_a_searcher_of_hyperopt_suggests_what_fmin_does(space, algo):
    """An oracle: the same algorithm driven by hyperopt itself, with the same seeds."""
    graph, seen = adapter.to_hyperopt(space), []

    def objective(config):
        seen.append(config)
        return loss(config)

    rstate = np.random.default_rng(6)
    fmin(objective, graph, algo=algo, max_evals=30, rstate=rstate)
    own = minimize(
        lambda trial: loss(trial.config),
        HyperoptSearcher(space, algo, seed=6),
        trials=30,
        progress=False,
    )
    assert [trial.config for trial in own.trials] == seen


def test_a_searcher_of_hyperopt_minds_what_it_is_told():
    searcher = HyperoptSearcher(MIXED, seed=1)
    config = searcher.ask().config
    failed = Trial(number=0, config=config, seed=0, state="failed", error="diverged")
    searcher.tell(failed)
    assert searcher._trials.statuses() == ["fail"]
    with pytest.raises(ValueError, match="was not told before, got number=0"):
        searcher.tell(failed)
    with pytest.raises(ValueError, match="a trial it asked for, got Trial"):
        searcher.tell(Trial(number=5, config=config, seed=0, state="done", value=1.0))
