"""Choosing without luck: what is best for a seed is decided by the other seeds.

The best of many noisy results looks better than it is. A choice made on other seeds owes nothing
to the luck of the seed on which it is then measured.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hpcourse._check import require


def best_on_others(losses: ArrayLike) -> NDArray[np.intp]:
    """For each seed the option with the lowest mean loss over all other seeds.

    Args:
        losses: Loss of each option on each seed (options, seeds); not finite means diverged, and
            an option that diverged on any of the other seeds is not chosen.

    Returns:
        Positions of the options chosen (seeds,), the first of equals.

    Raises:
        ValueError: Unless there are an option and two seeds, and some option to choose.

    Examples:
        >>> best_on_others([[0.0, 3.0, 3.0], [2.0, 2.0, 2.0]])  # luck on the first seed
        array([1, 0, 0])
    """
    table = np.asarray(losses, dtype=np.float64)
    shaped = table.ndim == 2 and table.shape[0] >= 1 and table.shape[1] >= 2
    require(shaped, "best_on_others needs losses (options, seeds >= 2)", shape=table.shape)
    table = np.where(np.isfinite(table), table, np.inf)
    means = np.stack(
        [np.delete(table, seed, axis=1).mean(axis=1) for seed in range(table.shape[1])]
    )
    require(
        bool(np.isfinite(means.min(axis=1)).all()),
        "best_on_others needs an option that did not diverge",
        losses=losses,
    )
    return np.asarray(means.argmin(axis=1))


def extremes(losses: Mapping[str, Sequence[float]]) -> tuple[list[str], list[str]]:
    """Best and worst arm for each seed, by the mean losses of all other seeds.

    Args:
        losses: Loss of each arm, one finite value a seed.

    Examples:
        >>> extremes({"a": [0.0, 6.0, 6.0], "b": [5.0, 5.0, 5.0]})
        (['b', 'a', 'a'], ['a', 'b', 'b'])
    """
    names, table = list(losses), np.array(list(losses.values()))
    best, worst = best_on_others(table), best_on_others(-table)
    return [names[i] for i in best], [names[i] for i in worst]
