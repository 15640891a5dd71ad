"""One claim about honest scores: a test set that chooses promises more than new data keep.

Protocol, fixed before the seeds reported here were run (sizes, ranges, steps and the smallest
effect were chosen in trials with other seeds):

- Data: the packaged 12,000 images of Fashion-MNIST, divided anew by each replicate: 500 to train
  on, 1,600 for the test set, 1,600 for validation, and 5,000 new images for all data to come.
- Search: 40 random configurations of `SPACE` a replicate, each trained once, with a seed of its
  own. Network: fully connected 784-16-10 with ReLU, cross-entropy, SGD with momentum and L2 weight
  decay, 120 batches of 50, a learning rate that falls along half a cosine.
- Arms choose among the very same networks, so that their budgets are equal: the highest accuracy on
  100 images of the test set, as the source does, or on 100 validation images. Both report the
  accuracy on the same 100 test images.
- What is counted: the accuracy that is reported less the accuracy on the new images. The luck of
  the images that happen to be in the test set is the same for both arms and drops out of the
  difference.
- Context: the validation score of the validation's choice, which was chosen by as well; and the
  first network, which nobody chose.
- Smallest effect: one percentage point.

What the choices are worth on new images is reported: choosing on the test set is no better way to
find a network. So is how the arm of the source fares with 50 to 1,600 images and with 5 to 40
networks.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import binom
from torch import Tensor
from torch.nn.functional import cross_entropy

from hpcourse._check import require, require_count
from hpcourse.claims._compute import device_name, steady_cpu
from hpcourse.claims.registry import Claim, Outcome, Profile
from hpcourse.claims.study import seeds_from
from hpcourse.data import TensorSplit, fashion
from hpcourse.models import mlp
from hpcourse.schedules import Schedule, cosine_decay
from hpcourse.search import Box, Random, Real
from hpcourse.training import Member, Population, Run, Stack, accuracy, device, evaluate_many

NETWORK = (784, 16, 10)
BATCH = 50
TRAIN, FRESH = 500, 5000  # images
SIZES = (50, 100, 200, 400, 800, 1600)
"""Numbers of images that may choose; the parts have the largest of them."""
IMAGES = 100
"""Images that choose where the claim is judged."""

SPACE = Box(
    {
        "lr": Real(1e-2, 1.0, log=True),
        "forgets": Real(0.05, 1.0, log=True),  # 1 - momentum
        "weight_decay": Real(1e-6, 1e-1, log=True),
    }
)

TEST, VALIDATION = "chosen on the test set", "chosen on validation data"
OWN_SCORE, UNCHOSEN = "score that chose, validation", "not chosen"

Accuracy = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a profile spends.

    Attributes:
        networks: Trained and chosen among in each replicate.
        steps: Updates of each training.
        seeds: One replicate each.
    """

    networks: int
    steps: int
    seeds: tuple[int, ...]


BUDGETS: dict[Profile, Budget] = {
    "quick": Budget(networks=40, steps=60, seeds=seeds_from(54000, 8)),
    "full": Budget(networks=40, steps=120, seeds=seeds_from(55000, 40)),
}


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Accuracy (%) of the networks of a replicate (networks,).

    Attributes:
        test: On the first images of the test set, by their number.
        validation: On the first validation images, by their number.
        fresh: On images that choose nothing.
    """

    test: Mapping[int, Accuracy]
    validation: Mapping[int, Accuracy]
    fresh: Accuracy


@dataclass(frozen=True, kw_only=True)
class Pick:
    """A network that was picked: the accuracy (%) that is reported, and the one on new images."""

    promised: float
    kept: float

    @property
    def optimism(self) -> float:
        """What was promised and not kept (percentage points)."""
        return self.promised - self.kept


def pick(by: Accuracy, report: Accuracy, fresh: Accuracy) -> Pick:
    """The network of the highest accuracy, the first of equals.

    Args:
        by: Accuracy that chooses (networks,).
        report: Accuracy that is reported (networks,).
        fresh: Accuracy on new images (networks,).

    Examples:
        >>> seen, new = np.array([80.0, 90.0]), np.array([82.0, 81.0])
        >>> pick(seen, seen, new).optimism
        9.0
    """
    best = int(np.argmax(by))
    return Pick(promised=float(report[best]), kept=float(fresh[best]))


def picks(scores: Scores, images: int) -> dict[str, Pick]:
    """What each arm picks with a number of images that choose."""
    test, validation, fresh = scores.test[images], scores.validation[images], scores.fresh
    return {
        TEST: pick(test, test, fresh),
        VALIDATION: pick(validation, test, fresh),
        OWN_SCORE: pick(validation, validation, fresh),
        UNCHOSEN: pick(test[:1], test[:1], fresh[:1]),
    }


def expected_optimism(rate: float, images: int, networks: int) -> float:
    """Optimism (percentage points) where all networks are equally good and err independently.

    Each then has a binomial number of right answers, and the best one is the largest of them. Real
    networks differ, and err on the same images: theirs is smaller.

    Args:
        rate: Accuracy of every network, between 0 and 1.
        images: Images that choose.
        networks: Chosen among.

    Raises:
        ValueError: If an argument is out of its range.

    Examples:
        >>> round(expected_optimism(0.9, 100, 40), 1)  # one alone is off by 3 points
        5.9
    """
    require(0 < rate < 1, "expected_optimism needs 0 < rate < 1", rate=rate)
    require_count("expected_optimism", images=images, networks=networks)
    below = binom.cdf(np.arange(images), images, rate)  # of one network, at most 0, 1, ... right
    return 100 * (float(np.sum(1 - below**networks)) / images - rate)


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The images of a replicate; no image is in two parts."""

    train: TensorSplit
    test: TensorSplit
    validation: TensorSplit
    fresh: TensorSplit


