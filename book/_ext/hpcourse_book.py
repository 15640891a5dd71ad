"""Sphinx extension of this book: where outputs are kept, and what autodoc may do without."""

import importlib.util
import os
from pathlib import Path
from typing import Any

from execution_cache import KERNEL_ENVIRONMENT, cache_folder
from sphinx.application import Sphinx
from sphinx.config import Config

OPTIONAL = ("keras", "tensorflow")


def set_cache_folder(app: Sphinx, config: Config) -> None:
    """Point MyST-NB to the cache of the present fingerprint.

    `nb_execution_cache_path` belongs to Sphinx's environment, so another folder also makes Sphinx
    read every page again instead of showing what it remembers of it.
    """
    config.nb_execution_cache_path = str(cache_folder(Path(app.outdir).parent))


def mock_missing(app: Sphinx, config: Config) -> None:
    """Let the API pages do without the optional libraries, but only where they are missing."""
    missing = [name for name in OPTIONAL if importlib.util.find_spec(name) is None]
    config.autodoc_mock_imports = [*config.autodoc_mock_imports, *missing]


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the extension; called by Sphinx."""
    for name, value in KERNEL_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    app.connect("config-inited", set_cache_folder)
    app.connect("config-inited", mock_missing)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
