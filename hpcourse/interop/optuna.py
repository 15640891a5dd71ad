"""Optuna: its samplers as our searchers, our searchers as its sampler, and studies both ways.

A parameter of optuna is called as the axis of our space: ``"optimizer.momentum"``, ``"units[2]"``.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import TrialState

from hpcourse._check import require
from hpcourse.interop._axes import code, labels, middle, values, walk
from hpcourse.interop._optuna_sampler import SearcherSampler, ended
from hpcourse.interop._optuna_space import (
    distribution,
    draw,
    param,
    point_of,
    suggest,
    to_distributions,
)
from hpcourse.search import Axis, Integer, Real, Space, Study, Suggestion, Trial

__all__ = [
    "OptunaSearcher",
    "SearcherSampler",
    "from_optuna",
    "suggest",
    "to_distributions",
    "to_optuna",
]

STATES = {"done": TrialState.COMPLETE, "failed": TrialState.FAIL, "pruned": TrialState.PRUNED}


class OptunaSearcher:
    """A sampler of optuna as a searcher.

    It suggests what the sampler suggests, the same configuration twice if the sampler does. An
    ordered choice is an integer to optuna and a `Normal` its quantile, so that neither the order
    nor the prior is lost.

    Args:
        space: Where configurations live, conditional ones included.
        make_sampler: Called with the keyword argument `seed`, such as a sampler's class.
        seed: Seed of the sampler.
        noisy: Taken for the sake of the protocol; optuna makes no difference.

    Raises:
        ValueError: If `seed` is no integer of at least zero.

    Examples:
        >>> from hpcourse.search import Box
        >>> searcher = OptunaSearcher(Box({"lr": Real(0.0, 1.0)}), TPESampler, seed=1)
        >>> 0 <= searcher.ask().config["lr"] <= 1
        True
    """

    def __init__(
        self,
        space: Space,
        make_sampler: Callable[..., BaseSampler] = TPESampler,
        *,
        seed: int = 0,
        noisy: bool = False,
    ) -> None:
        require(type(seed) is int and seed >= 0, "OptunaSearcher needs a seed >= 0", seed=seed)
        self._space, self._names = space, labels(space)
        self._study = _quiet_study(sampler=make_sampler(seed=seed))
        self._running: dict[int, tuple[Suggestion, optuna.Trial]] = {}
        self._ended: set[int] = set()
        self._asked = 0

    def ask(self) -> Suggestion:
        """The sampler's next configuration."""
        trial = self._study.ask()

        def place(column: int) -> float:
            axis = self._space.axes[column]
            return _uncoded(axis, draw(trial, self._names[column], _coded(axis)))

        suggestion = Suggestion(config=self._space.decode(walk(self._space, place)))
        self._running[self._asked] = (suggestion, trial)
        self._asked += 1
        return suggestion

    def tell(self, trial: Trial) -> None:
        """Tell the sampler's study of an ended trial.

        Raises:
            ValueError: If the trial still runs, was told before, or does not fit the space.
        """
        require(trial.state != "running", "tell needs an ended trial", number=trial.number)
        told = trial.number in self._ended
        require(not told, "tell needs a trial that was not told before", number=trial.number)
        suggestion, own = self._running.get(trial.number, (None, None))
        if own is None or suggestion is None or suggestion.config != trial.config:
            self._study.add_trial(_frozen(trial, *self._coding(trial)))
            return
        if trial.state == "pruned" and trial.value is not None:
            own.report(trial.value, step=0)
        value = trial.value if trial.state == "done" else None
        self._study.tell(own, value, state=STATES[trial.state])
        del self._running[trial.number]
        self._ended.add(trial.number)

    def _coding(self, trial: Trial) -> tuple[dict[str, Any], dict[str, BaseDistribution]]:
        """Values and distributions of a trial that was never asked for."""
        u = self._space.encode(trial.config)
        present = values(self._space, u)
        columns = {name: column for column, name in enumerate(self._names) if name in present}
        axes = {name: self._space.axes[column] for name, column in columns.items()}
        params = {name: _code(axis, float(u[columns[name]])) for name, axis in axes.items()}
        return params, {name: _coded(axis) for name, axis in axes.items()}


