"""One claim about the design of a space: neither too narrow nor too wide, at the same budget.

Protocol, fixed before the seeds reported here were run (the number of steps, of trials and the
smallest effect were chosen in trials with other seeds):

- Data: MNIST-1D, 3,200 / 800 / 1,000 signals for training, validation and test.
- Network: fully connected 40-32-10 with ReLU, cross-entropy, SGD with momentum and L2 weight decay,
  batches of 32, a learning rate that falls along half a cosine.
- Spaces (`SPACES`): learning rate, 1 - momentum and weight decay, all on the log scale. The narrow
  one trusts the customary values 0.01, 0.9 and 1e-4 and leaves a factor of two at either side. The
  sensible one holds the ranges that the sources suggest (14.2.4, 14.2.6): three decades of learning
  rates, two of momentum, four of weight decay. The huge one excludes nothing that a float can hold
  easily: twelve, four and twelve decades. Each contains the one before.
- Equal budgets: every search has the same number of trainings, told one after the other, and each
  training the same number of steps. The searches of a replicate share their seeds.
- Score: test cross-entropy (nats) of the configuration of the lowest validation loss; what diverged
  or is worse than guessing counts as guessing, ln 10.
- Two contrasts decide, both of random search: by how much the narrow and the huge space end above
  the sensible one. The same contrasts of TPE, which may make up for a bad space, are context.
- Smallest effect: 0.05 nats.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from hpcourse.claims._compute import device_name
from hpcourse.claims._searching import CHANCE, Found, Losses, side_by_side, train_signals
from hpcourse.claims.contrasts import NO_DIFFERENCE
from hpcourse.claims.registry import Claim, Outcome, Profile
from hpcourse.claims.study import seeds_from
from hpcourse.search import TPE, Box, Random, Real, Searcher
from hpcourse.training import device


def _box(lr: tuple[float, float], forgets: tuple[float, float], decay: tuple[float, float]) -> Box:
    ranges = {"lr": lr, "forgets": forgets, "weight_decay": decay}
    return Box({name: Real(*ends, log=True) for name, ends in ranges.items()})


SPACES: Mapping[str, Box] = {
    "narrow": _box((0.005, 0.02), (0.05, 0.2), (5e-5, 2e-4)),
    "sensible": _box((1e-3, 1.0), (0.01, 1.0), (1e-6, 1e-2)),
    "huge": _box((1e-8, 1e4), (1e-4, 1.0), (1e-12, 1.0)),
}
"""Learning rate, 1 - momentum and weight decay."""

SEARCHERS: Mapping[str, Callable[..., Searcher]] = {"random search": Random, "TPE": TPE}

REFERENCE = "sensible"


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a profile spends.

    Attributes:
        trials: Trainings of each search.
        steps: Updates of each training.
        seeds: One replicate each.
    """

    trials: int
    steps: int
    seeds: tuple[int, ...]


BUDGETS: dict[Profile, Budget] = {
    "quick": Budget(trials=12, steps=150, seeds=seeds_from(52000, 5)),
    "full": Budget(trials=24, steps=600, seeds=seeds_from(53000, 24)),
}


def scorer(steps: int) -> Callable[[Sequence[Mapping[str, Any]], Sequence[int]], Losses]:
    """Trains configurations of `SPACES`."""

    def score(configs: Sequence[Mapping[str, Any]], seeds: Sequence[int]) -> Losses:
        trained = [{**config, "momentum": 1 - config["forgets"]} for config in configs]
        return train_signals(trained, seeds, steps=steps)

    return score


@cache
def searches(budget: Budget) -> dict[tuple[str, str], list[Found]]:
    """The searches by searcher and space, one a seed; all of a searcher advance together."""
    found: dict[tuple[str, str], list[Found]] = {}
    for name, make in SEARCHERS.items():
        runs = [
            (make(space, seed=seed), seed * 1000)
            for space in SPACES.values()
            for seed in budget.seeds
        ]
        # Random search does not listen, so that all of its trainings are one population.
        size = budget.trials if make is Random else 1
        results = iter(side_by_side(runs, scorer(budget.steps), trials=budget.trials, size=size))
        found |= {(name, space): [next(results) for _ in budget.seeds] for space in SPACES}
    return found


def contrast(space: str, searcher: str) -> str:
    """Name of the arm that says how much worse a space is than the sensible one."""
    return f"{space} less {REFERENCE}, {searcher}"


def _outcome(profile: Profile) -> Outcome:
    start, budget = time.perf_counter(), BUDGETS[profile]
    found = searches(budget)
    losses = {key: [each.best_test for each in every] for key, every in found.items()}
    arms = {
        contrast(space, searcher): np.subtract(
            losses[searcher, space], losses[searcher, REFERENCE]
        ).tolist()
        for searcher in SEARCHERS
        for space in ("narrow", "huge")
    }
    names = {key: f"{key[1]}, {key[0]}" for key in found}
    return Outcome(
        seeds=budget.seeds,
        arms={**arms, NO_DIFFERENCE: [0.0 for _ in budget.seeds]},
        device=device_name(device()),
        seconds=time.perf_counter() - start,
        settings={
            "data": "mnist1d",
            "spaces": {name: repr(space) for name, space in SPACES.items()},
            "trials": budget.trials,
            "steps": budget.steps,
            "at_chance": {names[key]: _share_at_chance(found[key]) for key in found},
        },
        measures={
            "test loss of the choice (nats)": {names[key]: losses[key] for key in found},
            "learning rate of the choice": {
                names[key]: [_chosen(each)["lr"] for each in found[key]] for key in found
            },
        },
        curves={
            "best validation loss so far (nats)": {
                names[key]: [np.minimum.accumulate(each.validation).tolist() for each in found[key]]
                for key in found
            }
        },
        packages=("mnist1d",),
    )


def _chosen(found: Found) -> Mapping[str, Any]:
    return found.configs[int(np.argmin(found.validation))]


def _share_at_chance(found: Sequence[Found]) -> float:
    """Share of the trainings that end no better than guessing."""
    return float(np.mean([np.asarray(each.validation) >= CHANCE for each in found]))


CLAIMS = (
    Claim(
        id="space-size-tradeoff",
        statement="At the same budget, a sensible space ends lower than a narrow and a huge one.",
        source="META (space design)",
        claimed=tuple(contrast(space, "random search") for space in ("narrow", "huge")),
        reference=NO_DIFFERENCE,
        context=tuple(contrast(space, "TPE") for space in ("narrow", "huge")),
        metric="test loss of the choice above that of the sensible space",
        unit="nats",
        direction="higher",
        smallest_effect=0.05,
        experiment=_outcome,
        seeds={profile: budget.seeds for profile, budget in BUDGETS.items()},
        page="search/search-spaces",
    ),
)
