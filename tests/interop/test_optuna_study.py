"""Studies kept in optuna's storage and read back, with all that belongs to a trial."""

import json

import numpy as np
import optuna
import pytest

from hpcourse.interop.optuna import from_optuna, to_optuna
from hpcourse.search import (
    Box,
    Choice,
    Fixed,
    Integer,
    List,
    Normal,
    Real,
    Rounded,
    Study,
    Trial,
    When,
)

SPACE = Box(
    {
        "lr": Real(1e-4, 1e-1, log=True),
        "rounded": Rounded(Real(0, 11), 4),
        "units": Rounded(Normal(50, 20), 8, integer=True),
        "noise": Normal(0, 1, low=-1, step=0.5),
        "width": Integer(1, 64, log=True, step=3),
        "rate": Real(1, 10, log=True, step=0.5),
        "kernel": Choice(([16, 32], {"a": 1}, None, "x", 1.5)),
        "often": Choice((1, 2), weights=(1, 9)),
        "optimizer": Choice(("sgd", "adam")),
        "momentum": When("optimizer", "sgd", Real(0, 1)),
        "layers": Integer(0, 2),
        "sizes": List(Integer(8, 16), "layers"),
        "head": Choice((Box({"drop": Real(0, 0.5)}), Box({"drop": Integer(1, 3)}), "none")),
        "epochs": Fixed(5),
    }
)


def trials(count=12):
    rng = np.random.default_rng(0)
    states = ("done", "failed", "pruned")
    return tuple(
        Trial(
            number=k,
            config=SPACE.decode(rng.random(SPACE.dimension)),
            seed=100 + k,
            budget=k + 1 if k % 2 else None,
            parent=0 if k else None,
            state=states[k % 3],
            value=None if states[k % 3] == "failed" else k / 7,
            seconds=1.5 * k,
            error="Traceback\nValueError: x" if states[k % 3] == "failed" else None,
        )
        for k in range(count)
    )


@pytest.fixture(scope="module")
def storage(tmp_path_factory):
    """A file that optuna-dashboard opens, written and read by two connections."""
    return f"sqlite:///{tmp_path_factory.mktemp('optuna') / 'study.db'}"


@pytest.fixture(scope="module")
def kept(storage):
    to_optuna(Study(trials()), SPACE, storage=storage, study_name="ours")
    return optuna.load_study(study_name="ours", storage=storage)


def test_every_field_of_every_trial_comes_back(kept):
    for trial, again in zip(trials(), from_optuna(kept, SPACE).trials, strict=True):
        config, found = SPACE.encode(trial.config), SPACE.encode(again.config)
        np.testing.assert_allclose(found, config, atol=1e-9)
        for name in ("number", "seed", "budget", "parent", "state", "value", "seconds", "error"):
            assert getattr(again, name) == getattr(trial, name), name


def test_optuna_has_values_and_only_the_parameters_that_count(kept):
    for trial, frozen in zip(trials(), kept.trials, strict=True):
        config = trial.config
        assert ("momentum" in frozen.params) == (config["optimizer"] == "sgd")
        assert [n for n in frozen.params if n.startswith("sizes")] == [
            f"sizes[{k}]" for k in range(config["layers"])
        ]
        assert frozen.params["units"] == config["units"]
        assert type(frozen.params["units"]) is int
        assert frozen.params["lr"] == pytest.approx(config["lr"])
        value = frozen.params["kernel"]
        plain = not isinstance(config["kernel"], list | dict)
        assert (value if plain else json.loads(value)) == config["kernel"]


def test_states_and_budgets_are_optunas(kept):
    names = {"done": "COMPLETE", "failed": "FAIL", "pruned": "PRUNED"}
    for trial, frozen in zip(trials(), kept.trials, strict=True):
        assert frozen.state.name == names[trial.state]
        assert frozen.user_attrs.get("budget") == trial.budget
        if trial.state == "pruned":
            assert frozen.intermediate_values == {trial.budget or 0: trial.value}
    assert kept.best_trial.number == 0


def test_times_are_those_that_the_trials_took(kept):
    for trial, frozen in zip(trials(), kept.trials, strict=True):
        assert frozen.duration.total_seconds() == pytest.approx(trial.seconds, abs=1e-5)
    starts = [frozen.datetime_start for frozen in kept.trials]
    assert [frozen.datetime_complete for frozen in kept.trials[:-1]] == starts[1:]


def test_a_failure_tells_its_cause_in_a_line(kept):
    causes = [frozen.user_attrs.get("cause") for frozen in kept.trials]
    assert causes == [None, "ValueError: x", None] * 4


def test_ends_of_a_range_are_as_they_were_given(kept):
    ends = kept.trials[0].distributions["lr"]
    assert (ends.low, ends.high) == (1e-4, 1e-1)


def test_a_training_that_was_continued_has_a_curve():
    space = Box({"x": Real(0, 1)})
    rungs = (
        (1, None, 0.9, "done"),
        (3, 0, 0.7, "done"),
        (9, 1, 0.6, "pruned"),
        (3, None, 0.8, "done"),
    )
    ours = tuple(
        Trial(
            number=k,
            config={"x": k / 4},
            seed=k,
            budget=b,
            parent=p,
            value=v,
            state=state,
            seconds=1.0,
        )
        for k, (b, p, v, state) in enumerate(rungs)
    )
    study = to_optuna(Study(ours), space)
    curves = [frozen.intermediate_values for frozen in study.trials]
    assert curves == [{1: 0.9}, {1: 0.9, 3: 0.7}, {1: 0.9, 3: 0.7, 9: 0.6}, {3: 0.8}]
    assert from_optuna(study, space).trials == ours


def test_optunas_own_analysis_reads_it(kept):
    frame = kept.trials_dataframe()
    assert len(frame) == 12
    assert set(frame["state"]) == {"COMPLETE", "FAIL", "PRUNED"}


def test_a_study_that_ran_in_optuna_becomes_ours(storage):
    def objective(trial):
        x = trial.suggest_float("x", -1, 1)
        trial.report(x, 3)
        if trial.number == 1:
            raise optuna.TrialPruned
        if trial.number == 2:
            raise ArithmeticError("diverged")
        return x**2

    study = optuna.create_study(storage=storage, sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(objective, n_trials=4, catch=ArithmeticError)
    ours = from_optuna(study, Box({"x": Real(-1, 1)}))
    assert [trial.state for trial in ours.trials] == ["done", "pruned", "failed", "done"]
    assert [trial.config["x"] for trial in ours.trials] == pytest.approx(
        [trial.params["x"] for trial in study.trials]
    )
    assert ours.best.value == study.best_value
    assert ours.trials[1].value == pytest.approx(study.trials[1].params["x"])
    assert all(trial.seconds > 0 for trial in ours.trials)
    assert ours.trials[0].budget is None
