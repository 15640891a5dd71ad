"""Our searchers as a sampler of optuna, its samplers as searchers, and studies both ways."""

import json
import pickle
import warnings
from functools import partial

import numpy as np
import pytest

optuna = pytest.importorskip("optuna", reason="needs the extra `search`")
adapter = pytest.importorskip("hpcourse.interop.optuna", reason="needs the extra `search`")

from optuna.samplers import CmaEsSampler, RandomSampler, TPESampler  # noqa: E402
from optuna.storages import JournalStorage  # noqa: E402
from optuna.storages.journal import JournalFileBackend  # noqa: E402
from optuna.trial import TrialState  # noqa: E402

from hpcourse import search  # noqa: E402
from hpcourse.search import (  # noqa: E402
    Box,
    Choice,
    Integer,
    List,
    Normal,
    Random,
    Real,
    Study,
    Suggestion,
    Trial,
    When,
    minimize,
)

OptunaSearcher, SearcherSampler = adapter.OptunaSearcher, adapter.SearcherSampler

MIXED = Box(
    {
        "lr": Real(1e-4, 1e-1, log=True),
        "depth": Integer(1, 6),
        "rate": Real(0.0, 0.5, step=0.1),
        "decay": Normal(-7.0, 1.0, log=True),
        "batch": Choice((16, 32, 64), ordered=True),
        "kernel": Choice(([3, 3], [1, 5])),
    }
)
CONDITIONAL = Box(
    {
        "optimizer": Choice(("sgd", "adam")),
        "momentum": When("optimizer", "sgd", Real(0.0, 0.99)),
        "layers": Integer(1, 3),
        "units": List(Integer(8, 64, log=True), "layers"),
        "head": Choice((Box({"lr": Real(0.0, 1.0)}), Box({"lr": Real(2.0, 3.0), "b": Real(0, 1)}))),
    }
)
SPACES = {"mixed": MIXED, "conditional": CONDITIONAL}
SEARCHERS = {name: getattr(search, name) for name in ("Random", "TPE") if hasattr(search, name)}


@pytest.fixture(autouse=True)
def _quiet():
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(level)


@pytest.fixture(params=SPACES, name="space")
def _space(request):
    return SPACES[request.param]


def loss(config):
    """Deterministic, and different for each configuration."""
    text = json.dumps(config, sort_keys=True)
    return (sum(ord(letter) * (3 + place % 7) for place, letter in enumerate(text)) % 997) / 997


def objective_over(space):
    return lambda trial: loss(adapter.suggest(trial, space))


@pytest.mark.parametrize("make", SEARCHERS.values(), ids=SEARCHERS)
def test_a_study_is_the_search_that_it_would_be_without_optuna(make, space):
    study = optuna.create_study(sampler=SearcherSampler(make, space, seed=3))
    study.optimize(objective_over(space), n_trials=25)
    own = minimize(lambda trial: loss(trial.config), make(space, seed=3), trials=25, progress=False)
    found = adapter.from_optuna(study, space)
    for trial, other in zip(found.trials, own.trials, strict=True):
        assert near(trial.config, other.config)


def near(one, other):
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(near(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(near, one, other))
    return one == pytest.approx(other, rel=1e-9) if isinstance(one, float) else one == other


@pytest.mark.parametrize("make", SEARCHERS.values(), ids=SEARCHERS)
def test_a_study_loaded_again_goes_on_as_if_it_had_never_stopped(make, space, tmp_path):
    storage = JournalStorage(JournalFileBackend(str(tmp_path / "study.log")))
    whole = optuna.create_study(sampler=SearcherSampler(make, space, seed=5))
    whole.optimize(objective_over(space), n_trials=20)
    for _ in range(2):
        part = optuna.create_study(
            study_name="part",
            storage=storage,
            load_if_exists=True,
            sampler=SearcherSampler(make, space, seed=5),
        )
        part.optimize(objective_over(space), n_trials=10)
    assert [t.params for t in part.trials] == [t.params for t in whole.trials]


def test_trials_of_another_sampler_are_evidence():
    told = []

    class Listening(Random):
        def tell(self, trial):
            told.append(trial)
            super().tell(trial)

    space = Box({"x": Real(0.0, 1.0)})
    study = optuna.create_study(direction="maximize", sampler=RandomSampler(seed=0))
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=5)
    study.add_trial(
        optuna.create_trial(
            params={"x": 7.0},
            distributions={"x": optuna.distributions.FloatDistribution(0, 9)},
            value=1.0,
        )
    )
    study.sampler = SearcherSampler(Listening, space, seed=1)
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=3)
    study.optimize(failing, n_trials=1, catch=(OSError,))
    study.optimize(pruned, n_trials=1)
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    assert len(told) == 5 + 3 + 2  # the one outside of the space says nothing
    assert [trial.value for trial in told[:5]] == [-t.value for t in study.trials[:5]]
    assert [trial.state for trial in told] == ["done"] * 8 + ["failed", "pruned"]
    assert told[-1].value == -0.25
    assert [trial.number for trial in told[5:]] == [0, 1, 2, 3, 4]


def failing(trial):
    trial.suggest_float("x", 0, 1)
    raise OSError("disk full")


def pruned(trial):
    trial.suggest_float("x", 0, 1)
    trial.report(0.25, step=3)
    raise optuna.TrialPruned


def test_threads_share_one_search():
    study = optuna.create_study(sampler=SearcherSampler(Random, MIXED, seed=2))
    study.optimize(objective_over(MIXED), n_trials=30, n_jobs=3)
    assert len({json.dumps(t.params, sort_keys=True) for t in study.trials}) == 30


