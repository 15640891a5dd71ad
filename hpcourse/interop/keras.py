"""Schedules for Keras optimisers."""

from collections.abc import Sequence
from typing import Any, final

import keras
import numpy as np
from keras.optimizers.schedules import LearningRateSchedule

from hpcourse._check import require, require_count
from hpcourse.schedules import Schedule

__all__ = ["TabulatedSchedule", "keras_schedule"]


def keras_schedule(schedule: Schedule, steps: int) -> "TabulatedSchedule":
    """Tabulate a schedule for a Keras optimiser.

    A Python function of the step fails inside ``tf.function``, where the step is a symbol, and is
    not saved with a model. A table can be looked up there, on every backend, and is saved.

    Args:
        schedule: Any schedule.
        steps: Length of the table: the rates of steps 0 to ``steps - 1``. Use the number of
            optimiser steps of the training, epochs times batches; afterwards the last rate is held.

    Returns:
        What a Keras optimiser takes as `learning_rate`.

    Raises:
        ValueError: If `schedule` is not callable or gives a rate that is not finite, or `steps`
            is not an integer >= 1.

    Examples:
        >>> from hpcourse.schedules import constant_step
        >>> table = keras_schedule(constant_step(1.0, steps=4), steps=4)
        >>> [float(table(step)) for step in (0, 1, 3, 100)]
        [1.0, 0.75, 0.25, 0.25]
        >>> optimizer = keras.optimizers.SGD(learning_rate=table)
    """
    require(callable(schedule), "keras_schedule needs a schedule", schedule=schedule)
    require_count("keras_schedule", steps=steps)
    return TabulatedSchedule(schedule(np.arange(steps)).tolist())


@final
@keras.saving.register_keras_serializable(package="hpcourse")
class TabulatedSchedule(LearningRateSchedule):  # type: ignore[misc]  # Keras has no types
    """Look the rate up in a table, held at its last entry.

    A saved model names this class and holds its rates, about 20 bytes for each. Import this module
    before loading such a model: that registers the class with Keras.

    Args:
        rates: The rates of step 0, 1, ...; looked up in float32.

    Raises:
        ValueError: If there is no rate, or one is not finite.
    """

    def __init__(self, rates: Sequence[float]) -> None:
        table = np.asarray(rates, dtype=np.float64)
        require(table.ndim == 1 and table.size > 0, "TabulatedSchedule needs rates", rates=rates)
        if not np.isfinite(table).all():
            bad = float(table[~np.isfinite(table)][0])
            require(False, "TabulatedSchedule needs finite rates", rates=bad)
        self.rates: list[float] = table.tolist()
        # Converted once: eagerly, a table of a million rates would take a millisecond at each step.
        self._table = keras.ops.convert_to_tensor(table, dtype="float32")

    def __call__(self, step: Any) -> Any:
        """The rate at `step`, an integer tensor, as a float32 tensor of the same shape."""
        last = len(self.rates) - 1
        index = keras.ops.minimum(keras.ops.cast(step, "int32"), last)
        return keras.ops.take(self._table, index)

    def get_config(self) -> dict[str, list[float]]:
        """The arguments of the constructor, for Keras to save."""
        return {"rates": self.rates}
