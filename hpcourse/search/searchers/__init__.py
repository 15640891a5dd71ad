"""Searchers, one file each; `hpcourse.search` exports them all."""

from hpcourse.search.searchers.asha import ASHA
from hpcourse.search.searchers.halving import SuccessiveHalving
from hpcourse.search.searchers.hyperband import Hyperband
from hpcourse.search.searchers.random import Random

__all__ = ["ASHA", "Hyperband", "Random", "SuccessiveHalving"]
