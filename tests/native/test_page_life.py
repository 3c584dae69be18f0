"""Rows 14 and 43 with a real page: one that comes back out of the back/forward cache, a tab that was hidden,
and a loop that the page does not keep.

No driver is needed: the page does it by itself when the test says so.
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from circle_ws.bundle import programs
from circle_ws.testing.pyodide.launch import Start, launch
from tests.support.outcomes import until
from tests.support.peers import Peers

pytestmark = [pytest.mark.harness, pytest.mark.limit(300)]

_PAGE = Path(__file__).parents[1] / "harness" / "life"
Told = dict[str, Any]


@pytest.fixture(params=["chromium", "firefox"])
def browser(request: pytest.FixtureRequest) -> str:
    """One of the browsers that are on this machine."""
    name: str = request.param
    if programs.find(name) is None:
        pytest.skip(programs.advice(name))
    return name


class PageServer:
    """Serve a page, hear what it tells, and give it orders."""

    def __init__(self, wheels: Path, page: str = "page.html", headers: dict[str, str] | None = None) -> None:
        self._wheels = wheels
        self._page = page
        self._headers = headers or {}
        self._told: list[Told] = []
        self._read = 0
        self._orders: deque[str] = deque()
        self._news = asyncio.Event()
        self.script = ""
        """What the page runs in place of its own, by `runPythonAsync`."""
        self.url = ""

    @asynccontextmanager
    async def serve(self) -> AsyncGenerator[None]:
        application = web.Application()
        application.on_response_prepare.append(self._add_headers)
        application.router.add_post("/told", self._hear)
        application.router.add_post("/order", self._order)
        application.router.add_get("/script.py", self._give_script)
        application.router.add_static("/page", _PAGE)
        # Without `no-store`, which would keep the page out of the cache.
        application.router.add_static("/bundle", self._wheels)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/page/{self._page}"
        try:
            yield
        finally:
            await runner.cleanup()

    async def told(self, **wanted: Any) -> Told:
        """Go on in what the page tells to the first that is as wanted."""
        while True:
            while self._read < len(self._told):
                told = self._told[self._read]
                self._read += 1
                assert "fault" not in told, told
                if wanted.items() <= told.items():
                    return told
            self._news.clear()
            await self._news.wait()

    def order(self, order: str) -> None:
        self._orders.append(order)

    async def _add_headers(self, _: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(self._headers)

    async def _give_script(self, request: web.Request) -> web.Response:
        return web.Response(text=self.script)

    async def _hear(self, request: web.Request) -> web.Response:
        self._told.append(json.loads(await request.text()))
        self._news.set()
        return web.Response()

    async def _order(self, request: web.Request) -> web.Response:
        return web.json_response({"order": self._orders.popleft() if self._orders else None})


@asynccontextmanager
async def shown(browser: str, wheels: Path, circle: str, interval: float = 600) -> AsyncGenerator[PageServer]:
    """Show the page, with a client that is connected; it comes back by itself only after ten minutes."""
    page = PageServer(wheels)
    program = programs.find(browser)
    assert program
    async with page.serve():
        start = Start(program, f"{page.url}?circle={circle}&interval={interval}", wheels)
        async with launch(browser, start):
            await page.told(status="connected")
            yield page


_SAYING = """
import os, js
from pyodide.ffi import to_js
os.environ["KEY"] = "c85ef7d79691fe79573b1a7064c19c1a9819ebdbd1faaab1a8ec92344438aaf4"
def print(*words):
    js.tell(to_js({"said": " ".join(map(str, words))}, dict_converter=js.Object.fromEntries))
"""
_IN_A_FUNCTION = """
import asyncio
import os
import circle_ws

async def main():
    async with circle_ws.connect("ws://localhost:8765", private_key=os.environ["KEY"]) as client:
        print(await client.play("40 + 2"))
        async for tick in client.notifications("tick"):
            print(tick)

"""
_GLOBALLY = """
import os
import circle_ws
client = await circle_ws.connect("ws://localhost:8765", private_key=os.environ["KEY"])
print(await client.play("40 + 2"))
async for tick in client.notifications("tick"):
    print(tick)
