"""What the catalogue records of a hyperparameter."""

from dataclasses import dataclass
from typing import Literal

from hpcourse._check import is_finite, require

Kind = Literal["network", "optimisation", "regularisation"]
Capacity = Literal["raises", "lowers", "peaks in the middle", "not stated"]


@dataclass(frozen=True, kw_only=True)
class Range:
    """One source's suggestion, within its context.

    Attributes:
        source: Source and section.
        context: When it applies, such as "Adam, from scratch".
        low: Lower end, at least zero; None for advice without numbers.
        high: Upper end; equal to `low` for a single value, infinite where none is given.
        options: The values named, where they are a list and no interval.
        optimizer: Lower-case name of the optimiser that it is for, or None.
        note: What the source says in words, where numbers do not say it all.

    Raises:
        ValueError: If the ends are not ordered, negative, or only one is given.
    """

    source: str
    context: str
    low: float | None = None
    high: float | None = None
    options: tuple[str, ...] = ()
    optimizer: str | None = None
    note: str = ""

    def __post_init__(self) -> None:
        """Check the ends."""
        ends = {"low": self.low, "high": self.high}
        if self.low is None or self.high is None:
            require(self.low is self.high, "Range needs both ends or none", **ends)
        else:
            ordered = is_finite(self.low) and 0 <= self.low <= self.high
            require(ordered, "Range needs 0 <= low <= high", **ends)

    def __str__(self) -> str:
        """The suggestion as text: a list, an interval, a value, or the note."""
        if self.options:
            return ", ".join(self.options)
        if self.low is None or self.high is None:
            return self.note
        if self.low == self.high:
            return f"{self.low:g}"
        if self.high == float("inf"):
            return f"from {self.low:g}"
        return f"[{self.low:g}, {self.high:g}]"


@dataclass(frozen=True, kw_only=True)
class Hyperparameter:
    """What the sources say of one hyperparameter.

    Attributes:
        name: Standard name, lower case.
        aliases: Other names under which `find` knows it.
        kind: Class of DL500 14.2.2.
        tier: Importance of DL500 14.2.4, 1 first; None where it does not rank it. Tier 3 means
            "seldom worth many trials", not "unimportant".
        capacity: What a larger value does to the model's effective capacity (DL500 14.2.5).
        reason: Why.
        caution: What to watch for; empty where the sources say nothing.
        ranges: Suggestions, one a source and context.
        source: Sections that the row comes from.
        disagreement: Where the sources contradict each other or themselves; empty if they do not.
    """

    name: str
    aliases: tuple[str, ...] = ()
    kind: Kind
    tier: int | None
    capacity: Capacity
    reason: str
    caution: str = ""
    ranges: tuple[Range, ...] = ()
    source: str
    disagreement: str = ""
