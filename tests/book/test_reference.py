"""The reference describes every public name of `hpcourse.search` once, on pages by topic."""

import re
from pathlib import Path

from hpcourse import search

PAGES = Path(__file__).parents[2] / "book" / "appendix" / "api"


def test_the_pages_by_topic_name_all_that_search_exports():
    directive = re.compile(r"^\.\. auto(?:class|exception|function|data):: (\w+)$", re.MULTILINE)
    texts = [page.read_text(encoding="utf-8") for page in PAGES.glob("search-*.md")]
    named = [name for text in texts for name in directive.findall(text)]
    assert sorted(named) == sorted(search.__all__)
