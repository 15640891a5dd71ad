"""From a claim to its evidence: run the experiment, compare the arms, apply the rule."""

import os
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import Any, cast, get_args

from hpcourse._check import require
from hpcourse.claims.evidence import Comparison, Evidence
from hpcourse.claims.registry import Claim, Outcome, Profile, find
from hpcourse.claims.statistics import paired_effect, verdict

CONFIDENCE = 0.95
PACKAGES = ("hpcourse", "numpy", "scipy", "torch")
WEAKEST_FIRST = ("fails", "undecided", "holds with a caveat", "holds")


def profile() -> Profile:
    """The profile that ``HPCOURSE_PROFILE`` asks for: ``quick`` unless set.

    Raises:
        ValueError: If it is neither ``quick`` nor ``full``.
    """
    return check_profile(os.environ.get("HPCOURSE_PROFILE") or "quick", "HPCOURSE_PROFILE")


def check_profile(value: str, name: str = "profile") -> Profile:
    """`value` if it names a profile.

    Raises:
        ValueError: If it does not; the message quotes `name`.
    """
    require(value in get_args(Profile), "profile must be 'quick' or 'full'", **{name: value})
    return cast(Profile, value)


def run(claim_id: str, profile: str = "quick") -> Evidence:
    """Measure one claim now.

    Equal profiles give equal results on one device; claims of one chapter that share their
    training runs train them once per process.

    Args:
        claim_id: Id of a registered claim.
        profile: ``quick`` (seconds, five seeds or more) or ``full`` (minutes, twenty or more).

    Raises:
        ValueError: If there is no such claim or profile.
    """
    checked, claim = check_profile(profile), find(claim_id)
    return judge(claim, checked, claim.experiment(checked))


def load(claim_id: str, folder: Path | str | None = None) -> Evidence:
    """Read the stored evidence ``<folder>/<claim_id>.json``.

    Args:
        claim_id: Id of a registered claim.
        folder: Where evidence is kept; `evidence_folder` if None.

    Raises:
        ValueError: If there is no such claim, or the file is not evidence.
        FileNotFoundError: If nothing is stored for the claim.
    """
    name = f"{find(claim_id).id}.json"
    return Evidence.read(Path(evidence_folder() if folder is None else folder) / name)


def evidence_folder() -> Path:
    """The book's evidence: of the repository around the working directory, else the package's own.

    Raises:
        FileNotFoundError: If there is none.
    """
    for place in (_book_evidence(), _package() / "stored"):
        if place is not None and place.is_dir():
            return place
    raise FileNotFoundError(f"no folder book/evidence at or above {Path.cwd()}: pass the folder")


def results_folder(profile: Profile) -> Path:
    """Where new evidence goes unless told otherwise.

    Full evidence goes to the book's; quick evidence never takes its place, but goes to
    ``book/_build/evidence``. Outside a repository both go to folders of the working directory.
    """
    stored = _book_evidence()
    if stored is None:
        return Path("evidence") / profile
    return stored if profile == "full" else stored.parent / "_build" / "evidence"


def _book_evidence() -> Path | None:
    """``book/evidence`` at or above the working directory, or beside a package run in place."""
    roots = (Path.cwd(), *Path.cwd().parents, _package().parents[1])
    places = (root / "book" / "evidence" for root in roots)
    return next((place for place in places if place.is_dir()), None)


def _package() -> Path:
    return Path(__file__).resolve().parent


def is_current(evidence: Evidence, claim: Claim, profile: Profile) -> bool:
    """Whether measuring the claim again would only repeat this evidence.

    That is so if it was measured at this profile, by this version of the package, with the seeds
    and for the very claim that are registered now. Changes to an experiment's code within a
    version are not seen.
    """
    same = ("statement", "source", "metric", "unit", "direction", "smallest_effect", "reference")
    claimed = tuple(entry.arm for entry in evidence.comparisons if entry.decides)
    return (
        evidence.profile == profile
        and evidence.versions.get("hpcourse") == version("hpcourse")
        and all(getattr(evidence, name) == getattr(claim, name) for name in same)
        and (tuple(evidence.arms), claimed) == (claim.arms, claim.claimed)
        and evidence.seeds == tuple(claim.seeds.get(profile, evidence.seeds))
    )


