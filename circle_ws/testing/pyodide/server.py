"""The HTTP server that a run's page talks to: files, settings, and the control connection."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import WSMsgType, web

from .listening import listening
from .patience import Patience
from .run import PAGE, NeverBegan, Run, RunFailed

__all__ = ["RunServer"]

# The policy that Pyodide needs and no more, so that the whole suite proves that no script is evaluated.
_POLICY = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' ws: wss: http://127.0.0.1:*"


class RunServer:
    """Serves one run; `result` is the exit code that the page sends, or why there is none; `coverage` what it measured.

    Every request, line and message of the page counts as activity for `patience`. `began` tells whether pytest has
    printed anything.
    """

    def __init__(self, run: Run) -> None:
        self.patience: Patience = Patience(run.patience)
        self._run = run
        self._connected = False
        self.began: bool = False
        self.coverage: bytes | None = None
        self.result: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.url: str = ""

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[None]:
        """Listen on a free port of the loopback interface; `url` says which."""
        async with listening(self._application()) as self.url:
            try:
                yield
            finally:
                # Before the page's connection ends, which would be taken for a failure.
                self.result.cancel()

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=2**28, middlewares=[self.patience.middleware()])
        application.on_response_prepare.append(_add_policy)
        application.add_routes(
            [
                web.get("/", self._page),
                web.get("/settings.json", self._settings),
                web.get("/program.py", self._program),
                web.get("/archives/{name}.tar", self._archive),
                web.get("/control", self._control),
                web.post("/coverage", self._coverage),
                web.static("/page", PAGE),
                web.static("/bundle", self._run.bundle),
                *self._run.routes,
            ]
        )
        return application

    async def _page(self, request: web.Request) -> web.FileResponse:
        return web.FileResponse(PAGE / "index.html")

    async def _settings(self, request: web.Request) -> web.Response:
        return web.json_response(self._run.settings(self.url))

    async def _program(self, request: web.Request) -> web.FileResponse:
        return web.FileResponse(self._run.program)

    async def _archive(self, request: web.Request) -> web.Response:
        return web.Response(body=self._run.archives[request.match_info["name"]]())

    async def _coverage(self, request: web.Request) -> web.Response:
        self.coverage = await request.read()
        return web.Response()

    async def _control(self, request: web.Request) -> web.WebSocketResponse:
        """Print what the page sends as it comes; its exit code ends the run."""
        socket = web.WebSocketResponse(max_msg_size=0)
        await socket.prepare(request)
        if self._connected:
            self._fail("the page was loaded twice")
        self._connected = True
        async for message in socket:
            self.patience.hear()
            if message.type is WSMsgType.BINARY:
                self.began = True
                sys.stdout.buffer.write(message.data)
                sys.stdout.buffer.flush()
            elif message.type is WSMsgType.TEXT:
                self._report(json.loads(message.data))
        self.lose("the page went away before its tests ended")
        return socket

    def lose(self, words: str) -> None:
        """End the run without a result: there is no page any more."""
        if not self.result.done():
            self.result.set_exception(RunFailed(words) if self.began else NeverBegan(words))

    def _report(self, report: dict[str, str | int]) -> None:
        if "exit" in report and not self.result.done():
            self.result.set_result(int(report["exit"]))
        if "failure" in report:
            self._fail(f"the page failed: {report['failure']}")

    def _fail(self, words: str) -> None:
        if not self.result.done():
            self.result.set_exception(RunFailed(words))


async def _add_policy(request: web.Request, response: web.StreamResponse) -> None:
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["Cache-Control"] = "no-store"
