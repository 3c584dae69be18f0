"""How smooth the Circle console is under 5,000 notifications a second, with Python in a worker and on the main thread.

`python -m benchmarks.console [--rounds N]`, on a machine with Chromium. A person's clicks come from outside the page.
"""

import argparse
import re
import signal
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

from benchmarks.results import Table, plain
from tests.native.command_line import start
from tools import CHECKOUT, browsers

_SECONDS = 7
"""Of the ten of a flood."""
_CLICKS = 14
_WATCH = """
() => {
  const seen = { frames: 0, longest: 0, clicks: [], replies: [], from: performance.now(), last: performance.now() };
  globalThis.seen = seen;
  const frame = (now) => {
    seen.frames += 1;
    seen.longest = Math.max(seen.longest, now - seen.last);
    seen.last = now;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  // From the moment the browser had the event until the next frame can show what came of it.
  const shown = (event) => requestAnimationFrame(() => seen.clicks.push(performance.now() - event.timeStamp));
  document.querySelector("#send").addEventListener("click", shown, { capture: true });
  let asked;
  document.querySelector("#send").addEventListener("click", (event) => { asked ??= event.timeStamp; });
  new MutationObserver(() => {
    const latest = document.querySelector("#answers > li");
    if (asked === undefined || !latest || latest.dataset.state === "waiting") return;
    seen.replies.push(performance.now() - asked);
    asked = undefined;
  }).observe(document.querySelector("#answers"), { subtree: true, childList: true, attributes: true });
}
"""


@contextmanager
def _demo() -> Iterator[str]:
    """Run `circle-ws demo` and yield the address of its page."""
    process = start("demo", cwd=CHECKOUT)
    assert process.stdout
    try:
        yield next(found[0] for line in process.stdout if (found := re.search(r"http://\S+", line)))
        process.send_signal(signal.SIGINT)
        process.wait()
    finally:
        process.kill()
        process.communicate()


def _measure(page: Page) -> dict[str, float]:
    """Flood the page, click on Call twice a second, and return what was seen; times are in milliseconds."""
    page.get_by_label("Method", exact=True).fill("echo")
    page.get_by_label("Params, as JSON").fill("[1]")
    received = _received(page)
    page.get_by_role("button", name="Flood").click()
    expect(page.locator("#notifications .line:visible").first).to_contain_text("flood")
    page.evaluate(_WATCH)
    for _ in range(_CLICKS):
        page.wait_for_timeout(1000 * _SECONDS / _CLICKS)
        page.locator("#send").click()
    seen: dict[str, Any] = page.evaluate("() => ({ ...seen, seconds: (performance.now() - seen.from) / 1000 })")
    return {
        "frames a second": seen["frames"] / seen["seconds"],
        "longest wait for a frame": seen["longest"],
        "median click": statistics.median(seen["clicks"]),
        "slowest click": max(seen["clicks"]),
        "median reply": statistics.median(seen["replies"]),
        "slowest reply": max(seen["replies"]),
        "notifications a second": (_received(page) - received) / seen["seconds"],
    }


def _received(page: Page) -> int:
    return int(page.locator("#received").inner_text().replace(",", ""))


def _round(browser: Browser, address: str, thread: str) -> dict[str, float]:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{address}?python={thread}")
    expect(page.locator("#status")).to_have_text("Connected", timeout=120_000)
    measured = _measure(page)
    context.close()
    return measured


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    program = browsers.ensure("chromium")
    with _demo() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        rows = []
        for thread in ("worker", "page"):
            all_of = [_round(browser, address, thread) for _ in range(rounds)]
            rows.append([thread, *(f"{statistics.median(one[name] for one in all_of):.1f}" for name in all_of[0])])
        print(plain(Table("The console in a flood (ms, medians)", ["Python in", *all_of[0]], rows)))


if __name__ == "__main__":
    main()
