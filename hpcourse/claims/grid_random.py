"""Three claims about grids and random search.

Protocols, fixed before the seeds reported here were run.

`grid-exponential`, on functions that cost nothing. One function is the mean over some of d
coordinates of |x_j - c_j|, with c uniform in the unit cube; either one coordinate matters, drawn at
random, or all do. A point is found where every coordinate that matters is within 0.1 of c_j. A grid
of five values an axis is the coarsest that always has such a point. It is evaluated in the usual
order, the last coordinate fastest; random search draws until it has found.

- Measured: the mean number of evaluations over 200 functions at each d = 1 ... 5, and its growth,
  the slope of log10 of the mean by d (decades for each hyperparameter).
- Two parts: where one coordinate matters the grid grows, and grows more than random search.
  Where all matter is reported beside it and decides nothing. Smallest effect: 0.1 decades, that is
  26 % more evaluations for each further hyperparameter.

`random-beats-grid-unimportant-dims`, real trainings. Network 40-32-10 on MNIST-1D, 600 updates of
32 signals, SGD with momentum, rate down half a cosine. Two hyperparameters, of which one matters:
the rate over four decades, from 10^a with a uniform in [-5, -3], for who searches does not know
where the best rate lies; and the weight decay from 1e-7 to 1e-5, too small to matter.

- Arms: a grid of 3 x 3 values, at the middles of equal parts, and nine random draws. Both share the
  range and the seeds of their trainings.
- The best of the nine by validation loss is measured by its test loss. A loss above ln 10 nats, or
  none, counts as ln 10. Smallest effect: 0.05 nats.
- Context: the same where the other hyperparameter matters too, what momentum forgets, 1e-3 to 1.

`narrowing-helps`, real trainings of the same kind. Four hyperparameters: rate 1e-5 to 10, what
momentum forgets 1e-3 to 1, weight decay 1e-7 to 0.1, all on the logarithm, and a width of 16, 32 or
64. Narrowing search in rounds of five, as in the source, against plain random search, both with 25
trainings, chosen and measured as above. Sobol's sequence is context. Smallest effect: 0.05 nats.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from hpcourse.claims._compute import device_name
from hpcourse.claims._searching import Array, Found, Losses, side_by_side, train_signals
from hpcourse.claims.contrasts import NO_DIFFERENCE
from hpcourse.claims.registry import Claim, Outcome, Profile
from hpcourse.claims.study import seeds_from
from hpcourse.search import (
    Box,
    Choice,
    Grid,
    Narrowing,
    QuasiRandom,
    Random,
    Real,
    Searcher,
)
from hpcourse.training import device

TOLERANCE = 0.1
DIMENSIONS = (1, 2, 3, 4, 5)
PAGE = "search/grid-binary-random"

Make = Callable[[int], Searcher]  # seed to searcher


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Seeds of a profile; functions of a seed, or updates of a training."""

    seeds: tuple[int, ...]
    functions: int = 200
    steps: int = 600


GROWTH: dict[Profile, Plan] = {
    "quick": Plan(seeds=seeds_from(7100, 8), functions=50),
    "full": Plan(seeds=seeds_from(7200, 30)),
}
NINE: dict[Profile, Plan] = {
    "quick": Plan(seeds=seeds_from(7300, 8), steps=150),
    "full": Plan(seeds=seeds_from(7400, 40)),
}
ROUNDS: dict[Profile, Plan] = {
    "quick": Plan(seeds=seeds_from(7500, 6), steps=100),
    "full": Plan(seeds=seeds_from(7600, 30)),
}


def grid_evaluations(best: Array, matters: Sequence[int], per_axis: int = 5) -> int:
    """Evaluations until a grid, the last axis fastest, has a point near the best one.

    Args:
        best: Where the function is lowest (dimension,).
        matters: Coordinates that have to be within `TOLERANCE`.
        per_axis: Values of an axis, at the middles of equal parts.

    Examples:
        >>> grid_evaluations(np.array([0.9, 0.3]), [1])  # the second of five values
        2
        >>> grid_evaluations(np.array([0.9, 0.3]), [0])  # four blocks of five before it
        21
    """
    # The nearest value of an axis that matters, the first one of an axis that does not.
    digits = [
        min(int(best[j] * per_axis), per_axis - 1) if j in matters else 0 for j in range(len(best))
    ]
    return 1 + int(np.dot(digits, per_axis ** np.arange(len(best))[::-1]))


