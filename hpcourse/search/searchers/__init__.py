"""Searchers, one file each; `hpcourse.search` exports them all."""

from hpcourse.search.searchers.asha import ASHA
from hpcourse.search.searchers.auto import Auto
from hpcourse.search.searchers.bohb import BOHB
from hpcourse.search.searchers.cmaes import CMAES
from hpcourse.search.searchers.evolution import Evolution
from hpcourse.search.searchers.forest import Forest
from hpcourse.search.searchers.freeze_thaw import FreezeThaw
from hpcourse.search.searchers.gp import GP
from hpcourse.search.searchers.grid import Grid, RefinedGrid
from hpcourse.search.searchers.halving import SuccessiveHalving
from hpcourse.search.searchers.halving_tpe import HalvingTPE
from hpcourse.search.searchers.hyperband import Hyperband
from hpcourse.search.searchers.line import (
    Bisection,
    GoldenSection,
    Line,
    TernarySearch,
    bisect,
    golden_section,
    ternary,
)
from hpcourse.search.searchers.manual import Manual
from hpcourse.search.searchers.median import MedianRule
from hpcourse.search.searchers.narrowing import Narrowing
from hpcourse.search.searchers.policy_gradient import PolicyGradient
from hpcourse.search.searchers.qlearning import METAQNN, QLearning
from hpcourse.search.searchers.quasirandom import QuasiRandom
from hpcourse.search.searchers.random import Random
from hpcourse.search.searchers.tpe import TPE

__all__ = [
    "ASHA",
    "BOHB",
    "CMAES",
    "GP",
    "METAQNN",
    "TPE",
    "Auto",
    "Bisection",
    "Evolution",
    "Forest",
    "FreezeThaw",
    "GoldenSection",
    "Grid",
    "HalvingTPE",
    "Hyperband",
    "Line",
    "Manual",
    "MedianRule",
    "Narrowing",
    "PolicyGradient",
    "QLearning",
    "QuasiRandom",
    "Random",
    "RefinedGrid",
    "SuccessiveHalving",
    "TernarySearch",
    "bisect",
    "golden_section",
    "ternary",
]
