"""Evidence: what was measured for a claim, as a record and as a JSON file."""

import json
import os
import statistics
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from hpcourse._check import require
from hpcourse.claims.power import seeds_needed
from hpcourse.claims.registry import Curves, Direction, Profile, Values
from hpcourse.claims.statistics import Verdict


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One arm against the reference; a positive effect says that the arm is better.

    Attributes:
        arm: Name of the arm.
        decides: Whether the claim rests on this comparison, or it is context.
        effect: Mean paired difference in the metric's unit, oriented so that positive is better.
        low: Lower end of its confidence interval.
        high: Upper end of its confidence interval.
        p_value: Two-sided sign-flip test.
        verdict: The verdict on this comparison alone.
        caveats: Known weaknesses of the two arms in this run.
    """

    arm: str
    decides: bool
    effect: float
    low: float
    high: float
    p_value: float
    verdict: Verdict
    caveats: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A measured claim: raw values, effect, verdict, and all that is needed to run it again.

    The fields `claim` to `smallest_effect` repeat the registered claim, so that a file can be read
    by itself. The fields `verdict` to `p_value` are those of the deciding comparison: of the
    claimed arms, the one with the weakest verdict.

    Attributes:
        claim: The claim's id.
        statement: The claim as one sentence.
        source: Section of the source that makes it.
        metric: What was measured on each run.
        unit: Unit of the metric and of the effect.
        direction: Whether higher or lower values of the metric are better.
        smallest_effect: Smallest effect that would matter, set before measuring.
        verdict: ``holds``, ``holds with a caveat``, ``undecided`` or ``fails``.
        caveats: What to know beside the verdict.
        arm: The claimed arm whose comparison decides.
        reference: The arm that it is compared with.
        effect: Mean paired difference; positive supports the claim.
        low: Lower end of its confidence interval.
        high: Upper end of its confidence interval.
        confidence: Nominal coverage of the interval.
        p_value: Two-sided sign-flip test of the effect.
        comparisons: Every arm against the reference.
        profile: ``quick`` or ``full``.
        seeds: Seeds of the final runs.
        arms: The metric of each arm, one value a seed.
        measures: Further metrics by name, then arm.
        curves: Training curves by name, then arm, then seed.
        settings: The protocol as run: tuned rates, grid, budgets, checks.
        seconds: Wall-clock time of the experiment; claims that share one share its time.
        device: Where it ran.
        versions: Versions of the packages that took part.
    """

    claim: str
    statement: str
    source: str
    metric: str
    unit: str
    direction: Direction
    smallest_effect: float
    verdict: Verdict
    caveats: tuple[str, ...]
    arm: str
    reference: str
    effect: float
    low: float
    high: float
    confidence: float
    p_value: float
    comparisons: tuple[Comparison, ...]
    profile: Profile
    seeds: tuple[int, ...]
    arms: Values
    measures: Mapping[str, Values]
    curves: Mapping[str, Curves]
    settings: Mapping[str, Any]
    seconds: float
    device: str
    versions: Mapping[str, str]

    @property
    def command(self) -> str:
        """What measures the claim again at this profile."""
        return f"hpcourse claims run --profile {self.profile} --only {self.claim} --again"

    @property
    def differences(self) -> list[float]:
        """Deciding arm against the reference, one a seed; positive supports the claim."""
        sign = 1 if self.direction == "higher" else -1
        pairs = zip(self.arms[self.arm], self.arms[self.reference], strict=True)
        return [sign * (a - b) for a, b in pairs]

    @property
    def seeds_needed(self) -> int:
        """Seeds that would see the smallest effect of interest with 80 % power.

        It takes the spread of `differences` for the true one; see `hpcourse.claims.seeds_needed`.
        """
        return seeds_needed(
            effect=self.smallest_effect,
            spread=statistics.stdev(self.differences),
            confidence=self.confidence,
        )

    def power_note(self) -> str:
        """One sentence: the seeds that were run, and those that the smallest effect needs."""
        return (
            f"{len(self.seeds)} seeds run, about {self.seeds_needed} needed to see "
            f"{self.smallest_effect:g} {self.unit} with 80 % power"
        )

    def summary(self) -> str:
        """One line: verdict, effect with interval, seeds, p-value; the power where undecided."""
        caveats = f" ({'; '.join(self.caveats)})" if self.caveats else ""
        power = f"; {self.power_note()}" if self.verdict == "undecided" else ""
        return (
            f"{self.claim}: {self.verdict}{caveats}; {self.arm} against {self.reference} "
            f"{self.effect:+.3g} {self.unit} [{self.low:+.3g}, {self.high:+.3g}] "
            f"(positive supports the claim; {len(self.seeds)} seeds, p = {self.p_value:.2g}, "
            f"{self.profile} profile){power}"
        )

    def write(self, folder: Path | str) -> Path:
        """Write ``<folder>/<claim>.json`` atomically: a crash leaves the old file whole.

        Args:
            folder: Where the book keeps its evidence; made if missing.

        Returns:
            The path of the file.

        Raises:
            ValueError: If a number is not finite, which JSON cannot hold.
        """
        members = asdict(self).items()
        # One field a line keeps the file short and its changes readable.
        lines = [f"{json.dumps(k)}: {json.dumps(v, allow_nan=False)}" for k, v in members]
        path = Path(folder) / f"{self.claim}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, "{\n" + ",\n".join(lines) + "\n}\n")
        return path

    @classmethod
    def read(cls, path: Path | str) -> Self:
        """Read a file that `write` wrote.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file is not evidence; the message names the path and the fields.
        """
        try:
            record = json.loads(Path(path).read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise ValueError(f"evidence must be JSON ({error}), got path={str(path)!r}") from error
        require(isinstance(record, dict), "evidence must be a JSON object", path=str(path))
        names = {field.name for field in fields(cls)}
        odd = sorted(names.symmetric_difference(record))
        require(not odd, f"evidence has missing or unknown fields {odd}", path=str(path))
        for entry in (record, *record["comparisons"]):
            entry["caveats"] = tuple(entry["caveats"])
        record["seeds"] = tuple(record["seeds"])
        record["comparisons"] = tuple(Comparison(**entry) for entry in record["comparisons"])
        return cls(**record)


def _replace(path: Path, text: str) -> None:
    """Put `text` at `path` by writing a neighbour first and renaming it."""
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as file:
        try:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).chmod(0o644)
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