def test_a_finite_space_that_is_used_up_goes_on_at_random():
    space = Box({"a": Choice((1, 2)), "b": Choice((True, False))})
    study = optuna.create_study(sampler=SearcherSampler(Random, space, seed=0))
    study.optimize(objective_over(space), n_trials=9)
    first = {json.dumps(t.params) for t in study.trials[:4]}
    assert len(first) == 4
    assert all(t.state == TrialState.COMPLETE for t in study.trials)


def test_it_pickles_and_keeps_its_place():
    study = optuna.create_study(sampler=SearcherSampler(Random, MIXED, seed=2))
    study.optimize(objective_over(MIXED), n_trials=4)
    copy = pickle.loads(pickle.dumps(study.sampler))
    args = study, study.trials[-1], adapter.to_distributions(MIXED)
    assert copy.sample_relative(*args) == study.sampler.sample_relative(*args)


def test_budgets_and_bad_seeds_are_refused():
    class Halving(Random):
        def ask(self):
            return Suggestion(config=super().ask().config, budget=3)

    study = optuna.create_study(sampler=SearcherSampler(Halving, MIXED))
    with pytest.raises(ValueError, match="a searcher without budgets, got suggestion"):
        study.optimize(objective_over(MIXED), n_trials=1)
    for make in (partial(SearcherSampler, Random), partial(OptunaSearcher, MIXED)):
        with pytest.raises(ValueError, match="seed >= 0, got seed=-1"):
            make(seed=-1)


# Optuna behind our protocol


@pytest.mark.parametrize(
    "make", [TPESampler, partial(TPESampler, multivariate=False), RandomSampler], ids=str
)
def test_an_optuna_searcher_suggests_what_optuna_does(make):
    """An oracle without our space: the same sampler on optuna's own define-by-run study."""
    space = Box({"lr": Real(1e-4, 1e-1, log=True), "depth": Integer(1, 6), "m": Real(0.0, 0.9)})
    own = minimize(
        lambda trial: loss_of(trial.config),
        OptunaSearcher(space, make, seed=4),
        trials=25,
        progress=False,
    )
    study = optuna.create_study(sampler=make(seed=4))
    study.optimize(
        lambda t: loss_of(
            {
                "lr": t.suggest_float("lr", 1e-4, 1e-1, log=True),
                "depth": t.suggest_int("depth", 1, 6),
                "m": t.suggest_float("m", 0.0, 0.9),
            }
        ),
        n_trials=25,
    )
    for trial, other in zip(own.trials, study.trials, strict=True):
        assert trial.config == pytest.approx(other.params, rel=1e-9)


def loss_of(config):
    return np.log10(config["lr"] / 0.01) ** 2 + (config["depth"] - 3) ** 2 + config["m"]


@pytest.mark.parametrize("make", [TPESampler, RandomSampler, CmaEsSampler])
def test_configurations_belong_to_the_space(make, space):
    searcher = OptunaSearcher(space, quietly(make), seed=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        for number in range(14):
            suggestion = searcher.ask()
            assert near(space.decode(space.encode(suggestion.config)), suggestion.config)
            searcher.tell(told(number, suggestion.config))


def quietly(make):
    return partial(make, warn_independent_sampling=False) if make is CmaEsSampler else make


def told(number, config, state="done"):
    if state == "failed":
        return Trial(number=number, config=config, seed=0, state=state, error="diverged")
    return Trial(number=number, config=config, seed=0, state=state, value=loss(config))


def test_a_searcher_of_optuna_minds_what_it_is_told(space):
    searcher = OptunaSearcher(space, TPESampler, seed=1)
    suggestions = [searcher.ask() for _ in range(3)]
    for number, state in enumerate(("done", "failed", "pruned")):
        searcher.tell(told(number, suggestions[number].config, state))
    stranger = space.decode(np.full(space.dimension, 0.25))
    searcher.tell(told(77, stranger))
    states = [trial.state for trial in searcher._study.trials]
    assert states == [
        TrialState.COMPLETE,
        TrialState.FAIL,
        TrialState.PRUNED,
        TrialState.COMPLETE,
    ]
    with pytest.raises(ValueError, match="was not told before, got number=0"):
        searcher.tell(told(0, suggestions[0].config))
    running = Trial(number=0, config=suggestions[0].config, seed=0)
    with pytest.raises(ValueError, match="needs an ended trial, got number=0"):
        searcher.tell(running)


# Studies both ways


def test_a_study_survives_the_way_there_and_back(space):
    rng = np.random.default_rng(0)
    configs = [space.decode(rng.random(space.dimension)) for _ in range(9)]
    states = ["done", "failed", "pruned"] * 3
    trials = tuple(map(told, range(9), configs, states))
    there = adapter.to_optuna(Study(trials), space)
    back = adapter.from_optuna(there, space)
    for trial, again in zip(trials, back.trials, strict=True):
        assert near(dict(trial.config), dict(again.config))
        assert (trial.state, trial.value, trial.error) == (again.state, again.value, again.error)


def test_values_are_values_in_optuna():
    config = MIXED.decode(np.full(6, 0.5))
    study = adapter.to_optuna(Study((told(0, config),)), MIXED)
    assert study.best_params["batch"] == 32
    assert study.best_params["depth"] == config["depth"]
    assert json.loads(study.best_params["kernel"]) == config["kernel"]


def test_a_study_of_another_space_is_refused():
    study = optuna.create_study(sampler=RandomSampler(seed=0))
    study.optimize(lambda trial: trial.suggest_float("y", 0, 1), n_trials=1)
    with pytest.raises(ValueError, match="no 'lr' in a trial"):
        adapter.from_optuna(study, MIXED)
