"""The learning-rate range test, and how far its suggestion can be trusted."""

import copy
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer

from hpcourse._check import require, require_count, require_positive
from hpcourse.training.loop import Batches, Loss, train
from hpcourse.training.progress import progress_bar

__all__ = ["RangeTest", "RangeTests", "range_test", "range_tests"]


@dataclass(frozen=True, kw_only=True, eq=False)
class RangeTest:
    """The curve of one range test.

    Attributes:
        rates: Learning rate of each step run, growing exponentially, (steps,).
        losses: Loss of the batch before the update with that rate, (steps,).
        smoothed: Exponential moving average of `losses`, corrected for its start, (steps,).
        diverged: Whether the test ended early because the loss ran away.
    """

    rates: NDArray[np.float64]
    losses: NDArray[np.float64]
    smoothed: NDArray[np.float64]
    diverged: bool

    @property
    def suggestion(self) -> float:
        """The rate at which the smoothed loss has made half of its fall.

        The fall goes from the highest smoothed loss before the lowest one down to that; the rate
        is interpolated between steps. It is below the rates at which training becomes unstable,
        by a factor that depends on the network. The common alternatives depend more on chance:
        the place of steepest descent is decided by the noise of the batches, the place of the
        lowest loss by how the curve turns.

        Raises:
            ValueError: If the loss never fell.
        """
        lowest = int(np.argmin(self.smoothed))
        need = "RangeTest.suggestion needs a loss that falls; try a lower lr_min or more steps"
        require(lowest > 0, need, lowest_at_rate=float(self.rates[lowest]))
        falling = self.smoothed[: lowest + 1]
        half = (falling.max() + falling[-1]) / 2
        # The last step above: the first steps may dip by chance.
        above = int(np.flatnonzero(falling > half)[-1])
        step = above + (falling[above] - half) / (falling[above] - falling[above + 1])
        return float(np.exp(np.interp(step, np.arange(len(self.rates)), np.log(self.rates))))


@dataclass(frozen=True, kw_only=True, eq=False)
class RangeTests:
    """Range tests of one network and data set that differ in their seed only.

    Attributes:
        tests: One range test per seed.
    """

    tests: tuple[RangeTest, ...]

    @property
    def suggestions(self) -> NDArray[np.float64]:
        """The suggested rates (seeds,)."""
        return np.array([test.suggestion for test in self.tests])

    @property
    def suggestion(self) -> float:
        """The suggested rates' median, on the logarithmic scale."""
        return float(np.exp(np.median(np.log(self.suggestions))))

    @property
    def spread(self) -> float:
        """Standard deviation of the suggested rates' decimal logarithms, in decades over seeds."""
        return float(np.std(np.log10(self.suggestions), ddof=1))


def momentum_sgd(parameters: Iterable[nn.Parameter]) -> Optimizer:
    """SGD with momentum 0.9; the range test sets its rate."""
    return torch.optim.SGD(parameters, momentum=0.9)


