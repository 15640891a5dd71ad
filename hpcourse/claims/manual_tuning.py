"""The training on which the book tunes by hand: MNIST-1D, a small network, Adam."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from hpcourse.claims._compute import steady_cpu
from hpcourse.data import batches, mnist1d
from hpcourse.models import mlp
from hpcourse.schedules import Schedule, cosine_decay, piecewise_constant
from hpcourse.search import Trial
from hpcourse.training import evaluate, stalled, train

__all__ = ["EPOCHS", "PATIENCE", "train_by_hand", "validation_curve"]

EPOCHS = 8
PATIENCE = 2


def train_by_hand(trial: Trial) -> float:
    """Lowest validation loss (nats) of a training with ``lr``, ``batch_size`` and ``schedule``.

    Schedules, as PATTERNS 10.2.1 and 10.3.3 use them: ``"constant"`` stops after two epochs
    without improvement; ``"cosine"`` falls to zero over all epochs; ``"drop"`` is constant up to
    the epoch before the plateau, where that of a constant rate lies, and a tenth from there on.
    """
    config, seed = trial.config, trial.seed
    kind = config.get("schedule", "constant")
    constant = validation_curve(config, seed=seed) if kind != "cosine" else []
    if kind == "constant":
        return min(constant)
    per_epoch = _steps(config)
    if kind == "cosine":
        schedule = cosine_decay(config["lr"], EPOCHS * per_epoch)
    else:
        before = max(constant.index(min(constant)), 1)  # the epoch before the best one
        rates = (config["lr"], config["lr"] / 10)
        schedule = piecewise_constant([before * per_epoch - 1], rates)
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
    model = mlp((40, 64, 10), seed=seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=config["lr"])
    feed = batches(*data.train, batch_size=config["batch_size"], seed=seed, epochs=EPOCHS)
    losses: list[float] = []
    with steady_cpu():
        for step in train(model, feed, cross_entropy, optimizer, schedule=schedule):
            if (step.number + 1) % _steps(config):
                continue
            loss = evaluate(model, [data.validation], {"loss": cross_entropy})["loss"]
            losses.append(min(loss, math.log(10)) if math.isfinite(loss) else math.log(10))
            if schedule is None and stalled(losses, patience=PATIENCE):
                break
    return losses


def _steps(config: Mapping[str, Any]) -> int:
    """Updates of an epoch."""
    return -(-len(mnist1d().train) // int(config["batch_size"]))
