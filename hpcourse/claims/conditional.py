"""An imagined loss of conditional hyperparameters, and its space with and without the conditions.

It costs nothing, so that searches of both spaces can be compared over many seeds.
"""

import numpy as np

from hpcourse.search import Box, Choice, Integer, List, Real, Trial, When

__all__ = ["FLAT", "TREE", "imagined_loss"]

RATES = {"sgd": 0.1, "adam": 1e-3}
"""The best learning rate of each optimiser."""

UNITS = (64, 32, 16, 8)
"""The best width of each layer, from the first."""

LAYERS, MOMENTUM = 2, 0.9

_momentum, _width = Real(0.0, 0.99), Integer(4, 256, log=True)
_shared = {
    "optimizer": Choice(("sgd", "adam")),
    "lr": Real(1e-4, 1.0, log=True),
    "layers": Integer(1, len(UNITS)),
}

TREE = Box(
    {
        **_shared,
        "momentum": When("optimizer", "sgd", _momentum),
        "units": List(_width, "layers"),
    }
)
"""Momentum exists beside SGD alone, and as many widths as there are layers."""

FLAT = Box({**_shared, "momentum": _momentum, **{f"units{k}": _width for k in range(len(UNITS))}})
"""Everything exists always, whether it does anything or not."""


def imagined_loss(trial: Trial) -> float:
    """Distance from the best configuration; what does not count in a configuration has no effect.

    Args:
        trial: With a configuration of `TREE` or of `FLAT`.

    Examples:
        >>> best = {"optimizer": "sgd", "lr": 0.1, "momentum": 0.9, "layers": 2, "units": [64, 32]}
        >>> imagined_loss(Trial(number=0, config=best, seed=0))
        0.0
    """
    config = trial.config
    layers = config["layers"]
    units = config.get("units") or [config[f"units{k}"] for k in range(layers)]
    off = [np.log2(width / wanted) for width, wanted in zip(units, UNITS, strict=False)]
    shape = 3 * (layers - LAYERS) ** 2 + float(np.dot(off, off))
    rate = float(np.log10(config["lr"] / RATES[config["optimizer"]]))
    momentum = 0.05 if config["optimizer"] == "adam" else (config["momentum"] - MOMENTUM) ** 2
    return float(0.05 * shape + 0.5 * rate**2 + 2 * momentum)