def to_optuna(study: Study, space: Space, **create: Any) -> optuna.Study:
    """A study of ours as one of optuna's, for its plots and its dashboard.

    Trials that still run are left out. Number, seed, budget, parent, seconds and error become user
    attributes, and the last line of the error besides, as ``cause``. What a trial and those it
    continues were worth at their budgets become its intermediate values. Optuna wants to know when
    a trial ran and we know how long: they stand one after the other, the last one ending now.

    Args:
        study: Whose trials.
        space: The space that was searched.
        create: Arguments of ``optuna.create_study``, such as `storage` and `study_name`.

    Raises:
        ValueError: If a configuration does not belong to the space.

    Examples:
        >>> from hpcourse.search import Box
        >>> trial = Trial(number=0, config={"lr": 0.5}, seed=0, state="done", value=2.0)
        >>> to_optuna(Study((trial,)), Box({"lr": Real(0.0, 1.0)})).best_params
        {'lr': 0.5}
    """
    made = _quiet_study(**create, direction="minimize")
    distributions = to_distributions(space)
    trials = [trial for trial in study.trials if trial.state != "running"]
    known = {trial.number: trial for trial in trials}
    clock = datetime.now() - timedelta(seconds=sum(trial.seconds for trial in trials))
    for trial in trials:
        found = values(space, space.encode(trial.config))
        params = {name: param(value) for name, value in found.items()}
        frozen = _frozen(trial, params, {name: distributions[name] for name in params})
        frozen.intermediate_values = _curve(trial, known)
        frozen.datetime_start = clock
        clock += timedelta(seconds=trial.seconds)
        frozen.datetime_complete = clock
        made.add_trial(frozen)
    return made


def from_optuna(study: optuna.Study, space: Space) -> Study:
    """The ended trials of a study of optuna as a study of ours, numbered from 0.

    Args:
        study: A study with one objective; values of one that maximises change their sign.
        space: Whose axes are called as the study's parameters.

    Raises:
        ValueError: If a trial's parameters do not belong to the space.
    """
    trials = [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]
    return Study(
        tuple(
            _restored(
                ended(number, space.decode(point_of(space, trial.params)), trial, study.direction),
                trial,
            )
            for number, trial in enumerate(trials)
        )
    )


def _restored(trial: Trial, frozen: optuna.trial.FrozenTrial) -> Trial:
    """A trial with what `to_optuna` kept beside it; of one that ran in optuna its duration."""
    kept = frozen.user_attrs
    if not {"number", "seed", "seconds"} <= set(kept):
        took = frozen.duration
        return trial if took is None else replace(trial, seconds=took.total_seconds())
    names = ("seconds", "budget", "parent")
    return replace(trial, **{name: kept[name] for name in names if name in kept})


def _frozen(
    trial: Trial, params: dict[str, Any], distributions: dict[str, BaseDistribution]
) -> optuna.trial.FrozenTrial:
    """An ended trial of ours as one of optuna's."""
    attributes = {
        name: value
        for name in ("number", "seed", "budget", "parent", "seconds", "error")
        if (value := getattr(trial, name)) is not None
    }
    if trial.error and trial.error.strip():
        attributes["cause"] = trial.error.strip().splitlines()[-1]
    return optuna.trial.create_trial(
        state=STATES[trial.state],
        value=trial.value if trial.state == "done" else None,
        params=params,
        distributions=distributions,
        user_attrs=attributes,
        intermediate_values=_reported(trial) if trial.state == "pruned" else {},
    )


def _reported(trial: Trial) -> dict[int, float]:
    """What a trial is worth at its budget, or at 0 if it has none; empty if it is worth nothing."""
    return {} if trial.value is None else {trial.budget or 0: trial.value}


def _curve(trial: Trial, known: Mapping[int, Trial]) -> dict[int, float]:
    """Values by budget of a trial and of those that it continues.

    The value of a whole training is no intermediate one.
    """
    if trial.budget is None and trial.state == "done":
        return {}
    curve, budget = _reported(trial), trial.budget or 0
    while curve and trial.parent is not None and trial.parent in known:
        trial = known[trial.parent]
        if trial.budget is None or trial.budget >= budget:
            break
        curve, budget = {**_reported(trial), **curve}, trial.budget
    return curve


def _coded(axis: Axis) -> BaseDistribution:
    """What an axis is to a sampler; see `_code`."""
    domain = axis.domain
    if _is_native(axis):
        return distribution(axis)
    if not domain.levels:
        return FloatDistribution(0.0, 1.0)
    if domain.ordered:
        return IntDistribution(0, domain.levels - 1)
    return CategoricalDistribution(range(domain.levels))


def _is_native(axis: Axis) -> bool:
    """Whether optuna has the same distribution."""
    domain = axis.domain
    even = isinstance(domain, Real) and not (domain.log and domain.step)
    return even or (isinstance(domain, Integer) and not (domain.log and domain.step > 1))


def _code(axis: Axis, u: float) -> Any:
    """What a place is to a sampler: a value, the number of one, or the place itself."""
    if _is_native(axis):
        return axis.domain.decode(u)
    return code(axis, u) if axis.domain.levels else u


def _uncoded(axis: Axis, coded: Any) -> float:
    """The place of what `_code` gives."""
    if _is_native(axis):
        return axis.domain.encode(coded)
    return middle(axis, coded) if axis.domain.levels else float(coded)


def _quiet_study(**arguments: Any) -> optuna.Study:
    """A new study, without the line that optuna logs for it."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(level, optuna.logging.WARNING))
    try:
        return optuna.create_study(**arguments)
    finally:
        optuna.logging.set_verbosity(level)