def random_evaluations(best: Array, matters: Sequence[int], rng: np.random.Generator) -> int:
    """Evaluations until random search has drawn a point near the best one."""
    near, count = False, 0
    while not near:
        drawn = rng.random((256, len(matters)))
        hits = (np.abs(drawn - best[list(matters)]) <= TOLERANCE).all(axis=1)
        near = bool(hits.any())
        count += int(hits.argmax()) + 1 if near else len(drawn)
    return count


def mean_evaluations(seed: int, functions: int) -> dict[str, Array]:
    """Mean evaluations by dimension, of both searches on both kinds of functions."""
    rng = np.random.default_rng(seed)
    means: dict[str, list[float]] = {}
    for d in DIMENSIONS:
        counts: dict[str, list[int]] = {}
        for _ in range(functions):
            best, one = rng.random(d), int(rng.integers(d))
            for kind, matters in (("one matters", [one]), ("all matter", list(range(d)))):
                grid = grid_evaluations(best, matters)
                counts.setdefault(f"grid, {kind}", []).append(grid)
                random = random_evaluations(best, matters, rng)
                counts.setdefault(f"random, {kind}", []).append(random)
        for name, found in counts.items():
            means.setdefault(name, []).append(float(np.mean(found)))
    return {name: np.array(values) for name, values in means.items()}


def _growth_outcome(profile: Profile) -> Outcome:
    start, plan = time.perf_counter(), GROWTH[profile]
    found = [mean_evaluations(seed, plan.functions) for seed in plan.seeds]
    growth = {
        name: np.array([np.polyfit(DIMENSIONS, np.log10(each[name]), 1)[0] for each in found])
        for name in found[0]
    }
    less = {
        kind: growth[f"grid, {kind}"] - growth[f"random, {kind}"]
        for kind in ("one matters", "all matter")
    }
    return Outcome(
        seeds=plan.seeds,
        arms={
            "grid grows, one matters": growth["grid, one matters"].tolist(),
            "random grows less, one matters": less["one matters"].tolist(),
            "random grows less, all matter": less["all matter"].tolist(),
            NO_DIFFERENCE: [0.0] * len(plan.seeds),
        },
        device="cpu, without trainings",
        seconds=time.perf_counter() - start,
        settings={
            "dimensions": DIMENSIONS,
            "functions": plan.functions,
            "tolerance": TOLERANCE,
            "values_per_axis": 5,
        },
        measures={"growth (decades for each hyperparameter)": _lists(growth)},
        curves={
            "mean evaluations": {name: [each[name].tolist() for each in found] for name in found[0]}
        },
    )


def pair_space(seed: int, other: str) -> Box:
    """The learning rate over four decades that the seed decides, and one other hyperparameter."""
    low = 10 ** np.random.default_rng(seed).uniform(-5, -3)
    rate = Real(float(low), float(1e4 * low), log=True)
    second = {"weight_decay": Real(1e-7, 1e-5, log=True), "forgets": Real(1e-3, 1.0, log=True)}
    return Box({"lr": rate, other: second[other]})


def score(configs: Sequence[Mapping[str, Any]], seeds: Sequence[int], *, steps: int) -> Losses:
    """Train configurations in which ``forgets`` stands for one minus the momentum."""
    plain = [{**c, "momentum": 1 - c["forgets"]} if "forgets" in c else c for c in configs]
    return train_signals(plain, seeds, steps=steps)


def compete(
    arms: Mapping[str, Make], plan: Plan, *, trials: int, size: int
) -> dict[str, list[Found]]:
    """Run every arm on every seed; trainings of one seed and number share their seed."""
    searches = [(make(seed), 1000 * seed) for make in arms.values() for seed in plan.seeds]
    found = side_by_side(searches, partial(score, steps=plan.steps), trials=trials, size=size)
    count = len(plan.seeds)
    return {name: found[i * count : (i + 1) * count] for i, name in enumerate(arms)}


def nine_arms() -> dict[str, Make]:
    """Searchers of nine trainings, of one hyperparameter that matters and of two."""
    kinds = {"one matters": "weight_decay", "both matter": "forgets"}
    made: dict[str, Make] = {}
    for kind, other in kinds.items():
        made[f"random, {kind}"] = partial(_random_pair, other=other)
        made[f"grid, {kind}"] = partial(_grid_pair, other=other)
    return made


