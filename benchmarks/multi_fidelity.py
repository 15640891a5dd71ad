"""How good searchers are for the training they spend, where a training can be stopped early.

Run ``python benchmarks/multi_fidelity.py``; it prints tables, and writes them to ``--report`` with
a plot beside it. ``--tried`` takes the problems on which the searchers were designed instead of
those kept aside. Results are kept in ``_build/curves``; ``--again NAME`` forgets those of a
searcher.

The problems are tables of learning curves (`_curves`): every configuration of a grid of some
hundreds or thousands was really trained. Every search spends as many epochs in all as FULL whole
trainings; a trial that continues a checkpoint costs the epochs beyond its parent's. Where the
budget is a share of the training rows, nothing is continued, and a trial costs its whole share.
What counts is the model in hand: the lowest loss at the end of a trial so far, whether it was
trained to the end or not. The regret is how far it is above the lowest of the table. A searcher's
regret is the median over the seeds, divided by that of random search with whole trainings at the
same spending; over the problems the geometric mean is taken. A ratio counts as at least FLOOR: who
finds the very best of a table gains no more by it than who comes ten times as near as random
search.
"""

import argparse
import json
import os
import platform
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy

import matplotlib as mpl
import numpy as np
import optuna
from _curves import EPOCHS, KEPT, KEPT_ASIDE, TRIED, UNORDERED, Curves
from numpy.typing import NDArray

from hpcourse.search import (
    ASHA,
    BOHB,
    TPE,
    FreezeThaw,
    HalvingTPE,
    Hyperband,
    Random,
    Searcher,
    Trial,
)

FULL, SEEDS, FLOOR = 50, 15, 0.1
SHARES = (0.1, 0.2, 0.5, 1.0)
RANDOM = "random, whole trainings"

Trace = NDArray[np.float64]  # loss in hand after each epoch spent, (FULL * EPOCHS + 1,)
Contestant = Callable[[Curves, int], Trace]


class Purse:
    """The epochs that a search may spend, and what it has in hand."""

    def __init__(self, chance: float) -> None:
        self.spent, self.best = 0, chance
        self.trace: Trace = np.full(FULL * EPOCHS + 1, chance)

    def pay(self, epochs: int, loss: float) -> bool:
        """Spend epochs on a model of this loss; whether there were so many left."""
        self.spent += epochs
        if self.spent >= len(self.trace):
            return False
        self.best = min(self.best, loss)
        self.trace[self.spent :] = self.best
        return True


def ours(make: Callable[..., Searcher]) -> Contestant:
    """One of our searchers, asked and told one trial after the other."""

    def run(curves: Curves, seed: int) -> Trace:
        searcher, purse = make(curves.space, seed=seed), Purse(curves.problem.chance)
        budgets: list[int] = []
        while (asked := searcher.ask()) is not None:
            budget = asked.budget or EPOCHS
            before = 0 if asked.parent is None else budgets[asked.parent]
            value = curves(asked.config, budget)
            if not purse.pay(curves.cost(budget, before), value):
                break
            trial = Trial(
                number=len(budgets),
                config=asked.config,
                seed=0,
                budget=asked.budget,
                parent=asked.parent,
                state="done",
                value=value,
            )
            budgets.append(budget)
            searcher.tell(trial)
        return purse.trace

    return run


def with_optuna(sampler: type, pruner: optuna.pruners.BasePruner | None = None) -> Contestant:
    """A sampler of optuna with whole trainings, or with a pruner and a report at each budget."""

    def run(curves: Curves, seed: int) -> Trace:
        study = optuna.create_study(sampler=sampler(seed=seed), pruner=pruner)
        purse, budgets = Purse(curves.problem.chance), curves.problem.budgets
        while True:
            trial = study.ask()
            config = {
                name: trial.suggest_categorical(name, values)
                if name in UNORDERED
                else values[trial.suggest_int(name, 0, len(values) - 1)]
                for name, values in curves.problem.grid.items()
            }
            before, pruned = 0, False
            for budget in budgets if pruner else budgets[-1:]:
                value = curves(config, budget)
                if not purse.pay(curves.cost(budget, before), value):
                    return purse.trace
                before = budget
                trial.report(value, budget)
                pruned = budget < EPOCHS and pruner is not None and trial.should_prune()
                if pruned:
                    break
            state = optuna.trial.TrialState.PRUNED if pruned else None
            study.tell(trial, None if pruned else value, state=state)

    return run


CONTESTANTS: dict[str, Contestant] = {
    RANDOM: ours(Random),
    "Hyperband": ours(Hyperband),
    "ASHA": ours(ASHA),
    "BOHB": ours(BOHB),
    "HalvingTPE": ours(HalvingTPE),
    "FreezeThaw": ours(FreezeThaw),
    "TPE, whole trainings": ours(TPE),
    "optuna TPE, whole trainings": with_optuna(optuna.samplers.TPESampler),
    "optuna TPE, Hyperband": with_optuna(
        optuna.samplers.TPESampler, optuna.pruners.HyperbandPruner(1, EPOCHS, 3)
    ),
}


