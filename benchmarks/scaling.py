"""How far more workers speed a search up: our pool of processes, threads, and Dask.

Run ``python benchmarks/scaling.py``; it prints one table. The objective sleeps, as if it waited for
another device, so that a machine with few cores can measure many workers, and all that is measured
is the driver and what carries its work. The kinds of workers take turns within each repeat, so that
what else the machine does hits them alike; cells are medians over the repeats, with the lowest and
the highest speed-up. "overhead" is the time of a worker per trial that is not evaluation.

With ``--address tcp://host:8786`` Dask's part runs on the cluster behind that scheduler, whose
workers have to have hpcourse installed; otherwise it starts worker processes on this machine. The
program is the same.
"""

import argparse
import os
import platform
import statistics
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from importlib.metadata import version

from distributed import Client, LocalCluster

from hpcourse.search.scaling import Sleeping, Timing, measure, simulate

KINDS = ("processes", "threads", "Dask")


@contextmanager
def dask(address: str | None, workers: int) -> Iterator[Executor]:
    """An executor on the cluster at an address, or on one of this machine."""
    with ExitStack() as stack:
        if address is None:
            cluster = LocalCluster(
                n_workers=workers, threads_per_worker=1, dashboard_address=None, protocol="tcp"
            )
            address = stack.enter_context(cluster).scheduler_address
        client = stack.enter_context(Client(address))
        # Calls with equal arguments are separate trials: pure=False.
        yield client.get_executor(pure=False)


def timings(objective: Sleeping, workers: int, args: argparse.Namespace) -> dict[str, list[Timing]]:
    """Measurements of every kind of workers, in turns."""
    found: dict[str, list[Timing]] = {kind: [] for kind in KINDS}
    with ThreadPoolExecutor(workers) as threads, dask(args.address, workers) as cluster:
        executors = {"processes": None, "threads": threads, "Dask": cluster}
        for _ in range(args.repeats):
            for kind, executor in executors.items():
                timing = measure(
                    objective,
                    trials=args.trials,
                    workers=workers,
                    executor=executor,
                    in_order=not args.as_they_end,
                )
                found[kind].append(timing)
    return found


def print_row(*cells: str) -> None:
    """One line of the table."""
    print(f"{cells[0]:<12}" + "".join(f"{cell:>14}" for cell in cells[1:]), flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--seconds", type=float, default=0.1, help="mean duration of a trial")
    parser.add_argument("--spread", type=float, default=0.3, help="of the logarithm of durations")
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--as-they-end", action="store_true", help="tell results out of order")
    parser.add_argument("--address", help="of a running Dask scheduler")
    args = parser.parse_args()
    objective = Sleeping(args.seconds, args.spread)
    packages = ", ".join(f"{name} {version(name)}" for name in ("distributed", "pebble"))
    where = args.address or "this machine"
    print(f"Python {platform.python_version()}, {packages}, {os.cpu_count()} cores; Dask: {where}")
    order = "as they end" if args.as_they_end else "in order"
    print(f"{args.trials} trials of {args.seconds} s (spread {args.spread}), told {order}\n")
    print_row("workers", "kind", "seconds", "speed-up", "range", "overhead ms", "at best")
    for workers in args.workers:
        best = args.trials * args.seconds / expected(objective, workers, args)
        for kind, found in timings(objective, workers, args).items():
            faster = sorted(timing.speedup for timing in found)
            seconds = statistics.median(timing.seconds for timing in found)
            overhead = 1e3 * statistics.median(timing.overhead for timing in found)
            cells = [f"{seconds:.2f}", f"{statistics.median(faster):.2f}"]
            cells += [f"{faster[0]:.2f}-{faster[-1]:.2f}", f"{overhead:.1f}", f"{best:.2f}"]
            print_row(str(workers), kind, *cells)


def expected(objective: Sleeping, workers: int, args: argparse.Namespace) -> float:
    """Seconds without any overhead, for durations of the same kind: mean of 20 simulations."""
    return statistics.fmean(
        simulate(
            [objective.draw(1000 * seed + k) for k in range(args.trials)],
            workers,
            in_order=not args.as_they_end,
        )
        for seed in range(20)
    )


if __name__ == "__main__":
    main()
