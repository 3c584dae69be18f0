"""`demo`: a circle, a client and a web page on this machine, without any preparation."""

import asyncio
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import typer
from rich.console import Console
from rich.text import Text

from ...server import CircleServer
from ..output import fail, leave_the_log_alone, reason, run
from .browser import Browser, BrowserName, find_browser, running_browser
from .checkout import BundleError, Checkout, find_checkout
from .circle import running_circle
from .page import Report, Site, judge, serving
from .story import Narrator, tell

__all__ = ["demo"]

PACKAGE = Path(__file__).parents[2] / "__init__.py"
"""The package that runs, by which its checkout is found."""
PAGE_LIMIT = 600.0
"""Maximum time of the page in a browser, in seconds; Pyodide starts in some twenty on a slow machine."""


def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the story instead of serving the page.")] = False,
    page: Annotated[
        bool, typer.Option("--page", help="With --once: also run the page in a browser without a window.")
    ] = False,
    pyodide: Annotated[
        Path | None, typer.Option(metavar="DIR", help="An unpacked Pyodide; else it comes from npm.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the page; 0 takes a free one.")] = 0,
    browser: Annotated[
        BrowserName | None, typer.Option(help="For --once --page; else the first that is there.")
    ] = None,
) -> None:
    """See it work: a circle, a client, a lost connection; then the same in a web page."""
    run(_Demo(pyodide, port, browser).perform(once=once, page=page))


class _Demo:
    def __init__(self, pyodide: Path | None, port: int, browser: BrowserName | None) -> None:
        self._console = Console(highlight=False)
        self._narrator = Narrator(self._console)
        self._pyodide = pyodide
        self._port = port
        self._browser: BrowserName | None = browser

    async def perform(self, *, once: bool, page: bool) -> None:
        leave_the_log_alone()
        async with running_circle() as circle:
            self._narrator.chapter("A circle")
            self._narrator.line(
                f"{circle.url}, in this process, with play, echo, whoami, ask_back, drop and a tick each second"
            )
            await tell(self._narrator, circle.url)
            if page or not once:
                await self._show_page(circle, once=once, needed=page)

    async def _show_page(self, circle: CircleServer, *, once: bool, needed: bool) -> None:
        self._narrator.chapter("The same in a web page")
        try:
            checkout = _checkout()
            browser = self._find_browser() if once else None
            self._narrator.line("putting Pyodide, circle-ws and its dependencies into a folder")
            bundle = await asyncio.to_thread(checkout.bundle, self._pyodide)
        except BundleError as error:
            self._do_without(error, needed=needed)
            return
        try:
            site = Site(checkout.page, bundle, self._port)
        except OSError as error:
            fail(f"the page cannot be served on port {self._port}: {reason(error)}")
        async with serving(site):
            if browser is None:
                await self._invite(circle, site)
            else:
                await self._drive(browser, circle, site)

    def _find_browser(self) -> Browser:
        browser = find_browser([self._browser]) if self._browser else find_browser()
        if browser is None:
            raise BundleError(
                f"no {self._browser or 'browser'} was found on this machine: install chromium or firefox-esr, "
                "or name the program in CIRCLE_WS_CHROMIUM or CIRCLE_WS_FIREFOX"
            )
        return browser

    def _do_without(self, error: BundleError, *, needed: bool) -> None:
        if needed:
            fail(f"there is no page: {error}")
        self._narrator.line(f"there is no page: {error}")

    async def _invite(self, circle: CircleServer, site: Site) -> None:
        self._narrator.line("open it in a browser; Ctrl-C ends the demo")
        # Not wrapped at any width, so that it can be clicked and copied.
        self._console.print(Text(f"\n  {_address(circle, site)}\n", style="bold cyan"), soft_wrap=True)
        await asyncio.get_running_loop().create_future()

    async def _drive(self, browser: Browser, circle: CircleServer, site: Site) -> None:
        self._narrator.line(f"opening it in {browser.name}, without a window")
        async with running_browser(browser, _address(circle, site, report="1")) as process:
            report = await _first_report(site, process)
        if report is None:
            fail(f"{browser.name} gave no report within {PAGE_LIMIT:.0f} s, or ended")
        self._judge(report)

    def _judge(self, report: Report) -> None:
        verdicts = list(judge(report))
        for good, words in verdicts:
            self._narrator.line(words, mark="✓" if good else "✗", style="green" if good else "red")
        self._narrator.line(f"in {report.get('runtime')}")
        if report.get("error"):
            fail(f"the page failed: {report['error']}")
        if not all(good for good, _ in verdicts):
            fail("the page did not do what it should")


def _checkout() -> Checkout:
    checkout = find_checkout(PACKAGE)
    if checkout is None:
        raise BundleError("it is built from the source: run the demo with the circle-ws of a checkout of yours")
    return checkout


def _address(circle: CircleServer, site: Site, **more: str) -> str:
    return f"{site.origin}/?{urlencode({'circle': circle.url, **more}, safe=':/')}"


async def _first_report(site: Site, process: asyncio.subprocess.Process) -> Report | None:
    """Wait for the page's report, for the browser's end, or for the limit of time."""
    ended: asyncio.Future[Any] = asyncio.ensure_future(process.wait())
    report: asyncio.Future[Any] = site.report
    try:
        await asyncio.wait([report, ended], timeout=PAGE_LIMIT, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ended.cancel()
    return site.report.result() if site.report.done() else None
