"""Proves that the example page works for a person: in Chromium, on the demo's own server, click by click."""

import itertools
import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from circle_ws.auth import derive_public_key
from circle_ws.cli.demo.browser import BrowserName, find_browser
from tests.native.command_line import environ, start
from tests.support.limits import PATIENCE

ROOT = Path(__file__).parents[2]
BOOT = 60_000
"""Milliseconds that Pyodide may take to start."""

WIDTHS = [1280, 800, 390, 320]
SCHEMES: list[Literal["light", "dark"]] = ["light", "dark"]


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


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """One profile, so that Pyodide is fetched and compiled once; what a page keeps, it keeps in its own tab."""
    context = chromium.new_context()
    yield context
    context.close()


@contextmanager
def _opened(context: BrowserContext, address: str) -> Iterator[Page]:
    """Open the page and wait until it is connected; it must log no error and contact no other host."""
    seen = Seen()
    page = context.new_page()
    seen.watch(page)
    page.goto(address)
    expect(page.locator("#status")).to_have_text("Connected", timeout=BOOT)
    yield page
    page.close()
    # What the library logs of connections that a test cuts is no complaint.
    expected = (": lost the connection: ", " to connect failed: ")
    assert [one for one in seen.complaints if not any(words in one for words in expected)] == []
    circle = re.search(r"circle=ws://([^/]+)", address)
    assert circle
    assert {urlsplit(url).netloc for url in seen.requests} == {urlsplit(address).netloc, circle[1]}


@pytest.fixture
def page(context: BrowserContext, address: str) -> Iterator[Page]:
    """A page of this test's own."""
    with _opened(context, address) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared(context: BrowserContext, address: str) -> Iterator[Page]:
    """One page, for tests that leave it connected: each start takes seconds."""
    with _opened(context, address) as opened:
        yield opened


def _shown_statuses(page: Page) -> list[str]:
    """Return the statuses of the log, the oldest first."""
    return list(reversed(page.locator("#log li > span").all_inner_texts()))


def test_it_signs_in_with_a_key_of_its_own(page: Page) -> None:
    assert _shown_statuses(page) == ["connecting", "authenticating", "connected"]
    page.click("#call button")
    expect(page.locator("#call-output")).to_contain_text("pubkey")
    private_key = page.evaluate("sessionStorage.getItem('circle-ws.private-key')")
    expect(page.locator("#public-key")).to_have_text(derive_public_key(private_key))
    expect(page.locator("#call-output")).to_contain_text(derive_public_key(private_key, compressed=True))
    assert private_key not in page.content()


def test_it_plays_scripts_and_shows_how_long_they_took(shared: Page) -> None:
    shared.click("#play button")
    expect(shared.locator("#play-output > span")).to_have_text("42")
    expect(shared.locator("#play-output > small")).to_have_text(re.compile(r"^\d+\.\d ms$"))
    expect(shared.locator("#trip")).to_have_text(re.compile(r"^\d+\.\d$"))
    shared.get_by_label("Script", exact=True).fill("1 / 0")
    shared.keyboard.press("Enter")
    expect(shared.locator("#play-output")).to_have_class("bad")
    expect(shared.locator("#play-output")).to_contain_text("divides by zero")


def test_it_calls_methods(shared: Page) -> None:
    shared.get_by_label("Method", exact=True).fill("echo")
    shared.get_by_label("Params, as JSON").fill('[{"é": [1, null]}]')
    shared.get_by_role("button", name="Call").click()
    expect(shared.locator("#call-output > span")).to_have_text('{"é": [1, null]}')
    shared.get_by_label("Params, as JSON").fill("[")
    shared.get_by_role("button", name="Call").click()
    expect(shared.locator("#call-output")).to_contain_text("not JSON")


def test_what_a_circle_answers_is_text_and_never_html(shared: Page) -> None:
    shared.get_by_label("Method", exact=True).fill("echo")
    shared.get_by_label("Params, as JSON").fill('["<img src=x onerror=alert(1)><b>bold</b>"]')
    shared.get_by_role("button", name="Call").click()
    expect(shared.locator("#call-output > span")).to_have_text("<img src=x onerror=alert(1)><b>bold</b>")
    assert shared.locator("#call-output b").count() == 0


def test_it_shows_what_the_circle_pushes(shared: Page) -> None:
    expect(shared.locator("#tick")).to_have_text(re.compile(r"^\d+$"), timeout=10_000)
    before = int(shared.locator("#tick").inner_text())
    expect(shared.locator("#tick")).to_have_text(str(before + 1), timeout=5_000)


