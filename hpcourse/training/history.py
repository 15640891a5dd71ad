"""An append-only record of what a training measured."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, SupportsFloat

import numpy as np
from numpy.typing import NDArray

from hpcourse._check import require
from hpcourse.training.stopping import Mode

__all__ = ["History", "Point"]


@dataclass(frozen=True)
class Point:
    """One recorded value and the step (or epoch) it belongs to."""

    step: int
    value: float


class History:
    """Named series of values, each with its own steps, that only grow.

    The loss may be recorded every step and the validation accuracy every epoch.

    Examples:
        >>> history = History()
        >>> for epoch, error in enumerate([0.5, 0.2, 0.3]):
        ...     history.record(epoch, error=error)
        >>> history["error"], history.best("error")
        (array([0.5, 0.2, 0.3]), Point(step=1, value=0.2))
    """

    def __init__(self) -> None:
        self._series: dict[str, list[Point]] = {}

    def record(self, step: int, /, **values: SupportsFloat) -> None:
        """Append one value to each named series.

        Args:
            step: Step or epoch, from 0; above the last one of each of these series.
            values: Name to number or to tensor of one element.

        Raises:
            ValueError: If `step` is negative or does not follow the last one.
        """
        for name in values:
            last = self._series[name][-1].step if name in self._series else -1
            require(step > last, f"History.record needs a step above {last} for {name}", step=step)
        for name, value in values.items():
            self._series.setdefault(name, []).append(Point(step, float(value)))

    def __iter__(self) -> Iterator[str]:
        return iter(self._series)

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        """The values of a series, float64 (records,)."""
        return np.array([point.value for point in self._points(name)])

    def steps(self, name: str) -> NDArray[np.int64]:
        """The steps of a series, int64 (records,)."""
        return np.array([point.step for point in self._points(name)], dtype=np.int64)

    def best(self, name: str, mode: Mode = "min") -> Point:
        """The lowest (``"min"``) or highest (``"max"``) value, the earliest of equals; NaN never.

        Raises:
            ValueError: If `name` was not recorded, has only NaN, or `mode` is unknown.
        """
        require(mode in ("min", "max"), 'History.best needs mode "min" or "max"', mode=mode)
        points = [point for point in self._points(name) if not math.isnan(point.value)]
        require(bool(points), "History.best needs a value that is not NaN", name=name)
        sign = 1.0 if mode == "min" else -1.0
        return min(points, key=lambda point: sign * point.value)

    def to_dict(self) -> dict[str, Any]:
        """Name to ``{"steps": [...], "values": [...]}`` for strict JSON.

        JSON has no NaN and no infinity; they are written as the strings that ``float`` reads.
        """
        return {
            name: {
                "steps": [point.step for point in points],
                "values": [v if math.isfinite(v) else str(v) for v in (p.value for p in points)],
            }
            for name, points in self._series.items()
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "History":
        """The history that `to_dict` wrote."""
        history = cls()
        for name, series in data.items():
            for step, value in zip(series["steps"], series["values"], strict=True):
                history.record(step, **{name: float(value)})
        return history

    def _points(self, name: str) -> list[Point]:
        require(name in self._series, f"History has the series {sorted(self._series)}", name=name)
        return self._series[name]
