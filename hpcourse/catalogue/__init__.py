"""A catalogue of hyperparameters: class, importance, effect on capacity, ranges and cautions.

It holds what the sources of the course say, exactly and without reconciling them; whether that is
true is measured in the chapters. The tables of DL500 14.2.5 and 14.2.6 are ``table("effects")`` and
``table("ranges")``, the tiers of 14.2.4 ``table("tiers")``.
"""

from hpcourse.catalogue._queries import (
    by_class,
    by_tier,
    disagreements,
    find,
    learning_rate_range,
    ranges,
)
from hpcourse.catalogue._records import Capacity, Hyperparameter, Kind, Range
from hpcourse.catalogue._rows import HYPERPARAMETERS
from hpcourse.catalogue._tables import table

__all__ = [
    "HYPERPARAMETERS",
    "Capacity",
    "Hyperparameter",
    "Kind",
    "Range",
    "by_class",
    "by_tier",
    "disagreements",
    "find",
    "learning_rate_range",
    "ranges",
    "table",
]