def range_test(
    model: nn.Module,
    batches: Batches,
    loss_fn: Loss,
    *,
    make_optimizer: Callable[[Iterable[nn.Parameter]], Optimizer] = momentum_sgd,
    lr_min: float = 1e-5,
    lr_max: float = 10.0,
    steps: int = 200,
    smoothing: float = 0.95,
    divergence: float = 4.0,
    seed: int = 0,
    progress: bool = False,
) -> RangeTest:
    """Train a copy of `model` with a rate that grows each step until the loss runs away.

    L. N. Smith, "Cyclical learning rates for training neural networks", WACV 2017, section 3.3,
    where the rate grows linearly; here it grows exponentially. `model` and the global random
    numbers are left as they are.

    Args:
        model: The network, as it is before training.
        batches: Inputs and targets, gone through again as often as needed.
        loss_fn: Outputs and targets to a scalar that is not negative.
        make_optimizer: Parameters to optimiser, such as ``torch.optim.Adam``.
        lr_min: First rate.
        lr_max: Last rate.
        steps: Number of rates. With few, a network that starts slowly does not get going before
            its rates are too high, and the suggestion is noise.
        smoothing: Weight of the past in the moving average of the losses, in [0, 1).
        divergence: Stop where the smoothed loss exceeds its lowest value so many times.
        seed: Seed of the random numbers that layers such as dropout draw.
        progress: Whether to show a progress bar where somebody watches.

    Returns:
        The curve, with its `RangeTest.suggestion`.

    Raises:
        ValueError: If an option is out of its range, the batches run out, or the first loss is
            not finite.

    Examples:
        >>> x = torch.linspace(-1, 1, 8).unsqueeze(1)
        >>> test = range_test(nn.Linear(1, 1), [(x, 3 * x + 1)], nn.functional.mse_loss)
        >>> test.diverged, 1e-3 < test.suggestion < 1
        (True, True)
    """
    require_positive("range_test", lr_min=lr_min, lr_max=lr_max)
    require(lr_min < lr_max, "range_test needs lr_min < lr_max", lr_min=lr_min, lr_max=lr_max)
    require_count("range_test", steps=steps)
    require(0 <= smoothing < 1, "range_test needs smoothing in [0, 1)", smoothing=smoothing)
    require(divergence > 1, "range_test needs divergence > 1", divergence=divergence)
    rates = np.geomspace(lr_min, lr_max, steps)
    twin = copy.deepcopy(model)
    shown = progress_bar(islice(_repeated(batches, steps), steps), "range test", show=progress)
    # The seed reaches all devices, so all are forked.
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        optimizer = make_optimizer(twin.parameters())
        sweep = train(twin, shown, loss_fn, optimizer, schedule=lambda step: float(rates[step]))
        losses = (step.loss for step in sweep)
        curve, diverged = _until_divergence(losses, smoothing=smoothing, divergence=divergence)
    require(len(curve) > 0, "range_test needs a finite first loss", lr_min=lr_min)
    raw, smoothed = np.array(curve).T
    return RangeTest(rates=rates[: len(curve)], losses=raw, smoothed=smoothed, diverged=diverged)


def range_tests(one: Callable[[int], RangeTest], *, seeds: Iterable[int]) -> RangeTests:
    """Repeat a range test over seeds, to see how far its suggestion depends on chance.

    Args:
        one: Seed to range test; the seed should decide the initial weights and the batches.
        seeds: Two or more.

    Raises:
        ValueError: If there are fewer than two seeds.

    Examples:
        >>> from hpcourse.models import mlp
        >>> x = torch.linspace(-1, 1, 32).unsqueeze(1)
        >>> def one(seed: int) -> RangeTest:
        ...     return range_test(mlp([1, 16, 1], seed=seed), [(x, x**2)], nn.functional.mse_loss)
        >>> tests = range_tests(one, seeds=range(5))
        >>> len(tests.suggestions), tests.spread < 0.5
        (5, True)
    """
    seeds = tuple(seeds)
    require(len(seeds) >= 2, "range_tests needs two seeds or more", seeds=seeds)
    return RangeTests(tests=tuple(one(seed) for seed in seeds))


def _until_divergence(
    losses: Iterable[float], *, smoothing: float, divergence: float
) -> tuple[list[tuple[float, float]], bool]:
    """Pairs of loss and smoothed loss, all finite, and whether they end because of divergence."""
    curve: list[tuple[float, float]] = []
    average, lowest = 0.0, math.inf
    for count, loss in enumerate(losses, start=1):
        average = smoothing * average + (1 - smoothing) * loss
        smoothed = average / (1 - smoothing**count)
        if not math.isfinite(smoothed):
            return curve, True
        curve.append((loss, smoothed))
        lowest = min(lowest, smoothed)
        if smoothed > divergence * lowest:
            return curve, True
    return curve, False


def _repeated(batches: Batches, steps: int) -> Iterator[tuple[Tensor, Tensor]]:
    used = 0
    while True:
        before = used
        for batch in batches:
            used += 1
            yield batch
        require(used > before, f"range_test needs {steps} batches", batches=used)
