"""The trainings behind the learning curves of `_curves`: data, networks, optimisers, spaces."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import make_hastie_10_2
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, cross_entropy

from hpcourse.claims._compute import repeatable_draws, steady_cpu
from hpcourse.data import Dataset, TensorSplit
from hpcourse.models import mlp, small_cnn
from hpcourse.schedules import Schedule, constant, cosine_decay, time_decay, warmup
from hpcourse.training import Member, Population, evaluate_many
from hpcourse.training.updates import UPDATES

EPOCHS = 27
PASSES = 15
"""Epochs of every training whose budget is a share of the rows."""

Config = Mapping[str, Any]
Grid = Mapping[str, tuple[Any, ...]]
Halves = tuple[TensorSplit, TensorSplit]
Network = Callable[[tuple[int, ...], Config, int], nn.Module]
"""Shape of an input, configuration and seed to a network."""


def rates(low: float, high: float, count: int) -> tuple[float, ...]:
    """Learning rates at equal ratios, of three digits."""
    return tuple(float(f"{10**x:.3g}") for x in np.linspace(low, high, count))


def dense(inputs: tuple[int, ...], config: Config, seed: int, *, outputs: int) -> nn.Module:
    """A fully connected network of `depth` layers of `width`."""
    hidden = [config["width"]] * config["depth"]
    return mlp((math.prod(inputs), *hidden, outputs), dropout=0.0, seed=seed)


def bottleneck(inputs: tuple[int, ...], config: Config, seed: int) -> nn.Module:
    """An autoencoder: `depth` layers of `width` on either side of a code."""
    numbers, hidden = math.prod(inputs), [config["width"]] * config["depth"]
    return mlp((numbers, *hidden, config["code"], *hidden, numbers), activation=nn.Tanh, seed=seed)


def convolutional(inputs: tuple[int, ...], config: Config, seed: int) -> nn.Module:
    """Convolutions of `width` channels, twice as many in a second layer."""
    widths = [config["width"] * 2**layer for layer in range(config["depth"])]
    return small_cnn(widths, seed=seed)


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A data set, a space, and how a configuration is trained.

    Attributes:
        load: The training and the validation rows.
        grid: Values of every hyperparameter.
        network: What is trained.
        chance: Loss of whoever knows nothing, which a training that diverged counts as.
        loss: What is minimised, and measured on the validation rows.
        update: The optimiser, where the space has none.
        batch: Rows of a batch, where the space has none.
        by_rows: Whether the budget is a share of the rows, trained on for `PASSES` epochs from
            nothing, instead of epochs, which go on where they stopped.
    """

    load: Callable[[], Halves]
    grid: Grid
    network: Network
    chance: float = math.log(10)
    loss: Callable[[Tensor, Tensor], Tensor] = cross_entropy
    update: str = "sgd"
    batch: int = 50
    by_rows: bool = False

    @property
    def budgets(self) -> tuple[int, ...]:
        """Budgets for which there are losses."""
        return (1, 3, 9, 27) if self.by_rows else tuple(range(1, EPOCHS + 1))

    @property
    def rows(self) -> list[tuple[Any, ...]]:
        """Values of every configuration."""
        return list(product(*self.grid.values()))


# --- Data: training and validation rows, shifted and scaled by the training rows


def scaled(load: Callable[[], Dataset], rows: int = 1000, *, flat: bool = True) -> Halves:
    """So many rows of a data set's training and validation parts; large pictures become 7 x 7."""
    data = load().tensors()
    return _scaled(_small(data.train, flat=flat), _small(data.validation, flat=flat), rows)


def copies(load: Callable[[], Dataset], rows: int = 1000) -> Halves:
    """The same with the inputs as targets."""
    train, held = scaled(load, rows)
    return TensorSplit(train.x, train.x), TensorSplit(held.x, held.x)


def spirals(rows: int = 1000, seed: int = 0) -> Halves:
    """Three arms of a spiral of one and a half turns, with noise."""
    rng = np.random.default_rng(seed)
    arm, along = rng.integers(3, size=2 * rows), rng.uniform(0.1, 1, 2 * rows)
    angle = 2 * np.pi * (arm / 3 + 1.5 * along)
    place = along * np.array([np.cos(angle), np.sin(angle)]) + rng.normal(0, 0.03, (2, 2 * rows))
    return _halves(place.T, arm, rows)


