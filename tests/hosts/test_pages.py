"""Proves that the pages of `examples/hosts` sign in, call and reconnect, as a person sees it, offline, in Chromium."""

import re

import pytest
from playwright.sync_api import Page, expect

from circle_ws.bundle import pyodide_core
from tests.hosts.conftest import ENDLESS, PYSCRIPT, Circle, Open, Supports, picture

PAGES = {
    "plain": ("plain/", f"Pyodide {pyodide_core.VERSION}, page"),
    "module-worker": ("module-worker/", f"Pyodide {pyodide_core.VERSION}, module worker"),
    "pyscript": ("pyscript/", f"PyScript {PYSCRIPT}, main thread"),
    "pyscript-worker": ("pyscript/worker.html", f"PyScript {PYSCRIPT}, worker"),
}
WITHOUT_SHARED_WORKER = "delete globalThis.SharedWorker"


def connected(page: Page) -> None:
    expect(page.locator("#status")).to_have_text("connected")


def away(page: Page) -> None:
    expect(page.locator("#status")).to_have_text(re.compile("waiting|connecting"))


def send(page: Page, script: str) -> None:
    page.get_by_label("Script").fill(script)
    page.get_by_role("button", name="Play").click()


def play(page: Page, script: str, answer: str) -> None:
    send(page, script)
    expect(page.locator("output")).to_contain_text(answer)


@pytest.mark.parametrize("host", PAGES)
def test_it_signs_in_calls_and_reconnects(host: str, opened: Open, circle: Circle, supports: Supports) -> None:
    path, name = PAGES[host]
    supports(name, "Chromium")
    with opened(path) as page:
        connected(page)
        assert circle.key()
        play(page, "40 + 2", "42")
        play(page, "1 +", "RpcError: ")
        circle.stop()
        away(page)
        circle.start()
        connected(page)
        assert circle.key()
        play(page, "40 + 3", "43")
        picture(page, host)


def test_tabs_share_one_connection(opened: Open, circle: Circle, supports: Supports) -> None:
    """Of a SharedWorker, which survives the tab that started it."""
    supports(f"Pyodide {pyodide_core.VERSION}, SharedWorker for all tabs", "Chromium")
    with opened("shared-worker/") as second:
        with opened("shared-worker/") as first:
            connected(first)
            connected(second)
            play(first, "40 + 2", "42")
            play(second, "40 + 3", "43")
            expect(first.locator("output")).to_have_text("42")
            assert circle.key()
            circle.stop()
            away(first)
            away(second)
            circle.start()
            connected(first)
            connected(second)
            key = circle.key()
        play(second, "40 + 4", "44")
        assert circle.key() == key
        picture(second, "shared-worker")


def test_without_shared_workers_a_tab_leads(opened: Open, circle: Circle, supports: Supports) -> None:
    """Another takes over; what was in flight when its tab was closed ends with an error, and never runs twice."""
    supports(f"Pyodide {pyodide_core.VERSION}, leader among tabs by Web Locks", "Chromium")
    circle.scripts.clear()
    with opened("shared-worker/", WITHOUT_SHARED_WORKER) as leader:
        connected(leader)
        with opened("shared-worker/", WITHOUT_SHARED_WORKER) as other:
            connected(other)
            first = circle.key()
            play(other, "40 + 2", "42")
            send(other, ENDLESS)
            expect(other.locator("output")).to_have_text("…")
            play(leader, "40 + 3", "43")
            leader.close()
            expect(other.locator("output")).to_have_text(re.compile("^OutcomeUnknown: .*the call may have run"))
            # Sent while nobody is connected yet: it waits for the new leader.
            play(other, "40 + 4", "44")
            connected(other)
            assert circle.key() != first
            circle.stop()
            away(other)
            circle.start()
            connected(other)
            play(other, "40 + 5", "45")
            picture(other, "leader")
    assert circle.scripts == ["40 + 2", ENDLESS, "40 + 3", "40 + 4", "40 + 5"]