def divide(images: TensorSplit, seed: int) -> Parts:
    """Draw the parts of a replicate, none of them stratified.

    Args:
        images: At least as many as all parts together.
        seed: Of the draw.
    """
    order = torch.as_tensor(np.random.default_rng(seed).permutation(len(images.y)))
    ends = np.cumsum([TRAIN, SIZES[-1], SIZES[-1], FRESH]).tolist()
    starts = [0, *ends[:-1]]
    train, test, validation, fresh = (
        TensorSplit(*(tensor[order[start:end]] for tensor in images))
        for start, end in zip(starts, ends, strict=True)
    )
    return Parts(train=train, test=test, validation=validation, fresh=fresh)


@cache
def replicates(budget: Budget) -> list[Scores]:
    """Search and score once for each seed."""
    data = fashion().tensors(device())
    images = TensorSplit(*(torch.cat(tensors) for tensors in zip(*data, strict=True)))
    with steady_cpu():
        return [_replicate(divide(images, seed), budget, seed) for seed in budget.seeds]


def _replicate(parts: Parts, budget: Budget, seed: int) -> Scores:
    search = Random(SPACE, seed=seed)
    suggestions = [search.ask() for _ in range(budget.networks)]
    members = [
        _member(suggestion.config, seed * 1000 + place, budget)
        for place, suggestion in enumerate(suggestions)
        if suggestion is not None
    ]
    population = Population(lambda _, seed: mlp(NETWORK, seed=seed), members)
    runs = population.train(parts.train, cross_entropy, _measure(parts))
    return Scores(
        test={n: _finals(runs, f"test {n}") for n in SIZES},
        validation={n: _finals(runs, f"validation {n}") for n in SIZES},
        fresh=_finals(runs, "fresh"),
    )


def _member(config: Mapping[str, float], seed: int, budget: Budget) -> Member:
    hypers: dict[str, float | Schedule] = {
        "lr": cosine_decay(config["lr"], budget.steps),
        "momentum": 1 - config["forgets"],
        "weight_decay": config["weight_decay"],
    }
    return Member(seed=seed, hypers=hypers, steps=budget.steps, batch_size=BATCH)


def _measure(parts: Parts) -> Callable[[Stack], dict[str, Tensor]]:
    """Accuracy (%) on the new images, and on the first images of the parts that choose."""
    rows = {"fresh": parts.fresh}
    for name, part in (("test", parts.test), ("validation", parts.validation)):
        rows |= {f"{name} {n}": TensorSplit(part.x[:n], part.y[:n]) for n in SIZES}

    def measure(stack: Stack) -> dict[str, Tensor]:
        return {
            name: 100 * evaluate_many(stack, [part], {"accuracy": accuracy})["accuracy"]
            for name, part in rows.items()
        }

    return measure


def _finals(runs: Sequence[Run], name: str) -> Accuracy:
    return np.array([run.final(name) for run in runs])


def _outcome(profile: Profile) -> Outcome:
    start, budget = time.perf_counter(), BUDGETS[profile]
    found = replicates(budget)
    chosen = [picks(scores, IMAGES) for scores in found]
    arms = (TEST, VALIDATION, OWN_SCORE, UNCHOSEN)
    return Outcome(
        seeds=budget.seeds,
        arms={arm: [each[arm].optimism for each in chosen] for arm in arms},
        device=device_name(device()),
        seconds=time.perf_counter() - start,
        settings={
            "data": "fashion",
            "network": NETWORK,
            "space": {axis.name: repr(axis.domain) for axis in SPACE.axes},
            "networks": budget.networks,
            "steps": budget.steps,
            "batch_size": BATCH,
            "images": {"train": TRAIN, "choose": IMAGES, "fresh": FRESH},
            "expected_of_equals": _of_equals(chosen, budget),
        },
        measures={
            "accuracy reported (%)": {a: [each[a].promised for each in chosen] for a in arms},
            "accuracy on new images (%)": {a: [each[a].kept for each in chosen] for a in arms},
            "optimism by images (points)": {
                f"{n} images": [picks(scores, n)[TEST].optimism for scores in found] for n in SIZES
            },
            "optimism by networks (points)": {
                f"{k} networks": [_of_first(scores, k).optimism for scores in found]
                for k in _counts(budget.networks)
            },
        },
    )


def _counts(networks: int) -> list[int]:
    """The number of networks, halved down to five or a few more."""
    counts = [networks]
    while counts[0] >= 10:
        counts.insert(0, counts[0] // 2)
    return counts


def _of_first(scores: Scores, networks: int) -> Pick:
    """What the test set picks of the first networks."""
    test = scores.test[IMAGES][:networks]
    return pick(test, test, scores.fresh[:networks])


def _of_equals(chosen: Sequence[Mapping[str, Pick]], budget: Budget) -> dict[str, float]:
    """`expected_optimism` of networks as good as those chosen, by images."""
    rate = float(np.mean([each[TEST].kept for each in chosen])) / 100
    return {f"{n} images": expected_optimism(rate, n, budget.networks) for n in SIZES}


CLAIMS = (
    Claim(
        id="test-set-optimism",
        statement="A test set that chooses the network promises more than new data keep.",
        source="META (the objective scores on the test set)",
        claimed=(TEST,),
        reference=VALIDATION,
        context=(OWN_SCORE, UNCHOSEN),
        metric="accuracy reported above that on new images",
        unit="percentage points",
        direction="higher",
        smallest_effect=1.0,
        experiment=_outcome,
        seeds={profile: budget.seeds for profile, budget in BUDGETS.items()},
        page="search/hyperopt-and-hyperas",
    ),
)
