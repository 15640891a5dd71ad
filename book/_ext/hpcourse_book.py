"""Sphinx extension of this book: where outputs are kept, and what may be missing."""

import importlib.util
import os
from pathlib import Path
from typing import Any

from execution_cache import KERNEL_ENVIRONMENT, cache_folder, missing_needs
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util import logging

LOGGER = logging.getLogger(__name__)
OPTIONAL = ("keras", "tensorflow")


def set_cache_folder(app: Sphinx, config: Config) -> None:
    """Point MyST-NB to the cache of the present fingerprint.

    `nb_execution_cache_path` belongs to Sphinx's environment, so another folder also makes Sphinx
    read every page again instead of showing what it remembers of it.
    """
    config.nb_execution_cache_path = str(cache_folder(Path(app.outdir).parent))


def skip_pages(app: Sphinx, config: Config) -> None:
    """Show a page without its outputs, and say so, where a library that it needs is missing."""
    book = Path(app.srcdir)
    for page in sorted(book.rglob("*.ipynb")):
        name = page.relative_to(book).as_posix()
        if not name.startswith("_build/") and (missing := missing_needs(page)):
            LOGGER.info("not executed: %s needs %s", name, ", ".join(missing))
            patterns = [*config.nb_execution_excludepatterns, name]
            config.nb_execution_excludepatterns = patterns


def mock_missing(app: Sphinx, config: Config) -> None:
    """Let the API pages do without the optional libraries, but only where they are missing."""
    missing = [name for name in OPTIONAL if importlib.util.find_spec(name) is None]
    if missing:
        config.autodoc_mock_imports = [*config.autodoc_mock_imports, *missing]
        # A class with a mocked decorator is shown well enough, though not without a warning.
        config.suppress_warnings = [*config.suppress_warnings, "autodoc"]


def skip_field_aliases(
    app: Sphinx, what: str, name: str, member: object, *_: object
) -> bool | None:
    """Leave out the fields of named tuples, whose docstring only counts them."""
    return True if (member.__doc__ or "").startswith("Alias for field number") else None


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the extension; called by Sphinx."""
    for name, value in KERNEL_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    app.connect("config-inited", set_cache_folder)
    app.connect("config-inited", skip_pages)
    app.connect("config-inited", mock_missing)
    app.connect("autodoc-skip-member", skip_field_aliases)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
