"""The searchers that are compared: ours by name, and those of optuna and hyperopt.

Each peer gets the space in its own words, as one of its users would write it: ordered values as
integers, conditions by define-by-run (optuna) or nested choices (hyperopt). All run with their
defaults.
"""

import importlib.util
import warnings
from collections.abc import Callable, Mapping, Sequence
from math import log
from typing import Any

import numpy as np

import hpcourse.search
from hpcourse.search import Box, Choice, Config, Integer, List, Real, Trial, When

__all__ = ["Evaluate", "contestants"]

Evaluate = Callable[[Config], float]
"""What a searcher calls: configuration to observed value."""

Contestant = Callable[[Box, Evaluate, int, int, bool], None]
"""Runs a search: space, what to evaluate, number of evaluations, seed, whether it is noisy."""

OURS = {
    "random": "Random",
    "quasi-random": "QuasiRandom",
    "tpe": "TPE",
    "gp": "GP",
    "forest": "Forest",
    "evolution": "Evolution",
    "cma-es": "CMAES",
    "auto": "Auto",
}
"""Name to the class in `hpcourse.search`."""


def contestants() -> tuple[dict[str, Contestant], dict[str, str]]:
    """The searchers that can run here by name, and why the others cannot."""
    found: dict[str, Contestant] = {}
    missing: dict[str, str] = {}
    for name, kind in OURS.items():
        if hasattr(hpcourse.search, kind):
            found[name] = ours(kind)
        else:
            missing[name] = f"hpcourse.search has no {kind}"
    peers = {
        "optuna tpe": ("optuna", optuna("TPESampler")),
        "optuna tpe univariate": ("optuna", optuna("TPESampler", multivariate=False)),
        "optuna gp": ("optuna", optuna("GPSampler")),
        "hyperopt tpe": ("hyperopt", hyperopt),
    }
    for name, (package, peer) in peers.items():
        if importlib.util.find_spec(package):
            found[name] = peer
        else:
            missing[name] = f"{package} is not installed"
    return found, missing


def ours(kind: str) -> Contestant:
    """One of our searchers, asked and told one trial after the other."""

    def run(space: Box, evaluate: Evaluate, evaluations: int, seed: int, noisy: bool) -> None:
        searcher = getattr(hpcourse.search, kind)(space, seed=seed, noisy=noisy)
        for number in range(evaluations):
            suggestion = searcher.ask()
            if suggestion is None:
                return
            config = suggestion.config
            searcher.tell(
                Trial(number=number, config=config, seed=0, state="done", value=evaluate(config))
            )

    return run


# --- optuna


