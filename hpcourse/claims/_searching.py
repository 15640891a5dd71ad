"""Searches of many seeds side by side: what they ask for together is trained together."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.nn.functional import cross_entropy

from hpcourse.claims._compute import steady_cpu
from hpcourse.claims.study import classifier_scores
from hpcourse.data import mnist1d
from hpcourse.models import mlp
from hpcourse.schedules import cosine_decay
from hpcourse.search import Searcher, Trial, cap
from hpcourse.training import Member, Population, device, sgd

CHANCE = math.log(10)  # nats
BATCH = 32
WIDTH = 32

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Losses:
    """Validation and test loss of each training, in nats, none above `CHANCE`; (trainings,)."""

    validation: Array
    test: Array


def train_signals(
    configs: Sequence[Mapping[str, Any]], seeds: Sequence[int], *, steps: int
) -> Losses:
    """Train a network of one hidden layer on MNIST-1D, once for each configuration and seed.

    The rate falls to zero along half a cosine. What diverges counts as chance.

    Args:
        configs: ``lr``, and if wanted ``momentum``, ``weight_decay`` and ``width``.
        seeds: Seed of each training: initial weights and the order of the data.
        steps: Number of updates, each on 32 signals.
    """
    data = mnist1d().tensors(device())
    members = [
        Member(
            seed=seed,
            hypers={
                "lr": cosine_decay(config["lr"], steps),
                "momentum": config.get("momentum", 0.9),
                "weight_decay": config.get("weight_decay", 0.0),
            },
            steps=steps,
            batch_size=BATCH,
            update=sgd,
            shape=config.get("width", WIDTH),
        )
        for config, seed in zip(configs, seeds, strict=True)
    ]
    population = Population(lambda width, seed: mlp((40, width, 10), seed=seed), members)
    with steady_cpu():
        runs = population.train(data.train, cross_entropy, classifier_scores(data))
    validation, test = (
        np.asarray(cap([run.final(f"{part} loss (nats)") for run in runs], at=CHANCE))
        for part in ("validation", "test")
    )
    return Losses(validation=validation, test=test)


@dataclass(frozen=True, kw_only=True)
class Found:
    """What one search evaluated: its configurations, validation and test losses in order."""

    configs: list[Mapping[str, Any]]
    validation: list[float]
    test: list[float]

    @property
    def best_test(self) -> float:
        """Test loss of the configuration of the lowest validation loss, the first of equals."""
        return self.test[int(np.argmin(self.validation))]


def side_by_side(
    searches: Sequence[tuple[Searcher, int]],
    score: Callable[[Sequence[Mapping[str, Any]], Sequence[int]], Losses],
    *,
    trials: int,
    size: int,
) -> list[Found]:
    """Run searches that know nothing of each other, `size` trials of each at a time.

    Args:
        searches: Searchers, each with the seed from which its trainings' seeds are counted.
        score: Configurations and seeds to losses; searches go by the validation loss.
        trials: Trainings of each search; one that ends sooner has fewer.
        size: Trainings of each search between two times of telling.
    """
    found = [Found(configs=[], validation=[], test=[]) for _ in searches]
    for first in range(0, trials, size):
        asked: list[tuple[int, Trial]] = []
        for place, (searcher, seed) in enumerate(searches):
            for number in range(first, min(first + size, trials)):
                suggestion = searcher.ask()
                if suggestion is not None:
                    config = suggestion.config
                    asked.append((place, Trial(number=number, config=config, seed=seed + number)))
        losses = score([t.config for _, t in asked], [t.seed for _, t in asked])
        for (place, trial), validation, test in zip(
            asked, losses.validation, losses.test, strict=True
        ):
            ended = Trial(
                number=trial.number,
                config=trial.config,
                seed=trial.seed,
                state="done",
                value=float(validation),
            )
            searches[place][0].tell(ended)
            record = found[place]
            record.configs.append(trial.config)
            record.validation.append(float(validation))
            record.test.append(float(test))
    return found
