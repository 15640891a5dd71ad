"""The learning-rate range test (Smith, 2017)."""

import copy
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer

from hpcourse._check import require, require_count, require_positive
from hpcourse.training.loop import Batches, Loss, train

__all__ = ["RangeTest", "RangeTests", "range_test", "range_tests"]


@dataclass(frozen=True, kw_only=True)
class RangeTest:
    """The curve of one range test, float64 (steps run,) each.

    Attributes:
        rates: Learning rates, growing exponentially.
        losses: Loss of the batch before the update with that rate.
        smoothed: Exponential moving average of `losses`, corrected for its start.
        diverged: Whether the test stopped because the loss ran away.
    """

    rates: NDArray[np.float64]
    losses: NDArray[np.float64]
    smoothed: NDArray[np.float64]
    diverged: bool

    @property
    def suggestion(self) -> float:
        """One decade below the rate of the lowest smoothed loss."""
        return float(self.rates[np.argmin(self.smoothed)]) / 10


@dataclass(frozen=True, kw_only=True)
class RangeTests:
    """Range tests that differ in their seed only."""

    tests: tuple[RangeTest, ...]

    @property
    def suggestions(self) -> NDArray[np.float64]:
        """One suggestion per seed, float64 (seeds,)."""
        return np.array([test.suggestion for test in self.tests])

    @property
    def suggestion(self) -> float:
        """The geometric median of the suggestions."""
        return float(10 ** np.median(np.log10(self.suggestions)))

    @property
    def spread(self) -> float:
        """Standard deviation of the suggestions over seeds, in decades."""
        return float(np.std(np.log10(self.suggestions), ddof=1))


def _momentum_sgd(parameters: Iterable[nn.Parameter]) -> Optimizer:
    return torch.optim.SGD(parameters, lr=1.0, momentum=0.9)


def range_test(
    model: nn.Module,
    batches: Batches,
    loss_fn: Loss,
    *,
    make_optimizer: Callable[[Iterable[nn.Parameter]], Optimizer] = _momentum_sgd,
    lr_min: float = 1e-6,
    lr_max: float = 10.0,
    steps: int = 100,
    smoothing: float = 0.9,
    divergence: float = 4.0,
    seed: int = 0,
) -> RangeTest:
    """Train a copy of `model` with an exponentially growing rate until the loss runs away."""
    require_positive("range_test", lr_min=lr_min)
    require(lr_max > lr_min, f"range_test needs lr_max > lr_min={lr_min}", lr_max=lr_max)
    require_count("range_test", steps=steps)
    require(0 <= smoothing < 1, "range_test needs 0 <= smoothing < 1", smoothing=smoothing)
    twin = copy.deepcopy(model)
    rates = np.geomspace(lr_min, lr_max, steps)
    losses: list[float] = []
    smoothed: list[float] = []
    average = 0.0
    diverged = False
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        run = train(
            twin,
            _cycle(batches),
            loss_fn,
            make_optimizer(twin.parameters()),
            schedule=lambda step: float(rates[step]),
        )
        for number, step in zip(range(steps), run, strict=False):
            average = smoothing * average + (1 - smoothing) * step.loss
            losses.append(step.loss)
            smoothed.append(average / (1 - smoothing ** (number + 1)))
            if not smoothed[-1] <= divergence * min(smoothed):
                diverged = True
                break
    n = len(losses)
    if not math.isfinite(losses[-1]):
        n -= 1
    return RangeTest(
        rates=rates[:n],
        losses=np.array(losses[:n]),
        smoothed=np.array(smoothed[:n]),
        diverged=diverged,
    )


def range_tests(one: Callable[[int], RangeTest], *, seeds: Iterable[int]) -> RangeTests:
    """Repeat a range test over seeds."""
    return RangeTests(tests=tuple(one(seed) for seed in seeds))


def _cycle(batches: Batches) -> Iterator[tuple[Tensor, Tensor]]:
    while True:
        empty = True
        for batch in batches:
            empty = False
            yield batch
        require(not empty, "range_test needs more batches", batches=batches)