def optuna(sampler: str, **options: object) -> Contestant:
    """A sampler of optuna."""

    def run(space: Box, evaluate: Evaluate, evaluations: int, seed: int, noisy: bool) -> None:
        import optuna as peer  # noqa: PLC0415  # may not be installed

        peer.logging.set_verbosity(peer.logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of experimental features
            study = peer.create_study(sampler=getattr(peer.samplers, sampler)(seed=seed, **options))
            study.optimize(
                lambda trial: evaluate(suggested(trial, space.parameters)), n_trials=evaluations
            )

    return run


def suggested(trial: Any, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration drawn by an optuna trial."""
    config: dict[str, Any] = {}
    for name, parameter in parameters.items():
        if isinstance(parameter, When):
            if config.get(parameter.name) in wanted(parameter):
                config[name] = drawn(trial, name, parameter.parameter)
        elif isinstance(parameter, List):
            length = config[parameter.length]
            config[name] = [drawn(trial, f"{name}[{k}]", parameter.item) for k in range(length)]
        else:
            config[name] = drawn(trial, name, parameter)
    return config


def drawn(trial: Any, name: str, parameter: Any) -> Any:
    """One value from an optuna trial."""
    if isinstance(parameter, Real):
        return trial.suggest_float(name, parameter.low, parameter.high, log=parameter.log)
    if isinstance(parameter, Integer):
        return trial.suggest_int(name, parameter.low, parameter.high, log=parameter.log)
    if isinstance(parameter, Choice) and parameter.ordered:
        return parameter.values[trial.suggest_int(name, 0, len(parameter.values) - 1)]
    if isinstance(parameter, Choice):
        return trial.suggest_categorical(name, parameter.values)
    raise ValueError(f"no counterpart in optuna, got {name}={parameter!r}")


# --- hyperopt


def hyperopt(space: Box, evaluate: Evaluate, evaluations: int, seed: int, noisy: bool) -> None:
    """Hyperopt's TPE."""
    import hyperopt as peer  # noqa: PLC0415  # may not be installed

    peer.fmin(
        lambda drawn: evaluate(as_config(drawn, space.parameters)),
        nested(space.parameters),
        algo=peer.tpe.suggest,
        max_evals=evaluations,
        rstate=np.random.default_rng(seed),
        show_progressbar=False,
        verbose=False,
    )


def nested(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The space in hyperopt's words: what others depend on is a choice of dictionaries."""
    import hyperopt as peer  # noqa: PLC0415

    # A parameter that exists beside several values is one node in several branches.
    made: dict[str, Any] = {}

    def once(label: str, parameter: Any) -> Any:
        if label not in made:
            made[label] = node(label, parameter)
        return made[label]

    def beside(control: str, value: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, parameter in parameters.items():
            if isinstance(parameter, List) and parameter.length == control:
                found[name] = [once(f"{name}[{k}]", parameter.item) for k in range(value)]
            elif isinstance(parameter, When) and exists(parameter, control, value):
                found[name] = once(name, parameter.parameter)
        return found

    space: dict[str, Any] = {}
    for name, parameter in parameters.items():
        if isinstance(parameter, When | List):
            continue
        options = [{"value": value} | beside(name, value) for value in values_of(parameter)]
        depended_on = any(len(option) > 1 for option in options)
        space[name] = peer.hp.choice(name, options) if depended_on else once(name, parameter)
    return space


def wanted(when: When) -> tuple[Any, ...]:
    """The values under which a parameter exists."""
    return when.values if isinstance(when.values, tuple) else (when.values,)


def exists(when: When, control: str, value: Any) -> bool:
    """Whether a parameter exists beside a value of another."""
    return when.name == control and value in wanted(when)


def values_of(parameter: Any) -> Sequence[Any]:
    """Separate values of a parameter that others may depend on."""
    if isinstance(parameter, Choice):
        return parameter.values
    if isinstance(parameter, Integer):
        return range(parameter.low, parameter.high + 1)
    return ()


def as_config(drawn: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration that hyperopt drew."""
    config: dict[str, Any] = {}
    for name, value in drawn.items():
        if isinstance(value, dict):
            inside = {n: v for n, v in value.items() if n != "value"}
            config |= {name: value["value"]} | as_config(inside, parameters)
        else:
            config[name] = native(value, parameters[name])
    return config


def native(value: Any, parameter: Any) -> Any:
    """A drawn value as one of the space."""
    if isinstance(parameter, When):
        return native(value, parameter.parameter)
    if isinstance(parameter, List):
        return [native(item, parameter.item) for item in value]
    if isinstance(parameter, Integer):
        return min(max(int(value), parameter.low), parameter.high)
    if isinstance(parameter, Choice):
        return parameter.values[int(value)] if parameter.ordered else value
    return min(max(float(value), parameter.low), parameter.high)


def node(name: str, parameter: Any) -> Any:
    """One value in hyperopt's words."""
    from hyperopt import hp  # noqa: PLC0415

    if isinstance(parameter, Real) and parameter.log:
        return hp.loguniform(name, log(parameter.low), log(parameter.high))
    if isinstance(parameter, Real):
        return hp.uniform(name, parameter.low, parameter.high)
    if isinstance(parameter, Integer) and parameter.log:
        return hp.qloguniform(name, log(parameter.low - 0.49), log(parameter.high + 0.49), 1)
    if isinstance(parameter, Integer):
        return hp.uniformint(name, parameter.low, parameter.high)
    if isinstance(parameter, Choice) and parameter.ordered:
        return hp.uniformint(name, 0, len(parameter.values) - 1)
    if isinstance(parameter, Choice):
        return hp.choice(name, list(parameter.values))
    raise ValueError(f"no counterpart in hyperopt, got {name}={parameter!r}")
