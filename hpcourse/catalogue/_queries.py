"""Looking things up in the catalogue."""

import difflib
from collections.abc import Sequence
from typing import get_args

from hpcourse._check import require
from hpcourse.catalogue._records import Hyperparameter, Kind, Range
from hpcourse.catalogue._rows import HYPERPARAMETERS


def find(name: str) -> Hyperparameter:
    """The hyperparameter called `name`, by its name or an alias, in any case.

    Raises:
        ValueError: If there is none; the message lists near names, or all.

    Examples:
        >>> find("LR").name, find("dropout").tier
        ('learning rate', 3)
    """
    known = {alias: row for row in HYPERPARAMETERS for alias in (row.name, *row.aliases)}
    return known[known_as("hyperparameter", name, list(known))]


def by_tier(tier: int | None) -> tuple[Hyperparameter, ...]:
    """The hyperparameters of importance `tier` (DL500 14.2.4); None for those it does not rank.

    Raises:
        ValueError: If `tier` is neither 1, 2, 3 nor None.

    Examples:
        >>> [row.name for row in by_tier(1)]
        ['learning rate', 'loss coefficients']
    """
    require(tier in (1, 2, 3, None), "by_tier needs tier 1, 2, 3 or None", tier=tier)
    return tuple(row for row in HYPERPARAMETERS if row.tier == tier)


def by_class(kind: Kind) -> tuple[Hyperparameter, ...]:
    """The hyperparameters of a class (DL500 14.2.2): network, optimisation or regularisation.

    Raises:
        ValueError: If there is no such class.

    Examples:
        >>> [row.name for row in by_class("regularisation")]
        ['weight decay', 'dropout rate', 'label smoothing']
    """
    known = known_as("class", kind, get_args(Kind))
    return tuple(row for row in HYPERPARAMETERS if row.kind == known)


def disagreements() -> tuple[Hyperparameter, ...]:
    """The hyperparameters on which the sources contradict each other or themselves.

    Examples:
        >>> "weight decay" in [row.name for row in disagreements()]
        True
    """
    return tuple(row for row in HYPERPARAMETERS if row.disagreement)


def ranges(name: str, *, source: str = "") -> tuple[Range, ...]:
    """What the sources suggest for `name`, in the order DL500 first.

    Args:
        name: A hyperparameter, as for `find`.
        source: Only what a source whose name begins so says, such as "DL500" or "PATTERNS 10.4".

    Raises:
        ValueError: If there is no such hyperparameter, or no such source.

    Examples:
        >>> for advice in ranges("weight decay"):
        ...     print(advice.source, advice)
        DL500 14.2.4 0.0005
        DL500 14.2.6 [0, 0.0001]
        PATTERNS 10.4.1 [0.0005, 0.001]
    """
    sources = sorted({advice.source for row in HYPERPARAMETERS for advice in row.ranges})
    if not any(known.startswith(source) for known in sources):
        known_as("source", source, sources)
    return tuple(advice for advice in find(name).ranges if advice.source.startswith(source))


def learning_rate_range(optimizer: str, *, fine_tuning: bool = False) -> tuple[float, float]:
    """DL500's range of the initial learning rate of one of eight optimisers (table 14.2.6).

    Args:
        optimizer: sgd, momentum, adagrad, adadelta, rmsprop, adam, adamax or nadam, in any case.
        fine_tuning: From pretrained weights the source goes one to two decades lower: the lower
            end falls by two decades, the upper end by one.

    Returns:
        Lower and upper end.

    Raises:
        ValueError: If the table has no such optimiser; the message lists near names, or all.

    Examples:
        >>> learning_rate_range("Adam"), learning_rate_range("Adam", fine_tuning=True)
        ((0.001, 0.01), (1e-05, 0.001))
    """
    suggested = {
        advice.optimizer: (advice.low, advice.high)
        for advice in ranges("learning rate", source="DL500 14.2.6")
        if advice.optimizer and advice.low is not None and advice.high is not None
    }
    low, high = suggested[known_as("optimizer", optimizer, list(suggested))]
    return (low / 100, high / 10) if fine_tuning else (low, high)


def known_as(what: str, name: object, names: Sequence[str]) -> str:
    """The one of `names` that `name` is in lower case, or an error that lists near ones."""
    key = name.strip().lower() if isinstance(name, str) else ""
    if key in names:
        return key
    near = difflib.get_close_matches(key, names) or sorted(names)
    raise ValueError(f"the catalogue has no {what} {name!r}; known are {', '.join(near)}")
