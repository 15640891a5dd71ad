"""What the page on grids trains by itself, and what a measured curve lets one expect of a grid."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch.nn.functional import cross_entropy

from hpcourse._check import require, require_count
from hpcourse.claims._compute import repeatable_draws, steady_cpu
from hpcourse.data import mnist1d
from hpcourse.models import mlp
from hpcourse.search import Trial
from hpcourse.training import Member, PopulationScore, evaluate_many

__all__ = ["batch_losses", "expected_above_best", "score_grid"]

Array = NDArray[np.float64]

CHANCE = math.log(10)  # nats
FINE = 400
"""Rates, evenly spread, that stand for a range of which random search draws."""


def score_grid(trials: Sequence[Trial], *, batch_size: int = 32, epochs: int = 6) -> list[float]:
    """Validation loss (nats) on MNIST-1D after SGD with momentum 0.9, all trials together.

    The same trials give the same losses, dropout or not.

    Args:
        trials: Each with ``lr``, and if wanted ``dropout`` and ``seed`` (0).
        batch_size: Signals of a batch.
        epochs: Passes over the 3,200 training signals.
    """
    data = mnist1d().tensors()
    score = PopulationScore(
        build=lambda dropout, seed: mlp([40, 64, 10], dropout=dropout, seed=seed),
        member_of=lambda trial: Member(
            seed=trial.config.get("seed", 0),
            hypers={"lr": trial.config["lr"], "momentum": 0.9},
            steps=epochs * len(data.train.x) // batch_size,
            batch_size=batch_size,
            shape=trial.config.get("dropout", 0.0),
        ),
        data=data.train,
        loss_fn=cross_entropy,
        measure=lambda stack: evaluate_many(stack, [data.validation], {"loss": cross_entropy}),
        metric="loss",
    )
    with steady_cpu(), repeatable_draws():
        return score(trials)


def batch_losses(
    batch_sizes: Sequence[int], rates: Sequence[float], *, seeds: Sequence[int]
) -> Array:
    """`score_grid` of every batch size, rate and seed, none above chance; (sizes, rates, seeds)."""
    configs = [{"lr": float(rate), "seed": seed} for rate in rates for seed in seeds]
    trials = [Trial(number=k, config=config, seed=0) for k, config in enumerate(configs)]
    losses = np.array([score_grid(trials, batch_size=size) for size in batch_sizes])
    capped = np.nan_to_num(losses, nan=CHANCE).clip(max=CHANCE)
    return np.asarray(capped.reshape(len(batch_sizes), len(rates), len(seeds)))


def expected_above_best(
    places: ArrayLike,
    losses: ArrayLike,
    *,
    trials: int,
    lows: Sequence[float],
    width: float = 4.0,
    values: int = 3,
) -> tuple[float, float]:
    """Expected loss above the lowest of a curve, of a grid and of random search along it.

    Only this hyperparameter matters. The grid has `values` places at the middles of equal parts of
    a range, and gets the lowest of their losses, whatever else its trials vary. Random search gets
    the lowest of `trials` draws: of N losses in order, the j-th one with probability
    (1 - (j - 1) / N)^n - (1 - j / N)^n. Beyond its ends the curve is flat.

    Args:
        places: Where the curve is known, increasing (n,).
        losses: The loss there (n,).
        trials: Draws of random search.
        lows: Lower ends of the ranges, over which the mean is taken.
        width: Length of the ranges.
        values: Different places of the grid.

    Returns:
        That of the grid, and that of random search.

    Raises:
        ValueError: If there is no range, or a count is below one.

    Examples:
        >>> expected_above_best([0, 1], [0, 1], trials=1, lows=[0], width=1, values=1)
        (0.5, 0.5)
    """
    require_count("expected_above_best", trials=trials, values=values)
    require(len(lows) > 0, "expected_above_best needs a range", lows=lows)
    at, curve = np.asarray(places, float), np.asarray(losses, float)
    missed = (1 - np.arange(FINE + 1) / FINE) ** trials
    grid, draws = [], []
    for low in lows:
        middles, fine = (low + width * (np.arange(n) + 0.5) / n for n in (values, FINE))
        grid.append(np.interp(middles, at, curve).min())
        draws.append(np.sort(np.interp(fine, at, curve)) @ (missed[:-1] - missed[1:]))
    best = curve.min()
    return float(np.mean(grid) - best), float(np.mean(draws) - best)
