"""What a problem is, and the families from which the sets of `_problems` are made."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import _functions as functions
import numpy as np

from hpcourse.search import Box, Choice, Config, Integer, List, Real, When
from hpcourse.search.tables import tuning_table


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Something to minimise.

    Attributes:
        name: Short and unique.
        space: Where configurations live.
        function: Configuration to its true value.
        optimum: The lowest value.
        best: A configuration with that value.
        noise: Standard deviation of what an evaluation adds to the true value.
    """

    name: str
    space: Box
    function: Callable[[Config], float]
    optimum: float
    best: Config
    noise: float = 0.0

    @property
    def conditional(self) -> bool:
        """Whether some parameter exists only under a condition."""
        return any(axis.conditions for axis in self.space.axes)

    @property
    def noisy(self) -> bool:
        """Whether two evaluations of one configuration differ."""
        return self.noise > 0

    def observe(self, config: Config, rng: np.random.Generator) -> float:
        """What an evaluation returns."""
        value = float(self.function(config))
        return value + self.noise * float(rng.normal()) if self.noisy else value

    def regret(self, config: Config) -> float:
        """How far the true value of a configuration is above the lowest."""
        # Optima are known to about twelve digits; below them is only rounding.
        return max(0.0, float(self.function(config)) - self.optimum)


# --- Analytic functions over a box of numbers


def analytic(
    name: str,
    function: functions.Function,
    bounds: Sequence[tuple[float, float]],
    best: Sequence[float],
    optimum: float,
    *,
    noise: float = 0.0,
) -> Problem:
    """A function of a vector, its coordinates named x0, x1, ..."""
    names = [f"x{k}" for k in range(len(bounds))]
    return Problem(
        name=name,
        space=Box({n: Real(low, high) for n, (low, high) in zip(names, bounds, strict=True)}),
        function=lambda config: function(np.array([config[n] for n in names])),
        optimum=optimum,
        best=dict(zip(names, map(float, best), strict=True)),
        noise=noise,
    )


def centred(
    name: str,
    function: functions.Function,
    dimension: int,
    width: float,
    *,
    seed: int,
    rotated: bool = True,
    noise: float = 0.0,
) -> Problem:
    """One of the functions with their minimum at the origin, moved.

    Args:
        name: Of the problem.
        function: Its formula.
        dimension: Number of coordinates.
        width: Length of the box's sides.
        seed: Where the minimum lies in the box, where the box lies, and how it is turned.
        rotated: Whether it is turned.
        noise: See `Problem`.
    """
    rng = np.random.default_rng((seed, dimension))
    # Between a tenth and two fifths of a side away from the nearest end: neither edge nor centre.
    share = rng.uniform(0.1, 0.4, dimension)
    share = np.where(rng.random(dimension) < 0.5, share, 1 - share)
    low = rng.uniform(-1, 1, dimension) * width
    at = low + share * width
    inner = functions.moved(function, at, rotated=seed if rotated else None)
    bounds = list(zip(low, low + width, strict=True))
    return analytic(name, inner, bounds, at, 0.0, noise=noise)


# --- Numbers on the log scale, integers and categories


def training_like(name: str, *, lr: float, batch: int, decay: float, momentum: float) -> Problem:
    """Loss of an imagined training: rate and batch size belong together, high rates diverge."""

    def scale(config: Config) -> float:
        return math.log10(config["lr"] / (1 - config["momentum"])) - math.log10(config["batch"]) / 2

    best = {"lr": lr, "batch": batch, "decay": decay, "momentum": momentum}
    target = scale(best)

    def loss(config: Config) -> float:
        off = scale(config) - target
        steep = 2 * off**2 if off > 0 else 0.5 * off**2
        total = min(steep, 4.0) + 0.05 * abs(math.log10(config["decay"] / decay)) ** 1.5
        total += 0.1 * math.log2(config["batch"] / batch) ** 2 / 4
        return total + (config["momentum"] - momentum) ** 2

    box = Box(
        {
            "lr": Real(1e-6, 1.0, log=True),
            "batch": Integer(8, 1024, log=True),
            "decay": Real(1e-7, 1e-1, log=True),
            "momentum": Real(0.0, 0.99),
        }
    )
    return Problem(name=name, space=box, function=loss, optimum=0.0, best=best)


def mixed(name: str, *, seed: int, kinds: int) -> Problem:
    """Two categories that interact with integers and numbers; each kind has its own minimum."""
    rng = np.random.default_rng(seed)
    names = [f"kind-{letter}" for letter in "abcdefgh"[:kinds]]
    offsets = dict(zip(names, rng.permutation(np.linspace(0, 0.6, kinds)), strict=True))
    centres = dict(zip(names, rng.uniform(0.1, 0.9, (kinds, 2)), strict=True))
    counts = dict(zip(names, (int(n) for n in rng.integers(3, 40, kinds)), strict=True))
    sign = {"plus": 0.0, "minus": 0.2}

    def value(config: Config) -> float:
        kind = config["kind"]
        away = np.array([config["a"], config["b"]]) - centres[kind]
        total = offsets[kind] + sign[config["sign"]] + 3 * float(away @ away)
        total += 4 * float(away[0] * away[1]) * (config["sign"] == "minus")
        return total + 0.3 * math.log(config["count"] / counts[kind]) ** 2

    lowest = min(names, key=lambda kind: offsets[kind])
    a, b = map(float, centres[lowest])
    return Problem(
        name=name,
        space=Box(
            {
                "kind": Choice(tuple(names)),
                "sign": Choice(("plus", "minus")),
                "count": Integer(1, 50),
                "a": Real(0.0, 1.0),
                "b": Real(0.0, 1.0),
            }
        ),
        function=value,
        optimum=0.0,
        best={"kind": lowest, "sign": "plus", "count": counts[lowest], "a": a, "b": b},
    )


