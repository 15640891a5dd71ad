"""The notebook tool: one form, one address."""

import json
from pathlib import Path

import nbformat
import notebooks
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

URL = "https://github.com/someone/course"
CONFIG = f"""
repository: {{url: {URL}, path_to_book: book, branch: trunk}}
launch_buttons: {{colab_url: https://colab.example}}
"""
README = "# hpcourse\n<!-- colab: start -->\nold\n<!-- colab: end -->\nrest\n"

sources = st.text(st.sampled_from('ab #\n\r\t\x0c\u2028"\\é学'))
cells = st.one_of(
    sources.map(new_markdown_cell),
    sources.map(lambda text: new_code_cell(text, execution_count=3, metadata={"scrolled": True})),
)


def checked_cell() -> nbformat.NotebookNode:
    stdout = new_output("stream", name="stdout", text="3\n")
    result = new_output(
        "execute_result", {"text/plain": "3"}, execution_count=7, metadata={"isolated": True}
    )
    tags = {"tags": ["nbval-check-output"]}
    return new_code_cell("print(3); 3", outputs=[stdout, result], metadata=tags)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A small repository with one notebook that is in no normal form."""
    (tmp_path / "_config.yml").write_text(CONFIG)
    (tmp_path / "README.md").write_text(README)
    page = tmp_path / "book/part/page.ipynb"
    page.parent.mkdir(parents=True)
    content = [new_markdown_cell("# A *fine* page\n"), new_code_cell("x = 1  \n")]
    page.write_text(nbformat.writes(new_notebook(cells=content)))
    return tmp_path


def run(root: Path, *arguments: str) -> int:
    return notebooks.main([*arguments, "--root", str(root)])


@given(st.lists(cells, max_size=5))
def test_normal_form_is_reached_in_one_step(content):
    once = notebooks.normalised(new_notebook(cells=content))
    nbformat.validate(once)
    assert notebooks.write(notebooks.normalised(once)) == notebooks.write(once)
    assert all(not cell.get("outputs") and not cell.metadata for cell in once.cells)
    assert len({cell.id for cell in once.cells}) == len(once.cells)


def test_normal_form_depends_on_the_text_alone():
    content = [new_markdown_cell("# Title"), new_code_cell("x = 1"), new_code_cell("x = 1")]
    first = notebooks.normalised(new_notebook(cells=content))
    again = [new_code_cell("x = 1", metadata={"collapsed": True}) for _ in range(2)]
    metadata = {"jupytext": {"formats": "md"}, "kernelspec": {"name": "conda", "display_name": "x"}}
    cells = [new_markdown_cell("# Title"), *again]
    second = notebooks.normalised(new_notebook(cells=cells, metadata=metadata))
    assert notebooks.write(first) == notebooks.write(second)
    assert first.metadata.kernelspec.name == "python3"


def test_checked_outputs_stay_without_counts_and_others_go():
    plain = new_code_cell("2", outputs=[new_output("execute_result", {"text/plain": "2"})])
    kept, dropped = notebooks.normalised(new_notebook(cells=[checked_cell(), plain])).cells
    assert [output.output_type for output in kept.outputs] == ["stream", "execute_result"]
    assert kept.outputs[1].execution_count is None
    assert kept.outputs[1].metadata == {}
    assert dropped.outputs == []


def test_tags_and_figure_settings_stay():
    metadata = {"tags": ["hide-cell"], "mystnb": {"image": {"alt": "A curve"}}}
    (cell,) = notebooks.normalised(
        new_notebook(cells=[new_code_cell("x", metadata=metadata)])
    ).cells
    assert cell.metadata == metadata


def test_normalise_names_drift_and_then_removes_it(root, capsys):
    assert run(root, "normalise", "--check") == 1
    assert "book/part/page.ipynb: not up to date" in capsys.readouterr().out
    assert run(root, "normalise") == 0
    assert run(root, "normalise", "--check") == 0
    text = (root / "book/part/page.ipynb").read_text()
    assert text.endswith("}\n")
    assert text == json.dumps(json.loads(text), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def test_built_pages_and_checkpoints_are_left_alone(root):
    for folder in ("book/_build/html", "book/part/.ipynb_checkpoints"):
        (root / folder).mkdir(parents=True)
        (root / folder / "copy.ipynb").write_text("not a notebook")
    assert [path.name for path in notebooks.notebook_paths(root)] == ["page.ipynb"]


def test_colab_writes_the_address_and_follows_a_new_one(root, capsys):
    assert run(root, "colab", "--check") == 1
    assert run(root, "colab") == 0
    assert run(root, "colab", "--check") == 0
    page = notebooks.read(root / "book/part/page.ipynb")
    assert [cell.cell_type for cell in page.cells] == ["markdown", "code", "code"]
    assert page.cells[1].metadata.tags == ["colab-install", "remove-cell"]
    assert f"git+{URL}" in page.cells[1].source
    link = "https://colab.example/github/someone/course/blob/trunk/book/part/page.ipynb"
    assert f"- [A *fine* page]({link})\n" in (root / "README.md").read_text()
    assert (root / "README.md").read_text().endswith("<!-- colab: end -->\nrest\n")

    config = root / "_config.yml"
    config.write_text(config.read_text().replace("someone", "fork"))
    capsys.readouterr()
    assert run(root, "colab", "--check") == 1
    assert capsys.readouterr().out.splitlines() == [
        "book/part/page.ipynb: not up to date",
        "README.md: not up to date",
    ]
    assert run(root, "colab") == 0
    assert "someone" not in (root / "book/part/page.ipynb").read_text()
    assert len(notebooks.read(root / "book/part/page.ipynb").cells) == 3


def test_colab_says_what_the_readme_lacks(root):
    (root / "README.md").write_text("# hpcourse\n")
    with pytest.raises(SystemExit, match="colab: start"):
        run(root, "colab")


def test_record_stores_what_a_checked_cell_prints(root):
    page = root / "book/part/page.ipynb"
    tags = {"tags": ["nbval-check-output"]}
    cells = [new_code_cell("x = 6 * 7"), new_code_cell("print(x)", metadata=tags)]
    page.write_text(nbformat.writes(new_notebook(cells=cells)))
    assert run(root, "record", "--check") == 1
    assert run(root, "record") == 0
    silent, printed = notebooks.read(page).cells
    assert silent.outputs == []
    assert [output.text for output in printed.outputs] == ["42\n"]
    assert run(root, "record", "--check") == 0


@pytest.mark.parametrize("address", [URL, f"{URL}/", f"{URL}.git"])
def test_the_own_repository_may_publish(root, address):
    assert run(root, "repository", "--expect", address) == 0


def test_another_repository_may_not_publish(root, capsys):
    assert run(root, "repository", "--expect", "https://github.com/fork/course") == 1
    out = capsys.readouterr().out
    assert URL in out
    assert "https://github.com/fork/course" in out


def test_repository_needs_an_address(root, capsys):
    with pytest.raises(SystemExit):
        run(root, "repository")
    assert "--expect" in capsys.readouterr().err
