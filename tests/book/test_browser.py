"""The built book in a browser: it opens without errors, reads well, and asks no other host."""

import functools
import shutil
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import notebooks
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from sphinx_external_toc.parsing import parse_toc_yaml

pytestmark = pytest.mark.browser
ROOT = Path(__file__).resolve().parents[2]
PAGES = [*parse_toc_yaml(ROOT / "_toc.yml"), "genindex", "search"]
NOTEBOOKS = [page for page in PAGES if (ROOT / f"book/{page}.ipynb").exists()]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PHONE = 390
READABLE = 4.5  # contrast of text, WCAG 2.2, success criterion 1.4.3

# The colour of each piece of text with the colour behind it, as lists of red, green, blue, alpha.
COLOURS = """() => {
  const rgba = (colour) => {
    const [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number);
    return [r, g, b, a];
  };
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = rgba(getComputedStyle(e).backgroundColor);
      if (colour[3] > 0.99) return colour;
    }
    return [255, 255, 255, 1];
  };
  const text = "p, li, td, th, h1, h2, h3, a, code, figcaption span, pre span";
  return [...document.querySelectorAll(".bd-article :is(" + text + ")")]
    .filter((e) => !e.matches(".headerlink") && e.checkVisibility())
    .filter((e) => [...e.childNodes].some((n) => n.data?.trim()))
    .map((e) => [e.textContent.slice(0, 40), rgba(getComputedStyle(e).color), behind(e)]);
}"""


class Handler(SimpleHTTPRequestHandler):
    """Serves files and keeps quiet about it."""

    def log_message(self, *message: object) -> None:
        """Print nothing."""


@pytest.fixture(scope="session")
def address(built: Path) -> Iterator[str]:
    """Address of the built book on this machine."""
    handler = functools.partial(Handler, directory=str(built))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium; the tests are skipped where there is none."""
    found = [path for path in map(shutil.which, BROWSERS) if path]
    if not found:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found[0], args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """An empty page; fails the test where the browser reports an error or asks another host."""
    context = browser.new_context(base_url=address)
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda m: m.type == "error" and faults.append(f"console: {m.text}"))
    page.on("pageerror", lambda error: faults.append(f"script: {error}"))
    page.on("requestfailed", lambda request: faults.append(f"failed: {request.url}"))
    page.on("response", lambda r: r.status >= 400 and faults.append(f"{r.status}: {r.url}"))
    page.on("request", lambda r: faults.extend(foreign(r.url)))
    yield page
    context.close()
    assert faults == []


def foreign(url: str) -> list[str]:
    """The address, where it leads to another host."""
    parts = urlsplit(url)
    return (
        [f"other host: {url}"] if parts.scheme != "data" and parts.hostname != "127.0.0.1" else []
    )


def contrast(front: list[float], back: list[float]) -> float:
    """Contrast ratio of two colours given as red, green, blue, alpha (WCAG 2.2)."""
    mixed = [f * front[3] + b * (1 - front[3]) for f, b in zip(front[:3], back[:3], strict=True)]
    light, dark = sorted((luminance(mixed), luminance(back[:3])), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: list[float]) -> float:
    """Relative luminance of red, green, blue in 0..255 (WCAG 2.2)."""
    scaled = [value / 255 for value in colour]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in scaled]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_reads_well(page, name):
    page.emulate_media(color_scheme="light")
    page.goto(f"/{name}.html", wait_until="networkidle")
    check_formulas(page)
    check_images(page)
    check_colours(page, "light")
    page.emulate_media(color_scheme="dark")
    check_colours(page, "dark")
    page.set_viewport_size({"width": PHONE, "height": 844})
    width = page.evaluate("document.scrollingElement.scrollWidth")
    assert width <= PHONE, "the page is wider than a phone"


def check_formulas(page: Page) -> None:
    """Every formula of the source is set, and none of them wrongly."""
    page.wait_for_function("""() => {
      const formulas = [...document.querySelectorAll(".bd-article .math")];
      return formulas.every((formula) => formula.querySelector("mjx-math"));
    }""")
    assert page.locator("mjx-merror").all_text_contents() == []


def check_images(page: Page) -> None:
    """Every image is there and is described in words."""
    page.evaluate("for (const image of document.images) image.loading = 'eager'")
    page.wait_for_function("[...document.images].every(image => image.complete)")
    faulty = "images => images.filter(i => !i.naturalWidth || !i.alt.trim()).map(i => i.src)"
    assert page.locator("img").evaluate_all(faulty) == []


def check_colours(page: Page, mode: str) -> None:
    """Text stands out from what is behind it."""
    expect(page.locator("html")).to_have_attribute("data-theme", mode)
    ratios = {text: round(contrast(*pair), 2) for text, *pair in page.evaluate(COLOURS)}
    assert {text: ratio for text, ratio in ratios.items() if ratio < READABLE} == {}, mode


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_launch_button_leads_to_the_notebook(page, name):
    page.goto(f"/{name}.html")
    page.locator(".dropdown-launch-buttons button").click()
    link = page.get_by_role("link", name="Colab")
    expect(link).to_be_visible()
    assert link.get_attribute("href") == notebooks.repository(ROOT).colab_link(f"{name}.ipynb")


def test_search_finds_cosine(page):
    page.goto("/search.html?q=cosine")
    results = page.locator("#search-results ul.search a")
    expect(results.first).to_be_visible()
    found = [urlsplit(url).path for url in results.evaluate_all("all => all.map(a => a.href)")]
    assert "/training/learning-rate-schedules.html" in found


def test_the_reader_can_turn_the_light_off(page):
    page.emulate_media(color_scheme="light")
    page.goto("/index.html")
    theme, seen = page.locator("html"), []
    for _ in range(3):
        page.locator("button.theme-switch-button:visible").click()
        seen.append(theme.get_attribute("data-mode"))
    assert sorted(seen) == ["auto", "dark", "light"]