def hastie(rows: int = 1000, seed: int = 0) -> Halves:
    """Whether ten normal numbers are far from zero; Hastie, Tibshirani and Friedman (2009)."""
    x, y = make_hastie_10_2(2 * rows, random_state=seed)
    return _halves(x, y > 0, rows)


def _halves(x: NDArray[Any], y: NDArray[Any], rows: int) -> Halves:
    inputs, targets = torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.int64)
    train = TensorSplit(inputs[:rows], targets[:rows])
    return _scaled(train, TensorSplit(inputs[rows:], targets[rows:]), rows)


def _scaled(train: TensorSplit, held: TensorSplit, rows: int) -> Halves:
    shifted, scale = train.x.mean(), train.x.std()
    return (
        TensorSplit((train.x[:rows] - shifted) / scale, train.y[:rows]),
        TensorSplit((held.x[:rows] - shifted) / scale, held.y[:rows]),
    )


def _small(split: TensorSplit, *, flat: bool) -> TensorSplit:
    x = split.x
    if x.ndim == 4 and x.shape[-1] == 28:
        x = avg_pool2d(x, 4)
        x = x if flat else nn.functional.pad(x, (0, 1, 0, 1))
    return TensorSplit(x.flatten(1) if flat else x, split.y)


# --- Training


def trained(problem: Problem) -> NDArray[np.float64]:
    """Loss of every configuration of the grid at every budget: (configurations, budgets)."""
    train, held = problem.load()
    if problem.by_rows:
        columns = [
            _losses(problem, _first(train, len(train.x) * budget // EPOCHS), held, PASSES)[:, -1:]
            for budget in problem.budgets
        ]
        losses = np.concatenate(columns, axis=1)
    else:
        losses = _losses(problem, train, held, EPOCHS)
    chance = problem.chance
    return np.minimum(np.nan_to_num(losses, nan=chance, posinf=chance), chance)


def _first(split: TensorSplit, rows: int) -> TensorSplit:
    return TensorSplit(split.x[:rows], split.y[:rows])


def _losses(
    problem: Problem, train: TensorSplit, held: TensorSplit, epochs: int
) -> NDArray[np.float64]:
    """Validation loss of every configuration after every epoch."""
    inputs = tuple(train.x.shape[1:])
    configs = [dict(zip(problem.grid, row, strict=True)) for row in problem.rows]
    losses = np.full((len(configs), epochs), np.nan)
    for batch, places in _by_batch(configs, problem):
        steps = len(train.x) // batch
        population = Population(
            lambda shape, seed: problem.network(inputs, dict(shape), seed),
            [_member(configs[place], problem, batch, epochs * steps) for place in places],
        )
        with steady_cpu(), repeatable_draws():
            runs = population.train(
                train,
                problem.loss,
                lambda stack: evaluate_many(stack, [held], {"loss": problem.loss}),
                every=steps,
            )
        losses[places] = [run.metrics["loss"] for run in runs]
    return losses


def _by_batch(configs: list[dict[str, Any]], problem: Problem) -> Iterator[tuple[int, list[int]]]:
    """Places of the configurations of each batch size."""
    sizes = [config.get("batch", problem.batch) for config in configs]
    for size in sorted(set(sizes)):
        yield size, [place for place, own in enumerate(sizes) if own == size]


SHAPES = ("width", "depth", "code")


def _member(config: Config, problem: Problem, batch: int, steps: int) -> Member:
    update = config.get("optimizer", problem.update)
    hypers: dict[str, float | Schedule] = {"lr": _rate(config, steps)}
    names = {"weight decay": "weight_decay", "dropout": "dropout"}
    hypers |= {own: config[name] for name, own in names.items() if name in config}
    if "forget" in config:
        hypers["beta1" if update == "adam" else "momentum"] = 1 - config["forget"]
    return Member(
        seed=0,
        hypers=hypers,
        steps=steps,
        batch_size=batch,
        update=UPDATES[update],
        shape=tuple((name, config[name]) for name in SHAPES if name in config),
    )


def _rate(config: Config, steps: int) -> float | Schedule:
    rate = config["learning rate"]
    plans: dict[str, Callable[[], Schedule]] = {
        "constant": partial(constant, rate),
        "cosine": lambda: cosine_decay(rate, steps),
        "time": lambda: time_decay(rate, 20 / steps),
        "warm-up": lambda: warmup(cosine_decay(rate, 0.7 * steps), steps=0.3 * steps),
    }
    return plans[config["schedule"]]() if "schedule" in config else rate
