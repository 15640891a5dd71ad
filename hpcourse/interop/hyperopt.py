"""Hyperopt: our searchers as the `algo` of its ``fmin``, our spaces as its graphs, and back.

``fmin(objective, space, algo=suggest_with(TPE), max_evals=100)`` is all that a program for hyperopt
has to change. With `to_hyperopt` the space is ours too, and the objective gets values.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from hyperopt import (
    JOB_STATE_DONE,
    JOB_STATE_ERROR,
    STATUS_OK,
    Domain,
    Trials,
    space_eval,
    tpe,
)
from hyperopt.base import miscs_update_idxs_vals, spec_from_misc

from hpcourse._check import require
from hpcourse.interop._hyperopt_space import label_space, plain, to_hyperopt
from hpcourse.search import Config, Searcher, Space, Study, Suggestion, Trial

__all__ = ["HyperoptSearcher", "from_trials", "suggest_with", "to_hyperopt"]

STRANGER = 2**40
"""Added to the number of a trial that the searcher did not ask for."""

Algo = Callable[[Sequence[int], Domain, Trials, int], list[dict[str, Any]]]


def suggest_with(make_searcher: Callable[..., Searcher], *, seed: int | None = None) -> Algo:
    """A searcher of ours as the `algo` of hyperopt's ``fmin``, on any space of hyperopt's.

    Trials that are there at the first call, of an earlier ``fmin`` or of another algorithm, are
    evidence. Failed ones, by their status or by an exception, are told as failed. The search ends
    early once the searcher has nothing new to suggest.

    Args:
        make_searcher: Called with a space and the keyword argument `seed`, such as a searcher's
            class.
        seed: Seed of the searcher; None takes the first one that ``fmin`` draws from its `rstate`.

    Raises:
        ValueError: If the searcher suggests budgets, which hyperopt cannot pass to the objective.

    Examples:
        >>> from hyperopt import fmin, hp
        >>> from hpcourse.search import Random
        >>> best = fmin(lambda x: x**2, hp.uniform("x", -1, 1), algo=suggest_with(Random, seed=1),
        ...             max_evals=20, show_progressbar=False)
        >>> abs(best["x"]) < 0.3
        True
    """
    return _Algo(make_searcher, seed)


class _Algo:
    """See `suggest_with`; one search for each `Trials` that it meets."""

    def __init__(self, make_searcher: Callable[..., Searcher], seed: int | None) -> None:
        self._make, self._seed = make_searcher, seed
        self._trials: Trials | None = None

    def __call__(
        self, new_ids: Sequence[int], domain: Domain, trials: Trials, seed: int
    ) -> list[dict[str, Any]]:
        if self._trials is not trials:
            self._trials = trials
            self._space = label_space(domain.expr)
            self._searcher = self._make(
                self._space, seed=int(seed if self._seed is None else self._seed)
            )
            self._asked: dict[int, tuple[int, Config]] = {}
            self._told: set[int] = set()
        self._learn(trials)
        made = []
        for new in new_ids:
            suggestion = self._searcher.ask()
            if suggestion is None:
                break
            _require_no_budget(suggestion)
            self._asked[new] = (len(self._asked), suggestion.config)
            made.append(_document(new, domain, trials, suggestion.config))
        return made

    def _learn(self, trials: Trials) -> None:
        """Tell what has ended; hyperopt hides those that raised from its list of trials."""
        for document in trials._dynamic_trials:
            number = document["tid"]
            if document["state"] not in (JOB_STATE_DONE, JOB_STATE_ERROR) or number in self._told:
                continue
            self._told.add(number)
            drawn = plain(spec_from_misc(document["misc"]))
            own = self._asked.get(number)
            if own is not None and own[1] == drawn:
                self._searcher.tell(_ended(own[0], own[1], document))
                continue
            try:
                config = self._space.decode(self._space.encode(drawn))
            except ValueError:  # of another space
                continue
            self._searcher.tell(_ended(STRANGER + number, config, document))


def from_trials(trials: Trials, space: object) -> Study:
    """Hyperopt's ended trials as a study of ours: values where hyperopt keeps indices.

    Args:
        trials: What ``fmin`` filled.
        space: The graph that was searched, of hyperopt's or from `to_hyperopt`; it has to evaluate
            to a dict.

    Raises:
        ValueError: If a configuration is no dict of JSON values.
    """
    ended: list[Trial] = []
    for document in trials._dynamic_trials:
        if document["state"] in (JOB_STATE_DONE, JOB_STATE_ERROR):
            config = plain(space_eval(space, spec_from_misc(document["misc"])))
            ended.append(_ended(len(ended), config, document))
    return Study(tuple(ended))


class HyperoptSearcher:
    """An algorithm of hyperopt as a searcher.

    It suggests what the algorithm suggests, the same configuration twice if the algorithm does.

    Args:
        space: Where configurations live, conditional ones included.
        algo: ``tpe.suggest``, ``rand.suggest``, ``anneal.suggest``, ...
        seed: Seed of the search.
        noisy: Taken for the sake of the protocol; hyperopt makes no difference.

    Raises:
        ValueError: If `seed` is no integer of at least zero.

    Examples:
        >>> from hpcourse.search import Box, Real
        >>> 0 <= HyperoptSearcher(Box({"lr": Real(0.0, 1.0)}), seed=1).ask().config["lr"] <= 1
        True
    """

    def __init__(
        self, space: Space, algo: Algo = tpe.suggest, *, seed: int = 0, noisy: bool = False
    ) -> None:
        require(type(seed) is int and seed >= 0, "HyperoptSearcher needs a seed >= 0", seed=seed)
        self._space, self._algo = space, algo
        self._graph = to_hyperopt(space)
        self._domain = Domain(_unused, self._graph)
        self._trials = Trials()
        self._rng = np.random.default_rng(seed)
        self._running: dict[int, tuple[Suggestion, dict[str, Any]]] = {}
        self._ended: set[int] = set()
        self._asked = 0

    def ask(self) -> Suggestion:
        """The algorithm's next configuration."""
        ids = self._trials.new_trial_ids(1)
        self._trials.refresh()
        made = self._algo(ids, self._domain, self._trials, int(self._rng.integers(2**31 - 1)))
        self._trials.insert_trial_docs(made)
        document = self._trials._dynamic_trials[-1]
        self._trials.refresh()
        config = space_eval(self._graph, spec_from_misc(document["misc"]))
        suggestion = Suggestion(config=config)
        self._running[self._asked] = (suggestion, document)
        self._asked += 1
        return suggestion

    def tell(self, trial: Trial) -> None:
        """Tell the algorithm of an ended trial; a pruned one with a value counts as done.

        Raises:
            ValueError: If the trial still runs, was told before, or was never asked for.
        """
        require(trial.state != "running", "tell needs an ended trial", number=trial.number)
        told = trial.number in self._ended
        require(not told, "tell needs a trial that was not told before", number=trial.number)
        suggestion, document = self._running.pop(trial.number, (None, None))
        if document is None or suggestion is None or suggestion.config != trial.config:
            raise ValueError(f"HyperoptSearcher needs a trial it asked for, got {trial!r}")
        self._ended.add(trial.number)
        document["state"] = JOB_STATE_DONE
        document["result"] = (
            {"status": "fail"}
            if trial.value is None
            else {"status": STATUS_OK, "loss": float(trial.value)}
        )
        self._trials.refresh()


