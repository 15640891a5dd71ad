"""Keep the book's notebooks in one form, and the repository's address in one place.

normalise   bring every notebook to its normal form: no outputs but checked ones, fixed metadata
record      run the notebooks that have checked outputs, and store these
colab       write the install cell, and the README's Colab links, from `_config.yml`
lint        report every rule of the book that a notebook breaks
repository  compare the address in `_config.yml` with an expected one

`normalise --check` and `colab --check` change nothing and fail where something would change.

Usage: python tools/notebooks.py normalise|record|colab|lint [--check] [--root DIR] [PATH ...]
       python tools/notebooks.py repository --expect https://github.com/OWNER/NAME
"""

import argparse
import hashlib
import re
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
import yaml
from nbformat import NotebookNode
from notebook_rules import CHECKED, INSTALL, problems, tags

ROOT = Path(__file__).resolve().parents[1]
KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
KEPT_METADATA = ("hpcourse", "mystnb", "execution")
KEPT_CELL_METADATA = ("tags", "mystnb")
README_LINKS = re.compile(r"(?<=<!-- colab: start -->\n).*?(?=<!-- colab: end -->)", re.DOTALL)
INSTALL_CELL = '''\
# On Colab: install the course's package where it is missing.
import importlib.util

if importlib.util.find_spec("hpcourse") is None:
    %pip install --quiet "hpcourse[data] @ git+{url}"'''


@dataclass(frozen=True)
class Repository:
    """Where the book lives, as `_config.yml` says it."""

    url: str
    branch: str
    book: str
    colab: str

    def colab_link(self, page: str) -> str:
        """Return the address that opens `page`, a path inside the book, on Colab."""
        return f"{self.colab}/github/{self.name}/blob/{self.branch}/{self.book}/{page}"

    @property
    def name(self) -> str:
        """OWNER/NAME."""
        return self.url.removeprefix("https://github.com/")

    @property
    def pages(self) -> str:
        """Return the address at which the publishing workflow puts the book."""
        owner, _, name = self.name.partition("/")
        return f"https://{owner}.github.io/{name}"


def repository(root: Path) -> Repository:
    """Read the repository's address below `root`."""
    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    where = config["repository"]
    colab = config["launch_buttons"]["colab_url"]
    return Repository(where["url"], where["branch"], where["path_to_book"], colab)


def notebook_paths(root: Path) -> list[Path]:
    """Return the notebooks of the book, in a fixed order."""
    found = (root / "book").rglob("*.ipynb")
    return sorted(path for path in found if not {"_build", ".ipynb_checkpoints"} & {*path.parts})


def read(path: Path) -> NotebookNode:
    """Read a notebook in the newest minor version of format 4."""
    notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
    notebook.nbformat_minor = 5
    return notebook


def write(notebook: NotebookNode) -> str:
    """Return the notebook's text: sorted keys, one newline at the end."""
    nbformat.validate(notebook)
    return nbformat.writes(notebook, version=nbformat.NO_CONVERT).rstrip("\n") + "\n"


def normalised(notebook: NotebookNode) -> NotebookNode:
    """Return the normal form of `notebook`, which depends on its text and tags alone."""
    kept = {key: notebook.metadata[key] for key in KEPT_METADATA if notebook.metadata.get(key)}
    cells = [_normal_cell(cell) for cell in notebook.cells if cell.source.strip()]
    seen: Counter[str] = Counter()
    for cell in cells:
        # The same text always has the same id; a repeated text is told apart by its number.
        name = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:10]
        seen[name] += 1
        cell.id = name if seen[name] == 1 else f"{name}-{seen[name]}"
    return nbformat.from_dict(
        {"cells": cells, "metadata": {**kept, **KERNEL}, "nbformat": 4, "nbformat_minor": 5}
    )


def _normal_cell(cell: NotebookNode) -> NotebookNode:
    metadata = {key: cell.metadata[key] for key in KEPT_CELL_METADATA if cell.metadata.get(key)}
    source = "\n".join(line.rstrip() for line in cell.source.split("\n")).strip("\n")
    normal = {"cell_type": cell.cell_type, "metadata": metadata, "source": source}
    if cell.cell_type == "code":
        outputs = cell.outputs if CHECKED in tags(cell) else []
        normal |= {"execution_count": None, "outputs": [_normal_output(o) for o in outputs]}
    return nbformat.from_dict(normal)


def _normal_output(output: NotebookNode) -> NotebookNode:
    normal = dict(output)
    if "execution_count" in normal:
        normal["execution_count"] = None
    if "metadata" in normal:
        normal["metadata"] = {}
    return nbformat.from_dict(normal)


