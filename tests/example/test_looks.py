"""Proves that the console fits every width, light and dark, without a violation that axe-core finds; keeps pictures."""

import itertools
import os
from pathlib import Path
from typing import Literal

from playwright.sync_api import Page, expect

from circle_ws.bundle import npm
from tests.example.conftest import ROOT
from tests.example.person import call, connect

AXE = "4.14.1"
WIDTHS = [1280, 800, 390, 320]
CHECKED = {1280, 390}
SCHEMES: list[Literal["light", "dark"]] = ["light", "dark"]


def test_it_fits_every_width_without_violations_and_pictures_are_kept(page: Page) -> None:
    axe = (npm.package("axe-core", AXE) / "axe.min.js").read_text()
    folder = Path(os.environ.get("CIRCLE_WS_SCREENSHOTS") or ROOT / ".cache" / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    # Evaluated from outside, as the page's own policy lets no script of this kind in.
    page.evaluate(axe)
    _use(page)
    for width, scheme in itertools.product(WIDTHS, SCHEMES):
        _dress(page, width, scheme)
        assert page.evaluate(_TOO_WIDE) == [], f"at {width} px, {scheme}"
        page.screenshot(path=folder / f"console-{width}-{scheme}.png", full_page=True)
        if width in CHECKED:
            assert _violations(page) == [], f"at {width} px, {scheme}"
    own = page.get_by_label("Circle", exact=True).input_value()
    page.get_by_role("button", name="Disconnect").click()
    connect(page, "ws://127.0.0.1:1/")
    expect(page.locator("#attempt")).to_be_visible()
    for width, scheme in itertools.product(sorted(CHECKED), SCHEMES):
        _dress(page, width, scheme)
        page.screenshot(path=folder / f"console-{width}-{scheme}-lost.png", full_page=True)
        assert _violations(page) == [], f"without a connection, at {width} px, {scheme}"
    page.get_by_label("Theme").select_option("dark")
    page.emulate_media(color_scheme="light")
    expect(page.locator("body")).to_have_css("background-color", "rgb(16, 19, 17)")
    page.get_by_label("Theme").select_option("system")
    page.set_viewport_size({"width": 1280, "height": 720})
    page.get_by_role("button", name="Disconnect").click()
    connect(page, own)
    expect(page.locator("#status")).to_have_text("Connected")


_TOO_WIDE = """[...document.querySelectorAll("body *")]
  .filter((it) => document.documentElement.scrollWidth > innerWidth && it.scrollWidth > it.clientWidth)
  .map((it) => `${it.tagName} ${it.id} ${it.className}`)"""


def _use(page: Page) -> None:
    """Leave on the page what there is to see."""
    page.get_by_role("button", name="Run").click()
    call(page, "whoami")
    call(page, "no_such_method")
    call(page, "echo", '[{"circle": "02ab", "members": [{"id": 7, "name": "Ada", "admin": true}], "motto": null}]')
    call(page, "drop")
    expect(page.locator("#status")).to_have_text("Connected")
    expect(page.locator("#notifications .line:visible")).not_to_have_count(0)


def _dress(page: Page, width: int, scheme: Literal["light", "dark"]) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    page.evaluate("scrollTo(0, 0)")


def _violations(page: Page) -> list[str]:
    found = page.evaluate("async () => (await axe.run()).violations")
    return [f"{one['id']}: {node['html']} {node['failureSummary']}" for one in found for node in one["nodes"]]
