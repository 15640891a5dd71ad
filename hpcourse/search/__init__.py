"""Search for good hyperparameters: the records of a study, and which hyperparameters matter."""

from hpcourse.search._axes import Axis, Interval, Options
from hpcourse.search.importance import (
    Importance,
    Marginal,
    cap,
    config_importance,
    fanova,
    ranks,
)
from hpcourse.search.trial import (
    Batched,
    Config,
    Objective,
    State,
    Suggestion,
    Trial,
)

__all__ = [
    "Axis",
    "Batched",
    "Config",
    "Importance",
    "Interval",
    "Marginal",
    "Objective",
    "Options",
    "State",
    "Suggestion",
    "Trial",
    "cap",
    "config_importance",
    "fanova",
    "ranks",
]
