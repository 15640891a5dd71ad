"""How fast schedules are evaluated: hpcourse, TensorFlow, Keras, optax and torch.

Run ``python benchmarks/schedules.py``; it prints one table of steps per second. Arrays hold
`--count` steps. What is called one step at a time is called `--calls` times, and so its rate is
measured on fewer steps. Compilation (tf.function, jit) is not timed. Each figure is the median of
`--repeats`. Needs the extra `bench`.
"""

import argparse
import functools
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import tensorflow as tf
import torch
from torch.optim import lr_scheduler as torch_lr

from hpcourse import schedules
from hpcourse.optim import lambda_lr

LR = 0.1
HORIZON = 10_000
Run = Callable[[], object]
Scheduler = Callable[[torch.optim.Optimizer], torch_lr.LRScheduler]


@dataclass(frozen=True, kw_only=True)
class Peers:
    """One schedule: its settings by TensorFlow's names, and the same in the other libraries."""

    settings: Mapping[str, Any]
    keras: Callable[[Any], Any] | None = None
    optax: Callable[[Any], Any] | None = None
    torch: Scheduler | None = None
    takes_arrays: bool = True  # in TensorFlow and Keras


_decay = {"decay_steps": HORIZON, "decay_rate": 0.5}
_restarts = {"first_decay_steps": HORIZON, "t_mul": 2.0}
_pieces = {"boundaries": [HORIZON, 3 * HORIZON], "values": [0.1, 0.01, 0.001]}
_keras = keras.optimizers.schedules

SCHEDULES = {
    "exponential_decay": Peers(
        settings=_decay,
        keras=_keras.ExponentialDecay(LR, HORIZON, 0.5),
        optax=optax.exponential_decay(LR, HORIZON, 0.5),
        torch=lambda optimizer: torch_lr.ExponentialLR(optimizer, 0.5 ** (1 / HORIZON)),
    ),
    "natural_exp_decay": Peers(settings=_decay),
    "piecewise_constant": Peers(
        settings=_pieces,
        keras=_keras.PiecewiseConstantDecay(_pieces["boundaries"], _pieces["values"]),
        optax=optax.piecewise_constant_schedule(LR, dict.fromkeys(_pieces["boundaries"], 0.1)),
        torch=lambda optimizer: torch_lr.MultiStepLR(optimizer, _pieces["boundaries"]),
        takes_arrays=False,
    ),
    "polynomial_decay": Peers(
        settings={"decay_steps": HORIZON, "power": 2.0},
        keras=_keras.PolynomialDecay(LR, HORIZON, power=2.0),
        optax=optax.polynomial_schedule(LR, 0.0001, 2.0, HORIZON),
        torch=lambda optimizer: torch_lr.PolynomialLR(optimizer, HORIZON, 2.0),
    ),
    "inverse_time_decay": Peers(
        settings=_decay,
        keras=_keras.InverseTimeDecay(LR, HORIZON, 0.5),
        torch=lambda optimizer: torch_lr.LambdaLR(optimizer, lambda t: 1 / (1 + 0.5 * t / HORIZON)),
    ),
    "cosine_decay": Peers(
        settings={"decay_steps": HORIZON},
        keras=_keras.CosineDecay(LR, HORIZON),
        optax=optax.cosine_decay_schedule(LR, HORIZON),
        torch=lambda optimizer: torch_lr.CosineAnnealingLR(optimizer, HORIZON),
    ),
    "cosine_decay_restarts": Peers(
        settings=_restarts,
        keras=_keras.CosineDecayRestarts(LR, HORIZON, 2.0),
        torch=lambda optimizer: torch_lr.CosineAnnealingWarmRestarts(optimizer, HORIZON, 2),
    ),
    "linear_cosine_decay": Peers(settings={"decay_steps": HORIZON}),
    "noisy_linear_cosine_decay": Peers(settings={"decay_steps": HORIZON}),
}


def arrays(name: str, count: int) -> dict[str, Run]:
    """Ways to get the rates of all steps at once, by library."""
    peers, ours = SCHEDULES[name], our_schedule(name)
    steps = np.arange(count)
    runs: dict[str, Run] = {"hpcourse": lambda: ours(steps)}
    if peers.takes_arrays:
        tf_steps = tf.constant(steps, tf.float32)
        in_graph = tf.function(tensorflow_schedule(name))
        runs["TensorFlow"] = lambda: in_graph(tf_steps).numpy()
        if peers.keras is not None:
            keras_in_graph = tf.function(peers.keras)
            runs["Keras"] = lambda: keras_in_graph(tf_steps).numpy()
    if peers.optax is not None:
        jax_steps, jitted = jnp.asarray(steps), jax.jit(peers.optax)
        runs["optax"] = lambda: jitted(jax_steps).block_until_ready()
    return runs


