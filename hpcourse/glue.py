"""Hand numbers from a notebook's code to its text, where the book prints them."""

from collections.abc import Mapping

import numpy as np

from hpcourse._check import require

__all__ = ["glue"]

PREFIX = "application/papermill.record/"  # the form in which the book's builder looks for them


def glue(values: Mapping[str, float | str]) -> None:
    """Store values in the notebook's outputs under their names; nothing is shown.

    A page then prints them by name, ``{glue:text}`best-rate:.2g` `` for instance, so that no
    number in its text is typed. It does what ``myst_nb.glue`` does, without needing the book's
    builder: a page that runs elsewhere only needs IPython.

    Args:
        values: Name to number or text. NumPy's scalars are stored as plain numbers.

    Raises:
        ValueError: If a value is neither a number nor a text.
    """
    from IPython.display import display  # noqa: PLC0415  # a notebook has it, others need it not

    for name, value in values.items():
        plain = value.item() if isinstance(value, np.generic) else value
        ok = isinstance(plain, int | float | str)
        require(ok, "glue needs a number or a text", **{name: value})
        record = {"scrapbook": {"name": name, "mime_prefix": PREFIX}}
        display({f"{PREFIX}text/plain": repr(plain)}, metadata=record, raw=True)
