"""Measure claims and store their evidence: resumable, and no failure stops the others."""

import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

from hpcourse._check import require, require_count
from hpcourse.claims.evidence import Evidence
from hpcourse.claims.registry import Claim, claims_by_module, find
from hpcourse.claims.runner import check_profile, is_current, results_folder, run


@dataclass(frozen=True, kw_only=True)
class Report:
    """How it went with one claim.

    Attributes:
        claim: The claim's id.
        state: ``measured`` now, ``kept`` because its evidence is current, or ``failed``.
        seconds: Wall-clock time that it took now; of claims that share their training runs the
            first one measured takes it all.
        evidence: What is stored for it now; None if it failed.
        error: The exception with its traceback if it failed, else empty.
    """

    claim: str
    state: Literal["measured", "kept", "failed"]
    seconds: float
    evidence: Evidence | None = None
    error: str = ""


def measure(
    claim_id: str,
    profile: str = "quick",
    *,
    folder: Path | str | None = None,
    again: bool = False,
) -> Report:
    """Measure one claim and write its evidence, unless the stored one is current.

    Args:
        claim_id: Id of a registered claim.
        profile: ``quick`` or ``full``.
        folder: Where evidence is read and written; `results_folder` if None.
        again: Whether to measure although the stored evidence is current (`is_current`).

    Returns:
        The report; an experiment that raises is reported, not raised.

    Raises:
        ValueError: If there is no such claim or profile.
    """
    claim, checked, start = find(claim_id), check_profile(profile), time.perf_counter()
    where = results_folder(checked) if folder is None else Path(folder)
    try:
        stored = None if again else _stored(claim, where)
        if stored is not None and is_current(stored, claim, checked):
            return Report(claim=claim_id, state="kept", seconds=0.0, evidence=stored)
        evidence = run(claim_id, checked)
        seeds = tuple(claim.seeds.get(checked, evidence.seeds))
        require(evidence.seeds == seeds, "the experiment ran other seeds", registered=seeds)
        evidence.write(where)
    except Exception:  # whatever an experiment raises, the other claims shall be measured
        error, taken = traceback.format_exc(), time.perf_counter() - start
        return Report(claim=claim_id, state="failed", seconds=taken, error=error)
    taken = time.perf_counter() - start
    return Report(claim=claim_id, state="measured", seconds=taken, evidence=evidence)


def measure_in_processes(
    ids: Sequence[str],
    profile: str = "quick",
    *,
    jobs: int,
    folder: Path | str | None = None,
    again: bool = False,
) -> Iterator[Report]:
    """`measure` claims in several processes.

    Claims of one module of experiments may share their training runs and stay in one process.

    Args:
        ids: Ids of registered claims.
        profile: ``quick`` or ``full``.
        jobs: How many processes at a time.
        folder: As for `measure`.
        again: As for `measure`.

    Returns:
        The reports, those of a module together as soon as all of them are known.

    Raises:
        ValueError: If there is no such claim or profile, or `jobs` is no count.
    """
    check_profile(profile)
    require_count("measure_in_processes", jobs=jobs)
    wanted = {find(claim_id).id for claim_id in ids}
    groups = [
        [claim.id for claim in claims if claim.id in wanted]
        for claims in claims_by_module().values()
    ]
    return _reports([group for group in groups if group], profile, jobs, folder, again)


def _reports(
    groups: Sequence[Sequence[str]],
    profile: str,
    jobs: int,
    folder: Path | str | None,
    again: bool,
) -> Iterator[Report]:
    """The reports of each group as soon as its process has them."""
    # A forked process would inherit the threads and the device of this one.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(_measure_group, g, profile, folder, again): g for g in groups}
        try:
            for future in as_completed(futures):
                yield from _result(future, futures[future])
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _measure_group(
    ids: Sequence[str], profile: str, folder: Path | str | None, again: bool
) -> list[Report]:
    return [measure(claim_id, profile, folder=folder, again=again) for claim_id in ids]


def _result(future: Future[list[Report]], ids: Sequence[str]) -> list[Report]:
    """The reports of a group; a process that died fails those of all its claims."""
    lost = future.exception()
    if lost is None:
        return future.result()
    error = f"the process that measured it ended: {lost}"
    return [Report(claim=claim_id, state="failed", seconds=0.0, error=error) for claim_id in ids]


def _stored(claim: Claim, folder: Path) -> Evidence | None:
    """What the folder has for a claim; None also where it is not readable as evidence."""
    try:
        return Evidence.read(folder / f"{claim.id}.json")
    except (FileNotFoundError, ValueError):
        return None
