"""Optuna's own public cases for samplers, on every searcher that can be a sampler of optuna."""

import inspect
from functools import partial

import pytest

optuna = pytest.importorskip("optuna", reason="needs the extra `search`")
pytest.importorskip("hpcourse.interop.optuna", reason="needs the extra `search`")

from optuna.testing import pytest_samplers as cases  # noqa: E402

from hpcourse import search  # noqa: E402
from hpcourse.interop.optuna import SearcherSampler  # noqa: E402

# Few random starts, so that the models answer within the cases' few trials, as optuna has it for
# its own samplers.
SEARCHERS = {
    "Random": search.Random,
    "QuasiRandom": search.QuasiRandom,
    "Grid": partial(search.Grid, shuffle=True),
    "RefinedGrid": search.RefinedGrid,
    "Narrowing": search.Narrowing,
    "TPE": partial(search.TPE, starts=2),
    "GP": partial(search.GP, start=2),
    "Forest": partial(search.Forest, starts=2),
    "Auto": search.Auto,
    "CMAES": search.CMAES,
    "Evolution": partial(search.Evolution, population=2, tournament=2),
    "QLearning": search.QLearning,
    "PolicyGradient": search.PolicyGradient,
}

ASKING = {name for name in search.__all__ if hasattr(getattr(search, name), "ask")}
BUDGETED = {
    name for name in ASKING if "max_budget" in inspect.signature(getattr(search, name)).parameters
}
"""They suggest budgets, which optuna cannot pass to an objective: refused, and tested so below."""

ONE_NUMBER = "searches the single number of its space, where the cases have two and categories"
LEFT_OUT = {
    "Bisection": ONE_NUMBER,
    "GoldenSection": ONE_NUMBER,
    "TernarySearch": ONE_NUMBER,
    "Manual": "follows a procedure for a learning rate and a batch size, by these names",
    "Searcher": "is the protocol itself",
    "Session": "stores what another searcher suggests",
}
"""Other exported names that ask and tell, but are no sampler, and why."""

CASES_LEFT_OUT = {
    "MultiObjectiveSamplerTestCase": "our searchers minimise one value; `SingleOnly...` is run",
}


class TestOptunasOwnCases(
    cases.BasicSamplerTestCase,
    cases.RelativeSamplerTestCase,
    cases.SingleOnlySamplerTestCase,
):
    @pytest.fixture(autouse=True)
    def _quiet(self):
        level = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        yield
        optuna.logging.set_verbosity(level)

    @pytest.fixture(params=SEARCHERS)
    def sampler(self, request):
        return partial(SearcherSampler, SEARCHERS[request.param], seed=1)


def test_no_class_of_cases_is_left_out_silently():
    public = {
        name
        for name, found in inspect.getmembers(cases, inspect.isclass)
        if found.__module__ == cases.__name__ and name.endswith("TestCase") and name[0] != "_"
    }
    run = {base.__name__ for base in TestOptunasOwnCases.__bases__}
    assert public == run | set(CASES_LEFT_OUT)
    assert not run & set(CASES_LEFT_OUT)


def test_no_case_is_lost():
    """Each test of the classes is collected under its own name."""
    for base in TestOptunasOwnCases.__bases__:
        for name in dir(base):
            if name.startswith("test"):
                assert getattr(TestOptunasOwnCases, name) is getattr(base, name)


def test_no_searcher_is_left_out_silently():
    assert set(SEARCHERS) | set(LEFT_OUT) | BUDGETED == ASKING
    assert len(ASKING) == len(SEARCHERS) + len(LEFT_OUT) + len(BUDGETED)


@pytest.mark.parametrize("name", sorted(BUDGETED))
def test_searchers_with_budgets_are_refused(name):
    def make(space, seed):
        if name == "MedianRule":
            return search.MedianRule(search.Random(space, seed=seed))
        return getattr(search, name)(space, seed=seed)

    space = search.Box({"x": search.Real(0.0, 1.0)})
    study = optuna.create_study(sampler=SearcherSampler(make, space))
    with pytest.raises(ValueError, match="a searcher without budgets, got suggestion"):
        study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)


@pytest.mark.parametrize("name", [name for name, why in LEFT_OUT.items() if why == ONE_NUMBER])
def test_searches_of_one_number_work_on_one_and_refuse_two(name):
    def objective(trial):
        return abs(trial.suggest_float("x", 0, 1) - 0.3) + trial.suggest_float("y", 0, 1)

    make = getattr(search, name)
    one = search.Box({"x": search.Real(0.0, 1.0)})
    study = optuna.create_study(sampler=SearcherSampler(make, one))
    study.optimize(lambda trial: abs(trial.suggest_float("x", 0, 1) - 0.3), n_trials=8)
    assert len(study.trials) == 8
    two = search.Box({"x": search.Real(0.0, 1.0), "y": search.Real(0.0, 1.0)})
    study = optuna.create_study(sampler=SearcherSampler(make, two))
    with pytest.raises(ValueError, match=name):
        study.optimize(objective, n_trials=1)
