"""Claims of the sources, measured: several seeds, a paired effect, an interval, a verdict.

    >>> from hpcourse.claims import claims, verdict
    >>> claims()["schedule-beats-constant"].claimed
    ('cosine',)
    >>> verdict(effect=0.9, low=0.5, high=1.3, smallest_effect=0.5)
    'holds'

``run(claim_id)`` measures a claim now; ``load(claim_id)`` reads what was measured before;
``read_ledger()`` reads all of it. The same from a shell: ``hpcourse claims run --only
cosine-vs-step --profile full``, and ``list`` and ``show`` in place of ``run``.

The statistics, each described where it is computed: `paired_effect` (effect, interval, p-value),
`verdict` (the rule), `seeds_needed` (power), `read_ledger` (correction for several claims of a
page), `rank_correlation`.
"""

from hpcourse.claims.evidence import Comparison, Evidence
from hpcourse.claims.ledger import LedgerRow, describe, ledger_effects, ledger_markdown, read_ledger
from hpcourse.claims.measure import Report, measure, measure_in_processes
from hpcourse.claims.power import paired_power, seeds_needed
from hpcourse.claims.ranks import RankCorrelation, rank_correlation
from hpcourse.claims.registry import Claim, Outcome, Profile, claims, claims_by_module, find
from hpcourse.claims.runner import (
    check_profile,
    evidence_folder,
    is_current,
    judge,
    load,
    profile,
    results_folder,
    run,
)
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
    "LedgerRow",
    "Outcome",
    "PairedEffect",
    "Profile",
    "RankCorrelation",
    "Report",
    "Tuning",
    "Verdict",
    "check_profile",
    "claims",
    "claims_by_module",
    "describe",
    "evidence_folder",
    "find",
    "holm",
    "is_current",
    "judge",
    "ledger_effects",
    "ledger_markdown",
    "load",
    "log_grid",
    "measure",
    "measure_in_processes",
    "paired_effect",
    "paired_power",
    "profile",
    "rank_correlation",
    "read_ledger",
    "results_folder",
    "run",
    "seeds_needed",
    "sign_flip_p_value",
    "tune",
    "verdict",
]
