"""One claim about successive halving: Hyperband needs less training than random search.

Protocol, fixed before the seeds reported here were run (the target, the range of the learning rate
and the numbers of epochs and seeds were chosen with other seeds):

- Data: MNIST-1D; 1,000 of its 3,200 training signals, so that many trainings fit into minutes, all
  of the 800 / 1,000 signals for validation and test.
- Network: fully connected 40-32-32-10 with ReLU, cross-entropy, SGD with momentum and L2 weight
  decay, batches of 50, a constant learning rate.
- Space (`SPACE`): learning rate, momentum (by 1 - beta) and weight decay, the ranges of the claim
  `importance-order`.
- Both arms spend the same number of epochs in all. Random search trains every configuration for
  `max_budget` epochs; Hyperband (eta = 3) runs its brackets from one epoch upwards and continues a
  network where it stopped, so that a trial costs the epochs beyond its parent's.
- One worker, one trial after the other. The model in hand is the one of the lowest validation loss
  so far, whatever its epochs; what counts is its loss on the test part, which no search sees.
- Metric: the epochs spent until the test loss of the model in hand is at most `TARGET`, as a power
  of two. The target is what random search has in hand after all its epochs, in the median over
  seeds that are not reported. A search that never gets there counts as all its epochs, which
  favours whichever arm misses it more often.
- A seed decides the configurations and the initial weights. The searchers draw from the same
  source, so that the configurations of random search are the first of Hyperband's.
- Smallest effect: half a doubling. Nobody changes a habit for less than a factor of 1.4.

Successive halving alone, the most aggressive of Hyperband's brackets again and again, is context.

The trials of all seeds that can run side by side train as one population, each from its start: the
networks are the same as if they had been continued, up to rounding.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from torch import nn
from torch.nn.functional import cross_entropy

from hpcourse.claims._compute import device_name, steady_cpu
from hpcourse.claims.registry import Claim, Outcome, Profile
from hpcourse.claims.study import classifier_scores, finite, seeds_from
from hpcourse.data import TensorSplit, mnist1d
from hpcourse.models import mlp
from hpcourse.search import (
    Box,
    Config,
    Hyperband,
    Random,
    Real,
    Searcher,
    SuccessiveHalving,
    Suggestion,
    Trial,
)
from hpcourse.training import Member, Population, Run, device

ROWS, BATCH = 1000, 50
SIZES = (40, 32, 32, 10)
CHANCE = math.log(10)  # nats
RANDOM, HYPERBAND, HALVING = "random search", "Hyperband", "successive halving"

SPACE = Box(
    {
        "learning rate": Real(1e-4, 1.0, log=True),
        "forget": Real(0.01, 1.0, log=True),  # 1 - momentum
        "weight decay": Real(1e-6, 1e-2, log=True),
    }
)


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Epochs of a whole training and of a whole search, the loss to reach, and the seeds."""

    max_budget: int
    epochs: int
    target: float
    seeds: tuple[int, ...]


BUDGETS: dict[Profile, Budget] = {
    "quick": Budget(max_budget=9, epochs=81, target=1.55, seeds=seeds_from(15000, 5)),
    "full": Budget(max_budget=27, epochs=378, target=1.50, seeds=seeds_from(16000, 40)),
}

ARMS: Mapping[str, Callable[[int, int], Searcher]] = {
    HYPERBAND: lambda budget, seed: Hyperband(SPACE, seed=seed, max_budget=budget),
    RANDOM: lambda budget, seed: Random(SPACE, seed=seed),
    HALVING: lambda budget, seed: SuccessiveHalving(SPACE, seed=seed, max_budget=budget),
}


@dataclass
class Search:
    """One searcher on one seed, with what it has spent.

    Attributes:
        searcher: Asked and told.
        seed: Of the initial weights.
        spent: Epochs so far.
        trace: Epochs spent and the test loss (nats) of the model in hand after each trial.
    """

    searcher: Searcher
    seed: int
    spent: int = 0
    ended: bool = False
    trace: list[tuple[int, float]] = field(default_factory=list)
    _best: float = math.inf
    _budgets: list[int] = field(default_factory=list)

    def ask(self, budget: Budget) -> list[Suggestion]:
        """All trials that can run side by side within the epochs left; none once it has ended."""
        asked: list[Suggestion] = []
        left = budget.epochs - self.spent
        while not self.ended:
            suggestion = self.searcher.ask()
            if suggestion is None:
                break
            cost = self._cost(suggestion, budget.max_budget)
            left -= cost
            if left < 0:
                self.ended = True
                break
            self._budgets.append(suggestion.budget or budget.max_budget)
            asked.append(suggestion)
        return asked

    def _cost(self, suggestion: Suggestion, max_budget: int) -> int:
        """Epochs beyond those of the checkpoint that a trial continues."""
        before = 0 if suggestion.parent is None else self._budgets[suggestion.parent]
        return (suggestion.budget or max_budget) - before

    def tell(
        self, suggestions: Sequence[Suggestion], losses: Sequence[tuple[float, float]]
    ) -> None:
        """Take note of the validation and test loss of all that was asked last."""
        first = len(self._budgets) - len(suggestions)
        for number, (asked, (validation, test)) in enumerate(
            zip(suggestions, losses, strict=True), first
        ):
            self.spent += self._cost(asked, self._budgets[number])
            if validation < self._best:
                self._best = validation
                self.trace.append((self.spent, test))
            self.searcher.tell(
                Trial(
                    number=number,
                    config=asked.config,
                    seed=self.seed,
                    budget=asked.budget,
                    parent=asked.parent,
                    state="done",
                    value=validation,
                )
            )

    def in_hand(self, epochs: int) -> float:
        """Test loss of the model in hand after so many epochs; infinite before the first."""
        return next((loss for spent, loss in reversed(self.trace) if spent <= epochs), math.inf)

    def reached(self, target: float) -> int | None:
        """Epochs until a model in hand is as good as the target; None if there never is one."""
        return next((spent for spent, loss in self.trace if loss <= target), None)


