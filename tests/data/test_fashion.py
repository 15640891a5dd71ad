import gzip
import hashlib
import struct
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from hpcourse.data import _fashion, _make_fashion, fashion
from hpcourse.data._idx import decode_idx

needs_debian = pytest.mark.skipif(
    not all((_fashion.DEBIAN / f"{name}.gz").exists() for name in _fashion.FILES),
    reason="Debian's package dataset-fashion-mnist is not installed",
)


def encode_idx(array):
    """The IDX format, written independently of the reader."""
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return header + array.astype(np.uint8).tobytes()


@pytest.mark.parametrize("shape", [(5,), (4, 3), (2, 28, 28)])
def test_idx_content_is_decoded(shape):
    array = np.random.default_rng(0).integers(0, 256, shape)
    assert np.array_equal(decode_idx(encode_idx(array)), array)


def test_other_content_is_no_idx():
    with pytest.raises(
        ValueError, match=r"IDX data need magic 00 00 08, got magic=b'\\x00\\x00\\x1f'"
    ):
        decode_idx(bytes([0, 0, 0x1F, 1, 0, 0, 0, 0]))


@contextmanager
def serving(handler):
    """Serve on a free local port; gives the address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def fresh():
    """No cached images before the test, and none of the test's after it."""
    _fashion.packaged.cache_clear()
    _fashion.full.cache_clear()
    yield
    _fashion.packaged.cache_clear()
    _fashion.full.cache_clear()


@pytest.fixture
def published(tmp_path, monkeypatch, fresh):
    """A small Fashion-MNIST on a local server, and no other copy of it; returns its arrays."""
    rng = np.random.default_rng(0)
    arrays = [
        rng.integers(0, 256, (40, 28, 28)),
        np.repeat(np.arange(10), 4),
        rng.integers(0, 256, (20, 28, 28)),
        np.repeat(np.arange(10), 2),
    ]
    site = tmp_path / "site"
    site.mkdir()
    digests = {}
    for name, array in zip(_fashion.FILES, arrays, strict=True):
        content = encode_idx(array)
        (site / f"{name}.gz").write_bytes(gzip.compress(content))
        digests[name] = hashlib.sha256(content).hexdigest()
    handler = partial(SimpleHTTPRequestHandler, directory=site)
    with serving(handler) as address:
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        monkeypatch.setattr(_fashion, "DEBIAN", tmp_path / "debian")
        monkeypatch.setattr(_fashion, "URL", address)
        monkeypatch.setattr(_fashion, "FILES", digests)
        yield arrays


def cached_files():
    return sorted(path.name for path in _fashion.cache_folder().glob("*"))


def test_full_downloads_once_and_then_reads_its_cache(published, tmp_path, monkeypatch):
    (x, y), (x_test, y_test) = _fashion.full()
    assert np.array_equal(x[:, 0], published[0])
    assert np.array_equal(y, published[1])
    assert np.array_equal(x_test[:, 0], published[2])
    assert np.array_equal(y_test, published[3])
    assert cached_files() == sorted(f"{name}.gz" for name in _fashion.FILES)
    assert _fashion.cache_folder() == tmp_path / "cache" / "hpcourse"

    monkeypatch.setattr(_fashion, "URL", "http://127.0.0.1:9/")  # nobody answers
    _fashion.full.cache_clear()
    data = fashion(full=True, validation=0.25)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [30, 10, 20]
    assert np.array_equal(data.test.x[:, 0], (published[2] / np.float32(255)).astype(np.float32))


def test_debians_copy_comes_before_a_download(published, tmp_path, monkeypatch):
    monkeypatch.setattr(_fashion, "DEBIAN", tmp_path / "site")
    monkeypatch.setattr(_fashion, "URL", "http://127.0.0.1:9/")
    (x, _), _ = _fashion.full()
    assert np.array_equal(x[:, 0], published[0])
    assert cached_files() == []


DAMAGE = {"no gzip": b"no gzip at all", "another file": gzip.compress(b"another file", mtime=0)}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_download_is_reported_and_not_kept(published, tmp_path, damage):
    name = "train-labels-idx1-ubyte.gz"
    (tmp_path / "site" / name).write_bytes(damage)
    with pytest.raises(ValueError, match=rf"http://.*/{name} is damaged.*; try again later"):
        fashion(full=True)
    assert cached_files() == ["train-images-idx3-ubyte.gz"]


def test_a_download_cut_short_is_reported_and_not_kept(published, tmp_path, monkeypatch):
    class Cut(SimpleHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"short")

    with serving(Cut) as address:
        monkeypatch.setattr(_fashion, "URL", address)
        with pytest.raises(OSError, match=r"cannot download http://.*IncompleteRead"):
            fashion(full=True)
    assert cached_files() == []


def test_a_missing_download_names_the_ways_out(published, tmp_path):
    (tmp_path / "site" / "train-images-idx3-ubyte.gz").unlink()
    folder = _fashion.cache_folder()
    message = f"cannot download .*404.*dataset-fashion-mnist or put the file into {folder}"
    with pytest.raises(OSError, match=message):
        fashion(full=True)


def test_a_damaged_cached_file_is_named(published):
    fashion(full=True)
    _fashion.full.cache_clear()
    path = _fashion.cache_folder() / "t10k-images-idx3-ubyte.gz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"{path} is damaged.*; replace it"):
        fashion(full=True)


def test_a_tampered_packaged_file_is_refused(tmp_path, monkeypatch, fresh):
    content = bytearray(_fashion.PACKAGED.read_bytes())
    content[len(content) // 2] ^= 1
    copy = tmp_path / "fashion.npz"
    copy.write_bytes(content)
    monkeypatch.setattr(_fashion, "PACKAGED", copy)
    found = hashlib.sha256(content).hexdigest()
    with pytest.raises(ValueError, match=rf"{copy} is damaged.*{found}.*; reinstall hpcourse"):
        fashion()


def test_the_cached_images_are_read_only():
    for raw in _fashion.packaged():
        assert not raw.x.flags.writeable
        assert not raw.y.flags.writeable


def test_the_packaged_subset_is_balanced():
    train, test = _fashion.packaged()
    assert np.bincount(train.y).tolist() == [1000] * 10
    assert np.bincount(test.y).tolist() == [200] * 10


@needs_debian
def test_anyone_can_rebuild_the_packaged_file(tmp_path, fresh):
    rebuilt = tmp_path / "fashion.npz"
    digest = _make_fashion.write(rebuilt)
    assert digest == _make_fashion.write(tmp_path / "again.npz")
    train, test = _fashion.packaged()
    with np.load(rebuilt) as arrays:
        for name, expected in {
            "x_train": train.x,
            "y_train": train.y,
            "x_test": test.x,
            "y_test": test.y,
        }.items():
            assert np.array_equal(arrays[name], expected)


@needs_debian
def test_the_full_data_are_complete_and_contain_the_subset(fresh):
    whole, part = fashion(full=True), fashion()
    assert [len(split) for split in (whole.train, whole.validation, whole.test)] == [
        48_000,
        12_000,
        10_000,
    ]
    assert (whole.train.x.min(), whole.train.x.max()) == (0, 1)
    of_whole = {image.tobytes() for image in whole.test.x}
    assert all(image.tobytes() in of_whole for image in part.test.x)
