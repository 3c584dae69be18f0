"""The machine's Chromium, for tests that look at pages natively by Playwright."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from circle_ws.cli.demo.browser import find_browser

__all__ = ["chromium"]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The machine's Chromium, which reaches nothing but this machine."""
    found = find_browser("chromium")
    if found is None:
        pytest.fail("no chromium was found on this machine")
    offline = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
    switches = ["--no-sandbox", "--disable-background-networking", offline]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=switches)
        yield browser
        browser.close()
