"""The site as a reader meets it: search, both colour schemes, and the width of a phone."""

from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

SEARCHES = {
    "timeout": "guide/connecting/",
    "wallet": "guide/pages/",
    "proxy": "guide/connecting/",
    "JupyterLite": "guide/hosts/",
}
"""What somebody types, and the page that must come first."""
PHONE: ViewportSize = {"width": 360, "height": 740}
DESKTOP: ViewportSize = {"width": 1280, "height": 900}
PICTURES = Path(".cache/screenshots/site")


def test_a_search_finds_the_right_page_first(page: Page, address: str) -> None:
    """Without a network but for the server of the site itself; on one page, as a reader who tries several words."""
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    first = {}
    for words in SEARCHES:
        page.goto(address)
        # It listens to keys, and takes none until its index is loaded.
        page.click("input.md-search__input")
        expect(page.locator(".md-search-result__meta")).to_have_text("Type to start searching")
        # All letters at once: each key is a search, whose result would be taken for that of the whole word.
        page.locator("input.md-search__input").evaluate("(input, words) => { input.value = words; }", words)
        page.locator("input.md-search__input").press("Shift")
        result = page.locator("a.md-search-result__link").first
        expect(result).to_be_visible()
        first[words] = str(result.evaluate("link => link.href")).removeprefix(address).partition("?")[0]
    assert first == SEARCHES
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_is_wider_than_a_phone(
    chromium: Browser, address: str, site: Path, scheme: Literal["light", "dark"]
) -> None:
    """What is wider scrolls by itself: tables and code. Leaves screenshots of the first screen, to be looked at."""
    context = chromium.new_context(viewport=PHONE, color_scheme=scheme)
    page = context.new_page()
    too_wide = []
    for path in sorted(site.rglob("index.html")) if scheme == "light" else [site / "index.html"]:
        page.goto(f"{address}{path.relative_to(site).parent.as_posix()}/")
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            too_wide.append(path.relative_to(site).as_posix())
    page.goto(address)
    shown = "slate" if scheme == "dark" else "default"
    expect(page.locator("body")).to_have_attribute("data-md-color-scheme", shown)
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"phone-{scheme}.png")
    page.set_viewport_size(DESKTOP)
    page.screenshot(path=PICTURES / f"desktop-{scheme}.png")
    context.close()
    assert too_wide == []