def _unused(config: Config) -> float:
    raise NotImplementedError(f"a search by ask and tell evaluates nothing, got {config!r}")


def _require_no_budget(suggestion: Suggestion) -> None:
    require(
        suggestion.budget is None and suggestion.parent is None,
        "suggest_with needs a searcher without budgets",
        suggestion=suggestion,
    )


def _document(number: int, domain: Domain, trials: Trials, drawn: Config) -> dict[str, Any]:
    """A new trial as hyperopt keeps it: an index and a value of each label that counts."""
    misc = {"tid": number, "cmd": domain.cmd, "workdir": domain.workdir}
    idxs = {label: [number] if label in drawn else [] for label in domain.params}
    vals = {label: [drawn[label]] if label in drawn else [] for label in domain.params}
    miscs_update_idxs_vals([misc], idxs, vals)
    made: list[dict[str, Any]] = trials.new_trial_docs(
        [number], [None], [domain.new_result()], [misc]
    )
    return made[0]


def _ended(number: int, config: Config, document: Mapping[str, Any]) -> Trial:
    """An ended trial of hyperopt's as ours."""
    result, misc = document["result"], document["misc"]
    value = result.get("loss")
    if document["state"] == JOB_STATE_DONE and result.get("status") == STATUS_OK:
        if value is not None and math.isfinite(value):
            return Trial(number=number, config=config, seed=0, state="done", value=float(value))
        error = f"loss={value!r}"
    else:
        error = ": ".join(misc.get("error", ())) or str(result.get("error", "status 'fail'"))
    return Trial(number=number, config=config, seed=0, state="failed", error=error)
