"""Proves what a person sees of trouble: lost and frozen circles, wrong keys and addresses, offline, wallets."""

import json
import re
from collections.abc import Iterator
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from circle_ws.auth import derive_public_key, generate_private_key
from tests.example.conftest import opened
from tests.example.person import answer, call, connect, statuses
from tests.native.command_line import circle_in_thread

ATTEMPT = ["connecting", "authenticating", "connected"]


@pytest.fixture
def offline(context: BrowserContext) -> Iterator[BrowserContext]:
    """The context, which is online again after the test."""
    yield context
    context.set_offline(False)


def test_a_dropped_connection_comes_back_and_a_waiting_call_is_answered(page: Page) -> None:
    """The script is run in the moment of the loss: whoever waits to see it comes too late on a busy machine."""
    page.get_by_label("Script", exact=True).fill("40 + 2")
    page.evaluate(
        """() => {
            const [countdown, answers] = ["countdown", "answers"].map((id) => document.getElementById(id));
            const run = [...document.querySelectorAll("button")].find((it) => it.textContent.trim() === "Run");
            Object.assign(window, { waits: [], answered: [] });
            const watch = (element, options, note) => new MutationObserver(note).observe(element, options);
            watch(countdown, { childList: true }, () => window.waits.push(countdown.textContent));
            const all = { childList: true, subtree: true, characterData: true };
            watch(answers, all, () => window.answered.push(answers.firstElementChild?.textContent));
            watch(document.body, { attributes: true }, (_, it) => {
                if (document.body.dataset.status !== "waiting") return;
                it.disconnect();
                run.click();
            });
        }"""
    )
    public_key = page.locator("#public-key").inner_text()
    page.get_by_label("Method", exact=True).fill("drop")
    page.get_by_label("Params, as JSON").fill("")
    page.get_by_role("button", name="Call").click()
    expect(answer(page).locator("pre")).to_have_text("42")
    dropped = page.locator("#answers > li").nth(1)
    expect(dropped).to_contain_text("OutcomeUnknown")
    expect(dropped).to_contain_text("The circle may have carried it out.")
    assert "Ask the circle" not in dropped.inner_text(), "advice for programmers"
    assert any("Waiting for the connection" in text for text in page.evaluate("window.answered"))
    assert statuses(page) == ["waiting", *ATTEMPT]
    expect(page.locator("#log")).to_contain_text("dropped on request")
    expect(page.locator("#public-key")).to_have_text(public_key)
    waits = [
        float(found[1]) for words in page.evaluate("window.waits") if (found := re.search(r"in (\d+\.\d) s", words))
    ]
    assert len(set(waits)) > 1, "the countdown counts"
    assert waits == sorted(waits, reverse=True)
    expect(page.locator("#countdown")).to_be_hidden()


def test_a_circle_that_is_killed_and_restarted_is_found_again(
    page: Page, context: BrowserContext, address: str
) -> None:
    """In two tabs, each with a key of its own."""
    with opened(context, address) as (other, _):
        assert page.locator("#public-key").inner_text() != other.locator("#public-key").inner_text()
        page.get_by_role("button", name="Restart").click()
        for one in (page, other):
            expect(one.locator("#status")).to_have_text("Waiting")
            expect(one.locator("body")).to_have_attribute("data-live", "no")
            expect(one.locator("#countdown")).to_be_visible()
        for one in (page, other):
            expect(one.locator("#status")).to_have_text("Connected")
            expect(one.locator("#countdown")).to_be_hidden()
        page.get_by_role("button", name="Reconnect now").click()
        expect(page.locator("#log")).to_contain_text("A new connection was asked for.")
        expect(page.locator("#status")).to_have_text("Connected")


def test_calls_to_a_frozen_circle_are_stopped_or_run_out_of_time(page: Page) -> None:
    page.get_by_role("button", name="Freeze").click()
    page.get_by_label("Timeout").first.fill("0.3")
    expect(call(page, "echo", '["in time"]')).to_contain_text("The time was over and no answer had come")
    page.get_by_label("Timeout").first.fill("30")
    page.get_by_role("button", name="Call").click()
    answer(page).get_by_role("button", name="Stop").click()
    expect(answer(page)).to_contain_text("Stopped.")
    expect(answer(page)).to_have_attribute("data-state", "stopped")
    expect(page.locator("#status-detail")).to_have_text(re.compile(r"No answer for \d+ s\."))
    expect(page.get_by_role("button", name="Restart")).to_be_disabled()
    page.get_by_role("button", name="Thaw").click()
    expect(page.locator("#status-detail")).to_have_text("Signed in.")
    expect(call(page, "echo", '["again"]').locator("pre")).to_have_text("again")


def test_the_event_log_is_exported(page: Page) -> None:
    call(page, "no_such_method")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export").click()
    events = json.loads(download.value.path().read_text())
    assert [event["kind"] for event in events] == ["call failed"]
    assert events[-1]["code"] == -32601
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", event["at"]) for event in events)


