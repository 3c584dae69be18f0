"""The built site, served as any static host would, and pages of one Chromium."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.chromium import chromium as chromium
from tests.support.static import served

SITE = Path(__file__).parents[2] / ".cache" / "site"
# A hang is told by it.
expect.set_options(timeout=120_000)


@pytest.fixture(scope="session")
def site() -> Path:
    """The folder with the built site."""
    if not (SITE / "index.html").exists():
        pytest.fail("no site in .cache/site; run: nox -s docs")
    return SITE


@pytest.fixture(scope="session")
def address(site: Path) -> Iterator[str]:
    """Where the site is served, on loopback."""
    with served(site) as url:
        yield f"{url}/"


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """An empty page, whose scripts must not complain."""
    complaints: list[str] = []
    context = chromium.new_context()
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda it: complaints.append(it.text) if it.type == "error" else None)
    yield page
    context.close()
    assert complaints == []
