"""The HTTP server of a run: the page, the bundle, and what the page posts when it has measured something."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from benchmarks.browser.cells import Plan
from circle_ws.testing.pyodide.listening import listening
from circle_ws.testing.pyodide.patience import Patience

__all__ = ["PageFailed", "PageServer"]

_PAGE = Path(__file__).parent / "page"
_PATIENCE = 600.0
"""The page may be silent for so long, in seconds."""
_HEADERS = {
    # What Pyodide needs and no more.
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' ws:",
    "Cache-Control": "no-store",
    # Pages that are isolated so have a clock of 5 us (Chromium) and 20 us (Firefox), others one of 100 us and 1 ms.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}


class PageFailed(Exception):
    """The page could not measure; the message is its own."""


class PageServer:
    """Serve one run.

    Args:
        plan: What the page is to do.
        bundle: The folder with Pyodide and the wheels.
        circle: The URL of the circle.

    Attributes:
        found: What the page posted, by where it posted it.
        ended: Resolved when the page is done.
        patience: It hears whatever the page asks for.
        url: Where the page is.
    """

    def __init__(self, plan: Plan, bundle: Path, circle: str) -> None:
        self.patience = Patience(_PATIENCE)
        self._plan = plan
        self._bundle = bundle
        self._circle = circle
        self.found: dict[str, list[Any]] = {"loaded": [], "round": [], "flooded": [], "streamed": []}
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.url = ""

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[None]:
        """Listen on a free port of the loopback interface."""
        async with listening(self._application()) as url:
            self.url = f"{url}/?loads={self._plan.loads}"
            yield

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=2**26, middlewares=[self.patience.middleware()])
        application.on_response_prepare.append(_add_headers)
        application.router.add_get("/", self._index)
        application.router.add_get("/settings.json", self._settings)
        application.router.add_post("/end", self._end)
        application.router.add_post("/failure", self._failure)
        for name in self.found:
            application.router.add_post(f"/{name}", self._take)
        application.router.add_static("/page", _PAGE)
        application.router.add_static("/bundle", self._bundle)
        return application

    async def _index(self, request: web.Request) -> web.FileResponse:
        return web.FileResponse(_PAGE / "index.html")

    async def _settings(self, request: web.Request) -> web.Response:
        return web.json_response(self._plan.settings(self._circle))

    async def _take(self, request: web.Request) -> web.Response:
        self.found[request.path[1:]].append(await request.json())
        return web.Response()

    async def _end(self, request: web.Request) -> web.Response:
        if not self.ended.done():
            self.ended.set_result(None)
        return web.Response()

    async def _failure(self, request: web.Request) -> web.Response:
        if not self.ended.done():
            self.ended.set_exception(PageFailed(await request.text()))
        return web.Response()


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)
