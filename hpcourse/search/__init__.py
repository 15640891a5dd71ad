"""Search for good hyperparameters: spaces, searchers, studies, and which hyperparameters matter."""

from hpcourse.search._work import Pruned
from hpcourse.search.domains import Choice, Domain, Fixed, Integer, Normal, Real
from hpcourse.search.driver import minimize
from hpcourse.search.importance import (
    Importance,
    Marginal,
    cap,
    config_importance,
    fanova,
    ranks,
)
from hpcourse.search.searcher import History, Searcher
from hpcourse.search.searchers import Random
from hpcourse.search.session import Session
from hpcourse.search.space import Axis, Box, List, Space, When
from hpcourse.search.study import Study
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
    "Box",
    "Choice",
    "Config",
    "Domain",
    "Fixed",
    "History",
    "Importance",
    "Integer",
    "List",
    "Marginal",
    "Normal",
    "Objective",
    "Pruned",
    "Random",
    "Real",
    "Searcher",
    "Session",
    "Space",
    "State",
    "Study",
    "Suggestion",
    "Trial",
    "When",
    "cap",
    "config_importance",
    "fanova",
    "minimize",
    "ranks",
]
