"""How fast many members train together: hpcourse, a loop of torch.optim, and plain ``torch.func``.

Run ``python benchmarks/population.py``; it prints one table for each network. All train with SGD
and momentum on the same batches. The loop trains member after member; it is timed on one member,
for it takes as long for each. "vmap" calls ``vmap(grad(...))`` at every step. The three take turns
within each repeat, so that what else the machine does hits them alike, and a speed-up is the median
of the repeats' own, with the lowest and the highest. "bound" is what the speed-up would be if a
step were nothing but its matrix products, as fast as ``torch.bmm`` makes them here.
"""

import argparse
import functools
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle, pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.functional import cross_entropy

from hpcourse.data import digits
from hpcourse.models import mlp, small_cnn
from hpcourse.training import Stack, train_many

LR, MOMENTUM = 0.01, 0.9
Step = Callable[[], object]
Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True, kw_only=True)
class Network:
    """One network and its batches; `sizes` are the widths of an MLP."""

    build: Callable[[int], nn.Module]
    batches: list[Batch]
    sizes: tuple[int, ...] = ()

    @property
    def products(self) -> list[tuple[int, int, int]]:
        """Rows, inner length and columns of the matrix products of one member's step."""
        rows = len(self.batches[0][0])
        forward = [(rows, n_in, n_out) for n_in, n_out in pairwise(self.sizes)]
        weights = [(n_out, rows, n_in) for _, n_in, n_out in forward]
        inputs = [(rows, n_out, n_in) for _, n_in, n_out in forward[1:]]
        return forward + weights + inputs


def networks(device: torch.device) -> dict[str, Network]:
    """The networks that are measured, by name."""
    found = {}
    for sizes, rows in (((40, 32, 10), 32), ((40, 100, 100, 10), 100)):
        name = f"MLP {'-'.join(map(str, sizes))}, batch {rows}"
        x, y = torch.randn(8, rows, 40), torch.randint(10, (8, rows))
        batches = [(a.to(device), b.to(device)) for a, b in zip(x, y, strict=True)]
        build = functools.partial(on, device, functools.partial(mlp, sizes))
        found[name] = Network(build=build, batches=batches, sizes=sizes)
    x, y = digits().train.tensors(device)
    build = functools.partial(on, device, small_cnn)
    batches = list(zip(x.split(32)[:8], y.split(32)[:8], strict=True))
    return found | {"CNN 16-32 on digits, batch 32": Network(build=build, batches=batches)}


def on(device: torch.device, build: Callable[..., nn.Module], seed: int) -> nn.Module:
    """A network on a device."""
    return build(seed=seed).to(device)


def loop_step(network: Network) -> Step:
    """One step of one member, as one writes it with torch.optim."""
    model = network.build(0)
    optimizer = torch.optim.SGD(model.parameters(), lr=LR, momentum=MOMENTUM)
    batches = cycle(network.batches)

    def step() -> None:
        x, y = next(batches)
        optimizer.zero_grad()
        cross_entropy(model(x), y).backward()
        optimizer.step()

    return step


