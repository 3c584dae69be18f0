"""`demo`: a circle, a client and a web page on this machine, without any preparation."""

import asyncio
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from rich.console import Console

from ..output import fail, reason, run
from ..progress import spinner
from .browser import BrowserName, find_browser, running_browser
from .circle import running_circle
from .controls import Controls
from .files import BundleError, find_page, make_bundle
from .page import Site, judge
from .story import Narrator, tell

__all__ = ["demo"]

PACKAGE = Path(__file__).parents[2] / "__init__.py"
"""The package that runs, by which its files are found."""
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
    run(_perform(once=once, page=page, pyodide=pyodide, port=port, browser=browser))


async def _perform(*, once: bool, page: bool, pyodide: Path | None, port: int, browser: BrowserName | None) -> None:
    narrator = Narrator(Console(highlight=False))
    async with running_circle() as circle:
        narrator.chapter("A circle")
        narrator.line(f"{circle.url}, in this process, with play, echo, whoami, ask_back, drop and a tick each second")
        await tell(narrator, circle.url)
        if once and not page:
            return
        narrator.chapter("The same in a web page")
        try:
            found = _browser(browser) if once else None
            narrator.line("putting Pyodide, circle-ws and its dependencies into a folder")
            with spinner("bundling") as say:
                bundle = await asyncio.to_thread(make_bundle, PACKAGE, pyodide, say)
        except BundleError as error:
            if page:
                fail(f"there is no page: {error}")
            narrator.line(f"there is no page: {error}")
            return
        try:
            controls = Controls(circle)
            site = Site(find_page(PACKAGE), bundle, port, perform=controls.perform)
        except OSError as error:
            fail(f"the page cannot be served on port {port}: {reason(error)}")
        address = f"{site.origin}/?circle={circle.url}"
        async with site.serving():
            if found is None:
                narrator.line("open it in a browser; Ctrl-C ends the demo")
                narrator.link(address)
                await asyncio.get_running_loop().create_future()
            else:
                await _drive(narrator, *found, site, f"{address}&report=1")


def _browser(wanted: BrowserName | None) -> tuple[BrowserName, str]:
    """Return the name and the program of the wanted browser, or of the first that is there."""
    for name in (wanted,) if wanted else get_args(BrowserName):
        if program := find_browser(name):
            return name, program
    raise BundleError(
        f"no {wanted or 'browser'} was found on this machine: install chromium or firefox-esr, "
        "or name the program in CIRCLE_WS_CHROMIUM or CIRCLE_WS_FIREFOX"
    )


async def _drive(narrator: Narrator, name: BrowserName, program: str, site: Site, address: str) -> None:
    """Open the page in a browser without a window and judge what it reports."""
    narrator.line(f"opening it in {name}, without a window")
    async with running_browser(name, program, address) as process:
        ended = asyncio.create_task(process.wait())
        either: list[asyncio.Future[Any]] = [site.report, ended]
        with spinner("waiting for the page"):
            await asyncio.wait(either, timeout=PAGE_LIMIT, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
    if not site.report.done():
        fail(f"{name} gave no report within {PAGE_LIMIT:.0f} s, or ended")
    report = site.report.result()
    verdicts = list(judge(report))
    for good, words in verdicts:
        narrator.line(words, mark="✓" if good else "✗", style="green" if good else "red")
    narrator.line(f"in {report.get('runtime')}")
    if report.get("error"):
        fail(f"the page failed: {report['error']}")
    if not all(good for good, _ in verdicts):
        fail("the page did not do what it should")
