"""Proves that the console works for a person: in Chromium, on the demo's own server, click by click."""

import json
import re

import pytest
from playwright.sync_api import Browser, Page, expect

from circle_ws.auth import derive_public_key
from circle_ws.cli.demo.browser import BrowserName, find_browser
from tests.example.conftest import ROOT
from tests.example.person import answer, call, statuses
from tests.native.command_line import environ, start
from tests.support.limits import PATIENCE

# Signing in.


def test_it_signs_in_with_a_key_of_its_own(page: Page) -> None:
    private_key = page.evaluate("sessionStorage.getItem('circle-ws.private-key')")
    public_key = derive_public_key(private_key)
    expect(page.locator("#public-key")).to_have_text(public_key)
    expect(call(page, "whoami")).to_contain_text(derive_public_key(private_key, compressed=True))
    assert private_key not in page.content()
    page.get_by_role("button", name="Copy the public key").click()
    expect(page.get_by_role("button", name="Copy the public key")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == public_key
    page.get_by_role("button", name="Disconnect").click()
    page.get_by_role("button", name="New key").click()
    expect(page.locator("#public-key")).not_to_have_text(public_key)
    expect(page.locator("#status")).to_have_text("Connected")
    assert page.evaluate("sessionStorage.getItem('circle-ws.private-key')") != private_key


def test_python_moves_into_the_page_and_the_key_stays(page: Page) -> None:
    public_key = page.locator("#public-key").inner_text()
    assert len(page.workers) == 1
    page.get_by_label("Python in").select_option("page")
    expect(page.locator("#page")).to_be_hidden()
    expect(page.locator("#status")).to_have_text("Connected")
    assert len(page.workers) == 0
    expect(page.locator("#public-key")).to_have_text(public_key)
    assert statuses(page) == ["connecting", "authenticating", "connected"]
    expect(call(page, "echo", '["here"]').locator("pre")).to_have_text("here")
    page.get_by_label("Python in").select_option("worker")
    expect(page.locator("#page")).to_be_hidden()
    expect(page.locator("#status")).to_have_text("Connected")
    assert len(page.workers) == 1


# Calls and scripts.


def test_scripts_of_any_number_of_lines_are_run(page: Page) -> None:
    script = page.get_by_label("Script", exact=True)
    script.fill("(40\n+ 2)")
    script.press("Control+Enter")
    expect(answer(page).locator("pre")).to_have_text("42")
    expect(answer(page).locator(".badge")).to_have_text(re.compile(r"^[\d.]+ m?s$"))
    script.fill("1 / 0")
    page.get_by_role("button", name="Run").click()
    expect(answer(page)).to_contain_text("divides by zero")
    expect(answer(page)).to_have_attribute("data-state", "bad")


def test_results_are_folded_copied_and_exact(page: Page) -> None:
    value = '{"user": {"id": 12345678901234567890, "é": [1.5, null, true]}}'
    shown = call(page, "echo", f"[{value}]")
    expect(shown.locator(".value-number").first).to_have_text("12345678901234567890")
    expect(shown.locator("details")).to_have_count(3)
    shown.locator("summary").first.click()
    expect(shown.locator(".value-number").first).to_be_hidden()
    shown.get_by_role("button", name="Copy").click()
    expect(shown.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert json.loads(copied) == json.loads(value)
    assert copied.startswith('{\n  "user": {\n    "id": 12345678901234567890')


def test_a_large_result_is_filled_in_when_it_is_unfolded(page: Page) -> None:
    shown = call(page, "echo", json.dumps([list(range(1000))]))
    expect(shown.locator(".leaf")).to_have_count(0)
    shown.locator("summary").click()
    expect(shown.locator(".leaf")).to_have_count(200)
    expect(shown).to_contain_text("and 800 more")


def test_what_a_circle_answers_is_text_and_never_html(page: Page) -> None:
    hostile = "<img src=x onerror=alert(1)><b>bold</b>"
    shown = call(page, "echo", json.dumps([hostile]))
    expect(shown.locator("pre")).to_have_text(hostile)
    shown = call(page, "echo", json.dumps([{hostile: [hostile]}]))
    expect(shown.locator(".value-string")).to_have_text(json.dumps(hostile))
    assert page.locator(":is(#answers, #history) :is(img, b)").count() == 0


def test_the_composer_knows_the_methods_and_what_was_called_before(page: Page) -> None:
    offered = page.locator("#methods option").evaluate_all("(options) => options.map((one) => one.value)")
    assert {"play", "echo", "whoami", "drop"} <= set(offered)
    page.get_by_label("Method", exact=True).fill("echo")
    expect(page.locator("#method-words")).to_have_text("Answer what was given.")
    call(page, "echo", '["the first"]')
    call(page, "echo", '["the second"]')
    page.get_by_label("History").select_option(label='echo ["the first"]')
    expect(page.get_by_label("Params, as JSON")).to_have_value('["the first"]')
    answer(page).get_by_role("button", name="Again").click()
    expect(page.get_by_label("Params, as JSON")).to_have_value('["the second"]')
    for wrong, words in (("[", "not JSON"), ("7", "a list")):
        page.get_by_label("Params, as JSON").fill(wrong)
        page.keyboard.press("Enter")
        expect(page.locator("#params-fault")).to_contain_text(words)
    page.get_by_label("Params, as JSON").fill("")
    expect(page.locator("#params-fault")).to_be_hidden()


# Notifications.


def test_notifications_are_listed_filtered_and_paused(page: Page) -> None:
    shown = page.locator("#notifications .line:visible")
    expect(shown.first).to_contain_text("tick")
    expect(page.locator("#rate")).not_to_have_text("0")
    page.get_by_label("Filter notifications").fill("no such thing")
    expect(shown).to_have_count(0)
    expect(page.locator("#notifications")).to_have_attribute("data-empty", "Nothing fits the filter.")
    page.get_by_label("Filter notifications").fill("TICK")
    expect(shown.first).to_contain_text("tick")
    page.get_by_label("Filter notifications").fill("")
    page.get_by_role("button", name="Pause").click()
    first = shown.first.inner_text()
    expect(page.get_by_role("button", name=re.compile(r"Go on \(\d+\)"))).to_be_visible()
    assert shown.first.inner_text() == first
    page.get_by_role("button", name="Go on").click()
    expect(shown.first).not_to_have_text(first)


def test_thousands_of_notifications_are_counted_and_the_page_stays_usable(page: Page) -> None:
    before = _received(page)
    page.get_by_role("button", name="Flood").click()
    expect(page.locator("#notifications .line:visible").first).to_contain_text("flood")
    expect(call(page, "echo", '["meanwhile"]').locator("pre")).to_have_text("meanwhile")
    # The rare ones among the many: what is filtered out takes no place in the list.
    page.get_by_label("Filter notifications").fill("tick")
    expect(page.locator("#notifications .line:visible").first).to_contain_text("tick")
    page.get_by_label("Filter notifications").fill("")
    page.get_by_label("Filter notifications").blur()
    expect(page.locator("#notifications .line:visible").filter(has_text="flood").first).to_be_visible()
    assert page.locator("#notifications .line").count() <= 60
    assert _received(page) > before + 1000


def _received(page: Page) -> int:
    return int(page.locator("#received").inner_text().replace(",", ""))


# Without a mouse; without a bundle; by itself.


def test_everything_can_be_reached_and_named_without_a_mouse(page: Page) -> None:
    page.locator("h1").click()  # The walk begins where the last click was.
    names = []
    for _ in range(16):
        page.keyboard.press("Tab")
        names.append(
            page.evaluate(
                "document.activeElement.ariaLabel || document.activeElement.labels?.[0]?.textContent.split('\\n')[0]"
                " || document.activeElement.textContent"
            )
        )
    wanted = ["Reconnect now", "Disconnect", "Copy the public key", "Method", "Params, as JSON", "Call"]
    places = [names.index(name) for name in wanted]
    assert places == sorted(places), names
    assert any(name.startswith("Theme") for name in names[:2])


def test_without_its_bundle_the_page_says_what_to_do(chromium: Browser, address: str) -> None:
    context = chromium.new_context()
    context.route("**/bundle/bundle.json", lambda route: route.fulfill(status=404))
    page = context.new_page()
    page.goto(address)
    expect(page.locator("#status")).to_have_text("Not started")
    expect(page.locator("#boot-step")).to_contain_text("There is no bundle")
    expect(page.locator("#boot-step")).to_contain_text("README.md")
    context.close()


@pytest.mark.parametrize("name", ["chromium", "firefox"])
def test_the_demo_drives_the_page_by_itself(name: BrowserName) -> None:
    if find_browser(name) is None:
        pytest.skip(f"no {name} on this machine")
    process = start("demo", "--once", "--page", "--browser", name, cwd=ROOT, env=environ())
    output, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, errors) == (0, ""), output
    assert output.count("✓") == 8
    assert {"chromium": "Chrome/", "firefox": "Firefox/"}[name] in output
