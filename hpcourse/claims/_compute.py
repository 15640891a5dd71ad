"""What the experiments share: many trainings at once, each with its own order of the data."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from platform import machine

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from hpcourse.data import TensorDataset, TensorSplit, batches
from hpcourse.schedules import Schedule
from hpcourse.training import Hyper, Population, accuracy, evaluate_many, train_many

TOGETHER = 80  # members trained as one program: more of them no longer fit the caches


@dataclass(frozen=True, kw_only=True)
class Run:
    """What is kept of one training.

    Attributes:
        losses: Validation and test cross-entropy at each recorded step, nats.
        accuracy: Test accuracy after the last step, percent.
    """

    losses: tuple[tuple[float, float], ...]
    accuracy: float


def train_runs(
    data: TensorDataset,
    build: Callable[[int], nn.Module],
    jobs: Sequence[tuple[Schedule, int]],
    *,
    momentum: float,
    batch_size: int,
    steps: int,
    every: int,
) -> list[Run]:
    """Train one classifier for each job by SGD with momentum on the cross-entropy.

    Args:
        data: Training, validation and test part, on the device to train on.
        build: Seed to network.
        jobs: Schedule and seed of each run; the seed decides the network and the order of the data.
        momentum: Heavy-ball momentum.
        batch_size: Rows of a batch.
        steps: Length of each run.
        every: Steps between two recorded losses; divides `steps`.
    """
    runs: list[Run] = []
    for start in range(0, len(jobs), TOGETHER):
        schedules, seeds = zip(*jobs[start : start + TOGETHER], strict=True)
        population = Population(lambda seed: build(seed).to(data.train.x.device), seeds)
        feed = own_batches(data.train, seeds, batch_size=batch_size, steps=steps)
        hypers: dict[str, Hyper] = {"lr": schedules, "momentum": momentum}
        training = train_many(population, feed, cross_entropy, hypers, own_batches=True)
        recorded = [
            torch.stack([mean_loss(population, data.validation), mean_loss(population, data.test)])
            for step, _ in enumerate(training, start=1)
            if step % every == 0
        ]
        hits = evaluate_many(population, [data.test], {"accuracy": accuracy})["accuracy"]
        curves = torch.stack(recorded).permute(2, 0, 1).tolist()  # member, record, part
        runs += [
            Run(losses=tuple((v, t) for v, t in curve), accuracy=100 * hit)
            for curve, hit in zip(curves, hits.tolist(), strict=True)
        ]
    return runs


def mean_loss(population: Population, data: TensorSplit) -> Tensor:
    """Cross-entropy of each member on all of `data`, (members,), nats."""
    return evaluate_many(population, [data], {"loss": cross_entropy})["loss"]


def own_batches(
    data: TensorSplit, seeds: Sequence[int], *, batch_size: int, steps: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches (members, batch, ...): members of one seed see the data in the same order.

    Args:
        data: What the batches are drawn from.
        seeds: Seed of each member.
        batch_size: Rows of a batch.
        steps: Number of batches.
    """
    distinct = sorted(set(seeds))
    row = torch.tensor([distinct.index(seed) for seed in seeds], device=data.x.device)
    streams = [
        batches(data.x, data.y, batch_size=batch_size, seed=seed, epochs=None) for seed in distinct
    ]
    for step in islice(zip(*streams, strict=True), steps):
        yield torch.stack([x for x, _ in step])[row], torch.stack([y for _, y in step])[row]


@contextmanager
def steady_cpu() -> Iterator[None]:
    """One thread, and denormal floats as zero, inside the ``with``.

    One thread adds in one order, so that the results do not depend on how many cores there are,
    and notebooks that run side by side do not wait for each other's threads; programs this small
    gain little from more. Decayed momenta become denormal, which is slow to compute with.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(threads)


def device_name(device: torch.device) -> str:
    """The device in words, such as ``cuda, NVIDIA H200``; of a CPU what decides its rounding."""
    if device.type == "cuda":
        return f"cuda, {torch.cuda.get_device_name(device)}"
    if device.type == "cpu":
        return f"cpu, {machine()}, {torch.backends.cpu.get_cpu_capability()}, one thread"
    return device.type