def vmap_step(network: Network, members: int) -> Step:
    """One step of all members with torch.func alone."""
    stack = Stack(network.build, range(members))
    velocity = {name: torch.zeros_like(p) for name, p in stack.params.items()}
    batches = cycle(network.batches)

    def loss(params: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return cross_entropy(functional_call(stack.template, params, (x,)), y)

    gradients = vmap(grad(loss), in_dims=(0, None, None))

    def step() -> None:
        for name, g in gradients(stack.params, *next(batches)).items():
            velocity[name] = MOMENTUM * velocity[name] + g
            stack.params[name] = stack.params[name] - LR * velocity[name]

    return step


def our_step(network: Network, members: int) -> Step:
    """One step of all members with train_many."""
    hypers = {"lr": LR, "momentum": MOMENTUM}
    batches: Iterator[Batch] = cycle(network.batches)
    training = train_many(network.build, cross_entropy, hypers, batches, seeds=range(members))
    return functools.partial(next, training)


def seconds(step: Step, count: int, clock: Callable[[], float]) -> float:
    """Mean time of a step."""
    synchronize()
    begin = clock()
    for _ in range(count):
        step()
    synchronize()
    return (clock() - begin) / count


def synchronize() -> None:
    """Wait for the GPU, if there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


@dataclass(frozen=True, kw_only=True)
class Timing:
    """How to time: seconds for each measurement, repeats, and the clock."""

    each: float
    repeats: int
    clock: Callable[[], float]

    def steps(self, step: Step) -> int:
        """How many steps fill a measurement; the first ones, which prepare, do not count."""
        seconds(step, 4, self.clock)
        return max(1, round(self.each / max(seconds(step, 3, time.perf_counter), 1e-6)))

    def turns(self, *steps: Step) -> list[list[float]]:
        """Times of each step, one for each repeat, in turns."""
        counts = [self.steps(step) for step in steps]
        rounds = [
            [seconds(step, n, self.clock) for step, n in zip(steps, counts, strict=True)]
            for _ in range(self.repeats)
        ]
        return [list(times) for times in zip(*rounds, strict=True)]


def row(network: Network, members: int, timing: Timing) -> list[str]:
    """The table's cells for one number of members."""
    steps = [loop_step(network), vmap_step(network, members), our_step(network, members)]
    loop, plain, ours = timing.turns(*steps)
    faster = sorted(members * a / b for a, b in zip(loop, ours, strict=True))
    plainly = statistics.median(members * a / b for a, b in zip(loop, plain, strict=True))
    micro = [1e6 * statistics.median(times) for times in (loop, plain, ours)]
    cells = [f"{micro[0]:.0f}", f"{micro[1] / members:.1f}", f"{micro[2] / members:.1f}"]
    cells += [f"{plainly:.1f}", f"{statistics.median(faster):.1f}"]
    return [*cells, f"{faster[0]:.1f}-{faster[-1]:.1f}", *bound(network, members, loop, timing)]


def bound(network: Network, members: int, loop: list[float], timing: Timing) -> list[str]:
    """Rate of the batched products, and the speed-up if they were all there is."""
    if not network.sizes:
        return ["-", "-"]
    device = network.batches[0][0].device
    total = operations = 0.0
    for rows, inner, columns in network.products:
        a = torch.randn(members, rows, inner, device=device)
        b = torch.randn(members, inner, columns, device=device)
        product = functools.partial(torch.bmm, a, b, out=torch.bmm(a, b))
        (times,) = timing.turns(product)
        total += statistics.median(times)
        operations += 2 * members * rows * inner * columns
    rate = operations / total
    return [f"{rate / 1e9:.0f}", f"{members * statistics.median(loop) / total:.1f}"]


COLUMNS = ("loop", "vmap", "hpcourse", "vmap", "hpcourse", "range", "GFLOP/s", "bound")
GROUPS = (("µs per member's step", 3), ("times as fast as the loop", 3), ("products", 2))


def print_row(name: str, cells: list[str] | tuple[str, ...]) -> None:
    """One line of the table."""
    print(f"{name:<10}" + "".join(f"{cell:>13}" for cell in cells), flush=True)


def machine(device: torch.device) -> str:
    """The processor and the number of threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.split(": ", 1)[1] for line in lines if line.startswith("model name")]
    name = models[0] if models else platform.machine()
    return f"{name}, {os.cpu_count()} cores, {torch.get_num_threads()} threads"


def main() -> None:
    """Parse the arguments, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--members", type=int, nargs="+", default=[1, 8, 32, 64, 128, 512])
    parser.add_argument("--repeats", type=int, default=7, help="turns that each of them takes")
    parser.add_argument("--threads", type=int, help="threads of torch; all cores if left out")
    parser.add_argument("--quick", action="store_true", help="few members and repeats")
    parser.add_argument("--cpu-time", action="store_true", help="for a busy machine, one thread")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    device = torch.device(arguments.device)
    members = [1, 64] if arguments.quick else arguments.members
    timing = Timing(
        each=0.02 if arguments.quick else 0.2,
        repeats=3 if arguments.quick else arguments.repeats,
        clock=time.process_time if arguments.cpu_time else time.perf_counter,
    )
    torch.set_flush_denormal(True)
    torch.manual_seed(0)
    print(f"{machine(device)}; Python {platform.python_version()}, torch {torch.__version__}")
    for name, network in networks(device).items():
        print(f"\n{name}\n{'':<10}" + "".join(f"{title:>{13 * n}}" for title, n in GROUPS))
        print_row("members", COLUMNS)
        for count in members:
            print_row(str(count), row(network, count, timing))


if __name__ == "__main__":
    main()