def test_buttons_that_cannot_work_are_off(page: Page) -> None:
    for name in ("Call", "Run", "Disconnect", "Reconnect now"):
        expect(page.get_by_role("button", name=name)).to_be_enabled()
    expect(page.get_by_label("Circle", exact=True)).to_be_disabled()
    page.get_by_role("button", name="Disconnect").click()
    expect(page.locator("#status")).to_have_text("Closed")
    for name in ("Call", "Run", "Reconnect now"):
        expect(page.get_by_role("button", name=name)).to_be_disabled()
    soft = page.locator("#stats dt").first.evaluate("(it) => getComputedStyle(it).color")
    expect(page.locator("#trip")).to_have_css("color", soft)
    expect(page.get_by_label("Circle", exact=True)).to_be_enabled()
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.locator("#status")).to_have_text("Connected")


def _attempt(page: Page) -> int:
    """The number of the attempt that is shown; the next one may have begun meanwhile."""
    expect(page.locator("#attempt")).to_have_text(re.compile(r"Attempt \d+"))
    return int(page.locator("#attempt").inner_text().split()[1])


def test_a_wrong_address_and_a_wrong_key_are_told_in_words(page: Page) -> None:
    own = page.get_by_label("Circle", exact=True).input_value()
    admitted = generate_private_key()
    with circle_in_thread(keys=[derive_public_key(admitted)]) as circle:
        page.get_by_role("button", name="Disconnect").click()
        connect(page, "ws://127.0.0.1:1/")
        expect(page.locator("#status")).to_have_text("Waiting")
        expect(page.locator("#status-detail")).to_have_text("The circle could not be reached.")
        before = _attempt(page)
        page.get_by_role("button", name="Reconnect now").click()
        page.wait_for_function(
            "(before) => Number(document.getElementById('attempt').textContent.split(' ')[1]) > before",
            arg=before,
            timeout=120_000,
        )
        page.get_by_role("button", name="Disconnect").click()
        connect(page, "http://127.0.0.1/")
        expect(page.locator("#url-fault")).to_contain_text("begins with ws:// or wss://")
        expect(page.get_by_label("Circle", exact=True)).to_be_focused()
        page.get_by_label("Pasted").check()
        page.get_by_label("Private key").fill("0123")
        connect(page, circle.url)
        expect(page.locator("#key-fault")).to_contain_text("64 hexadecimal digits")
        page.get_by_label("Private key").fill(generate_private_key())
        connect(page, circle.url)
        expect(page.locator("#status-detail")).to_have_text("The circle did not accept this key.")
        expect(page.locator("#status")).to_have_text("Failed")
        page.get_by_label("Private key").fill(admitted)
        connect(page, circle.url)
        expect(page.locator("#status")).to_have_text("Connected")
        assert admitted not in page.content()
        page.get_by_role("button", name="Disconnect").click()
        page.get_by_label("Private key").fill("")
    page.get_by_label("Made here").check()
    connect(page, own)
    expect(page.locator("#status")).to_have_text("Connected")


_REFUSING = """() => {
  const request = async ({ method }) => {
    if (method === "eth_requestAccounts") return ["0x" + "ab".repeat(20)];
    throw { code: 4001, message: "User rejected the request." };
  };
  const detail = { info: { uuid: "1", name: "Test Wallet" }, provider: { request } };
  dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail }));
}"""


def test_a_wallet_that_refuses_with_a_plain_object_is_told(page: Page) -> None:
    page.evaluate(_REFUSING)
    page.get_by_role("button", name="Disconnect").click()
    page.locator("#key-wallet").check()
    expect(page.locator("#wallet")).to_have_text("Test Wallet")
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.locator("#status-detail")).to_have_text("You refused in the wallet.")
    expect(page.locator("#status")).to_have_text("Failed")
    page.get_by_label("Made here").check()
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.locator("#status")).to_have_text("Connected")


def test_a_browser_that_goes_offline_says_so_and_comes_back(page: Page, offline: BrowserContext, address: str) -> None:
    offline.set_offline(True)
    expect(page.locator("#log")).to_contain_text("The browser is offline.")
    # Asked from outside of the browser.
    site = address.partition("/?")[0]
    urlopen(Request(f"{site}/circle/drop", b"", {"Origin": site})).close()
    expect(page.locator("#status-detail")).to_contain_text("This browser is offline.")
    offline.set_offline(False)
    expect(page.locator("#log")).to_contain_text("The browser is online.")
    expect(page.locator("#status")).to_have_text("Connected")


_SEEM = """(state) => {
  Object.defineProperty(document, "visibilityState", { configurable: true, get: () => state });
  Object.defineProperty(document, "hidden", { configurable: true, get: () => state === "hidden" });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
"""Playwright's Chromium hides no tab; the library's own tests really hide one."""


def test_a_hidden_tab_stays_connected_and_counts_on(page: Page) -> None:
    page.evaluate(_SEEM, "hidden")
    expect(page.locator("#log")).to_contain_text("The tab was hidden.")
    before = page.locator("#received").inner_text()
    expect(page.locator("#received")).not_to_have_text(before)
    page.evaluate(_SEEM, "visible")
    expect(page.locator("#log")).to_contain_text("The tab is shown again.")
    assert statuses(page) == ["hidden", "visible"]
