"""How an answer is judged: the first case that is wrong is told, and nothing raises."""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Case = tuple[str, Callable[[], object], str | float | Vector]
"""What is asked, the reader's answer as a call, and the value expected."""


def judge(cases: Iterable[Case], rtol: float = 1e-6) -> bool:
    """Print the first case that is wrong, or that all are right."""
    for question, answer, expected in cases:
        wrong = _difference(answer, expected, rtol)
        if wrong:
            print(f"Not yet. For {question}: {wrong}.")
            return False
    print("Right.")
    return True


def _difference(answer: Callable[[], object], expected: str | float | Vector, rtol: float) -> str:
    """Say how the answer differs from what is expected; empty where it does not."""
    try:
        got = answer()
    except Exception as error:  # the reader's code may raise anything, and must be told what
        return f"your answer raised {type(error).__name__}: {error}"
    if empty(got):
        return "your answer is still empty"
    if isinstance(expected, str):
        return "" if got == expected else f"expected {expected!r}, got {got!r}"
    try:
        same = np.allclose(np.asarray(got, dtype=float), expected, rtol=rtol, atol=1e-12)
    except (TypeError, ValueError):
        return f"expected a number or an array of numbers, got {got!r}"
    return "" if same else f"expected {expected}, got {got}"


def empty(answer: object) -> bool:
    """Whether the reader has not filled in the stub."""
    return answer is None or answer is ...
