"""Our searchers inside KerasTuner: toy trials, real models, and projects loaded again."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

kt = pytest.importorskip("keras_tuner", reason="needs the extra `search`")

from hpcourse import search  # noqa: E402
from hpcourse.interop.keras_tuner import SearcherOracle, TunedFit, to_space  # noqa: E402
from hpcourse.search import Choice, Integer, Random, Real, Suggestion  # noqa: E402

PROGRAM = Path(__file__).parent / "programs" / "keras_tuner_search.py"
SEARCHERS = {name: getattr(search, name) for name in ("Random", "TPE") if hasattr(search, name)}
pytestmark = [
    # KerasTuner 1.4.8 asks for the thread by names that Python 3.10 deprecates.
    pytest.mark.filterwarnings("ignore:currentThread:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:getName:DeprecationWarning"),
    # Keras 3.12 copies its variables in a way that NumPy 2 deprecates.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


def declare(hp):
    """Every kind of hyperparameter that KerasTuner has; the loss of them."""
    lr = hp.Float("lr", 1e-4, 1e-1, sampling="log")
    units = hp.Int("units", 16, 64, step=16)
    width = hp.Int("width", 2, 32, step=2, sampling="log")
    rate = hp.Float("rate", 0.0, 0.5, step=0.125)
    norm = hp.Boolean("norm")
    batch = hp.Choice("batch", [16, 32, 64])
    kind = hp.Choice("kind", ["mlp", "cnn"])
    fixed = hp.Fixed("classes", 10) + hp.Int("single", 8, 8, step=2, sampling="log")
    loss = math.log10(lr / 0.01) ** 2 + units / 64 + width / 32 + rate + norm + batch / 64
    with hp.conditional_scope("kind", ["mlp"]):
        depth = hp.Int("depth", 1, 4)
        if kind == "mlp":
            loss += depth
    with hp.conditional_scope("kind", ["cnn"]):
        size = hp.Int("size", 5, 9)
        if kind == "cnn":
            loss += size + 0 * fixed
    return loss


class Toy(kt.Tuner):
    """Evaluates no model."""

    seen: list[dict] = []  # noqa: RUF012

    def run_trial(self, trial, *args, **kwargs):
        loss = declare(trial.hyperparameters)
        self.seen.append(dict(trial.hyperparameters.values))
        return loss


def toy(oracle, where, tuner=Toy, **more):
    made = tuner(oracle, directory=where, project_name="p", **more)
    made.oracle.verbose = 0
    return made


def declared():
    hp = kt.HyperParameters()
    declare(hp)
    return hp


def values(tuner):
    trials = tuner.oracle.trials
    return [trials[number].hyperparameters.values for number in tuner.oracle.start_order]


def test_a_space_has_the_values_that_keras_tuner_has():
    space, hp = to_space(declared()), declared()
    domains = {axis.name: axis.domain for axis in space.axes}
    assert domains["lr"] == Real(1e-4, 1e-1, log=True)
    assert domains["units"] == Integer(16, 64, step=16)
    assert domains["norm"] == Choice((False, True))
    assert domains["batch"] == Choice((16, 32, 64), ordered=True)
    for given in hp.space:
        domain = domains[given.name]
        if domain.levels:
            middles = [np.mean(domain.edges(k)) for k in range(domain.levels)]
            found = [domain.decode(u) for u in middles]
            assert sorted(found) == sorted(given.values), given.name
            kind = type(given.random_sample(seed=0))
            assert {type(value) for value in found} == {kind}, given.name


def test_conditions_are_those_of_keras_tuner():
    space, rng = to_space(declared()), np.random.default_rng(0)
    both = set()
    for _ in range(30):
        config = space.decode(rng.random(space.dimension))
        both.add((config["kind"], "depth" in config, "size" in config))
        assert space.decode(space.encode(config)) == pytest.approx(config)
    assert both == {("mlp", True, False), ("cnn", False, True)}


@pytest.mark.parametrize("make", SEARCHERS.values(), ids=SEARCHERS)
def test_a_search_of_toy_trials(make, tmp_path, monkeypatch):
    monkeypatch.setattr(Toy, "seen", [])
    oracle = SearcherOracle(make, max_trials=20, seed=1, hyperparameters=declared())
    tuner = toy(oracle, tmp_path)
    tuner.search()
    assert len(Toy.seen) == 20
    assert len({str(each) for each in Toy.seen}) == 20
    losses = [trial.score for trial in oracle.get_best_trials(20)]
    assert losses == sorted(losses)
    # What the searcher suggested without KerasTuner, told the same values.
    searcher = make(to_space(declared()), seed=1)
    for number, seen in enumerate(Toy.seen):
        config = dict(searcher.ask().config)
        assert config == seen
        loss = float(oracle.trials[oracle.start_order[number]].score)
        searcher.tell(search.Trial(number=number, config=config, seed=0, state="done", value=loss))


@pytest.mark.parametrize("make", SEARCHERS.values(), ids=SEARCHERS)
def test_a_project_loaded_again_goes_on_as_if_it_had_never_stopped(make, tmp_path):
    class Stopping(Toy):
        def on_trial_end(self, trial):
            super().on_trial_end(trial)
            if len(self.oracle.end_order) == 7:
                raise KeyboardInterrupt

    def oracle():
        return SearcherOracle(make, max_trials=15, seed=3, hyperparameters=declared())

    whole = toy(oracle(), tmp_path / "whole")
    whole.search()
    with pytest.raises(KeyboardInterrupt):
        toy(oracle(), tmp_path / "part", Stopping).search()
    part = toy(oracle(), tmp_path / "part")
    assert len(part.oracle.trials) == 7
    part.search()
    assert values(part) == values(whole)


def test_a_trial_that_was_stopped_midway_runs_again(tmp_path):
    class Killed(Toy):
        def run_trial(self, trial, *args, **kwargs):
            if trial.trial_id == "04":
                raise KeyboardInterrupt
            return super().run_trial(trial)

    def oracle():
        return SearcherOracle(Random, max_trials=10, seed=3, hyperparameters=declared())

    whole = toy(oracle(), tmp_path / "whole")
    whole.search()
    with pytest.raises(KeyboardInterrupt):
        toy(oracle(), tmp_path / "part", Killed).search()
    part = toy(oracle(), tmp_path / "part")
    part.search()
    assert values(part) == values(whole)
    assert all(trial.status == "COMPLETED" for trial in part.oracle.trials.values())


class Listening(Random):
    told: list[search.Trial] = []  # noqa: RUF012

    def tell(self, trial):
        self.told.append(trial)
        super().tell(trial)


def test_failures_maxima_and_new_hyperparameters_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(Listening, "told", [])

    class Faulty(Toy):
        def run_trial(self, trial, *args, **kwargs):
            x = trial.hyperparameters.Float("x", 0.0, 1.0)
            if trial.trial_id == "02":
                raise OSError("disk full")
            return {"accuracy": x}

    objective = kt.Objective("accuracy", "max")
    oracle = SearcherOracle(Listening, objective, max_trials=10)
    toy(oracle, tmp_path, Faulty).search()
    # The first trial ran before anything was known, with the default.
    assert [trial.state for trial in Listening.told[:3]] == ["done", "done", "failed"]
    assert Listening.told[0].config == {"x": 0.0}
    assert "disk full" in Listening.told[2].error
    assert Listening.told[1].value == -Listening.told[1].config["x"]


def test_a_used_up_space_ends_the_search(tmp_path):
    hp = kt.HyperParameters()
    hp.Choice("a", [1, 2, 3])

    class One(Toy):
        def run_trial(self, trial, *args, **kwargs):
            return float(trial.hyperparameters.get("a"))

    oracle = SearcherOracle(Random, max_trials=9, hyperparameters=hp)
    toy(oracle, tmp_path, One).search()
    assert sorted(each["a"] for each in values(toy(oracle, tmp_path, One))) == [1, 2, 3]


def test_budgets_and_bad_seeds_are_refused(tmp_path):
    class Halving(Random):
        def ask(self):
            return Suggestion(config=super().ask().config, budget=3)

    oracle = SearcherOracle(Halving, max_trials=9, hyperparameters=declared())
    with pytest.raises(ValueError, match="a searcher without budgets, got suggestion"):
        toy(oracle, tmp_path).search()
    with pytest.raises(ValueError, match="seed >= 0, got seed=-1"):
        SearcherOracle(Random, seed=-1)


def test_one_name_under_two_conditions_is_two_axes():
    hp = kt.HyperParameters()
    hp.Choice("kind", ["mlp", "cnn"])
    for kind, most in (("mlp", 4), ("cnn", 9)):
        with hp.conditional_scope("kind", [kind]):
            hp.Int("depth", 1, most)
    axes = to_space(hp).axes
    assert [axis.name for axis in axes] == ["kind", "depth", "depth#2"]
    assert [axis.conditions for axis in axes[1:]] == [((0, frozenset({k})),) for k in (0, 1)]


def test_tuned_settings_come_before_those_of_search():
    class Model:
        def fit(self, *arguments, **named):
            return arguments, named

    def settings(hp):
        return {"batch_size": hp.Choice("batch_size", [16, 48]), "epochs": 2}

    hp = kt.HyperParameters()
    model = TunedFit(lambda hp: Model(), settings)
    model.declare_hyperparameters(hp)
    hp.values["batch_size"] = 48
    fitted = model.fit(hp, model.build(hp), "x", epochs=9, verbose=0)
    assert fitted == (("x",), {"batch_size": 48, "epochs": 2, "verbose": 0})


@pytest.mark.parametrize("backend", ["torch", "tensorflow"])
def test_a_real_model_with_its_batch_size_and_epochs(tmp_path, backend):
    """On TensorFlow KerasTuner imports tensorboard too."""
    environment = {"KERAS_BACKEND": backend, "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(tmp_path)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["backend"] == backend
    assert set(found["values"][0]) == {"units", "lr", "batch_size", "epochs"}
    expected = [[each["epochs"], 48 // each["batch_size"]] for each in found["values"]]
    assert found["fitted"] == expected
    assert found["accuracy"] == pytest.approx(found["score"])
    assert found["again"] == found["values"]
