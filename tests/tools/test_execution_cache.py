"""The fingerprint covers what decides an output, and nothing else."""

import os
from pathlib import Path

import pytest
from execution_cache import KEPT, cache_folder, fingerprint, missing_needs

SOURCES = [
    "hpcourse/part/module.py",
    "hpcourse/data/digits.npz",
    "book/evidence/claim.json",
    "requirements.lock",
]


@pytest.fixture
def root(tmp_path: Path, monkeypatch) -> Path:
    """A small repository, and no settings in the environment."""
    for name in ("HPCOURSE_PROFILE", "HPCOURSE_DEVICE"):
        monkeypatch.delenv(name, raising=False)
    for name in SOURCES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"1")
    (tmp_path / "book/page.ipynb").write_text("{}")
    return tmp_path


@pytest.mark.parametrize("name", SOURCES)
def test_a_changed_file_changes_it_and_the_old_content_restores_it(root, name):
    before, content = fingerprint(root), (root / name).read_bytes()
    (root / name).write_bytes(content + b" ")
    assert fingerprint(root) != before
    (root / name).write_bytes(content)
    assert fingerprint(root) == before


def test_new_renamed_and_removed_files_change_it(root):
    seen = [fingerprint(root)]
    module = root / "hpcourse/new.py"
    module.write_text("")
    seen.append(fingerprint(root))
    module = module.rename(root / "hpcourse/newer.py")
    seen.append(fingerprint(root))
    (root / "hpcourse/part/module.py").unlink()
    seen.append(fingerprint(root))
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize("name", ["HPCOURSE_PROFILE", "HPCOURSE_DEVICE"])
def test_settings_change_it(root, monkeypatch, name):
    before = fingerprint(root)
    monkeypatch.setenv(name, "other")
    assert fingerprint(root) != before


def test_an_empty_setting_is_the_default(root, monkeypatch):
    before = fingerprint(root)
    monkeypatch.setenv("HPCOURSE_PROFILE", "")
    assert fingerprint(root) == before
    monkeypatch.setenv("HPCOURSE_PROFILE", "quick")
    assert fingerprint(root) == before


@pytest.mark.parametrize(
    "name",
    [
        "hpcourse/__pycache__/module.cpython-311.pyc",
        "hpcourse/.module.py.swp",
        "hpcourse/.ipynb_checkpoints/module.py",
        "book/page.ipynb",
        "book/index.md",
        "README.md",
    ],
)
def test_what_decides_no_output_leaves_it(root, name):
    before = fingerprint(root)
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_text("x")
    assert fingerprint(root) == before


def test_the_folder_names_profile_and_fingerprint(root, monkeypatch):
    monkeypatch.setenv("HPCOURSE_PROFILE", "full")
    folder = cache_folder(root / "_build", root)
    assert folder.is_dir()
    assert folder.name == f".jupyter_cache-full-{fingerprint(root)}"


def test_only_the_folders_used_last_stay(root):
    build, module = root / "_build", root / "hpcourse/part/module.py"
    (build / "html").mkdir(parents=True)
    folders = []
    for version in "abcd":
        module.write_text(version)
        folders.append(cache_folder(build, root))
        os.utime(folders[-1], (ord(version), ord(version)))  # one second after the one before
    assert sorted(build.glob(".jupyter_cache*")) == sorted(folders[-KEPT:])

    module.write_text("c")  # back to the version before the last: its outputs are still there
    assert cache_folder(build, root) == folders[2]
    assert folders[3].is_dir()
    assert (build / "html").is_dir()


def test_a_page_names_what_it_needs(root):
    page = root / "book/page.ipynb"
    page.write_text('{"metadata": {"hpcourse": {"needs": ["json", "no_such_module"]}}}')
    assert missing_needs(page) == ["no_such_module"]
    page.write_text('{"metadata": {}}')
    assert missing_needs(page) == []
