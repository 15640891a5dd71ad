"""What libraries for hyperparameter search do when a trial fails, a space is small, a seed returns.

Each library runs the same tiny search by its own means: ``a`` out of three values and ``b`` out of
two, so that there are six configurations, with its own random search.
"""

import contextlib
import io
import logging
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import hyperopt
import keras_tuner as kt
import numpy as np
import optuna
import pandas as pd
from hyperopt import hp

from hpcourse import search

__all__ = ["LIBRARIES", "habits"]

A, B = (1, 2, 3), ("x", "y")
Loss = Callable[[dict[str, Any]], float]


class BrokenError(Exception):
    """What the trial that fails raises."""


def habits(trials: int = 12) -> pd.DataFrame:
    """One row a library, from runs with `trials` trials on six configurations.

    Columns:
        same seed: Whether two searches with one seed try the same.
        different: Number of different configurations among those tried.
        tried: Number of trials that were evaluated before the search ended.
        after a failure: Number of trials that were evaluated when the second one raised.
    """
    rows = {}
    for name, run in LIBRARIES.items():
        first, again = (_watched(run, trials) for _ in range(2))
        rows[name] = {
            "same seed": "yes" if first == again else "no",
            "different": len({str(config) for config in first}),
            "tried": len(first),
            "after a failure": len(_watched(run, trials, fails=1)),
        }
    return pd.DataFrame(rows).T


def _watched(run: Callable[[Loss, int], None], trials: int, fails: int = -1) -> list[Any]:
    """The configurations that a library evaluates; trial number `fails` raises."""
    seen: list[dict[str, Any]] = []

    def loss(config: dict[str, Any]) -> float:
        seen.append(dict(config))
        if len(seen) - 1 == fails:
            raise BrokenError("this trial was made to fail")
        return float(config["a"] + (config["b"] == "y"))

    with contextlib.suppress(BrokenError), _quiet():
        run(loss, trials)
    return seen


def _hyperopt(loss: Loss, trials: int) -> None:
    space = {"a": hp.choice("a", A), "b": hp.choice("b", B)}
    rstate = np.random.default_rng(0)
    hyperopt.fmin(loss, space, algo=hyperopt.rand.suggest, max_evals=trials, rstate=rstate)


def _optuna(loss: Loss, trials: int) -> None:
    def objective(trial: optuna.Trial) -> float:
        a, b = trial.suggest_categorical("a", A), trial.suggest_categorical("b", B)
        return loss({"a": a, "b": b})

    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(objective, n_trials=trials)


def _keras_tuner(loss: Loss, trials: int) -> None:
    class Tuner(kt.RandomSearch):  # type: ignore[misc]  # KerasTuner has no types
        def run_trial(self, trial: Any, *arguments: Any, **named: Any) -> float:
            return loss(trial.hyperparameters.values)

    space = kt.HyperParameters()
    space.Choice("a", A)
    space.Choice("b", B)
    with tempfile.TemporaryDirectory() as folder:
        Tuner(max_trials=trials, seed=1, hyperparameters=space, directory=folder).search()


def _hpcourse(loss: Loss, trials: int) -> None:
    space = search.Box({"a": search.Choice(A), "b": search.Choice(B)})
    searcher = search.Random(space, seed=0)
    search.minimize(lambda trial: loss(dict(trial.config)), searcher, trials=trials, progress=False)


LIBRARIES = {
    "hyperopt": _hyperopt,
    "optuna": _optuna,
    "keras-tuner": _keras_tuner,
    "hpcourse": _hpcourse,
}
"""Name to a function of an objective and a number of trials."""


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what the libraries print and log."""
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(level)
