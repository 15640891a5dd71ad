"""Execute the book's notebooks that are not in its cache yet, several at a time.

The outputs go to the cache that `jupyter-book build` reads, so that the build executes nothing.

Usage: python tools/execute_book.py [--workers 2] [--book book]
"""

import argparse
import importlib
import multiprocessing
import os
import sys
import time
from pathlib import Path
from typing import Any

import yaml
from jupyter_cache import get_cache
from jupyter_cache.base import JupyterCacheAbstract
from jupyter_cache.executors.base import ExecutorRunResult
from jupyter_cache.executors.basic import JupyterExecutorLocalMproc, ProcessData
from sphinx_external_toc.parsing import parse_toc_yaml

BOOK = Path(__file__).resolve().parents[1] / "book"


class BoundedExecutor(JupyterExecutorLocalMproc):
    """jupyter-cache's parallel executor with a chosen number of workers.

    The parent starts one worker per core and deals the notebooks out in blocks beforehand; here a
    free worker takes the next notebook.
    """

    def __init__(self, cache: JupyterCacheAbstract, workers: int) -> None:
        super().__init__(cache)
        self.workers = workers

    def run_and_cache(self, *, timeout: int | None = 30, **filters: Any) -> ExecutorRunResult:
        """Run what is not in the cache yet, keep what succeeds, and say which did and which not."""
        records = self.get_records(**filters)
        jobs = [ProcessData(r.pk, r.uri, self.cache, timeout, allow_errors=False) for r in records]
        ends: tuple[list[str], list[str], list[str]] = ([], [], [])
        with multiprocessing.get_context("spawn").Pool(self.workers) as pool:
            for code, uri in pool.imap_unordered(self._EXECUTION_WORKER(), jobs):
                print(f"{'executed' if code == 0 else 'FAILED'}: {Path(uri).name}", flush=True)
                ends[code].append(uri)
        return ExecutorRunResult(*ends)


def notebooks(book: Path) -> list[Path]:
    """Return the notebooks in the book's table of contents."""
    pages = (book.absolute() / f"{page}.ipynb" for page in parse_toc_yaml(book / "_toc.yml"))
    return [page for page in pages if page.exists()]


def execute(book: Path, workers: int) -> list[str]:
    """Fill the cache of `book`; return the traceback of each notebook that failed."""
    # The book's own extension and this script must agree on the folder: one function says it.
    sys.path.insert(0, str(book.absolute() / "_ext"))
    location = importlib.import_module("execution_cache")
    for name, value in {**location.KERNEL_ENVIRONMENT, "OMP_NUM_THREADS": "1"}.items():
        os.environ.setdefault(name, value)

    cache = get_cache(location.cache_folder(book.absolute() / "_build"))
    pages = []
    for page in notebooks(book):
        if missing := location.missing_needs(page):
            print(f"not executed: {page.name} needs {', '.join(missing)}")
        else:
            pages.append(cache.add_nb_to_project(str(page)).uri)
    timeout = yaml.safe_load((book / "_config.yml").read_text())["execute"]["timeout"]
    result = BoundedExecutor(cache, workers).run_and_cache(filter_uris=pages, timeout=timeout)
    failed = result.excepted + result.errored
    return [f"{uri}\n{cache.get_project_record(uri).traceback or 'see above'}" for uri in failed]


def main() -> int:
    """Run the command line; return 1 where a notebook failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=2, help="notebooks at a time")
    parser.add_argument("--book", type=Path, default=BOOK, help="folder of the book")
    arguments = parser.parse_args()
    start = time.monotonic()
    failures = execute(arguments.book, arguments.workers)
    for failure in failures:
        print(failure, file=sys.stderr)
    print(f"{len(failures)} notebooks failed; {time.monotonic() - start:.0f} s")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
