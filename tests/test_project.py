"""The project's own files agree with each other."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement

import hpcourse

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def declared() -> list[str]:
    """Every requirement of the package and its extras, without hpcourse's references to itself."""
    extras = PROJECT["optional-dependencies"].values()
    listed = [*PROJECT["dependencies"], *(item for extra in extras for item in extra)]
    return sorted({item for item in listed if not item.startswith("hpcourse[")})


def locked() -> dict[str, str]:
    """Name to version, of the lines that apply to this interpreter and system."""
    lines = [Requirement(line) for line in (ROOT / "requirements.lock").read_text().splitlines()]
    here = default_environment()
    return {
        line.name.lower(): str(line.specifier).removeprefix("==")
        for line in lines
        if line.marker is None or line.marker.evaluate(here)
    }


def test_environment_file_lists_what_pyproject_declares():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    (pip,) = [item["pip"] for item in environment["dependencies"] if isinstance(item, dict)]
    assert sorted(item for item in pip if not item.startswith("-")) == declared()


def test_environment_file_installs_this_package_with_the_lock():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    (pip,) = [item["pip"] for item in environment["dependencies"] if isinstance(item, dict)]
    assert [item for item in pip if item.startswith("-")] == ["-c requirements.lock", "-e ."]


@pytest.mark.parametrize("requirement", declared())
def test_lock_satisfies_every_requirement(requirement):
    parsed = Requirement(requirement)
    assert parsed.specifier.contains(locked()[parsed.name.lower()], prereleases=True)


def test_all_extra_covers_every_other_extra():
    extras = PROJECT["optional-dependencies"]
    (everything,) = extras["all"]
    assert set(re.findall(r"\w+", everything)) - {"hpcourse"} == set(extras) - {"all"}


def test_version_is_the_same_everywhere():
    assert hpcourse.__version__ == PROJECT["version"]
    assert f"## {PROJECT['version']}" in (ROOT / "CHANGELOG.md").read_text()


def test_importing_the_package_and_the_schedules_loads_no_framework():
    code = "import sys, hpcourse, hpcourse.schedules; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    assert not {"torch", "tensorflow", "keras", "sklearn", "matplotlib"} & set(loaded)


@pytest.mark.parametrize("file", ["README.md", "book/index.md"])
def test_code_in_the_first_pages_runs(file):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / file).read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, file, "exec"), {})


def test_makefile_documents_every_command_of_the_readme():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for file in ("README.md", "CONTRIBUTING.md"):
        commands = re.findall(r"\bmake ([a-z-]+)", (ROOT / file).read_text())
        assert commands
        assert set(commands) <= targets, file
