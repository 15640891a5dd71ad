"""KerasTuner: our searchers as its oracle, and training settings that are tuned like all others."""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import keras_tuner as kt
from keras_tuner.engine import trial as kt_trial
from keras_tuner.src.engine.hyperparameters import hp_types  # its public path has no classes

from hpcourse._check import require
from hpcourse.interop._axes import FlatSpace
from hpcourse.search import Axis, Choice, Config, Integer, Real, Searcher, Space, Trial
from hpcourse.search.domains import Domain, middles

__all__ = ["SearcherOracle", "TunedFit", "to_space"]

STRANGER = 2**40
"""Added to the number of a trial that the searcher did not ask for."""

Status = kt_trial.TrialStatus


class SearcherOracle(kt.Oracle):  # type: ignore[misc]  # KerasTuner has no types
    """A searcher of ours that fills in KerasTuner's hyperparameters.

    It goes into any tuner: ``kt.Tuner(SearcherOracle(TPE, "val_accuracy", 20), build, ...)``. When
    a program asks for a hyperparameter that was not known before, the search starts anew and all
    ended trials are its evidence. Failed trials are told as failed. A project that is loaded again
    goes on as if it had never stopped, when its trials ran one after the other.

    Args:
        make_searcher: Called with a space and the keyword argument `seed`, such as a searcher's
            class.
        objective: As for every oracle; None where a trial returns the number to minimise.
        max_trials: Largest number of trials.
        seed: Seed of the search.
        options: Further arguments of ``kt.Oracle``.

    Raises:
        ValueError: If the searcher suggests budgets, which this oracle cannot pass on.
    """

    def __init__(
        self,
        make_searcher: Callable[..., Searcher],
        objective: Any = None,
        max_trials: int = 10,
        *,
        seed: int = 0,
        **options: Any,
    ) -> None:
        require(type(seed) is int and seed >= 0, "SearcherOracle needs a seed >= 0", seed=seed)
        super().__init__(objective=objective, max_trials=max_trials, seed=seed, **options)
        self._make, self._search_seed = make_searcher, seed
        self._search: _Search | None = None

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """The next trial's values and whether there is one, as KerasTuner asks for them."""
        space = to_space(self.hyperparameters)
        if space.dimension == 0:  # nothing is known before the first trial has run
            return {"status": Status.STOPPED if self.trials else Status.RUNNING, "values": {}}
        config = self._of(space).ask(self, trial_id)
        if config is None:
            return {"status": Status.IDLE if self.ongoing_trials else Status.STOPPED}
        return {"status": Status.RUNNING, "values": _values(self.hyperparameters, config)}

    def _of(self, space: Space) -> "_Search":
        """The search of this space, begun now or before."""
        key = json.dumps(self.hyperparameters.get_config()["space"], sort_keys=True)
        if self._search is None or self._search.key != key:
            self._search = self._begin(key, space, 0)
            if self.trials and not self._search.replay(self):
                # Not its own trials: they are evidence, and its draws have to be other ones.
                self._search = self._begin(key, space, len(self.trials))
        return self._search

    def _begin(self, key: str, space: Space, shift: int) -> "_Search":
        return _Search(key, space, self._make(space, seed=self._search_seed + shift))


class _Search:
    """A searcher at work on the trials of an oracle."""

    def __init__(self, key: str, space: Space, searcher: Searcher) -> None:
        self.key = key
        self._space, self._searcher = space, searcher
        self._asked: dict[str, tuple[int, Config, dict[str, Any]]] = {}
        self._told: set[str] = set()

    def ask(self, oracle: SearcherOracle, trial_id: str) -> Config | None:
        for ended in oracle.end_order:
            if ended not in self._told:
                self._tell(oracle, oracle.trials[ended])
        return self._suggest(oracle, trial_id)

    def replay(self, oracle: SearcherOracle) -> bool:
        """Go again through the trials so far; whether they are this search's own."""
        for started in oracle.start_order:
            if self._suggest(oracle, started) is None or not self._is_own(oracle.trials[started]):
                return False
            if started in oracle.end_order:
                self._tell(oracle, oracle.trials[started])
        return True

    def _suggest(self, oracle: SearcherOracle, trial_id: str) -> Config | None:
        suggestion = self._searcher.ask()
        if suggestion is None:
            return None
        require(
            suggestion.budget is None and suggestion.parent is None,
            "SearcherOracle needs a searcher without budgets",
            suggestion=suggestion,
        )
        values = _values(oracle.hyperparameters, suggestion.config)
        self._asked[trial_id] = (len(self._asked), suggestion.config, values)
        return suggestion.config

    def _is_own(self, trial: Any) -> bool:
        own = self._asked.get(trial.trial_id)
        return own is not None and own[2] == trial.hyperparameters.values

    def _tell(self, oracle: SearcherOracle, trial: Any) -> None:
        self._told.add(trial.trial_id)
        if self._is_own(trial):
            number, config, _ = self._asked[trial.trial_id]
        else:
            try:
                found = _config(oracle.hyperparameters, trial.hyperparameters.values)
                config = self._space.decode(self._space.encode(found))
            except ValueError:  # of another space
                return
            number = STRANGER + len(self._told)
        self._searcher.tell(_ended(number, config, trial, oracle.objective.direction))