@cache
def searched(budget: Budget) -> Mapping[str, tuple[Search, ...]]:
    """Run every arm on every seed, once per process and budget; all seeds side by side."""
    searches = {
        arm: tuple(Search(make(budget.max_budget, seed), seed) for seed in budget.seeds)
        for arm, make in ARMS.items()
    }
    every = [search for arm in searches.values() for search in arm]
    while True:
        rounds = [(search, search.ask(budget)) for search in every]
        members = [
            member(asked.config, asked.budget or budget.max_budget, seed=search.seed)
            for search, batch in rounds
            for asked in batch
        ]
        if not members:
            return searches
        losses = iter(_losses(members))
        for search, batch in rounds:
            search.tell(batch, [next(losses) for _ in batch])


def member(config: Config, epochs: int, *, seed: int) -> Member:
    """The training of a configuration for so many epochs."""
    return Member(
        seed=seed,
        data_seed=0,
        hypers={
            "lr": config["learning rate"],
            "momentum": 1 - config["forget"],
            "weight_decay": config["weight decay"],
        },
        steps=epochs * ROWS // BATCH,
        batch_size=BATCH,
    )


def _losses(members: Sequence[Member]) -> list[tuple[float, float]]:
    """Validation and test loss (nats) of each training; chance where it diverged."""
    data = mnist1d().tensors(device())
    train = TensorSplit(data.train.x[:ROWS], data.train.y[:ROWS])
    with steady_cpu():
        runs = Population(build, members).train(train, cross_entropy, classifier_scores(data))
    return [(_final(run, "validation"), _final(run, "test")) for run in runs]


def build(shape: None, seed: int) -> nn.Module:
    """The network of a seed."""
    return mlp(SIZES, seed=seed)


def _final(run: Run, part: str) -> float:
    loss = run.final(f"{part} loss (nats)")
    return min(loss, CHANCE) if math.isfinite(loss) else CHANCE


def _outcome(profile: Profile) -> Outcome:
    """Epochs to the target of every arm and seed, and what each had in hand on the way."""
    start, budget = time.perf_counter(), BUDGETS[profile]
    searches = searched(budget)
    reached = {
        arm: [one.reached(budget.target) for one in found] for arm, found in searches.items()
    }
    points = [round(share * budget.epochs / 40) for share in range(1, 41)]
    return Outcome(
        seeds=budget.seeds,
        arms={
            arm: [math.log2(budget.epochs if n is None else n) for n in found]
            for arm, found in reached.items()
        },
        device=device_name(device()),
        seconds=time.perf_counter() - start,
        settings={
            "data": "mnist1d",
            "rows": ROWS,
            "sizes": list(SIZES),
            "batch_size": BATCH,
            "axes": {axis.name: repr(axis.domain) for axis in SPACE.axes},
            "max_budget": budget.max_budget,
            "epochs": budget.epochs,
            "target": budget.target,
            "points": points,
            "missed": {arm: found.count(None) for arm, found in reached.items()},
        },
        measures={
            "test loss at the end (nats)": {
                arm: [one.in_hand(budget.epochs) for one in found]
                for arm, found in searches.items()
            }
        },
        curves={
            "test loss in hand (nats)": {
                arm: [[finite(one.in_hand(point)) for point in points] for one in found]
                for arm, found in searches.items()
            }
        },
        packages=("mnist1d",),
    )


CLAIMS = (
    Claim(
        id="hyperband-faster-than-random",
        statement="Hyperband reaches a given quality with less training than random search.",
        source="PATTERNS, reference to Hyperband",
        claimed=(HYPERBAND,),
        reference=RANDOM,
        context=(HALVING,),
        metric="epochs spent until the model in hand reaches the target test loss",
        unit="doublings",
        direction="lower",
        smallest_effect=0.5,
        experiment=_outcome,
        seeds={profile: budget.seeds for profile, budget in BUDGETS.items()},
        page="search/multi-fidelity",
    ),
)
