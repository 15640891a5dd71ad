"""The book's Sphinx extension where something is missing."""

from pathlib import Path
from types import SimpleNamespace

import hpcourse_book
import pytest


@pytest.fixture
def config() -> SimpleNamespace:
    return SimpleNamespace(
        autodoc_mock_imports=["other"], suppress_warnings=[], nb_execution_excludepatterns=[]
    )


def test_optional_libraries_are_mocked_only_where_they_are_missing(config, monkeypatch):
    monkeypatch.setattr(hpcourse_book, "OPTIONAL", ("json",))
    hpcourse_book.mock_missing(None, config)
    assert (config.autodoc_mock_imports, config.suppress_warnings) == (["other"], [])
    monkeypatch.setattr(hpcourse_book, "OPTIONAL", ("json", "no_such_module"))
    hpcourse_book.mock_missing(None, config)
    assert config.autodoc_mock_imports == ["other", "no_such_module"]
    assert config.suppress_warnings == ["autodoc"]


def test_a_page_whose_needs_are_missing_is_not_executed(config, tmp_path):
    for page, needs in {"plain": "[]", "keras": '["json", "no_such_module"]'}.items():
        text = f'{{"metadata": {{"hpcourse": {{"needs": {needs}}}}}}}'
        Path(tmp_path / f"{page}.ipynb").write_text(text)
    hpcourse_book.skip_pages(SimpleNamespace(srcdir=tmp_path), config)
    assert config.nb_execution_excludepatterns == ["keras.ipynb"]


def test_the_fields_of_a_named_tuple_are_not_listed_twice():
    field = SimpleNamespace(__doc__="Alias for field number 0")
    method = SimpleNamespace(__doc__="Say something.")
    skip = hpcourse_book.skip_field_aliases
    assert skip(None, "class", "name", field, False, None) is True
    assert skip(None, "class", "name", method, False, None) is None
    assert skip(None, "class", "name", SimpleNamespace(__doc__=None), False, None) is None