class TunedFit(kt.HyperModel):  # type: ignore[misc]  # KerasTuner has no types
    """A model whose training is tuned too: batch size, epochs, whatever ``fit`` takes.

    The settings are known before the first trial, as those of the model are.

    Args:
        build: Hyperparameters to a compiled model.
        settings: Hyperparameters to keyword arguments of ``model.fit``; they come before those
            given to ``search``.

    Examples:
        >>> def settings(hp):
        ...     return {"batch_size": hp.Choice("batch_size", [16, 64]), "epochs": 3}
        >>> hp = kt.HyperParameters()
        >>> TunedFit(lambda hp: None, settings).declare_hyperparameters(hp)
        >>> hp.values
        {'batch_size': 16}
    """

    def __init__(
        self,
        build: Callable[[kt.HyperParameters], Any],
        settings: Callable[[kt.HyperParameters], Mapping[str, Any]],
    ) -> None:
        super().__init__()
        self._build_model, self._settings = build, settings

    def declare_hyperparameters(self, hp: kt.HyperParameters) -> None:
        """Make the settings known."""
        self._settings(hp)

    def build(self, hp: kt.HyperParameters) -> Any:
        """The compiled model."""
        return self._build_model(hp)

    def fit(self, hp: kt.HyperParameters, model: Any, *arguments: Any, **named: Any) -> Any:
        """Train the model with the settings."""
        return model.fit(*arguments, **{**named, **self._settings(hp)})


def to_space(hyperparameters: kt.HyperParameters) -> Space:
    """KerasTuner's hyperparameters as a space of ours.

    One that stands under several conditions with one name gets an axis for each, ``"units#2"``.
    The scale ``reverse_log`` is taken as linear, since no domain of ours has it.

    Examples:
        >>> hp = kt.HyperParameters()
        >>> _ = hp.Float("lr", 1e-4, 1e-1, sampling="log")
        >>> to_space(hp).axes[0].domain
        Real(low=0.0001, high=0.1, log=True, step=None)
    """
    axes: list[Axis] = []
    for name, given in _named(hyperparameters).items():
        conditions = tuple(
            found for each in given.conditions if (found := _condition(each, axes)) is not None
        )
        axes.append(Axis(name, _domain(given), conditions))
    return FlatSpace(axes)


def _named(hyperparameters: kt.HyperParameters) -> dict[str, Any]:
    """KerasTuner's hyperparameters under different names."""
    found: dict[str, Any] = {}
    for given in hyperparameters.space:
        again = sum(other.name == given.name for other in found.values())
        found[f"{given.name}#{again + 1}" if again else given.name] = given
    return found


def _condition(given: Any, axes: list[Axis]) -> tuple[int, frozenset[int]] | None:
    """An axis and its values under which a condition holds; None where no single axis tells."""
    named = [k for k, axis in enumerate(axes) if axis.name.split("#")[0] == given.name]
    if len(named) != 1 or not axes[named[0]].domain.levels:
        return None
    domain = axes[named[0]].domain
    values = [domain.decode(u) for u in middles(domain).tolist()]
    return named[0], frozenset(k for k, value in enumerate(values) if value in given.values)


def _domain(given: Any) -> Domain:
    if isinstance(given, hp_types.Boolean):
        return Choice((False, True))
    if isinstance(given, hp_types.Choice):
        return Choice(tuple(dict.fromkeys(given.values)), ordered=given.ordered)
    if isinstance(given, hp_types.Fixed):
        return Choice((given.value,))
    return _range(given)


def _range(given: Any) -> Domain:
    """The domain of an Int or a Float."""
    kind = int if isinstance(given, hp_types.Int) else float
    if given.min_value == given.max_value:
        return Choice((kind(given.min_value),))
    log = given.sampling == "log"
    if given.step is not None and given.sampling != "linear":  # a factor, not a distance
        # KerasTuner lists those of an Int as floats, but gives integers to the program.
        return Choice(tuple(sorted({kind(value) for value in given.values})), ordered=True)
    if kind is int:
        return Integer(given.min_value, given.max_value, log=log, step=given.step or 1)
    return Real(float(given.min_value), float(given.max_value), log=log, step=given.step)


def _values(hyperparameters: kt.HyperParameters, config: Config) -> dict[str, Any]:
    """Values as KerasTuner keeps them: those that are active, under their own names."""
    filled = hyperparameters.copy()
    filled.values = {}
    for name, given in _named(hyperparameters).items():
        if name in config and filled.is_active(given):
            filled.values[given.name] = config[name]
    return dict(filled.values)


def _config(hyperparameters: kt.HyperParameters, values: Mapping[str, Any]) -> Config:
    """The configuration of KerasTuner's values."""
    filled = hyperparameters.copy()
    filled.values = dict(values)
    return {
        name: values[given.name]
        for name, given in _named(hyperparameters).items()
        if given.name in values and filled.is_active(given)
    }


def _ended(number: int, config: Config, trial: Any, direction: str | None) -> Trial:
    """An ended trial of KerasTuner's as ours."""
    if trial.status == Status.COMPLETED and math.isfinite(trial.score):
        value = -float(trial.score) if direction == "max" else float(trial.score)
        return Trial(number=number, config=config, seed=0, state="done", value=value)
    error = trial.message or f"KerasTuner: {trial.status}, score {trial.score}"
    return Trial(number=number, config=config, seed=0, state="failed", error=error)
