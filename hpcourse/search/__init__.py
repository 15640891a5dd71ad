"""Search for good hyperparameters: spaces, searchers, studies, and which hyperparameters matter."""

from hpcourse.search._journal import load_study
from hpcourse.search._work import Pruned
from hpcourse.search.checkpoints import Checkpoints
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
from hpcourse.search.searchers import (
    ASHA,
    Hyperband,
    Random,
    SuccessiveHalving,
)
from hpcourse.search.session import Session
from hpcourse.search.space import Axis, Box, List, Space, When
from hpcourse.search.storage import Memory, SQLite, Storage, StorageError
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
    "ASHA",
    "Axis",
    "Batched",
    "Box",
    "Checkpoints",
    "Choice",
    "Config",
    "Domain",
    "Fixed",
    "History",
    "Hyperband",
    "Importance",
    "Integer",
    "List",
    "Marginal",
    "Memory",
    "Normal",
    "Objective",
    "Pruned",
    "Random",
    "Real",
    "SQLite",
    "Searcher",
    "Session",
    "Space",
    "State",
    "Storage",
    "StorageError",
    "Study",
    "SuccessiveHalving",
    "Suggestion",
    "Trial",
    "When",
    "cap",
    "config_importance",
    "fanova",
    "load_study",
    "minimize",
    "ranks",
]
