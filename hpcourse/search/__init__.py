"""Search for good hyperparameters: spaces, searchers, studies, and which hyperparameters matter."""

from hpcourse.search._journal import load_study
from hpcourse.search._work import Pruned
from hpcourse.search.checkpoints import Checkpoints
from hpcourse.search.domains import Choice, Domain, Fixed, Integer, Normal, Real, Rounded
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
    METAQNN,
    TPE,
    Bisection,
    GoldenSection,
    Grid,
    Hyperband,
    Line,
    Manual,
    Narrowing,
    PolicyGradient,
    QLearning,
    QuasiRandom,
    Random,
    RefinedGrid,
    SuccessiveHalving,
    TernarySearch,
    bisect,
    golden_section,
    ternary,
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
    "METAQNN",
    "TPE",
    "Axis",
    "Batched",
    "Bisection",
    "Box",
    "Checkpoints",
    "Choice",
    "Config",
    "Domain",
    "Fixed",
    "GoldenSection",
    "Grid",
    "History",
    "Hyperband",
    "Importance",
    "Integer",
    "Line",
    "List",
    "Manual",
    "Marginal",
    "Memory",
    "Narrowing",
    "Normal",
    "Objective",
    "PolicyGradient",
    "Pruned",
    "QLearning",
    "QuasiRandom",
    "Random",
    "Real",
    "RefinedGrid",
    "Rounded",
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
    "TernarySearch",
    "Trial",
    "When",
    "bisect",
    "cap",
    "config_importance",
    "fanova",
    "golden_section",
    "load_study",
    "minimize",
    "ranks",
    "ternary",
]
