"""The console's half in Python: one client of a circle, which the page commands and watches by messages.

A message is JSON text in both directions, so it is the same whether Python runs in a worker or in the page.
"""

import asyncio
import json
import logging
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pyodide
from calls import Calls
from feed import Feed
from words import told

import circle_ws
from circle_ws import CircleWsClient, CircleWsClientBuilder, CircleWsError, RpcError, StatusChange
from circle_ws.auth import generate_private_key
from circle_ws.auth.wallet import Eip1193Signer

PROBE = 1.0
"""Seconds between two measurements of the round-trip time."""
PATIENCE = 5.0
"""Seconds after which a measurement is given up."""

_logger = logging.getLogger("console")


class Console:
    """One client at a time, and what the page is told of it.

    Args:
        js_post: Takes a message for the page.
        js_wallet: The page's wallet (EIP-1193), or a stand-in that asks it.
    """

    def __init__(self, js_post: Callable[[str], object], js_wallet: Any) -> None:
        self._js_post = js_post
        self._signer = Eip1193Signer(js_wallet)
        self._js_wallet = js_wallet
        self._client: CircleWsClient | None = None
        self._own_calls = self._own_failures = 0
        self._feed, self._calls = Feed(self._post), Calls(self._post)
        self._tasks: set[asyncio.Task[None]] = set()
        self._watching: list[asyncio.Task[None]] = []
        self._changing = asyncio.Lock()
        self._post("ready", runtime=f"Python {sys.version.split()[0]} on Pyodide {pyodide.__version__}")

    def handle(self, message: str) -> None:
        """Begin what the page asks for; called by JavaScript, so that nothing is raised."""
        fields = json.loads(message)
        self._keep(self._perform(fields.pop("do"), fields))

    def _keep(self, work: Any) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _perform(self, do: str, fields: dict[str, Any]) -> None:
        try:
            await getattr(self, f"_do_{do}")(**fields)
        except Exception as error:
            _logger.exception("a command of the page failed: %s", do)
            self._post("fault", words=f"{do}: {type(error).__name__}")

    def _post(self, event: str, **fields: Any) -> None:
        self._js_post(json.dumps({"event": event, **fields}, ensure_ascii=False))

    # Commands of the page.

    async def _do_make_key(self) -> None:
        self._post("key", private_key=generate_private_key())

    async def _do_connect(self, url: str, private_key: str | None) -> None:
        """Connect a new client; without a private key the wallet signs."""
        async with self._changing:
            await self._leave()
            try:
                self._client = client = self._built(url, private_key)
            except CircleWsError as error:
                field = "url" if getattr(error, "option", None) in ("url", "allow_insecure") else "key"
                self._post("refused", field=field, **told(error))
                return
            client.on_status(self._show)
            client.on_protocol_error(lambda error: self._post("protocol_error", **told(error)))
            client.start()
            self._watching = [self._keep(self._feed.run(client)), self._keep(self._measure(client))]

    async def _do_disconnect(self) -> None:
        async with self._changing:
            await self._leave()

    async def _do_reconnect(self) -> None:
        if self._client is not None:
            self._client.reconnect()

    async def _do_call(self, number: int, method: str | None, params: str, timeout: float | None) -> None:
        if self._client is None:
            words = {"name": "NotConnected", "words": "There is no connection."}
            self._post("answer", number=number, ms=0, error=words)
        else:
            self._calls.start(self._client, number, method, params, timeout)

    async def _do_stop(self, number: int) -> None:
        self._calls.stop(number)

    async def _do_filter(self, text: str) -> None:
        self._feed.wanted = text

    # The client.

    def _built(self, url: str, private_key: str | None) -> CircleWsClient:
        builder = CircleWsClientBuilder(url).with_keepalive(interval=5, timeout=5)
        builder = builder.with_signer(self._signer) if private_key is None else builder.with_keypair(private_key)
        return builder.with_reconnect(first_connect="retry").build()

    async def _leave(self) -> None:
        for task in self._watching:
            task.cancel()
        self._watching = []
        if self._client is not None:
            await self._client.close(drain=0.5)
            self._client = None
        self._own_calls = self._own_failures = 0

    def _show(self, change: StatusChange) -> None:
        client = self._client
        self._post(
            "status",
            status=change.status.value,
            at=change.at,
            attempt=change.attempt,
            retry_in=change.retry_in,
            cause=told(change.cause) if change.cause is not None else None,
            public_key=client.public_key if client else None,
        )
        if change.status is circle_ws.ConnectionStatus.CONNECTED and client:
            self._keep(self._discover(client))

    async def _discover(self, client: CircleWsClient) -> None:
        """Ask the circle for its methods (OpenRPC), which many do not tell."""
        methods = []
        self._own_calls += 1
        try:
            described = await client.call("rpc.discover", timeout=10)
            methods = [_method(one) for one in described["methods"]]
        except (CircleWsError, LookupError, TypeError):
            self._own_failures += 1
        self._post("methods", methods=methods)

    async def _measure(self, client: CircleWsClient) -> None:
        while True:
            trip = await self._trip(client) if client.is_connected() else None
            stats = asdict(client.stats)
            stats["calls"] -= self._own_calls
            stats["failures"] -= self._own_failures
            self._post("measured", trip=trip, at=time.time(), stats=stats)
            await asyncio.sleep(PROBE)

    async def _trip(self, client: CircleWsClient) -> float | None:
        """Return the round-trip time in milliseconds; None if there was no answer."""
        started = time.perf_counter()
        self._own_calls += 1
        try:
            await client.call("rpc.ping", timeout=PATIENCE)
        except CircleWsError as error:
            self._own_failures += 1
            if not isinstance(error, RpcError):
                return None
        # An error of the circle's is a reply too.
        return (time.perf_counter() - started) * 1000


def _method(described: dict[str, Any]) -> dict[str, Any]:
    params = [str(one["name"]) for one in described.get("params", [])]
    return {"name": str(described["name"]), "summary": str(described.get("summary", "")), "params": params}
