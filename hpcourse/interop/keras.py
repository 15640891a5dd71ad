"""Schedules for Keras optimisers."""

from collections.abc import Sequence
from typing import Any, final

import keras
import numpy as np

from hpcourse._check import require, require_count, require_finite
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
class TabulatedSchedule(  # type: ignore[misc] # Keras has no types: its classes are Any
    keras.optimizers.schedules.LearningRateSchedule
):
    """Look the rate up in a table, held at its last entry.

    A saved model names this class and holds its rates, about 20 bytes for each. Import this module
    before loading such a model: that registers the class with Keras.

    Args:
        rates: The rates of step 0, 1, ...; looked up in float32.

    Raises:
        ValueError: If there is no rate, or one is not finite.
    """

    def __init__(self, rates: Sequence[float]) -> None:
        self.rates = [float(rate) for rate in rates]
        require(len(self.rates) > 0, "TabulatedSchedule needs one rate or more", rates=rates)
        for rate in self.rates:
            require_finite("TabulatedSchedule", rates=rate)
        # Converted once: eagerly, a table of a million rates would take a millisecond at each step.
        self._table = keras.ops.convert_to_tensor(np.asarray(self.rates, dtype=np.float32))

    def __call__(self, step: Any) -> Any:
        """The rate at `step`, an integer tensor, as a float32 tensor of the same shape."""
        last = len(self.rates) - 1
        index = keras.ops.minimum(keras.ops.cast(step, "int32"), last)
        return keras.ops.take(self._table, index)

    def get_config(self) -> dict[str, list[float]]:
        """The arguments of the constructor, for Keras to save."""
        return {"rates": self.rates}