"""


@pytest.mark.parametrize("how", ["awaited", "created", "global"])
async def test_row_43_a_loop_over_notifications(browser: str, wheels: Path, peers: Peers, how: str) -> None:
    """Row 43: run by `runPythonAsync`, as a task that the page does not keep, or with a global client, it goes on."""
    circle = await peers.start("circle")
    last = {"awaited": "await main()", "created": "asyncio.ensure_future(main())"}
    script = _GLOBALLY if how == "global" else _IN_A_FUNCTION + last[how]
    page, program = PageServer(wheels), programs.find(browser)
    page.script = _SAYING + script.replace("ws://localhost:8765", circle.url)
    assert program
    async with page.serve(), launch(browser, Start(program, f"{page.url}?script=/script.py", wheels)):
        await page.told(said="42")
        for words in ("one", "two"):
            page.order("collect")
            await page.told(collected=True)
            await until(circle, "public_keys", lambda keys: len(keys) == 1 and keys[0])
            await circle.ask("push", method="tick", params=[words])
            await page.told(said=f"['{words}']")
            await circle.ask("cut_all")
            await until(circle, "public_keys", lambda keys: not keys)


async def test_row_14_a_page_that_comes_back_dials_at_once(browser: str, wheels: Path, peers: Peers) -> None:
    """Row 14, a page out of the back/forward cache: what was left of the delay is skipped."""
    circle = await peers.start("circle")
    async with shown(browser, wheels, circle.url) as page:
        await circle.kill()
        await page.told(status="waiting", retry_in=600)
        page.order("leave")
        await page.told(hidden=True, persisted=True)
        await circle.start()
        page.order("back")
        await page.told(shown=True, persisted=True)
        await page.told(status="connected")
        await until(circle, "public_keys", lambda keys: len(keys) == 1 and keys[0])


async def test_row_14_a_page_that_leaves_with_an_open_socket(browser: str, wheels: Path, peers: Peers) -> None:
    """Row 14: Chromium keeps the page, cuts the socket, and the client dials at once; Firefox starts it anew."""
    circle = await peers.start("circle")
    async with shown(browser, wheels, circle.url) as page:
        page.order("leave")
        kept = (await page.told(hidden=True))["persisted"]
        assert kept is (browser == "chromium")
        await until(circle, "public_keys", lambda keys: not keys or browser == "chromium")
        page.order("back")
        await page.told(shown=True, persisted=kept)
        if kept:
            await page.told(status="waiting", retry_in=0)
        await page.told(status="connected")
        await until(circle, "public_keys", lambda keys: len(keys) == 1 and keys[0])


async def test_row_14_a_tab_that_is_shown_again_probes_at_once(browser: str, wheels: Path, peers: Peers) -> None:
    """Row 14, a hidden tab: a connection that died meanwhile is found within seconds and replaced without a delay."""
    circle = await peers.start("circle")
    proxy = await peers.start("fault_proxy", target=circle.url)
    async with shown(browser, wheels, proxy.url) as page:
        page.order("hide")
        await page.told(visibility="hidden")
        assert await proxy.ask("swallow") == 1
        page.order("show")
        await page.told(visibility="visible")
        lost = await page.told(status="waiting")
        assert lost["retry_in"] == 0
        assert "nothing arrived for 3 s" in lost["cause"]
        await page.told(status="connected")


async def test_row_14_a_hidden_tab_stays_connected(browser: str, wheels: Path, peers: Peers) -> None:
    """Row 14, a hidden tab: browsers delay its timers, which is no dead connection; shown again, it is as it was."""
    circle = await peers.start("circle")
    proxy = await peers.start("fault_proxy", target=circle.url)
    async with shown(browser, wheels, proxy.url, interval=0.2) as page:
        page.order("hide")
        await page.told(visibility="hidden")
        await asyncio.sleep(4)
        page.order("show")
        await page.told(visibility="visible")
        await asyncio.sleep(0.5)
        assert await proxy.ask("count") == 1
        # The next thing that it tells of its status is this end.
        await circle.ask("drop_all", code=1000)
        assert "1000" in (await page.told(status="waiting"))["cause"]
