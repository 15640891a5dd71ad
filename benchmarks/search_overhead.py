"""What a searcher itself costs: CPU milliseconds for one ask and tell.

Run ``python benchmarks/search_overhead.py``; it prints one table (Markdown). The searcher is told
`--told` trials of random configurations of six numbers, three of them on the log scale; then
`--repeats` asks and tells are timed one by one, each on a state one trial larger, and the median is
reported. The process has one thread. Peers take part where they are installed (extra `search`).
"""

import argparse
import importlib.util
import os
import platform
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np

import hpcourse.search
from hpcourse.search import Box, Real, Searcher, Trial

SPACE = Box(
    {f"x{k}": Real(-5.0, 5.0) for k in range(3)}
    | {f"rate{k}": Real(1e-6, 1.0, log=True) for k in range(3)}
)
OURS = ("Random", "QuasiRandom", "Evolution", "CMAES", "TPE", "Forest", "GP", "Auto")

Step = Callable[[], None]
Prepare = Callable[[int], Step]
"""Number of trials told before to a function that asks and tells one more."""


def loss(config: Any) -> float:
    """A bowl; its cost is negligible."""
    flat = sum((config[f"x{k}"] - 1.0) ** 2 for k in range(3))
    return float(flat + sum((np.log10(config[f"rate{k}"]) + 2.0) ** 2 for k in range(3)))


def configs(count: int) -> list[Any]:
    """Random configurations."""
    return [SPACE.decode(u) for u in np.random.default_rng(0).random((count, SPACE.dimension))]


def ours(kind: Callable[..., Searcher]) -> Prepare:
    """One of our searchers."""

    def prepare(told: int) -> Step:
        searcher = kind(SPACE, seed=0)
        for k, config in enumerate(configs(told)):
            trial = {"config": config, "seed": 0, "state": "done", "value": loss(config)}
            searcher.tell(Trial(number=10**6 + k, **trial))
        number = 0

        def step() -> None:
            nonlocal number
            suggestion = searcher.ask()
            if suggestion is None:
                raise RuntimeError(f"{kind} has no suggestion")
            config = suggestion.config
            trial = {"config": config, "seed": 0, "state": "done", "value": loss(config)}
            searcher.tell(Trial(number=number, **trial))
            number += 1

        return step

    return prepare


def optuna(sampler: str) -> Prepare:
    """One of optuna's samplers."""

    def prepare(told: int) -> Step:
        import optuna as peer  # noqa: PLC0415  # only where it is installed

        peer.logging.set_verbosity(peer.logging.ERROR)
        warnings.simplefilter("ignore", peer.exceptions.ExperimentalWarning)
        uniform = peer.distributions.FloatDistribution
        space = {f"x{k}": uniform(-5.0, 5.0) for k in range(3)}
        space |= {f"rate{k}": uniform(1e-6, 1.0, log=True) for k in range(3)}
        study = peer.create_study(sampler=getattr(peer.samplers, sampler)(seed=0))
        for config in configs(told):
            study.add_trial(
                peer.trial.create_trial(params=config, distributions=space, value=loss(config))
            )

        def step() -> None:
            trial = study.ask(space)
            study.tell(trial, loss(trial.params))

        return step

    return prepare


def hyperopt(told: int) -> Step:
    """Hyperopt's TPE."""
    import hyperopt as peer  # noqa: PLC0415  # only where it is installed

    space = {f"x{k}": peer.hp.uniform(f"x{k}", -5.0, 5.0) for k in range(3)}
    ends = np.log((1e-6, 1.0))
    space |= {f"rate{k}": peer.hp.loguniform(f"rate{k}", *ends) for k in range(3)}
    trials, rng = peer.Trials(), np.random.default_rng(0)

    def go(algorithm: Any, evaluations: int) -> None:
        peer.fmin(loss, space, algorithm, evaluations, trials=trials, rstate=rng, verbose=False)

    go(peer.rand.suggest, told)

    def step() -> None:
        go(peer.tpe.suggest, len(trials.trials) + 1)

    return step


def contestants() -> dict[str, Prepare]:
    """Our searchers and the installed peers."""
    public = hpcourse.search.__all__
    found = {kind: ours(getattr(hpcourse.search, kind)) for kind in OURS if kind in public}
    if importlib.util.find_spec("optuna"):
        found |= {f"optuna {name}": optuna(f"{name}Sampler") for name in ("TPE", "GP", "CmaEs")}
    if importlib.util.find_spec("hyperopt"):
        found["hyperopt TPE"] = hyperopt
    return found


def milliseconds(prepare: Prepare, told: int, repeats: int) -> float:
    """Median CPU time of one step."""
    step = prepare(told)
    step()
    costs = []
    for _ in range(repeats):
        begin = time.process_time()
        step()
        costs.append(1000 * (time.process_time() - begin))
    return statistics.median(costs)


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--told", nargs="+", type=int, default=[100, 200, 1000])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--searchers", nargs="+", metavar="NAME", help="only these")
    parser.add_argument("--limit", type=float, default=2000.0, help="skip larger sizes beyond (ms)")
    given = parser.parse_args(arguments)
    names = [n for n in contestants() if given.searchers is None or n in given.searchers]
    packages = {"numpy": "numpy", "scipy": "scipy", "scikit-learn": "sklearn", "cmaes": "cmaes"}
    packages |= {"optuna": "optuna", "hyperopt": "hyperopt"}
    found = [f"{name} {version(name)}" for name, module in packages.items()
             if importlib.util.find_spec(module)]  # fmt: skip
    print(f"CPU ms for one ask and tell, {SPACE.dimension} numbers, {platform.machine()}")
    print(f"Python {platform.python_version()}, {', '.join(found)}\n")
    print("| searcher | " + " | ".join(f"{n} told" for n in given.told) + " |")
    print("| --- " * (1 + len(given.told)) + "|")
    for name in names:
        cells, cost = [], 0.0
        for told in given.told:
            if cost <= given.limit:
                cost = milliseconds(contestants()[name], told, given.repeats)
            cells.append(f"{cost:.2f}" if cost <= given.limit else f"> {given.limit:g}")
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