def with_install_cell(notebook: NotebookNode, url: str) -> NotebookNode:
    """Return the notebook with the cell that installs the package, before every other code."""
    cell = nbformat.v4.new_code_cell(INSTALL_CELL.format(url=url))
    cell.metadata.tags = [INSTALL, "remove-cell"]
    cells = [other for other in notebook.cells if INSTALL not in tags(other)]
    codes = (index for index, other in enumerate(cells) if other.cell_type == "code")
    cells.insert(next(codes, len(cells)), cell)
    return nbformat.from_dict({**notebook, "cells": cells})


def with_recorded_outputs(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """Run a notebook that has checked outputs, in `folder`, and return it with all its outputs."""
    from nbclient import NotebookClient  # noqa: PLC0415  # the other commands do without a kernel

    if any(CHECKED in tags(cell) for cell in notebook.cells):
        resources = {"metadata": {"path": str(folder)}}
        NotebookClient(notebook, timeout=600, resources=resources).execute()
    return notebook


def title(notebook: NotebookNode) -> str:
    """Return the text of the first heading."""
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    heading = re.search(r"^# +(.+)$", text, re.MULTILINE)
    return heading[1].strip() if heading else "Untitled"


def readme_links(root: Path, paths: Sequence[Path]) -> str:
    """Return what the README says of addresses: the book, its notebooks on Colab, the package."""
    where = repository(root)
    pages = [(path.relative_to(root / "book").as_posix(), title(read(path))) for path in paths]
    links = "".join(f"- [{name}]({where.colab_link(page)})\n" for page, name in pages)
    return (
        f"Read the book at <{where.pages}>, or open a page in Colab:\n\n{links}\n"
        f'Install the package with `pip install "hpcourse[data] @ git+{where.url}"`.\n'
    )


def with_readme_links(text: str, links: str) -> str:
    """Return the README's `text` with `links` between its two markers."""
    if not README_LINKS.search(text):
        raise SystemExit("README.md needs the lines '<!-- colab: start -->', '<!-- colab: end -->'")
    return README_LINKS.sub(lambda _: links, text)


def settle(changes: dict[Path, str], check: bool, root: Path) -> int:
    """Write what differs from the disk, or only name it where `check`; return 1 on drift."""
    drifted = [path for path, text in changes.items() if path.read_text(encoding="utf-8") != text]
    for path in drifted:
        print(f"{path.relative_to(root)}: {'not up to date' if check else 'written'}")
        if not check:
            path.write_text(changes[path], encoding="utf-8")
    return int(check and bool(drifted))


def normalise(root: Path, paths: Sequence[Path], check: bool) -> int:
    """Bring the notebooks to their normal form."""
    return settle({path: write(normalised(read(path))) for path in paths}, check, root)


def record(root: Path, paths: Sequence[Path], check: bool) -> int:
    """Store the outputs of the cells whose outputs are checked."""
    ran = {path: with_recorded_outputs(read(path), path.parent) for path in paths}
    return settle(
        {path: write(normalised(notebook)) for path, notebook in ran.items()}, check, root
    )


def colab(root: Path, paths: Sequence[Path], check: bool) -> int:
    """Write the repository's address into the notebooks and the README."""
    url = repository(root).url
    changes = {path: write(normalised(with_install_cell(read(path), url))) for path in paths}
    readme = root / "README.md"
    links = readme_links(root, notebook_paths(root))
    changes[readme] = with_readme_links(readme.read_text(encoding="utf-8"), links)
    return settle(changes, check, root)


def lint(root: Path, paths: Sequence[Path], check: bool) -> int:
    """Report every rule that a notebook breaks."""
    found = [f"{path.relative_to(root)}: {text}" for path in paths for text in problems(read(path))]
    print("\n".join(found) or f"{len(paths)} notebooks keep the rules of the book")
    return int(bool(found))


def expect_repository(root: Path, expected: str) -> int:
    """Refuse another address than the `expected` one."""
    url = repository(root).url
    if url.removesuffix(".git") == expected.rstrip("/").removesuffix(".git"):
        return 0
    print(f"_config.yml names {url} as repository.url, but this is {expected}: change it there and")
    print("run `make colab`, which carries the address into the notebooks and the README.")
    return 1


COMMANDS: dict[str, Callable[[Path, Sequence[Path], bool], int]] = {
    "normalise": normalise,
    "record": record,
    "colab": colab,
    "lint": lint,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=[*COMMANDS, "repository"])
    parser.add_argument("paths", type=Path, nargs="*", help="notebooks; default: all of the book")
    parser.add_argument("--check", action="store_true", help="change nothing, fail on drift")
    parser.add_argument("--expect", help="the address that `repository` insists on")
    parser.add_argument("--root", type=Path, default=ROOT, help="root of the repository")
    options = parser.parse_args(arguments)
    root = options.root.resolve()
    if options.command == "repository":
        return expect_repository(root, options.expect or parser.error("repository needs --expect"))
    paths = [path.resolve() for path in options.paths] or notebook_paths(root)
    return COMMANDS[options.command](root, paths, options.check)


if __name__ == "__main__":
    sys.exit(main())
