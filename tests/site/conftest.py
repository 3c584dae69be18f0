"""The built site, served as any static host would, and pages of one Chromium."""

import functools
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.chromium import chromium as chromium

SITE = Path(__file__).parents[2] / ".cache" / "site"
# A hang is told by it.
expect.set_options(timeout=120_000)


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Print nothing for each request."""


@pytest.fixture(scope="session")
def site() -> Path:
    """The folder with the built site."""
    if not (SITE / "index.html").exists():
        pytest.fail("no site in .cache/site; run: nox -s docs")
    return SITE


@pytest.fixture(scope="session")
def address(site: Path) -> Iterator[str]:
    """Where the site is served, on loopback."""
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Silent, directory=str(site))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


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
