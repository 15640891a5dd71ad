"""A progress bar that stays quiet where nobody watches."""

import sys
from collections.abc import Iterable
from typing import TypeVar

from tqdm.auto import tqdm

__all__ = ["progress_bar"]

T = TypeVar("T")


def progress_bar(items: Iterable[T], description: str, *, show: bool = True) -> Iterable[T]:
    """`items` behind a ``tqdm.auto`` bar if `show` and in a terminal or notebook, else as they are.

    Elsewhere (logs, pipes, test runs) a bar would only be noise. ``TQDM_DISABLE=1`` hides it
    everywhere.

    Args:
        items: What to go through.
        description: The words before the bar.
        show: The caller's own switch.

    Examples:
        >>> list(progress_bar([1, 2, 3], "counting", show=False))
        [1, 2, 3]
    """
    watched = sys.stderr.isatty() or "ipykernel" in sys.modules
    return tqdm(items, desc=description) if show and watched else items
