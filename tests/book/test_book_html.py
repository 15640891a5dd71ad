"""The built pages: complete, linked, described, and free of other hosts."""

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import notebooks
import pytest
from bs4 import BeautifulSoup, Tag
from sphinx_external_toc.parsing import parse_toc_yaml

pytestmark = pytest.mark.book
ROOT = Path(__file__).resolve().parents[2]
CONTENTS = list(parse_toc_yaml(ROOT / "_toc.yml"))
NOTEBOOKS = [page for page in CONTENTS if (ROOT / f"book/{page}.ipynb").exists()]
LOADS = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src"}
FOREIGN_STYLE = re.compile(r"""(?:url\(|@import)\s*["']?((?:https?:)?//[^"')]+)""")


@functools.cache
def soup(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


@functools.cache
def anchors(path: Path) -> set[str]:
    return {str(tag["id"]) for tag in soup(path).find_all(id=True)}


def pages(built: Path) -> list[Path]:
    return sorted(path for path in built.rglob("*.html") if "_static" not in path.parts)


def addresses(page: Path) -> Iterator[tuple[Tag, str]]:
    """Yield every element of the page that points somewhere, and where to."""
    for name, attribute in {**LOADS, "a": "href"}.items():
        for tag in soup(page).find_all(name, attrs={attribute: True}):
            yield tag, str(tag[attribute])


@pytest.mark.parametrize("page", CONTENTS)
def test_every_page_of_the_contents_is_built(built, page):
    assert (built / f"{page}.html").exists()


def test_links_and_anchors_inside_the_book_resolve(built):
    broken = []
    for page in pages(built):
        for _, address in addresses(page):
            target = urlsplit(address)
            if target.scheme or target.netloc:
                continue
            path = (page.parent / unquote(target.path)).resolve() if target.path else page
            anchor = unquote(target.fragment)
            missing = not path.exists()
            if missing or (anchor and path.suffix == ".html" and anchor not in anchors(path)):
                broken.append(f"{page.relative_to(built)}: {address}")
    assert broken == []


def test_nothing_is_loaded_from_another_host(built):
    loaded = [
        f"{page.relative_to(built)}: {address}"
        for page in pages(built)
        for tag, address in addresses(page)
        if tag.name in LOADS and urlsplit(address).netloc
    ]
    inline = [
        f"{page.relative_to(built)}: {script.text}"
        for page in pages(built)
        for script in soup(page).find_all("script", src=False)
        if "://" in script.text
    ]
    styles = [
        f"{path.relative_to(built)}: {address}"
        for path in built.rglob("*.css")
        for address in re.findall(
            r"(?:url\(|@import)\s*[\"']?((?:https?:)?//[^\"')]+)", path.read_text()
        )
    ]
    assert loaded + inline + styles == []


def test_every_image_is_described_in_words(built):
    # Where a figure has no text of its own, docutils puts the file's name in its place.
    silent = [
        f"{page.relative_to(built)}: {image.get('src')}"
        for page in pages(built)
        for image in soup(page).find_all("img")
        if not image.get("alt", "").strip() or Path(image["src"]).name in image["alt"]
    ]
    assert silent == []


@pytest.mark.parametrize("page", NOTEBOOKS)
def test_the_launch_button_opens_the_notebook(built, page):
    links = [address for _, address in addresses(built / f"{page}.html") if "colab" in address]
    links = [link for link in links if urlsplit(link).netloc]
    assert links == [notebooks.repository(ROOT).colab_link(f"{page}.ipynb")]


@pytest.mark.parametrize("page", NOTEBOOKS)
def test_a_page_shows_neither_errors_nor_its_scaffolding(built, page):
    article = soup(built / f"{page}.html").find("article")
    outputs = article.select("div.cell:not(.tag_raises-exception) div.cell_output")
    assert [o.text for o in outputs if "Traceback (most recent call last)" in o.text] == []
    assert article.select(".stderr, .traceback") == []
    assert "On Colab: install" not in article.text


def test_no_page_carries_a_message_of_the_builder(built):
    found = [
        f"{page.relative_to(built)}: {mark.text}"
        for page in pages(built)
        for mark in soup(page).select(".system-message, .problematic")
    ]
    assert found == []
