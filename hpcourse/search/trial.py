"""Records that travel between a searcher, the objective and the storage: JSON values only.

A record is checked when it is made, so that a value which no journal could store is refused where
it arises.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from hpcourse._check import is_finite, require, require_count, require_non_negative

__all__ = ["Batched", "Config", "Objective", "State", "Suggestion", "Trial", "check_config"]

Config = Mapping[str, Any]
"""A configuration: hyperparameters by name, all of them JSON values."""

State = Literal["running", "done", "failed", "pruned"]
"""Where a trial stands."""


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """What a searcher wants to see evaluated.

    Attributes:
        config: Hyperparameters by name, JSON values.
        budget: Resource to spend, for example epochs; None where the objective decides.
        parent: Number of the trial whose checkpoint to continue, or None.

    Raises:
        ValueError: If a value is no JSON value, or budget or parent is out of range.

    Examples:
        >>> Suggestion(config={"lr": 0.1, "layers": [32, 16]}, budget=3).config["lr"]
        0.1
    """

    config: Config
    budget: int | None = None
    parent: int | None = None

    def __post_init__(self) -> None:
        """Check every field."""
        _check_request("Suggestion", self.config, self.budget, self.parent)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One evaluation, from its start to its end.

    Attributes:
        number: Place in the study, from 0.
        config: Hyperparameters by name, JSON values.
        seed: Seed of everything random inside the evaluation.
        budget: Resource to spend, or None.
        parent: Number of the trial whose checkpoint to continue, or None.
        state: "running" until it ends; "done" has a finite value, "failed" an error; "pruned" was
            stopped early because it did not promise enough, and may have its last value.
        value: What is minimised.
        seconds: Wall time of the evaluation.
        error: Why the trial failed; only of a failed one.

    Raises:
        ValueError: If a field is out of range, or value and error do not fit the state.

    Examples:
        >>> Trial(number=0, config={"lr": 0.1}, seed=7, state="done", value=0.25).value
        0.25
        >>> Trial(number=0, config={"lr": 0.1}, seed=7, state="done", value=float("nan"))
        Traceback (most recent call last):
        ...
        ValueError: Trial needs a finite value when done, got value=nan
    """

    number: int
    config: Config
    seed: int
    budget: int | None = None
    parent: int | None = None
    state: State = "running"
    value: float | None = None
    seconds: float = 0.0
    error: str | None = None

    def __post_init__(self) -> None:
        """Check every field, and that they fit the state."""
        _check_natural("Trial", number=self.number, seed=self.seed)
        _check_request("Trial", self.config, self.budget, self.parent)
        known = self.state in get_args(State)
        require(known, f"Trial needs a state of {get_args(State)}", state=self.state)
        require_non_negative("Trial", seconds=self.seconds)
        self._check_value()
        if self.state == "failed":
            told = isinstance(self.error, str) and bool(self.error)
            require(told, "Trial needs an error when failed", error=self.error)
        else:
            none = self.error is None
            require(none, f"Trial needs no error while {self.state}", error=self.error)

    def _check_value(self) -> None:
        if self.state == "done" or (self.state == "pruned" and self.value is not None):
            number = type(self.value) in (int, float) and is_finite(self.value)
            require(number, f"Trial needs a finite value when {self.state}", value=self.value)
        else:
            unset = self.value is None
            require(unset, f"Trial needs no value while {self.state}", value=self.value)


Objective = Callable[[Trial], float]
"""What `minimize` evaluates: a trial to its value, the lower the better."""


@dataclass(frozen=True)
class Batched:
    """An objective that scores many trials in one call, as population training does.

    Calling it checks what comes back, so that a value never meets the wrong trial.

    Attributes:
        score: Trials to their values in the same order; NaN for one that failed.
        size: Largest number of trials of one call.

    Raises:
        ValueError: If `size` is below one.

    Examples:
        >>> widths = Batched(lambda trials: [trial.config["width"] for trial in trials], size=2)
        >>> widths([Trial(number=k, config={"width": k}, seed=0) for k in range(2)])
        [0.0, 1.0]
    """

    score: Callable[[Sequence[Trial]], Sequence[float]]
    size: int

    def __post_init__(self) -> None:
        """Check the fields."""
        require(callable(self.score), "Batched needs a callable score", score=self.score)
        require_count("Batched", size=self.size)

    def __call__(self, trials: Sequence[Trial]) -> list[float]:
        """One value a trial, in order; NaN for a failed one.

        Raises:
            ValueError: If more trials are given than `size`, or another number of values returns.
        """
        return [float(value) for value in self.returned(trials)]

    def returned(self, trials: Sequence[Trial]) -> list[float]:
        """What `score` returns, one a trial, in order, and whatever it is.

        Raises:
            ValueError: If more trials are given than `size`, or another number of values returns.
        """
        given = len(trials)
        require(given <= self.size, f"Batched scores at most {self.size} trials", trials=given)
        values = list(self.score(trials))
        require(
            len(values) == given,
            "Batched needs score to return one value a trial",
            trials=given,
            values=len(values),
        )
        return values


def check_config(where: str, config: object) -> None:
    """Raise unless `config` is a dict of names to JSON values.

    These are None, bool, int, str, finite float, list and dict. Convert a NumPy scalar with
    ``value.item()``, an array or a tuple with ``list(...)``.

    Raises:
        ValueError: Quoting the name and the value that JSON cannot hold.

    Examples:
        >>> check_config("Suggestion", {"layers": [32, float("inf")]})
        Traceback (most recent call last):
        ...
        ValueError: Suggestion needs JSON values, got config['layers'][1]=inf
    """
    require(type(config) is dict, f"{where} needs a dict as config", config=config)
    _check_json(where, "config", config)


def _check_json(where: str, path: str, value: object) -> None:
    """Check `value`, which stands at `path`, and all that it holds.

    Types are compared exactly: a tuple comes back from JSON as a list and a NumPy number as
    Python's, and a replayed configuration has to equal the first one.
    """
    if type(value) is dict:
        for key, item in value.items():
            require(type(key) is str, f"{where} needs names in {path}", name=key)
            _check_json(where, f"{path}[{key!r}]", item)
    elif type(value) is list:
        for index, item in enumerate(value):
            _check_json(where, f"{path}[{index}]", item)
    else:
        plain = value is None or type(value) in (bool, int, str)
        plain = plain or (type(value) is float and is_finite(value))
        require(plain, f"{where} needs JSON values", **{path: value})


def _check_request(where: str, config: object, budget: int | None, parent: int | None) -> None:
    """Check what a suggestion and a trial have in common."""
    check_config(where, config)
    if budget is not None:
        require_count(where, budget=budget)
    if parent is not None:
        _check_natural(where, parent=parent)


def _check_natural(where: str, **values: object) -> None:
    """Raise unless every value is a Python integer of at least zero."""
    for name, value in values.items():
        ok = type(value) is int and value >= 0
        require(ok, f"{where} needs an integer {name} >= 0", **{name: value})