def judge(claim: Claim, profile: Profile, outcome: Outcome) -> Evidence:
    """Compare the arms of an outcome and reach the claim's verdict.

    Raises:
        ValueError: If the outcome's arms are not the claim's, an arm was left out of the tuning, or
            a value is not finite.
    """
    odd = sorted(set(claim.arms).symmetric_difference(outcome.arms))
    require(not odd, f"judge needs an outcome with the arms {claim.arms}", missing_or_unknown=odd)
    tuned = claim.arms if outcome.tuning is None else outcome.tuning.scores
    left_out = [arm for arm in claim.arms if arm not in tuned]
    require(not left_out, "judge needs all arms tuned, or none", untuned=left_out)
    # Statistics use the values as stored, so that a reader of the file gets the same numbers.
    arms = {arm: [_rounded(value, 7) for value in outcome.arms[arm]] for arm in claim.arms}
    comparisons = tuple(
        _compare(claim, arms, arm, outcome) for arm in claim.arms if arm != claim.reference
    )
    weakest = min(
        (comparison for comparison in comparisons if comparison.decides),
        key=lambda comparison: (WEAKEST_FIRST.index(comparison.verdict), comparison.low),
    )
    return Evidence(
        claim=claim.id,
        statement=claim.statement,
        source=claim.source,
        metric=claim.metric,
        unit=claim.unit,
        direction=claim.direction,
        smallest_effect=claim.smallest_effect,
        verdict=weakest.verdict,
        caveats=weakest.caveats,
        arm=weakest.arm,
        reference=claim.reference,
        effect=weakest.effect,
        low=weakest.low,
        high=weakest.high,
        confidence=CONFIDENCE,
        p_value=weakest.p_value,
        comparisons=comparisons,
        profile=profile,
        seeds=tuple(outcome.seeds),
        arms=arms,
        measures=_rounded_tree(outcome.measures, 6),
        curves=_rounded_tree(outcome.curves, 4),
        settings=_rounded_tree(outcome.settings, 6),
        seconds=round(outcome.seconds, 1),
        device=outcome.device,
        versions=_versions(outcome.packages),
    )


def _compare(
    claim: Claim, arms: Mapping[str, Sequence[float]], arm: str, outcome: Outcome
) -> Comparison:
    """One arm against the reference, oriented so that a positive effect is an improvement."""
    better, worse = arms[arm], arms[claim.reference]
    if claim.direction == "lower":
        better, worse = worse, better
    result = paired_effect(better, worse, confidence=CONFIDENCE)
    caveats = [*_caveats(outcome, arm), *_caveats(outcome, claim.reference)]
    reached = verdict(
        result.effect, result.low, result.high, claim.smallest_effect, caveats=caveats
    )
    if reached == "holds with a caveat" and result.effect < claim.smallest_effect:
        caveats.append(f"below the smallest effect that matters, {claim.smallest_effect:g}")
    return Comparison(
        arm=arm,
        decides=arm in claim.claimed,
        effect=result.effect,
        low=result.low,
        high=result.high,
        p_value=result.p_value,
        verdict=reached,
        caveats=tuple(caveats),
    )


def _caveats(outcome: Outcome, arm: str) -> list[str]:
    """What the experiment noted of an arm, and the boundary check of its tuning."""
    edge = [] if outcome.tuning is None else outcome.tuning.caveats(arm)
    return list(dict.fromkeys([*edge, *outcome.caveats.get(arm, ())]))


def _rounded(value: float, digits: int) -> float:
    """`value` to a number of significant digits."""
    return float(f"{value:.{digits}g}")


def _rounded_tree(value: Any, digits: int) -> Any:
    """All floats within mappings and sequences rounded, tuples made lists as JSON has them."""
    if isinstance(value, float):
        return _rounded(value, digits)
    if isinstance(value, Mapping):
        return {name: _rounded_tree(entry, digits) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded_tree(entry, digits) for entry in value]
    return value


def _versions(packages: Sequence[str]) -> dict[str, str]:
    """Python's version and those of the packages that took part."""
    return {"python": python_version(), **{name: version(name) for name in (*PACKAGES, *packages)}}