def test_a_dropped_connection_comes_back_and_a_waiting_call_is_answered(page: Page) -> None:
    public_key = page.locator("#public-key").inner_text()
    page.evaluate(
        """new MutationObserver(() => (window.waits ??= []).push(document.getElementById("status-detail").textContent))
            .observe(document.getElementById("status-detail"), {childList: true})"""
    )
    page.get_by_role("button", name="Drop the connection").click()
    expect(page.locator("#drop-output")).to_contain_text("OutcomeUnknown")
    page.click("#play button")
    expect(page.locator("#play-output > span")).to_have_text("42", timeout=15_000)
    expect(page.locator("#status")).to_have_text("Connected")
    attempt = ["connecting", "authenticating", "connected"]
    assert _shown_statuses(page) == [*attempt, "waiting", *attempt]
    expect(page.locator("#log")).to_contain_text("dropped on request")
    ticks = int(page.locator("#tick-count").inner_text())
    expect(page.locator("#tick-count")).to_have_text(str(ticks + 1), timeout=5_000)
    assert page.locator("#public-key").inner_text() == public_key
    assert any(re.fullmatch(r"Next attempt in \d\.\d s\.", words) for words in page.evaluate("window.waits"))
    expect(page.locator("#wait")).to_be_hidden()


def test_the_key_stays_over_a_reload_and_a_new_one_signs_in_anew(page: Page) -> None:
    first = page.locator("#public-key").inner_text()
    page.reload()
    expect(page.locator("#status")).to_have_text("Connected", timeout=BOOT)
    assert page.locator("#public-key").inner_text() == first
    page.get_by_role("button", name="New key").click()
    expect(page.locator("#public-key")).not_to_have_text(first)
    expect(page.locator("#status")).to_have_text("Connected")


def test_it_disconnects_and_connects_again_however_often_and_fast(page: Page) -> None:
    page.get_by_role("button", name="Disconnect").click()
    expect(page.locator("#status")).to_have_text("Closed")
    expect(page.get_by_role("button", name="Disconnect")).to_be_disabled()
    page.click("#play button")
    expect(page.locator("#play-output")).to_contain_text("ClientClosed")
    page.evaluate("for (let n = 0; n < 5; n++) document.getElementById('connect').click()")
    expect(page.locator("#status")).to_have_text("Connected", timeout=15_000)
    page.click("#play button")
    expect(page.locator("#play-output > span")).to_have_text("42")
    ticks = page.locator("#tick-count")
    expect(ticks).not_to_have_text("0", timeout=5_000)
    before = _ticks(page)
    expect(ticks).to_have_text(str(before[1] + 2), timeout=5_000)
    assert _ticks(page)[0] == before[0] + 2, "one client listens, not five"


def _ticks(page: Page) -> tuple[int, int]:
    """Return the last tick, and the number of ticks."""
    last, count = page.evaluate("['tick', 'tick-count'].map((id) => document.getElementById(id).textContent)")
    return int(last), int(count)


def test_a_circle_that_is_not_there_is_tried_again_and_a_bad_address_is_not(
    context: BrowserContext, address: str
) -> None:
    page = context.new_page()
    page.goto(f"{address.partition('?')[0]}?circle=ws://127.0.0.1:1/")
    expect(page.locator("#status")).to_have_text("Waiting", timeout=BOOT)
    expect(page.locator("#log li").filter(has_text="waiting").first).to_contain_text("could not be opened")
    page.get_by_label("Circle").fill("http://127.0.0.1/")
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.locator("#status")).to_have_text("Failed")
    expect(page.locator("#status-detail")).to_contain_text("must begin with ws:// or wss://")
    page.close()


def test_without_its_bundle_the_page_says_what_to_do(chromium: Browser, address: str) -> None:
    context = chromium.new_context()
    context.route("**/bundle/bundle.json", lambda route: route.fulfill(status=404))
    page = context.new_page()
    page.goto(address)
    expect(page.locator("#status")).to_have_text("Not started")
    expect(page.locator("#boot-step")).to_contain_text("There is no bundle")
    expect(page.locator("#boot-step")).to_contain_text("README.md")
    context.close()


def test_everything_can_be_reached_and_named_without_a_mouse(shared: Page) -> None:
    shared.locator("h1").click()  # The walk begins where the last click was.
    names = []
    for _ in range(12):
        shared.keyboard.press("Tab")
        names.append(
            shared.evaluate("document.activeElement.labels?.[0]?.textContent || document.activeElement.textContent")
        )
    wanted = ["Circle", "Connect", "Disconnect", "New key", "Script", "Play", "Method", "Params, as JSON", "Call"]
    assert names[:9] == wanted
    assert "Drop the connection" in names


def test_it_fits_every_width_and_pictures_are_kept(page: Page, tmp_path: Path) -> None:
    page.click("#play button")
    page.click("#call button")
    page.get_by_role("button", name="Drop the connection").click()
    expect(page.locator("#log li")).to_have_count(7, timeout=15_000)
    expect(page.locator("#tick-count")).to_have_text("4", timeout=10_000)
    folder = Path(os.environ.get("CIRCLE_WS_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    for width, scheme in itertools.product(WIDTHS, SCHEMES):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        page.evaluate("scrollTo(0, 0)")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.screenshot(path=folder / f"page-{width}-{scheme}.png", full_page=True)


@pytest.mark.parametrize("name", ["chromium", "firefox"])
def test_the_demo_drives_the_page_by_itself(name: BrowserName) -> None:
    if find_browser(name) is None:
        pytest.skip(f"no {name} on this machine")
    process = start("demo", "--once", "--page", "--browser", name, cwd=ROOT, env=environ())
    output, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, errors) == (0, ""), output
    assert output.count("✓") == 8
    assert {"chromium": "Chrome/", "firefox": "Firefox/"}[name] in output