def main() -> None:
    """Run what is not kept yet, print the tables, write the report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tried", action="store_true")
    parser.add_argument("--again", nargs="*", default=[], choices=CONTESTANTS)
    parser.add_argument("--report", type=Path, help="a Markdown file; the plot goes beside it")
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    problems = list(TRIED if arguments.tried else KEPT_ASIDE)
    medians = {
        (problem, name): regret(problem, name, again=name in arguments.again)
        for problem in problems
        for name in CONTESTANTS
    }
    text = summary(medians, problems)
    print(text)
    if arguments.report:
        plot = arguments.report.with_suffix(".png")
        arguments.report.parent.mkdir(parents=True, exist_ok=True)
        arguments.report.write_text(text + f"\n![Relative regret over epochs]({plot.name})\n")
        draw({name: _mean_ratio(medians, problems, name) for name in CONTESTANTS}, plot)


def summary(medians: Mapping[tuple[str, str], Trace], problems: list[str]) -> str:
    """All tables, in Markdown."""
    seen = {name: _mean_ratio(medians, problems, name) for name in CONTESTANTS}
    lines = [
        "# Multi-fidelity search",
        "",
        f"{len(problems)} problems, {SEEDS} seeds, {FULL} whole trainings of {EPOCHS} epochs each. "
        "Geometric mean over the problems of the median regret relative to random search with "
        f"whole trainings at the same spending; a ratio counts as at least {FLOOR}. By share of "
        "the epochs:",
        "",
        table(seen),
        "",
        "Searchers were designed on eight other problems. The first three had been looked at "
        "once before, without `FreezeThaw`; the others were chosen before any search ran on them.",
        "",
        "Rank correlation of the losses at a budget with those at the highest one, of all "
        "configurations and of the tenth that is best at the end:",
        "",
        "| problem | configurations | 1 | 3 | 9 | tenth: 1 | 3 | 9 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for problem in problems:
        curves = Curves(problem)
        values = [curves.agreement(budget, share) for share in (1, 0.1) for budget in (1, 3, 9)]
        cells = " | ".join(f"{value:.2f}" for value in values)
        lines.append(f"| {problem} | {len(curves.losses)} | {cells} |")
    for problem in problems:
        lines += ["", f"{problem}: median regret (nats, or mean squared error)", ""]
        lines.append(table({name: medians[problem, name] for name in CONTESTANTS}))
    packages = ("hpcourse", "optuna", "numpy", "scipy", "torch")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    lines += ["", f"Versions: Python {platform.python_version()}, {versions}.", ""]
    return "\n".join(lines)


def regret(problem: str, name: str, *, again: bool) -> Trace:
    """Median regret after each epoch spent."""
    path = KEPT / f"{problem}--{name}.json".replace(", ", "-").replace(" ", "-").lower()
    curves = Curves(problem)
    if again or not path.exists():
        found = [CONTESTANTS[name](curves, seed) for seed in range(SEEDS)]
        path.write_text(json.dumps(np.median(found, axis=0).tolist()))
    return np.array(json.loads(path.read_text())) - curves.losses.min()


def _mean_ratio(medians: Mapping[tuple[str, str], Trace], problems: list[str], name: str) -> Trace:
    ratios = [
        np.maximum(medians[problem, name] / medians[problem, RANDOM], FLOOR) for problem in problems
    ]
    return np.asarray(np.exp(np.mean(np.log(ratios), axis=0)))


def table(rows: dict[str, Trace]) -> str:
    """One row a searcher, one column a share of the epochs, in Markdown."""
    head = "| searcher | " + " | ".join(f"{share:.0%}" for share in SHARES) + " |"
    lines = [head, "|---" * (len(SHARES) + 1) + "|"]
    for name, trace in rows.items():
        cells = (f"{trace[round(share * (len(trace) - 1))]:.3g}" for share in SHARES)
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def draw(ratios: dict[str, Trace], path: Path) -> None:
    """Relative regret over what was spent, in whole trainings."""
    mpl.use("Agg")
    import matplotlib.pyplot as plt  # noqa: PLC0415  (after the backend is chosen)

    _, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for name, trace in ratios.items():
        width = 2.5 if name == "FreezeThaw" else 1.2
        ax.plot(np.arange(len(trace)) / EPOCHS, trace, label=name, lw=width)
    ax.set(xlabel="epochs spent (whole trainings)", ylabel="regret relative to random search")
    ax.set(yscale="log", xlim=(1, FULL))
    ax.legend(fontsize=7, ncols=2)
    plt.savefig(path)


if __name__ == "__main__":
    main()
