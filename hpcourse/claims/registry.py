"""What a claim is, and the list of all claims of the book.

A claim is data: a frozen record beside the experiment that measures it. Each module of experiments
ends in a tuple ``CLAIMS``; adding a claim means adding a record to that tuple (and a new module's
name to `MODULES`). Nothing is registered by importing.
"""

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from itertools import chain
from typing import Any, Literal, get_args

from hpcourse._check import require, require_positive
from hpcourse.claims.tuning import Tuning

Profile = Literal["quick", "full"]
Direction = Literal["higher", "lower"]
Values = Mapping[str, list[float]]  # arm -> one value a seed
Curves = Mapping[str, list[list[float | None]]]  # arm -> seed -> point; None where not finite

# In the order of the book.
MODULES = (
    "regularisation",
    "importance",
    "defaults",
    "ranges",
    "center",
    "focal",
    "batch_one",
    "large_batch",
    "dropout",
    "variance_shift",
    "depth",
    "regulariser_ranges",
    "saddle",
    "learning_rate",
    "grid_random",
    "line_search",
    "model_based",
    "multi_fidelity",
    "space_size",
    "optimism",
)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What an experiment measured, before any statistics.

    Attributes:
        seeds: Seeds of the final runs; entry i of every list below belongs to ``seeds[i]``.
        arms: The claim's metric of each arm, one finite value a seed.
        device: Where it ran.
        seconds: Wall-clock time of the experiment.
        settings: The protocol as run, JSON values only: tuned rates, grid, budgets, checks.
        measures: Further metrics by name.
        curves: Training curves by name.
        caveats: Known weaknesses of each arm in this very run, such as runs that diverged; arms
            without any may be left out.
        tuning: How the arms were tuned, if they were: `judge` sees to it that every arm took part,
            and makes a best rate at the edge of its range a caveat.
        packages: Installed packages, beside the scientific ones, whose version matters.
    """

    seeds: Sequence[int]
    arms: Values
    device: str
    seconds: float
    settings: Mapping[str, Any] = field(default_factory=dict)
    measures: Mapping[str, Values] = field(default_factory=dict)
    curves: Mapping[str, Curves] = field(default_factory=dict)
    caveats: Mapping[str, Sequence[str]] = field(default_factory=dict)
    tuning: Tuning | None = None
    packages: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One sentence of the sources, made measurable before it is measured.

    The claim is judged by comparing each claimed arm with the reference arm over paired seeds. It
    holds only if every comparison does, so that no correction for several comparisons is needed:
    the weakest one decides.

    Attributes:
        id: Lower-case words and numbers joined by hyphens; also the evidence file's name.
        statement: The claim as one sentence.
        source: Section of the source that makes it.
        claimed: Arms that are said to be better.
        reference: Arm that they are said to beat.
        metric: What is measured on each run.
        unit: Unit of the metric.
        direction: Whether higher or lower values of the metric are better.
        smallest_effect: Smallest difference, in the metric's unit, that would matter to a reader.
        experiment: Runs all arms with equal budgets at a profile.
        context: Further arms that are run and reported, but do not decide.
        seeds: Seeds of the final runs by profile, fixed before they are run; evidence with others
            is out of date. Left out, any seeds will do.
        page: Page of the book that tells of the claim, such as
            ``training/learning-rate-schedules``. A page is a chapter: its claims are corrected for
            being several tests. Empty for a claim that belongs to no page.

    Raises:
        ValueError: If a field is malformed or an arm is named twice.
    """

    id: str
    statement: str
    source: str
    claimed: tuple[str, ...]
    reference: str
    metric: str
    unit: str
    direction: Direction
    smallest_effect: float
    experiment: Callable[[Profile], Outcome] = field(repr=False)
    context: tuple[str, ...] = ()
    seeds: Mapping[Profile, Sequence[int]] = field(default_factory=dict)
    page: str = ""

    def __post_init__(self) -> None:
        slug = re.fullmatch(r"[a-z0-9]+([-.][a-z0-9]+)*", self.id) is not None
        require(slug, "Claim needs an id of lower-case words", id=self.id)
        for name in ("statement", "source", "metric", "unit"):
            value = getattr(self, name)
            require(bool(value.strip()), f"Claim needs a {name}", **{name: value})
        require(len(self.claimed) > 0, "Claim needs a claimed arm", claimed=self.claimed)
        require(len(set(self.arms)) == len(self.arms), "Claim needs distinct arms", arms=self.arms)
        known = self.direction in get_args(Direction)
        require(known, "Claim needs direction 'higher' or 'lower'", direction=self.direction)
        require_positive("Claim", smallest_effect=self.smallest_effect)
        profiles = set(self.seeds) <= set(get_args(Profile))
        require(profiles, "Claim needs seeds for 'quick' and 'full' alone", seeds=self.seeds)

    @property
    def arms(self) -> tuple[str, ...]:
        """All arms, the claimed ones first, then the reference and the context."""
        return (*self.claimed, self.reference, *self.context)


def claims_by_module() -> dict[str, tuple[Claim, ...]]:
    """The claims of each module; only claims of one module may share their training runs.

    Examples:
        >>> [claim.id for claim in claims_by_module()["saddle"]]
        ['saddle-escape']
    """
    return {name: import_module(f"hpcourse.claims.{name}").CLAIMS for name in MODULES}


def claims() -> dict[str, Claim]:
    """All claims of the book by id, in the book's order.

    Examples:
        >>> claims()["restarts-help"].unit
        'nats'
    """
    found: dict[str, Claim] = {}
    for claim in chain.from_iterable(claims_by_module().values()):
        require(claim.id not in found, "claims need distinct ids", id=claim.id)
        found[claim.id] = claim
    return found


def find(claim_id: str) -> Claim:
    """The claim of this id.

    Raises:
        ValueError: If there is none; the message lists the nearest ids.

    Examples:
        >>> find("restart-helps")
        Traceback (most recent call last):
        ...
        ValueError: no such claim (did you mean restarts-help?), got claim_id='restart-helps'
    """
    known = claims()
    if claim_id not in known:
        near = difflib.get_close_matches(str(claim_id), known, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known)}"
        require(False, f"no such claim ({hint})", claim_id=claim_id)
    return known[claim_id]
