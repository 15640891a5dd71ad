"""The notebooks' first cell, run where `hpcourse` is missing, installs it.

The wheel stands in for the repository: it is built from the working tree, and the address of the
repository in the cell is replaced by its path.
"""

import ast
import os
import subprocess
import sys
import sysconfig
import tomllib
import venv
from collections.abc import Iterator
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import notebooks
import pytest
from notebook_rules import INSTALL, code_cells, tags
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PATHS = notebooks.notebook_paths(ROOT)
ADDRESS = f"git+{notebooks.repository(ROOT).url}"


def install_cell(path: Path) -> str:
    cells = [cell for cell in notebooks.read(path).cells if INSTALL in tags(cell)]
    return "\n".join(cell.source for cell in cells)


def run(folder: Path, *command: object) -> str:
    """Run a command in `folder`, away from the working tree, and return what it prints."""
    settings = {"PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "IPYTHONDIR": folder}
    environment = os.environ | {name: str(value) for name, value in settings.items()}
    words = [str(word) for word in command]
    done = subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = (sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder)
    run(folder, *build, ROOT)
    (wheel,) = folder.glob("hpcourse-*.whl")
    return wheel


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """An interpreter that has every library of this one but `hpcourse`.

    The libraries are links in a folder outside the new environment, so that pip finds them and yet
    leaves them alone.
    """
    links = tmp_path / "libraries"
    links.mkdir()
    for item in Path(sysconfig.get_path("purelib")).iterdir():
        if "hpcourse" not in item.name and item.suffix != ".pth":
            (links / item.name).symlink_to(item)
    home = tmp_path / "fresh"
    venv.create(home)
    packages = sysconfig.get_path("purelib", "venv", {"base": str(home), "platbase": str(home)})
    (Path(packages) / "libraries.pth").write_text(f"{links}\n")
    python = home / "bin/python"
    found = "import importlib.util as u; print(u.find_spec('hpcourse'), u.find_spec('torch'))"
    missing, present = run(tmp_path, python, "-c", found).split(maxsplit=1)
    assert (missing, present.startswith("ModuleSpec")) == ("None", True)
    return python


def test_the_install_cell_comes_first_everywhere():
    assert PATHS
    for path in PATHS:
        codes = [cell for cell in notebooks.read(path).cells if cell.cell_type == "code"]
        assert INSTALL in tags(codes[0]), path


@pytest.mark.parametrize("cell", sorted({install_cell(path) for path in PATHS}))
def test_the_cell_installs_the_package_once(cell, wheel, python, tmp_path):
    assert cell.count(ADDRESS) == 1
    first, second = tmp_path / "first.ipy", tmp_path / "second.ipy"
    first.write_text(cell.replace(ADDRESS, wheel.as_uri()))
    second.write_text(cell.replace(ADDRESS, "file:///no/such/package.whl"))
    ipython = (python, "-m", "IPython", "--no-banner", "--colors=NoColor")

    run(tmp_path, *ipython, first)
    where = "import hpcourse.data; print(hpcourse.data.__file__)"
    assert Path(run(tmp_path, python, "-c", where)).is_relative_to(python.parents[1])

    # Now that the package is there, the same cell must not even try to install.
    assert run(tmp_path, *ipython, second) == ""


def imported(path: Path) -> Iterator[str]:
    """Yield the top-level names of the modules that a notebook imports."""
    for cell in code_cells(notebooks.read(path)):
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Import):
                yield from (alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield str(node.module).split(".")[0]


def installed_by_the_cell() -> set[str]:
    """Names of the distributions that come with `hpcourse[data]`, directly or not."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    waiting = [*project["dependencies"], *project["optional-dependencies"]["data"]]
    found: set[str] = set()
    while waiting:
        requirement = Requirement(waiting.pop())
        name = canonicalize_name(requirement.name)
        here = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if here and name not in found:
            found.add(name)
            waiting.extend(requires(name) or [])
    return found


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_page_imports_only_what_the_cell_installs(path):
    known = {*sys.stdlib_module_names, "hpcourse", "IPython"}
    needs = set(notebooks.read(path).metadata.get("hpcourse", {}).get("needs", []))
    sources, installed = packages_distributions(), installed_by_the_cell()
    missing = {
        module
        for module in set(imported(path)) - known - needs
        if not installed & {canonicalize_name(name) for name in sources.get(module, [])}
    }
    assert missing == set(), "on Colab these modules would be missing"