def _random_pair(seed: int, other: str) -> Searcher:
    return Random(pair_space(seed, other), seed=seed)


def _grid_pair(seed: int, other: str) -> Searcher:
    return Grid(pair_space(seed, other), seed=seed, points=3)


WIDE = Box(
    {
        "lr": Real(1e-5, 10.0, log=True),
        "forgets": Real(1e-3, 1.0, log=True),
        "weight_decay": Real(1e-7, 0.1, log=True),
        "width": Choice((16, 32, 64), ordered=True),
    }
)


def narrowing_arms() -> dict[str, Make]:
    """Searchers of 25 trainings in `WIDE`."""
    return {
        "narrowing": lambda seed: Narrowing(WIDE, seed=seed, size=5),
        "random": lambda seed: Random(WIDE, seed=seed),
        "Sobol": lambda seed: QuasiRandom(WIDE, seed=seed),
    }


def _competition(
    plans: Mapping[Profile, Plan], arms: Callable[[], Mapping[str, Make]], trials: int, size: int
) -> Callable[[Profile], Outcome]:
    return partial(_compete_outcome, plans=plans, arms=arms, trials=trials, size=size)


def _compete_outcome(
    profile: Profile,
    *,
    plans: Mapping[Profile, Plan],
    arms: Callable[[], Mapping[str, Make]],
    trials: int,
    size: int,
) -> Outcome:
    start, plan = time.perf_counter(), plans[profile]
    found = compete(arms(), plan, trials=trials, size=size)
    return Outcome(
        seeds=plan.seeds,
        arms={name: [each.best_test for each in runs] for name, runs in found.items()},
        device=device_name(device()),
        seconds=time.perf_counter() - start,
        settings={
            "trainings": trials,
            "round": size,
            "steps": plan.steps,
            "best_configs": {
                name: [each.configs[int(np.argmin(each.validation))] for each in runs]
                for name, runs in found.items()
            },
        },
        curves={
            "best validation loss so far (nats)": {
                name: [np.minimum.accumulate(each.validation).tolist() for each in runs]
                for name, runs in found.items()
            }
        },
        packages=("mnist1d",),
    )


def _lists(arrays: Mapping[str, Array]) -> dict[str, list[float]]:
    return {name: values.tolist() for name, values in arrays.items()}


CLAIMS = (
    Claim(
        id="grid-exponential",
        statement=(
            "The cost of a grid grows exponentially with the number of hyperparameters; where one "
            "of them matters, the cost of random search does not."
        ),
        source="TUNE, grid search and random search",
        claimed=("grid grows, one matters", "random grows less, one matters"),
        reference=NO_DIFFERENCE,
        context=("random grows less, all matter",),
        metric="growth of the evaluations to come near the best point",
        unit="decades for each hyperparameter",
        direction="higher",
        smallest_effect=0.1,
        experiment=_growth_outcome,
        seeds={profile: plan.seeds for profile, plan in GROWTH.items()},
        page=PAGE,
    ),
    Claim(
        id="random-beats-grid-unimportant-dims",
        statement=(
            "Where one of two hyperparameters does not matter, nine random trials find a better "
            "training than a grid of three by three."
        ),
        source="TUNE, random search; DL500 14.6.1",
        claimed=("random, one matters",),
        reference="grid, one matters",
        context=("random, both matter", "grid, both matter"),
        metric="test cross-entropy of the best of nine by validation",
        unit="nats",
        direction="lower",
        smallest_effect=0.05,
        experiment=_competition(NINE, nine_arms, trials=9, size=9),
        seeds={profile: plan.seeds for profile, plan in NINE.items()},
        page=PAGE,
    ),
    Claim(
        id="narrowing-helps",
        statement=(
            "Random search that narrows around the best finds a better training than plain random "
            "search with as many trials."
        ),
        source="PATTERNS 10.2.3",
        claimed=("narrowing",),
        reference="random",
        context=("Sobol",),
        metric="test cross-entropy of the best of 25 by validation",
        unit="nats",
        direction="lower",
        smallest_effect=0.05,
        experiment=_competition(ROUNDS, narrowing_arms, trials=25, size=5),
        seeds={profile: plan.seeds for profile, plan in ROUNDS.items()},
        page=PAGE,
    ),
)
