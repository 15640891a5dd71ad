"""One thread for the arithmetic of a search."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController


@contextmanager
def one_thread() -> Iterator[None]:
    """A context, or a decorator, in which linear algebra has one thread.

    The matrices of a search are so small that more threads mostly wait for each other, and they
    take cores from the trainings that run beside it.
    """
    with _controller().limit(limits=1, user_api="blas"):
        yield


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()
