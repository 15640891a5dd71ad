"""Where the Fashion-MNIST images lie: the packaged subset, Debian, or a download."""

import gzip
import hashlib
import io
import os
import tempfile
import urllib.request
import zlib
from collections.abc import Mapping
from functools import cache
from http.client import HTTPException
from pathlib import Path

import numpy as np

from hpcourse.data._idx import decode_idx
from hpcourse.data._sources import Raw, frozen

PACKAGED = Path(__file__).with_name("fashion.npz")
PACKAGED_SHA256 = "fc63698f70e10a5792fdb4edc828f099800d62948c1364828d200c4ef9b22dc7"

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
URL = "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"

# SHA-256 of the unpacked files: gzip headers differ between the publisher's files and Debian's.
FILES: Mapping[str, str] = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}


@cache
def packaged() -> tuple[Raw, Raw]:
    """The 10,000 training and 2,000 test images that come with the package.

    Images are uint8 (n, 1, 28, 28) in 0 ... 255, labels uint8 (n,).

    Raises:
        ValueError: If the file is not the one that was published.
    """
    content = PACKAGED.read_bytes()
    _check_sha256(content, PACKAGED_SHA256, PACKAGED, "reinstall hpcourse")
    with np.load(io.BytesIO(content)) as arrays:
        return (
            frozen(arrays["x_train"], arrays["y_train"]),
            frozen(arrays["x_test"], arrays["y_test"]),
        )


@cache
def full() -> tuple[Raw, Raw]:
    """All 60,000 training and 10,000 test images, from Debian's files or the download cache.

    Images are uint8 (n, 1, 28, 28) in 0 ... 255, labels uint8 (n,).

    Raises:
        OSError: If a file has to be downloaded and cannot be.
        ValueError: If a file's checksum is wrong.
    """
    x_train, y_train, x_test, y_test = (decode_idx(_unpacked(name)) for name in FILES)
    return frozen(x_train[:, None], y_train), frozen(x_test[:, None], y_test)


def cache_folder() -> Path:
    """Folder for downloads: ``$XDG_CACHE_HOME/hpcourse``, by default ``~/.cache/hpcourse``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hpcourse"


def _unpacked(name: str) -> bytes:
    """Content of one IDX file, checked; downloaded only where no copy is found."""
    cached = cache_folder() / f"{name}.gz"
    path = next((p for p in (DEBIAN / cached.name, cached) if p.exists()), None)
    if path is None:
        return _download(name, cached)
    return _unzipped(path.read_bytes(), FILES[name], path, "replace it")


def _download(name: str, path: Path) -> bytes:
    """Fetch one file, keep it at `path` only if complete and correct, and return its content."""
    url = f"{URL}{path.name}"
    try:
        with urllib.request.urlopen(url, timeout=60) as response:
            packed: bytes = response.read()
    except (OSError, HTTPException) as error:
        raise OSError(
            f"cannot download {url} ({error}): install Debian's package dataset-fashion-mnist "
            f"or put the file into {path.parent}"
        ) from error
    content = _unzipped(packed, FILES[name], url, "try again later")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        part = Path(folder) / path.name
        part.write_bytes(packed)
        part.replace(path)  # atomic: no other process ever sees half a file
    return content


def _unzipped(packed: bytes, sha256: str, origin: object, advice: str) -> bytes:
    try:
        content = gzip.decompress(packed)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{origin} is damaged ({error}); {advice}") from error
    _check_sha256(content, sha256, origin, advice)
    return content


def _check_sha256(content: bytes, sha256: str, origin: object, advice: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ValueError(f"{origin} is damaged: its SHA-256 is {found}, not {sha256}; {advice}")
