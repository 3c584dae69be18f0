"""What the tests of the example page share: the demo that serves it, one Chromium, and pages that must not complain."""

import re
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from circle_ws.cli.demo.browser import find_browser
from tests.native.command_line import start

ROOT = Path(__file__).parents[2]
BOOT = 60_000
"""Milliseconds that Pyodide may take to start."""
BACK = 20_000
"""Milliseconds that a client may take to reconnect, with its delays."""


@dataclass
class Seen:
    """What a browser tells that no person would notice."""

    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        """Note errors of every kind, and whatever the page asks for."""
        # A violation that a script catches goes to no console.
        page.add_init_script(
            "document.addEventListener('securitypolicyviolation', (it) => console.error(it.blockedURI))"
        )
        page.on("console", self._hear)
        page.on("pageerror", lambda it: self.complaints.append(str(it)))
        page.on("requestfailed", lambda it: self.complaints.append(f"{it.url}: {it.failure}"))
        page.on("request", lambda it: self.requests.append(it.url))
        page.on("websocket", lambda it: self.requests.append(it.url))

    def _hear(self, message: ConsoleMessage) -> None:
        # Who presses Connect while the page dials has it hang up, and Chromium remarks on that.
        if message.type in ("error", "warning") and "closed before the connection" not in message.text:
            self.complaints.append(message.text)


class Opener(Protocol):
    """Opens the page, with more in its address, and waits for a status."""

    def __call__(
        self, more: str = "", *, status: str = "Connected", circle: str | None = None, script: str = ""
    ) -> AbstractContextManager[Page]: ...


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
        assert process.wait(20) == 130
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The machine's Chromium."""
    found = find_browser("chromium")
    if found is None:
        pytest.fail("no chromium was found on this machine")
    switches = ["--no-sandbox", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=switches)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """One profile, so that Pyodide is fetched and compiled once; what a page keeps, it keeps in its own tab."""
    context = chromium.new_context(permissions=["clipboard-read", "clipboard-write"])
    yield context
    context.close()


@pytest.fixture(scope="session")
def opened(context: BrowserContext, address: str) -> Opener:
    """Open the page; it must log no error and contact no other host."""

    @contextmanager
    def open(
        more: str = "", *, status: str = "Connected", circle: str | None = None, script: str = ""
    ) -> Iterator[Page]:
        site, _, own = address.partition("?circle=")
        seen = Seen()
        page = context.new_page()
        seen.watch(page)
        if script:
            page.add_init_script(script)
        page.goto(f"{site}?circle={circle or own}{more}")
        expect(page.locator("#status")).to_have_text(status, timeout=BOOT)
        yield page
        page.close()
        # What the library logs of connections that a test cuts is no complaint.
        expected = (": lost the connection: ", " to connect failed: ", "WebSocket connection to")
        assert [one for one in seen.complaints if not any(words in one for words in expected)] == []
        # What a worker asks for is seen too, but not its sockets; the content security policy bounds those.
        hosts = {urlsplit(site).netloc, urlsplit(circle or own).netloc}
        assert {urlsplit(url).netloc for url in seen.requests} <= hosts

    return open


@pytest.fixture
def page(opened: Opener) -> Iterator[Page]:
    """A page of this test's own."""
    with opened() as page:
        yield page


@pytest.fixture(scope="session")
def shared(opened: Opener) -> Iterator[Page]:
    """One page, for tests that leave it connected: each start takes seconds."""
    with opened() as page:
        yield page
