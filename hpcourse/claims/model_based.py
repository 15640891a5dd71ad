"""One claim about search with a model: it needs fewer trainings than random search.

Protocol, fixed before the seeds reported here were run (the network, the ranges, the number of
steps, the bar and the number of seeds were chosen in trials with other seeds):

- Data: MNIST-1D, 3,200 / 800 / 1,000 signals for training, validation and test.
- Network: fully connected 40-32-32-10 with ReLU and dropout, cross-entropy, SGD with momentum and
  L2 weight decay, batches of 64, a learning rate that falls along half a cosine.
- Space (`SPACE`): learning rate, momentum, weight decay, dropout, and the share of the learning
  rate that is left at the end, over ranges as wide as those of somebody who does not know yet.
- Objective: validation cross-entropy (nats) after the last step, capped at chance, ln 10. All
  trainings of a replicate share the seed of the initial weights and of the order of the data: the
  searchers of a replicate minimise one and the same function, and none can win by luck of a seed.
- Equal quality: a replicate's bar is the lowest loss of `bar` random trainings, which no searcher
  gets to see. A searcher is run for `trials` trainings; the first that is at least as good as the
  bar is what is counted. One that never gets there counts as `trials`, the same for all: what this
  saves, it saves those who need more.
- What random search needs is known beforehand, whatever the objective: the chance that n further
  random trainings do not reach the lowest loss of m earlier ones is m / (n + m). The mean of the
  capped number is the sum of m / (n + m) over n from 0 to trials - 1.
- Smallest effect: a fifth of the bar.

Context: quasi-random search spreads its trainings evenly, but has no model; what the models gain
must be more than that. The test loss of each searcher's choice is reported. So are the seconds that
a searcher takes for each trial beside those that the training takes: these depend on the machine,
and on what else it does, and decide nothing. One training alone is timed, as somebody runs it who
trains one network after the other; that populations of trainings are cheaper is no merit of a
search that needs one result after the other.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from torch.nn.functional import cross_entropy

from hpcourse.claims._compute import device_name, repeatable_draws, steady_cpu
from hpcourse.claims.registry import Claim, Outcome, Profile
from hpcourse.claims.study import classifier_scores, seeds_from
from hpcourse.data import TensorDataset, batches, mnist1d
from hpcourse.models import mlp
from hpcourse.schedules import cosine_decay
from hpcourse.search import GP, TPE, Box, Config, QuasiRandom, Random, Real, Searcher, Trial
from hpcourse.training import Member, Population, Run, device

SIZES = (40, 32, 32, 10)
BATCH = 64
CHANCE = math.log(10)  # nats

SPACE = Box(
    {
        "lr": Real(1e-4, 1.0, log=True),
        "forgets": Real(0.01, 1.0, log=True),  # 1 - momentum
        "weight_decay": Real(1e-6, 1e-1, log=True),
        "dropout": Real(0.0, 0.7),
        "final": Real(1e-3, 1.0, log=True),  # share of the learning rate at the end
    }
)

SEARCHERS: Mapping[str, Callable[..., Searcher]] = {
    "TPE": TPE,
    "GP": GP,
    "random": Random,
    "quasi-random": QuasiRandom,
}

LISTENING, DEAF = ("TPE", "GP"), ("random", "quasi-random")
"""Searchers that go by what they are told, and those that do not."""

VALIDATION, TEST = "validation loss (nats)", "test loss (nats)"


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a profile spends.

    Attributes:
        bar: Random trainings whose best is to be reached.
        trials: Trainings of each searcher.
        epochs: Passes over the data of a training.
        seeds: One replicate each.
    """

    bar: int
    trials: int
    epochs: int
    seeds: tuple[int, ...]


BUDGETS: dict[Profile, Budget] = {
    "quick": Budget(bar=12, trials=24, epochs=2, seeds=seeds_from(40000, 5)),
    "full": Budget(bar=32, trials=64, epochs=6, seeds=seeds_from(41000, 40)),
}