# --- Tables of trained networks


def tabular(name: str, benchmark: str, data: str) -> Problem:
    """All configurations of a grid of trained networks, see `tuning_table`."""
    table = tuning_table(benchmark, data)
    return Problem(
        name=name, space=table.space, function=table, optimum=table.lowest, best=table.best
    )


# --- Conditional problems


def optional_dropout(name: str, data: str) -> Problem:
    """The HPOlib table with dropout behind a choice of where to put it."""
    table = tuning_table("hpolib", data)
    space: dict[str, Any] = dict(table.space.parameters)
    where = {"none": (), "first": (1,), "second": (2,), "both": (1, 2)}
    parameters: dict[str, Any] = {
        n: choice for n, choice in space.items() if not n.startswith("dropout")
    }
    parameters["dropout"] = Choice(tuple(where))
    for layer in (1, 2):
        sides = tuple(side for side, layers in where.items() if layer in layers)
        rate = Choice(tuple(space[f"dropout_{layer}"].values[1:]), ordered=True)
        parameters[f"dropout_{layer}"] = When("dropout", sides, rate)

    best = dict(table.best)
    layers = tuple(layer for layer in (1, 2) if best[f"dropout_{layer}"] > 0)
    best = {n: v for n, v in best.items() if not n.startswith("dropout") or v > 0}
    best["dropout"] = next(side for side, used in where.items() if used == layers)
    return Problem(
        name=name,
        space=Box(parameters),
        function=lambda config: table({n: config.get(n, 0.0) for n in space}),
        optimum=table.lowest,
        best=best,
    )


def optimizers(name: str, *, wins: str, at: Mapping[str, float]) -> Problem:
    """Three optimisers, each with parameters of its own; one is best, another is easier.

    Args:
        name: Of the problem.
        wins: The optimiser with the lowest minimum.
        at: Best value of each parameter.
    """
    names = ("sgd", "adam", "rmsprop")
    offsets = {n: 0.0 if n == wins else 0.1 * (k + 1) for k, n in enumerate(names)}

    def far(config: Config, key: str, *, log: bool = True) -> float:
        own, target = config[key], at[key]
        return math.log10(own / target) if log else own - target

    def value(config: Config) -> float:
        chosen, warmup = config["optimizer"], far(config, "warmup", log=False)
        if chosen == "sgd":
            rate, momentum = far(config, "sgd_lr"), far(config, "momentum", log=False)
            own = 0.3 * (rate + 2 * momentum) ** 2 + momentum**2
        elif chosen == "adam":
            rate, beta2 = far(config, "adam_lr"), far(config, "one_minus_beta2")
            own = 0.5 * rate**2 + 0.1 * (beta2 - 0.3 * rate) ** 2
            own += 0.05 * abs(far(config, "decay"))
        else:
            own = 0.2 * far(config, "rmsprop_lr") ** 2
        return offsets[chosen] + own + 0.5 * warmup**2

    log = {"log": True}
    parameters = {
        "optimizer": Choice(names),
        "warmup": Real(0.0, 1.0),
        "sgd_lr": When("optimizer", "sgd", Real(1e-4, 10.0, **log)),
        "momentum": When("optimizer", "sgd", Real(0.0, 0.99)),
        "adam_lr": When("optimizer", "adam", Real(1e-6, 1e-1, **log)),
        "one_minus_beta2": When("optimizer", "adam", Real(1e-4, 1e-1, **log)),
        "decay": When("optimizer", "adam", Real(1e-6, 1e-1, **log)),
        "rmsprop_lr": When("optimizer", "rmsprop", Real(1e-6, 1e-1, **log)),
    }
    used = {n: p for n, p in parameters.items() if isinstance(p, When) and p.values == wins}
    best = {"optimizer": wins, "warmup": at["warmup"]} | {n: at[n] for n in used}
    return Problem(name=name, space=Box(parameters), function=value, optimum=0.0, best=best)


def layered(name: str, *, depth: int, units: Sequence[int], dropout: float) -> Problem:
    """A list of layer widths as long as another parameter says, and a rate for deep nets only."""
    most = len(units)

    def value(config: Config) -> float:
        widths = config["units"]
        off = [math.log2(own / want) for own, want in zip(widths, units, strict=False)]
        total = 0.15 * abs(config["layers"] - depth) + 0.1 * sum(x * x for x in off) / len(off)
        # A layer much narrower than the one before it is a bottleneck.
        total += 0.05 * sum(max(0.0, a - b) for a, b in pairwise(off))
        return total + 2 * (config.get("dropout", 0.5) - dropout) ** 2

    box = Box(
        {
            "layers": Integer(1, most),
            "units": List(Integer(8, 512, log=True), "layers"),
            "dropout": When("layers", tuple(range(2, most + 1)), Real(0.0, 0.8)),
        }
    )
    best = {"layers": depth, "units": list(units[:depth]), "dropout": dropout}
    return Problem(name=name, space=box, function=value, optimum=0.0, best=best)
