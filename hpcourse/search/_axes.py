"""Configurations as rows of codes and places, for the forest of `fanova`."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hpcourse._check import require
from hpcourse.search.domains import Domain
from hpcourse.search.trial import Config


def encode(configs: Sequence[Config], axes: Mapping[str, Domain]) -> NDArray[np.float64]:
    """The configurations as rows, one column an axis in the order of `axes`; (n, dimension).

    A column holds places of the unit interval, or the numbers of separate values.

    Raises:
        ValueError: Naming the configuration and the hyperparameter that is missing or outside.
    """
    points = np.empty((len(configs), len(axes)))
    for row, config in enumerate(configs):
        for column, (name, axis) in enumerate(axes.items()):
            require(
                name in config, f"configs[{row}] needs a value of {name!r}", config=dict(config)
            )
            try:
                u = axis.encode(config[name])
            except ValueError as error:
                raise ValueError(f"configs[{row}][{name!r}]: {error}") from None
            points[row, column] = axis.codes(u) if axis.levels else u
    return points
