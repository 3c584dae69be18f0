"""What the tests of the example page share: the demo that serves it, one Chromium, and pages that must not complain."""

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from circle_ws.bundle import kept
from circle_ws.server import CircleServer
from tests.example.chapter import Site
from tests.example.reader import Reader, Seen
from tests.native.command_line import circle_in_thread, start
from tests.support.chromium import chromium as chromium
from tests.support.limits import PATIENCE

ROOT = Path(__file__).parents[2]
# A hang is told by it: what is expected may take long on a busy machine, and a key of a page signs only so often.
expect.set_options(timeout=120_000)


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """The page of a running `circle-ws demo`."""
    process = start("demo", cwd=ROOT)
    assert process.stdout
    lines: list[str] = []
    try:
        for line in process.stdout:
            lines.append(line)
            if found := re.search(r"http://\S+", line):
                yield found[0]
                break
        else:
            pytest.fail(f"the demo served no page:\n{''.join(lines)}{process.communicate()[1]}")
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """One profile, so that Pyodide is fetched and compiled once; what a page keeps, it keeps in its own tab."""
    context = chromium.new_context(permissions=["clipboard-read", "clipboard-write"])
    yield context
    context.close()


@contextmanager
def opened(context: BrowserContext, address: str) -> Iterator[tuple[Page, Seen]]:
    """Open the page and wait until it is connected."""
    seen = Seen()
    page = context.new_page()
    seen.watch(page)
    page.goto(address)
    expect(page.locator("#status")).to_have_text("Connected")
    yield page, seen
    page.close()


@pytest.fixture(scope="session")
def shared(context: BrowserContext, address: str) -> Iterator[tuple[Page, Seen]]:
    """The one page of nearly all tests: each start takes seconds."""
    with opened(context, address) as (page, seen):
        yield page, seen


@pytest.fixture
def page(shared: tuple[Page, Seen], address: str) -> Iterator[Page]:
    """The page, connected to the demo's circle, with empty lists; it must log no error and contact no other host."""
    page, seen = shared
    if page.locator("#status").inner_text() != "Connected":
        # A test before this one failed half-way.
        page.goto(address)
    expect(page.locator("#status")).to_have_text("Connected")
    for name in ("#clear-log", "#clear-answers:enabled", "#clear-notifications"):
        if page.locator(name).count():
            page.click(name)
    yield page
    complaints, seen.complaints[:] = list(seen.complaints), []
    # What the library logs of connections that a test cuts is no complaint.
    expected = (": lost the connection: ", " to connect failed: ", "WebSocket connection to")
    assert [one for one in complaints if not any(words in one for words in expected)] == []
    # The sockets of a worker are bounded by its content security policy.
    assert {urlsplit(url).netloc for url in seen.requests if url.startswith("http")} == {urlsplit(address).netloc}


@pytest.fixture(scope="session")
def served() -> Iterator[CircleServer]:
    """The circle of `circle-ws serve`, for the pages of the documentation."""
    with circle_in_thread() as running:
        yield running


@pytest.fixture(scope="session")
def bundle() -> Path:
    """The bundle that CIRCLE_WS_BUNDLE names, or one that is kept."""
    given = os.environ.get("CIRCLE_WS_BUNDLE")
    return Path(given) if given else kept.bundle([], ["micropip>=0.11"])


@pytest.fixture(scope="session")
def site(bundle: Path, served: CircleServer) -> Iterator[Site]:
    """The chapter on pages, as a site."""
    with Site(bundle, served.url).serving() as running:
        yield running


@pytest.fixture
def reader(context: BrowserContext, site: Site) -> Iterator[Reader]:
    """Somebody with a fresh page."""
    page = context.new_page()
    yield Reader(page, site)
    page.close()
    site.changed.clear()
