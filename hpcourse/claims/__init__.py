"""Claims of the sources, measured: several seeds, a paired effect, an interval, a verdict.

    >>> from hpcourse.claims import claims, verdict
    >>> claims()["schedule-beats-constant"].claimed
    ('cosine',)
    >>> verdict(effect=0.9, low=0.5, high=1.3, smallest_effect=0.5)
    'holds'

``run(claim_id)`` measures a claim now; ``load(claim_id)`` reads what was measured before.
The same from a shell: ``python -m hpcourse.claims run cosine-vs-step --profile full``.
"""

from hpcourse.claims.evidence import Comparison, Evidence
from hpcourse.claims.registry import Claim, Outcome, Profile, claims, find
from hpcourse.claims.runner import evidence_folder, judge, load, profile, run
from hpcourse.claims.statistics import (
    PairedEffect,
    Verdict,
    holm,
    paired_effect,
    sign_flip_p_value,
    verdict,
)
from hpcourse.claims.tuning import Tuning, log_grid, tune

__all__ = [
    "Claim",
    "Comparison",
    "Evidence",
    "Outcome",
    "PairedEffect",
    "Profile",
    "Tuning",
    "Verdict",
    "claims",
    "evidence_folder",
    "find",
    "holm",
    "judge",
    "load",
    "log_grid",
    "paired_effect",
    "profile",
    "run",
    "sign_flip_p_value",
    "tune",
    "verdict",
]
