"""The training on which the book tunes by hand: MNIST-1D, a small network, Adam."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from hpcourse.claims._compute import steady_cpu
from hpcourse.claims._searching import Found, Losses, side_by_side
from hpcourse.data import batches, mnist1d
from hpcourse.models import mlp
from hpcourse.schedules import Schedule, constant, cosine_decay, piecewise_constant
from hpcourse.search import Searcher, Trial
from hpcourse.training import Member, Population, adam, evaluate, evaluate_many, stalled, train

__all__ = [
    "EPOCHS",
    "PATIENCE",
    "curves_together",
    "search_by_hand",
    "train_by_hand",
    "train_together",
    "validation_curve",
]

EPOCHS = 8
PATIENCE = 2
SIZES = (40, 64, 10)
CHANCE = math.log(10)  # nats


def train_by_hand(trial: Trial) -> float:
    """Lowest validation loss (nats) of a training with ``lr``, ``batch_size`` and ``schedule``.

    Schedules, as PATTERNS 10.2.1 and 10.3.3 use them: ``"constant"`` stops after two epochs
    without improvement; ``"cosine"`` falls to zero over all epochs; ``"drop"`` is constant up to
    the epoch before the plateau, where that of a constant rate lies, and a tenth from there on.
    """
    config, seed = trial.config, trial.seed
    kind = config.get("schedule", "constant")
    first = validation_curve(config, seed=seed) if kind != "cosine" else []
    if kind == "constant":
        return min(first)
    schedule = _cosine(config) if kind == "cosine" else _drop(config, first)
    return min(validation_curve(config, seed=seed, schedule=schedule))


def validation_curve(
    config: Mapping[str, Any], *, seed: int, schedule: Schedule | None = None
) -> list[float]:
    """Validation loss (nats) after each epoch; without a schedule until it has stalled.

    What diverges counts as chance from there on.

    Args:
        config: ``lr`` and ``batch_size``.
        seed: Decides the initial weights and the order of the data.
        schedule: Step to learning rate; None keeps the rate and stops early.
    """
    data = mnist1d().tensors()
    model = mlp(SIZES, seed=seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=config["lr"])
    feed = batches(*data.train, batch_size=config["batch_size"], seed=seed, epochs=EPOCHS)
    losses: list[float] = []
    with steady_cpu():
        for step in train(model, feed, cross_entropy, optimizer, schedule=schedule):
            if (step.number + 1) % _steps(config):
                continue
            losses.append(
                _capped(evaluate(model, [data.validation], {"loss": cross_entropy})["loss"])
            )
            if schedule is None and stalled(losses, patience=PATIENCE):
                break
    return losses


def curves_together(
    trials: Sequence[Trial], schedules: Mapping[int, Schedule] | None = None
) -> list[list[float]]:
    """`validation_curve` of each trial, up to rounding; those of one batch size are one program.

    Args:
        trials: Trainings with ``lr`` and ``batch_size``.
        schedules: Schedules of those, by their places, that do not keep their rate.
    """
    schedules = schedules or {}
    data = mnist1d().tensors()
    curves: dict[int, list[float]] = {}
    for size in sorted({trial.config["batch_size"] for trial in trials}):
        places = [k for k, trial in enumerate(trials) if trial.config["batch_size"] == size]
        per_epoch = _steps(trials[places[0]].config)
        members = [
            Member(
                seed=trials[k].seed,
                hypers={"lr": schedules.get(k, constant(trials[k].config["lr"]))},
                steps=EPOCHS * per_epoch,
                batch_size=size,
                update=adam,
            )
            for k in places
        ]
        with steady_cpu():
            runs = Population(lambda _, seed: mlp(SIZES, seed=seed), members).train(
                data.train,
                cross_entropy,
                lambda stack: evaluate_many(stack, [data.validation], {"loss": cross_entropy}),
                every=per_epoch,
            )
        for k, run in zip(places, runs, strict=True):
            losses = [_capped(loss) for loss in run.metrics["loss"]]
            curves[k] = losses if k in schedules else _until_stalled(losses)
    return [curves[k] for k in range(len(trials))]


def train_together(trials: Sequence[Trial]) -> list[float]:
    """What `train_by_hand` gives for each trial, up to rounding, in a fraction of the time."""
    kinds = [trial.config.get("schedule", "constant") for trial in trials]
    # A drop has to know where a constant rate comes to its plateau.
    flat = [k for k, kind in enumerate(kinds) if kind != "cosine"]
    first = dict(zip(flat, curves_together([trials[k] for k in flat]), strict=True))
    schedules = {
        k: _cosine(trials[k].config) if kind == "cosine" else _drop(trials[k].config, first[k])
        for k, kind in enumerate(kinds)
        if kind != "constant"
    }
    later = curves_together([trials[k] for k in schedules], dict(enumerate(schedules.values())))
    found = first | dict(zip(schedules, later, strict=True))
    return [min(found[k]) for k in range(len(trials))]


def search_by_hand(searchers: Mapping[int, Searcher], *, trials: int, size: int = 1) -> list[Found]:
    """Searches of the training, side by side; each that is asked for nothing more has ended.

    Args:
        searchers: Seed, from which those of the trainings are counted, to the search.
        trials: Most trainings of each.
        size: Trainings of each before it is told, for searches that do not listen.
    """

    def score(configs: Sequence[Mapping[str, Any]], seeds: Sequence[int]) -> Losses:
        pairs = zip(configs, seeds, strict=True)
        values = train_together([Trial(number=0, config=c, seed=seed) for c, seed in pairs])
        losses = np.array(values)
        return Losses(validation=losses, test=losses)

    searches = [(searcher, seed) for seed, searcher in searchers.items()]
    return side_by_side(searches, score, trials=trials, size=size)


def _until_stalled(losses: Sequence[float]) -> list[float]:
    ends = range(1, len(losses) + 1)
    last = next((n for n in ends if stalled(losses[:n], patience=PATIENCE)), len(losses))
    return list(losses[:last])


def _cosine(config: Mapping[str, Any]) -> Schedule:
    return cosine_decay(config["lr"], EPOCHS * _steps(config))


def _drop(config: Mapping[str, Any], flat: Sequence[float]) -> Schedule:
    """A tenth of the rate from the epoch before the best one of a constant rate."""
    before = max(list(flat).index(min(flat)), 1)
    return piecewise_constant([before * _steps(config) - 1], (config["lr"], config["lr"] / 10))


def _capped(loss: float) -> float:
    return min(loss, CHANCE) if math.isfinite(loss) else CHANCE


def _steps(config: Mapping[str, Any]) -> int:
    """Updates of an epoch."""
    return -(-len(mnist1d().train) // int(config["batch_size"]))