def as_member(config: Config, *, seed: int, steps: int) -> Member:
    """The training that a configuration stands for.

    Args:
        config: A configuration of `SPACE`.
        seed: Decides the initial weights and the order of the data.
        steps: Number of updates.
    """
    rate = cosine_decay(config["lr"], steps, alpha=config["final"])
    return Member(
        seed=seed,
        hypers={
            "lr": rate,
            "momentum": 1 - config["forgets"],
            "weight_decay": config["weight_decay"],
            "dropout": config["dropout"],
        },
        steps=steps,
        batch_size=BATCH,
    )


def needed(losses: Sequence[float], bar: float) -> int:
    """Number of the first loss, from 1, that is at most `bar`; the number of losses if none is.

    Examples:
        >>> needed([0.9, 0.5, 0.4], bar=0.5), needed([0.9, 0.8], bar=0.5)
        (2, 2)
    """
    return next((n for n, loss in enumerate(losses, 1) if loss <= bar), len(losses))


def expected_needed(bar: int, trials: int) -> float:
    """Mean of `needed` for random search, on any objective whose losses are all different.

    Args:
        bar: Random trainings whose best is the bar.
        trials: Trainings of the search.

    Examples:
        >>> expected_needed(1, 2)  # the first of two is as good as the bar with probability 1/2
        1.5
    """
    return sum(bar / (n + bar) for n in range(trials))


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a search tried, in its order, and the seconds that its model took for each trial."""

    configs: Sequence[Config]
    validation: Sequence[float]
    test: Sequence[float]
    seconds: float


Score = Callable[[Sequence[tuple[Config, int]]], Sequence[tuple[float, float]]]
"""Configurations with their seeds to validation and test losses (nats)."""


def in_step(
    searchers: Sequence[tuple[Searcher, int]], score: Score, trials: int, *, ahead: int = 1
) -> list[Found]:
    """Run searches side by side: the next trainings of all of them are one population.

    Args:
        searchers: The searches, and the seeds of their trainings.
        score: Trains.
        trials: Trainings of each.
        ahead: Suggestions asked for before the first of them is told, for searchers that do not
            listen anyway; a divisor of `trials`.
    """
    rows: list[list[tuple[Config, float, float]]] = [[] for _ in searchers]
    seconds = [0.0] * len(searchers)
    for first in range(0, trials, ahead):
        asked: list[tuple[Config, int]] = []
        for place, (searcher, seed) in enumerate(searchers):
            begin = time.process_time()
            suggestions = [searcher.ask() for _ in range(ahead)]
            seconds[place] += time.process_time() - begin
            asked += [(s.config, seed) for s in suggestions if s is not None]
        losses = iter(zip(asked, score(asked), strict=True))
        for place, (searcher, _) in enumerate(searchers):
            for number in range(first, first + ahead):
                (config, seed), found = next(losses)
                rows[place].append((config, *found))
                done = Trial(number=number, config=config, seed=seed, state="done", value=found[0])
                begin = time.process_time()
                searcher.tell(done)
                seconds[place] += time.process_time() - begin
    return [
        Found(configs=c, validation=v, test=t, seconds=s / trials)
        for (c, v, t), s in zip((zip(*row, strict=True) for row in rows), seconds, strict=True)
    ]


def _train(data: TensorDataset, members: Sequence[Member]) -> list[Run]:
    population = Population(lambda _, seed: mlp(SIZES, dropout=0.0, seed=seed), members)
    return population.train(data.train, cross_entropy, classifier_scores(data))


def scorer(data: TensorDataset, epochs: int) -> Score:
    """Trains configurations and gives their losses, not above chance.

    Args:
        data: The parts, on the device where the networks are trained.
        epochs: Passes over the training part.
    """
    steps = epochs * batches(*data.train, batch_size=BATCH, seed=0).per_epoch

    def score(asked: Sequence[tuple[Config, int]]) -> list[tuple[float, float]]:
        runs = _train(data, [as_member(config, seed=seed, steps=steps) for config, seed in asked])
        return [(_capped(run.final(VALIDATION)), _capped(run.final(TEST))) for run in runs]

    return score


def _capped(loss: float) -> float:
    return min(loss, CHANCE) if math.isfinite(loss) else CHANCE


@cache
def searches(budget: Budget) -> tuple[dict[str, list[Found]], list[Found], float]:
    """The searches of every arm, the trainings behind the bars, and the seconds of one alone."""
    score = scorer(mnist1d().tensors(device()), budget.epochs)
    # The bar's random search has seeds of its own, above those of the arms.
    hidden = [(Random(SPACE, seed=seed + 1_000_000), seed) for seed in budget.seeds]
    found: dict[str, list[Found]] = {}
    with steady_cpu(), repeatable_draws():
        behind = in_step(hidden, score, budget.bar, ahead=budget.bar)
        for names, ahead in ((LISTENING, 1), (DEAF, budget.trials)):
            runs = [
                (SEARCHERS[name](SPACE, seed=seed), seed) for name in names for seed in budget.seeds
            ]
            results = iter(in_step(runs, score, budget.trials, ahead=ahead))
            found |= {name: [next(results) for _ in budget.seeds] for name in names}
        alone = _alone(score, behind[0].configs[:3], budget.seeds[0])
    return found, behind, alone


def _alone(score: Score, configs: Sequence[Config], seed: int) -> float:
    """CPU seconds of a training by itself, the least of a few."""
    times = []
    for config in configs:
        begin = time.process_time()
        score([(config, seed)])
        times.append(time.process_time() - begin)
    return min(times)


def _outcome(profile: Profile) -> Outcome:
    start = time.perf_counter()
    budget = BUDGETS[profile]
    found, behind, alone = searches(budget)
    bars = [min(each.validation) for each in behind]
    counts = {
        name: [float(needed(f.validation, bar)) for f, bar in zip(own, bars, strict=True)]
        for name, own in found.items()
    }
    return Outcome(
        seeds=budget.seeds,
        arms=counts,
        device=device_name(device()),
        seconds=time.perf_counter() - start,
        settings=_settings(budget, alone, found, bars),
        measures={
            "best validation loss (nats)": _each(found, lambda f: min(f.validation)),
            "test loss of the choice (nats)": _each(found, _chosen_test),
            "seconds of the searcher for each trial": _each(found, lambda f: f.seconds),
        },
        curves={
            "best validation loss so far (nats)": {
                name: [np.minimum.accumulate(f.validation).tolist() for f in own]
                for name, own in found.items()
            }
        },
        packages=("mnist1d",),
    )


def _settings(
    budget: Budget, alone: float, found: Mapping[str, list[Found]], bars: list[float]
) -> dict[str, Any]:
    never = {
        name: sum(min(f.validation) > bar for f, bar in zip(own, bars, strict=True))
        for name, own in found.items()
    }
    return {
        "data": "mnist1d",
        "sizes": SIZES,
        "batch_size": BATCH,
        "space": {axis.name: repr(axis.domain) for axis in SPACE.axes},
        "epochs": budget.epochs,
        "bar_trainings": budget.bar,
        "trials": budget.trials,
        "bars": bars,
        "never_reached": never,
        "expected_of_random": expected_needed(budget.bar, budget.trials),
        "seconds_of_one_training": alone,
    }


def _each(
    found: Mapping[str, list[Found]], measure: Callable[[Found], float]
) -> dict[str, list[float]]:
    return {name: [float(measure(f)) for f in own] for name, own in found.items()}


def _chosen_test(found: Found) -> float:
    """Test loss of the configuration with the lowest validation loss."""
    return found.test[int(np.argmin(found.validation))]


CLAIMS = (
    Claim(
        id="bo-fewer-evaluations",
        statement="Model-based search needs fewer trainings than random search at equal quality.",
        source="META (Bayesian optimisation)",
        claimed=("TPE", "GP"),
        reference="random",
        context=("quasi-random",),
        metric="trainings until as good as the best of the random ones behind the bar",
        unit="trainings",
        direction="lower",
        smallest_effect=BUDGETS["full"].bar / 5,
        experiment=_outcome,
        seeds={profile: budget.seeds for profile, budget in BUDGETS.items()},
        page="search/bayesian-optimisation",
    ),
)
