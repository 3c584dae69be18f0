"""The HTTP server that a run's page talks to: files, settings, peers, and the control connection."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import WSMsgType, web

from tests.harness import archive
from tests.harness.listening import listening
from tests.harness.patience import Patience
from tests.harness.run import Run, RunFailed
from tests.peers import PeerError, PeerHost
from tools import npm

__all__ = ["RunServer"]

_PAGE = Path(__file__).parent / "page"

# The policy that Pyodide needs and no more, so that the whole suite proves that we evaluate no script.
_POLICY = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' ws: wss: http://127.0.0.1:*"


# What the page's wallet signs with (tests/harness/page/wallet.mjs): an implementation that is not ours.
_NPM = {"@noble/secp256k1": "3.2.0", "@noble/hashes": "2.4.0"}


class RunServer:
    """Serves one run; `result` is the exit code that the page sends, or why there is none.

    Every request, line and message of the page counts as activity for `patience`.
    """

    def __init__(self, run: Run) -> None:
        self.patience = Patience(run.patience)
        self._run = run
        self._peers = PeerHost()
        self._connected = False
        self.result: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.url = ""

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[None]:
        """Listen on a free port of the loopback interface; `url` says which."""
        try:
            async with listening(self._application()) as self.url:
                try:
                    yield
                finally:
                    # Before the page's connection ends, which would be taken for a failure.
                    self.result.cancel()
        finally:
            await asyncio.to_thread(self._peers.end_all)

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=2**28, middlewares=[self.patience.middleware()])
        application.on_response_prepare.append(_add_policy)
        application.router.add_get("/", self._page)
        application.router.add_get("/settings.json", self._settings)
        application.router.add_get("/suite.tar", self._suite)
        application.router.add_get("/vectors.tar", self._vectors)
        application.router.add_get("/control", self._control)
        application.router.add_post("/peers", self._peer_operation)
        application.router.add_post("/coverage", self._coverage)
        application.router.add_static("/page", _PAGE)
        application.router.add_static("/bundle", self._run.bundle)
        for name, version in _NPM.items() if self._run.runtime != "node" else ():
            application.router.add_static(f"/npm/{name}", npm.package(name, version))
        return application

    async def _page(self, request: web.Request) -> web.FileResponse:
        return web.FileResponse(_PAGE / "index.html")

    async def _settings(self, request: web.Request) -> web.Response:
        described = json.loads((self._run.bundle / "bundle.json").read_text())
        settings = self._run.settings(described)
        settings["environ"]["CIRCLE_WS_HARNESS"] = self.url
        return web.json_response(settings)

    async def _suite(self, request: web.Request) -> web.Response:
        return web.Response(body=archive.suite(self._run.added))

    async def _vectors(self, request: web.Request) -> web.Response:
        return web.Response(body=archive.whole(Path(os.environ["CIRCLE_WS_VECTORS"])))

    async def _peer_operation(self, request: web.Request) -> web.Response:
        asked = await request.json()
        try:
            value = await asyncio.wrap_future(self._peers.call(asked["op"], **asked["arguments"]))
        except PeerError as error:
            return web.json_response({"error": str(error)})
        return web.json_response({"value": value})

    async def _coverage(self, request: web.Request) -> web.Response:
        assert self._run.coverage
        self._run.coverage.parent.mkdir(parents=True, exist_ok=True)
        self._run.coverage.write_bytes(await request.read())
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
                sys.stdout.buffer.write(message.data)
                sys.stdout.buffer.flush()
            elif message.type is WSMsgType.TEXT:
                self._report(json.loads(message.data))
        self._fail("the page went away before its tests ended")
        return socket

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
