"""Programs for hyperas on today's Keras and hyperopt."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs the extra `keras`")
pytest.importorskip("hyperas", reason="needs the extra `search`")

import hyperopt
import keras

from hpcourse.interop import hyperas as layer
from hpcourse.interop.hyperopt import suggest_with
from hpcourse.search import Random

ensemble = sys.modules["hyperas.ensemble"]
choice, uniform = layer.distributions.choice, layer.distributions.uniform
PROGRAM = Path(__file__).parent / "programs" / "hyperas_digits.py"


def run(*arguments, where):
    command = [sys.executable, *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.run(
        command, cwd=where, env=environment, capture_output=True, text=True, check=False
    )


def test_a_real_program_runs_unchanged(tmp_path):
    done = run("-m", "hpcourse.interop.hyperas", str(PROGRAM), "3", where=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["run"]["Dense"] in (8, 16, 32)
    assert found["run"]["batch_size"] in (16, 64)
    assert found["run"]["optimizer"] in ("adam", "sgd")
    assert 0 <= found["run"]["Dropout"] <= 0.5
    assert len(found["losses"]) == 3
    assert found["accuracy"] == pytest.approx(-min(found["losses"]), abs=1e-6)
    assert found["accuracy"] > 0.15  # of ten classes, after an epoch or two
    assert not list(tmp_path.glob("*.py"))


def data():
    x = np.linspace(0, 1, 5)
    y = 2 * x
    return x, y


def create_model(x, y):
    slope = {{uniform(0, 4)}}
    power = {{choice([1, 2])}}
    loss = float(np.mean((slope * x**power - y) ** 2))
    return {"loss": loss, "status": "ok", "model": (slope, power)}


def other_model(x, y):
    slope = {{uniform(5, 6)}}
    return {"loss": slope, "status": "ok", "model": slope}


def faulty_model(x, y):
    slope = {{uniform(0, 4)}}
    return {"loss": slope + "x", "status": "ok"}


def minimize(model, where, monkeypatch, **more):
    monkeypatch.chdir(where)
    monkeypatch.setattr(sys, "path", [str(where), *sys.path])
    trials = hyperopt.Trials()
    more = {"algo": suggest_with(Random, seed=1), "max_evals": 12} | more
    found = layer.optim.minimize(model=model, data=data, trials=trials, verbose=False, **more)
    return found, trials


def test_our_searchers_drive_it(tmp_path, monkeypatch):
    (best, model), trials = minimize(create_model, tmp_path, monkeypatch, eval_space=True)
    assert model == (best["slope"], best["power"])
    assert len(trials) == 12
    assert {document["result"]["model"][1] for document in trials} == {1, 2}


def test_a_seed_gives_one_search(tmp_path, monkeypatch):
    def drawn(seed):
        tpe = hyperopt.tpe.suggest
        return minimize(create_model, tmp_path, monkeypatch, algo=tpe, rseed=seed)[1].vals

    assert drawn(1) == drawn(1) != drawn(2)


def test_two_searches_in_one_second_do_not_meet(tmp_path, monkeypatch):
    minimize(create_model, tmp_path, monkeypatch)
    (_, model), _ = minimize(other_model, tmp_path, monkeypatch)
    assert 5 <= model <= 6


def test_an_error_of_the_program_is_raised_once(tmp_path, monkeypatch):
    with pytest.raises(TypeError, match="unsupported operand"):
        minimize(faulty_model, tmp_path, monkeypatch)


def test_keras_is_left_as_it_was():
    assert not hasattr(keras.models, "model_from_yaml")
    models = ensemble.voting_model_from_yaml(["a"]).model_list
    with pytest.raises(NotImplementedError, match="Keras reads no YAML"):
        list(models)


def test_without_the_layer_there_is_no_hyperas():
    """When this fails, hyperas lives again and the layer has had its time."""
    with pytest.raises(ImportError, match="cannot import name 'model_from_yaml'"):
        importlib.reload(ensemble)


def test_a_missing_program_is_named():
    with pytest.raises(SystemExit, match=r"program\.py"):
        layer.main([])