def single_steps(name: str, calls: int) -> dict[str, Run]:
    """Ways to get the rates of `calls` steps, one at a time, by library."""
    peers, ours = SCHEDULES[name], our_schedule(name)
    eager = tf.Variable(0, dtype=tf.int64)
    theirs = tensorflow_schedule(name)(eager)  # reads the step anew at each call

    def tensorflow() -> None:
        for step in range(calls):
            eager.assign(step)
            theirs()

    runs: dict[str, Run] = {"hpcourse": lambda: [ours(step) for step in range(calls)]}
    runs["TensorFlow"] = tensorflow
    if peers.keras is not None:
        keras_schedule = peers.keras
        runs["Keras"] = lambda: [keras_schedule(step) for step in range(calls)]
    return runs


def scheduler_steps(name: str, calls: int) -> dict[str, Run]:
    """Ways to step a torch optimiser's rate `calls` times, by library."""
    makers = {"hpcourse": functools.partial(lambda_lr, schedule=our_schedule(name))}
    theirs = SCHEDULES[name].torch
    return {
        library: functools.partial(drive, make, calls)
        for library, make in (makers | ({"torch": theirs} if theirs else {})).items()
    }


def drive(make: Scheduler, calls: int) -> None:
    """Step a scheduler, from its making on; one optimiser step first, as torch wants it."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=LR)
    scheduler = make(optimizer)
    optimizer.step()
    for _ in range(calls):
        scheduler.step()


def our_schedule(name: str) -> schedules.Schedule:
    """Our schedule of TensorFlow's name."""
    settings = SCHEDULES[name].settings
    rate = {} if "values" in settings else {"learning_rate": LR}
    schedule: schedules.Schedule = getattr(schedules, name)(**rate, **settings)
    return schedule


def tensorflow_schedule(name: str) -> Callable[[Any], Any]:
    """TensorFlow's function of the step: in a graph the rates, else a function that gives them."""
    settings = dict(SCHEDULES[name].settings)
    make = getattr(tf.compat.v1.train, name)
    if "values" in settings:
        boundaries = [np.int64(step) for step in settings["boundaries"]]
        return functools.partial(make, boundaries=boundaries, values=settings["values"])
    return lambda step: make(LR, step, **settings)


def steps_per_second(run: Run, steps: int, repeats: int) -> float:
    """Median over the repeats, after one call that may compile."""
    run()
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - begin)
    return steps / statistics.median(seconds)


COLUMNS = {
    "array": (arrays, ("hpcourse", "TensorFlow", "Keras", "optax")),
    "one step at a time": (single_steps, ("hpcourse", "TensorFlow", "Keras")),
    "scheduler.step()": (scheduler_steps, ("hpcourse", "torch")),
}


def row(name: str, count: int, calls: int, repeats: int) -> list[str]:
    """The table's cells for one schedule."""
    cells = []
    for make_runs, libraries in COLUMNS.values():
        steps = count if make_runs is arrays else calls
        runs = make_runs(name, steps)
        for library in libraries:
            run = runs.get(library)
            cells.append(si(steps_per_second(run, steps, repeats)) if run else "-")
    return cells


def si(value: float) -> str:
    """A number with three digits and a metric prefix: 1234567 is "1.23 M"."""
    for factor, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= factor:
            return f"{value / factor:.3g} {prefix}"
    return f"{value:.3g}"


def machine() -> str:
    """The processor and the number of cores this process may use."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.split(": ", 1)[1] for line in lines if line.startswith("model name")]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{models[0] if models else platform.machine()}, {cores} cores, {platform.system()}"


def print_row(name: str, cells: list[str]) -> None:
    """One line of the table."""
    print(f"{name:<26}" + "".join(f"{cell:>12}" for cell in cells), flush=True)


def main() -> None:
    """Parse the arguments, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--count", type=int, default=1_000_000, help="steps in an array")
    parser.add_argument("--calls", type=int, default=200, help="steps taken one at a time")
    parser.add_argument("--repeats", type=int, default=5, help="runs, of which the median counts")
    arguments = parser.parse_args()
    count, calls, repeats = arguments.count, arguments.calls, arguments.repeats

    libraries = ("numpy", "tensorflow", "keras", "optax", "jax", "torch")
    print(f"{machine()}; Python {platform.python_version()}")
    print(", ".join(f"{library} {version(library)}" for library in libraries))
    print(
        f"Steps per second, median of {repeats} runs; k, M, G are 1e3, 1e6, 1e9.\n"
        f"Arrays: {count:,} steps; hpcourse in float64 on one core, the others in float32, "
        "compiled (tf.function, jit), on all cores.\n"
        f"One step at a time, and scheduler.step(): {calls:,} steps; TensorFlow and Keras eager.\n"
    )
    print(f"{'':<26}" + "".join(f"{g:>{12 * len(c)}}" for g, (_, c) in COLUMNS.items()))
    print_row("", [library for _, libraries in COLUMNS.values() for library in libraries])
    for name in SCHEDULES:
        print_row(name, row(name, count, calls, repeats))


if __name__ == "__main__":
    main()
