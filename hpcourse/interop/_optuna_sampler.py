"""Our searchers as a sampler of optuna."""

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.search_space import IntersectionSearchSpace
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from hpcourse._check import require
from hpcourse.interop._axes import values
from hpcourse.interop._optuna_space import box_of, param, point_of, to_distributions
from hpcourse.search import Config, Searcher, Space, Trial
from hpcourse.search.space import Unit

__all__ = ["SearcherSampler", "ended"]

STRANGER = 2**40
"""Added to the number of a trial that the searcher did not ask for."""


class SearcherSampler(BaseSampler):  # type: ignore[misc, unused-ignore]
    """A searcher of ours that suggests the values of optuna's trials.

    With a space, its names are those of the parameters; see `suggest`, which asks a trial for all
    of them. Conditional parameters are then known as such. A study that is loaded again goes on as
    if it had never stopped, when all its trials came from this sampler, one after the other.

    Without a space, the searcher sees the parameters that all trials so far had, as optuna's own
    samplers do; the others, and all of the first trial, are drawn at random.

    Where the searcher has nothing new to suggest, as on a finite space that is used up, values
    are drawn at random, since optuna expects some.

    Args:
        make_searcher: Called with a space and the keyword argument `seed`, such as a searcher's
            class.
        space: The space to search; None to look at the trials so far.
        seed: Seed of the search.

    Raises:
        ValueError: If `seed` is no integer of at least zero; in a study with several objectives;
            if the searcher suggests budgets, which optuna cannot pass to the objective.

    Examples:
        >>> from hpcourse.search import Box, Random, Real
        >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
        >>> study = optuna.create_study(sampler=SearcherSampler(Random, seed=1))
        >>> study.optimize(lambda trial: trial.suggest_float("x", 0, 1) ** 2, n_trials=20)
        >>> study.best_value < 0.05
        True
    """

    def __init__(
        self, make_searcher: Callable[..., Searcher], space: Space | None = None, *, seed: int = 0
    ) -> None:
        require(type(seed) is int and seed >= 0, "SearcherSampler needs a seed >= 0", seed=seed)
        self._make, self._space, self._seed = make_searcher, space, seed
        self._random = RandomSampler(seed=seed)
        self._shared: dict[str, IntersectionSearchSpace] = {}
        self._search: _Search | None = None
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=threading.Lock())

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """The parameters that the searcher suggests together."""
        if self._space is not None:
            return to_distributions(self._space)
        with self._lock:
            shared = self._shared.setdefault(study.study_name, IntersectionSearchSpace())
            found = shared.calculate(study)
        return {name: given for name, given in found.items() if not given.single()}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The searcher's next suggestion, as values by name."""
        self._raise_error_if_multi_objective(study)
        if not search_space:
            return {}
        with self._lock:
            params = self._of(study, trial, search_space).ask(study, trial.number)
        return {name: params[name] for name in search_space if name in params}

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """A random value of a parameter that the searcher does not see."""
        self._raise_error_if_multi_objective(study)
        with self._lock:
            return self._random.sample_independent(study, trial, param_name, param_distribution)

    def _of(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> "_Search":
        """The search of these parameters, begun now or before."""
        given = () if self._space is not None else tuple(search_space.items())
        key = (study.study_name, given)
        if self._search is None or self._search.key != key:
            names = {} if self._space is not None else search_space
            space = self._space if self._space is not None else box_of(search_space)

            def begin(seed: int) -> _Search:
                return _Search(key, space, names, self._make(space, seed=seed), seed)

            self._search = begin(self._seed)
            if trial.number > 0 and not self._search.replay(study, trial.number):
                # Not the searcher's own trials: they are evidence, and its own draws have to be
                # others than those of a search that began at the first trial.
                self._search = begin(self._seed + trial.number)
        return self._search


class _Search:
    """A searcher at work on a study of optuna.

    Args:
        key: What it belongs to.
        space: What it searches.
        categories: Distributions whose categories are numbers in `space`; empty where they are
            values.
        searcher: A fresh one.
        seed: Its seed.
    """

    def __init__(
        self,
        key: object,
        space: Space,
        categories: dict[str, BaseDistribution],
        searcher: Searcher,
        seed: int,
    ) -> None:
        self.key = key
        self._space, self._searcher, self._seed = space, searcher, seed
        self._categories = {
            name: given.choices
            for name, given in categories.items()
            if isinstance(given, CategoricalDistribution)
        }
        self._asked: dict[int, tuple[int, Config, dict[str, Any]]] = {}
        self._told: set[int] = set()

    def ask(self, study: optuna.Study, number: int) -> dict[str, Any]:
        """Values for a trial, after all that has ended was told."""
        for trial in study.get_trials(deepcopy=False):
            if trial.state.is_finished() and trial.number not in self._told:
                self._tell(trial, study.direction)
        return self._suggest(number)

    def replay(self, study: optuna.Study, before: int) -> bool:
        """Go again through the trials before a number; whether they are this search's own."""
        trials = study.get_trials(deepcopy=False)[:before]
        for trial, has_ended in _events(trials):
            if has_ended:
                self._tell(trial, study.direction)
            elif not _equal(self._suggest(trial.number), trial.params):
                return False
        return True

    def _suggest(self, number: int) -> dict[str, Any]:
        suggestion = self._searcher.ask()
        if suggestion is None:
            rng = np.random.default_rng((self._seed, number))
            return self._params(rng.random(self._space.dimension))
        require(
            suggestion.budget is None and suggestion.parent is None,
            "SearcherSampler needs a searcher without budgets",
            suggestion=suggestion,
        )
        params = self._params(self._space.encode(suggestion.config))
        self._asked[number] = (len(self._asked), suggestion.config, params)
        return params

    def _tell(self, trial: FrozenTrial, direction: StudyDirection) -> None:
        self._told.add(trial.number)
        own = self._asked.get(trial.number)
        if own is not None and _equal(own[2], trial.params):
            self._searcher.tell(ended(own[0], own[1], trial, direction))
            return
        try:
            config = self._space.decode(point_of(self._space, self._numbered(trial.params)))
        except ValueError:  # a trial over other ranges says nothing here
            return
        self._searcher.tell(ended(STRANGER + trial.number, config, trial, direction))

    def _params(self, u: Unit) -> dict[str, Any]:
        return {
            name: self._categories[name][value] if name in self._categories else param(value)
            for name, value in values(self._space, u).items()
        }

    def _numbered(self, params: dict[str, Any]) -> dict[str, Any]:
        found = dict(params)
        for name, choices in self._categories.items():
            require(name in params, f"no {name!r} in a trial", params=params)
            found[name] = choices.index(params[name])
        return found


def ended(number: int, config: Config, trial: FrozenTrial, direction: StudyDirection) -> Trial:
    """An ended trial of optuna as ours."""
    value = trial.value if trial.value is not None else _last(trial)
    if value is not None and not math.isfinite(value):
        value = None
    if value is not None and direction == StudyDirection.MAXIMIZE:
        value = -value
    seed = int(trial.user_attrs.get("seed", 0))
    if trial.state == TrialState.PRUNED:
        return Trial(number=number, config=config, seed=seed, state="pruned", value=value)
    if trial.state == TrialState.COMPLETE and value is not None:
        return Trial(number=number, config=config, seed=seed, state="done", value=value)
    error = str(trial.user_attrs.get("error", f"optuna: {trial.state.name}, value {trial.value}"))
    return Trial(number=number, config=config, seed=seed, state="failed", error=error)


def _last(trial: FrozenTrial) -> float | None:
    """The last value that a pruned trial reported."""
    step = trial.last_step
    return None if step is None else trial.intermediate_values[step]


def _events(trials: Sequence[FrozenTrial]) -> Iterator[tuple[FrozenTrial, bool]]:
    """Starts and ends of trials as they happened."""
    happened: list[tuple[Any, int, int]] = []
    for trial in trials:
        if trial.datetime_start is not None:
            happened.append((trial.datetime_start, 1, trial.number))
        if trial.state.is_finished():
            happened.append((trial.datetime_complete, 0, trial.number))
    for _, starts, number in sorted(happened):
        yield trials[number], not starts


def _equal(params: dict[str, Any], found: dict[str, Any]) -> bool:
    """Whether a trial used what was suggested."""
    return all(name in found and found[name] == value for name, value in params.items())
