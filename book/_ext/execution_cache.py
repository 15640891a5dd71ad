"""Where the outputs of the book's notebooks are kept, and which notebooks cannot run here.

jupyter-cache recognises a notebook by its own code alone. The folder of the cache therefore carries
a fingerprint of everything else that decides an output: the package, the pinned requirements, the
stored evidence, the Python version and the settings read from the environment. A change in any of
them means another folder, and so a fresh run.

The Sphinx extension `hpcourse_book` and `tools/execute_book.py` both ask here.
"""

import hashlib
import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("hpcourse", "requirements.lock", "book/evidence")
SETTINGS = {"HPCOURSE_PROFILE": "quick", "HPCOURSE_DEVICE": "auto"}
KEPT = 2

# Progress bars and TensorFlow's greetings have no place on a page.
KERNEL_ENVIRONMENT = {"TQDM_DISABLE": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}


def source_files(root: Path) -> Iterator[Path]:
    """Yield the files below `root` that decide what a notebook prints, in a fixed order."""
    for source in SOURCES:
        path = root / source
        found = [path] if path.is_file() else sorted(path.rglob("*"))
        yield from (file for file in found if file.is_file() and _counts(file.relative_to(root)))


def _counts(path: Path) -> bool:
    """Whether `path` is neither compiled nor hidden."""
    return not any(part.startswith((".", "__pycache__")) for part in path.parts)


def settings() -> dict[str, str]:
    """Return the settings from the environment that decide what a notebook prints."""
    return {name: os.environ.get(name) or default for name, default in SETTINGS.items()}


def fingerprint(root: Path = ROOT) -> str:
    """Return 16 hexadecimal digits that change with the package, the lock file or a setting."""
    digest = hashlib.sha256(repr((sys.version_info[:2], sorted(settings().items()))).encode())
    for file in source_files(root):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"{file.relative_to(root).as_posix()} {content}\n".encode())
    return digest.hexdigest()[:16]


def missing_needs(page: Path) -> list[str]:
    """Return the modules that the notebook `page` names as needed and that are missing here."""
    metadata = json.loads(page.read_text(encoding="utf-8"))["metadata"]
    needs = metadata.get("hpcourse", {}).get("needs", [])
    return [name for name in needs if importlib.util.find_spec(name) is None]


def cache_folder(build: Path, root: Path = ROOT) -> Path:
    """Return the cache folder below `build` for the present fingerprint; drop all but the newest.

    The folder is created and marked as used. The one used before it stays, so that going back and
    forth between two versions costs nothing.
    """
    cache = build / f".jupyter_cache-{settings()['HPCOURSE_PROFILE']}-{fingerprint(root)}"
    cache.mkdir(parents=True, exist_ok=True)
    cache.touch()
    caches = sorted(build.glob(".jupyter_cache*"), key=lambda path: path.stat().st_mtime)
    for old in caches[:-KEPT]:
        shutil.rmtree(old)
    return cache
