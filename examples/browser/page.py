"""The page: one client of a circle, its display and the actions of its buttons."""

import asyncio
import json
import logging
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

import js
import pyodide
from tour import tour
from view import KEPT, View

from circle_ws import (
    CircleWsClient,
    CircleWsClientBuilder,
    CircleWsError,
    ConnectionStatus,
    KeyPair,
    OutcomeUnknown,
    RpcError,
    StatusChange,
)
from circle_ws.auth import generate_private_key

DEFAULT_CIRCLE = "ws://127.0.0.1:8765/"
STORED = "circle-ws.private-key"
PROBE = 1.0
"""Seconds between two measurements of the round-trip time."""

RUNTIME = f"Python {sys.version.split()[0]} on Pyodide {pyodide.__version__}"

_DETAILS = {
    ConnectionStatus.IDLE: "Press Connect to start.",
    ConnectionStatus.CONNECTING: "Opening a WebSocket.",
    ConnectionStatus.AUTHENTICATING: "Signing the circle's nonce.",
    ConnectionStatus.CONNECTED: "Signed in. You can make calls.",
    ConnectionStatus.CLOSING: "Closing the connection.",
    ConnectionStatus.CLOSED: "Press Connect to start again.",
}


class Page:
    """The client and its display in the document."""

    def __init__(self) -> None:
        self.view = View()
        self.client: CircleWsClient | None = None
        self.statuses: list[str] = []
        """Every status so far, by name, for the report of the tour."""
        self.first_tick: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._ticks = 0
        self._trips: deque[float] = deque(maxlen=KEPT)
        self._changing = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._own: list[asyncio.Task[None]] = []

    def open(self) -> None:
        """Fill the document and connect its buttons."""
        asked = js.URLSearchParams.new(js.location.search).get("circle")
        self.view.fill("url", asked or DEFAULT_CIRCLE)
        self.view.write("runtime", RUNTIME)
        for id, event, action in (
            ("connection", "submit", self.connect),
            ("disconnect", "click", self.disconnect),
            ("new-key", "click", self.renew_key),
            ("play", "submit", self.play),
            ("call", "submit", self.call),
            ("drop", "click", self.drop),
        ):
            self.view.on(id, event, self._starter(action))

    def close(self) -> None:
        """Release everything; the browser closes the socket."""
        self.view.release()
        for task in (*self._tasks, *self._own):
            task.cancel()

    # Actions of the buttons.

    async def connect(self) -> None:
        """Connect a new client to the circle in the URL field, with this tab's key."""
        async with self._changing:
            client = await self._replace()
        if client is not None:
            # The page shows the failure as the status.
            with suppress(CircleWsError):
                await client.connect()

    async def disconnect(self) -> None:
        """Close the connection to the circle."""
        for task in self._own:
            task.cancel()
        self._own.clear()
        if self.client is not None:
            await self.client.close(drain=1)

    async def _replace(self) -> CircleWsClient | None:
        await self.disconnect()
        try:
            client = (
                CircleWsClientBuilder(self.view.value("url"))
                .with_keypair(_stored_key())
                .with_reconnect(first_connect="retry")
                .build()
            )
        except CircleWsError as error:
            self.view.status("failed", str(error))
            return None
        self.client = client
        self.view.write("public-key", client.public_key or "")
        client.on_status(self._show)
        self._own = [asyncio.create_task(self._listen(client)), asyncio.create_task(self._measure(client))]
        return client

    async def renew_key(self) -> None:
        """Delete the key and sign in with a new one."""
        js.sessionStorage.removeItem(STORED)
        await self.connect()

    async def play(self) -> str:
        """Run the script in the field; return the text that is shown."""
        return await self._ask("play-output", lambda client: client.play(self.view.value("script")))

    async def call(self) -> str:
        """Call the method in the fields; return the text that is shown."""
        try:
            params = json.loads(self.view.value("params") or "null")
        except ValueError as error:
            self.view.answer("call-output", f"The params are not JSON: {error}", good=False)
            return ""
        return await self._ask("call-output", lambda client: client.call(self.view.value("method"), params))

    async def drop(self) -> str:
        """Make the circle drop the connection; return the text that is shown."""
        self.view.enable("drop", enabled=False)
        try:
            return await self._ask("drop-output", lambda client: client.call("drop"))
        finally:
            self.view.enable("drop", enabled=True)

    async def _ask(self, output: str, ask: Callable[[CircleWsClient], Awaitable[Any]]) -> str:
        if self.client is None:
            return ""
        self.view.answer(output, "…", note="" if self.client.is_connected() else "waits for the connection")
        direct, started = self.client.is_connected(), time.perf_counter()
        try:
            answer = await ask(self.client)
        except CircleWsError as error:
            text = f"{type(error).__name__}: {error}"
            hint = "Ask the circle before sending it again." if type(error) is OutcomeUnknown else ""
            self.view.answer(output, text, good=False, note=hint)
            return text
        text = answer if type(answer) is str else json.dumps(answer, ensure_ascii=False)
        took = (time.perf_counter() - started) * 1000
        self.view.answer(output, text, note=f"{took:.1f} ms")
        if direct:
            self._plot(took)
        return text

    # Updates without a click.

    def _show(self, change: StatusChange) -> None:
        status = change.status
        self.statuses.append(status.value)
        if change.retry_in is not None:
            detail = f"Next attempt in {change.retry_in:.1f} s."
        elif status is ConnectionStatus.FAILED:
            detail = f"{change.cause} Press Connect to start again."
        elif status is ConnectionStatus.AUTHENTICATING and change.cause is not None:
            # A key in a page may sign only so often; the cause says how long the sign-in waits.
            detail = f"{change.cause}."
        else:
            detail = _DETAILS[status]
        self.view.status(status.value, detail)
        self.view.wait(change.retry_in)
        self.view.enable("disconnect", enabled=status is not ConnectionStatus.CLOSED)
        cause = str(change.cause) if change.cause is not None else ""
        self.view.log(change.at, status.value, cause)

    async def _listen(self, client: CircleWsClient) -> None:
        # When the client gives up, the loop raises the reason, which the page shows as the status.
        with suppress(CircleWsError):
            async for tick in client.notifications("tick"):
                if not self.first_tick.done():
                    self.first_tick.set_result(tick)
                self._ticks += 1
                self.view.write("tick", str(tick.get("n")) if type(tick) is dict else json.dumps(tick))
                self.view.write("tick-count", f"{self._ticks:,}")

    async def _measure(self, client: CircleWsClient) -> None:
        while True:
            await asyncio.sleep(PROBE)
            if client.is_connected():
                started = time.perf_counter()
                try:
                    await client.call("rpc.ping", timeout=5)
                except RpcError:
                    pass  # An error is a reply too, so its round trip counts.
                except CircleWsError:
                    continue
                self._plot((time.perf_counter() - started) * 1000)

    def _plot(self, trip: float) -> None:
        self._trips.append(trip)
        self.view.plot(self._trips)

    # Tasks: the page keeps each one, and shows its failure.

    def _starter(self, action: Callable[[], Coroutine[Any, Any, object]]) -> Callable[[], None]:
        return lambda: self._start(action())

    def _start(self, action: Coroutine[Any, Any, object]) -> None:
        async def perform() -> None:
            try:
                await action
            except Exception as error:
                logging.exception("an action of the page failed")
                self.view.status("failed", f"This page has a fault: {error!r}")

        task = asyncio.create_task(perform())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _stored_key() -> KeyPair:
    """Return this tab's key, which is made the first time and deleted with the tab."""
    private_key = js.sessionStorage.getItem(STORED)
    if not private_key:
        private_key = generate_private_key()
        js.sessionStorage.setItem(STORED, private_key)
    return KeyPair(private_key)


_pages: list[Page] = []


async def start(js_faults: Any, reporting: bool) -> None:
    """Start the page: connect, or with `?report=1` run the tour and report it to this page's origin."""
    page = Page()
    _pages.append(page)
    page.open()
    await (tour(page, js_faults, RUNTIME) if reporting else page.connect())


def stop() -> None:
    """Close the page's client, when the browser unloads the page."""
    while _pages:
        _pages.pop().close()
