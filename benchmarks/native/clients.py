"""Every client that is measured, behind one shape: a block that gives `call(method)`, which echoes that payload.

Each is used as its documentation shows, with its defaults, but for compression: off for all.
"""

import asyncio
import json
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any, TypeAlias

from benchmarks.native import hand_loops
from benchmarks.native.payloads import PAYLOADS

__all__ = ["BASE", "BLOCKING", "CLIENTS", "NATS", "OURS", "Open"]

Open: TypeAlias = Callable[[str], AbstractAsyncContextManager[Callable[[str], Awaitable[Any]] | Callable[[str], Any]]]
"""Opens a client for a URL; the blocking one's `call` returns the result itself."""

_PATIENCE = 600
"""What would end a call on a busy machine is set to so many seconds; that costs no client anything."""

OURS, BASE, NATS, BLOCKING = "circle_ws", "base", "nats-py", "circle_ws.sync"


@asynccontextmanager
async def _circle_ws(url: str) -> AsyncIterator[Callable[[str], Awaitable[Any]]]:
    """circle_ws with its defaults: signed in, deadlines, slots, statistics, keep-alive."""
    import circle_ws

    async with circle_ws.connect(url, private_key=circle_ws.KeyPair.generate(), call_timeout=_PATIENCE) as client:

        async def call(method: str) -> Any:
            return await client.call(method, [PAYLOADS[method]])

        yield call


@asynccontextmanager
async def _circle_ws_sync(url: str) -> AsyncIterator[Callable[[str], Any]]:
    """The blocking client of circle_ws, whose `call` blocks: each call in flight has a thread."""
    import circle_ws.sync

    connect = partial(circle_ws.sync.connect, url, private_key=circle_ws.KeyPair.generate(), call_timeout=_PATIENCE)
    client = await asyncio.to_thread(connect)

    def call(method: str) -> Any:
        return client.call(method, [PAYLOADS[method]])

    try:
        yield call
    finally:
        await asyncio.to_thread(client.close)


@asynccontextmanager
async def _jsonrpc_websocket(url: str) -> AsyncIterator[Callable[[str], Awaitable[Any]]]:
    from jsonrpc_websocket import Server  # type: ignore[import-untyped]

    server = Server(url)
    await server.ws_connect()

    async def call(method: str) -> Any:
        return await getattr(server, method)(PAYLOADS[method])

    try:
        yield call
    finally:
        await server.close()


@asynccontextmanager
async def _web3(url: str) -> AsyncIterator[Callable[[str], Awaitable[Any]]]:
    from web3 import AsyncWeb3, WebSocketProvider
    from web3.types import RPCEndpoint

    provider = WebSocketProvider(url, websocket_kwargs={"compression": None}, request_timeout=_PATIENCE)
    async with AsyncWeb3(provider):

        async def call(method: str) -> Any:
            answer = await provider.make_request(RPCEndpoint(method), [PAYLOADS[method]])
            return answer["result"]

        yield call


@asynccontextmanager
async def _gql(url: str) -> AsyncIterator[Callable[[str], Awaitable[Any]]]:
    from gql import Client, GraphQLRequest, gql
    from gql.transport.websockets import WebsocketsTransport

    # It formats a log line for every message, even if level INFO is not enabled.
    logging.getLogger("gql").setLevel(logging.WARNING)
    transport = WebsocketsTransport(
        url=f"{url}graphql", subprotocols=["graphql-transport-ws"], connect_args={"compression": None}
    )
    queries = {name: f"query {name}($value: Any!) {{ echo(value: $value) }}" for name in PAYLOADS}
    requests = {
        name: GraphQLRequest(gql(query).document, variable_values={"value": PAYLOADS[name]})
        for name, query in queries.items()
    }
    async with Client(transport=transport, execute_timeout=_PATIENCE) as session:

        async def call(method: str) -> Any:
            answer = await session.execute(requests[method])
            return answer["echo"]

        yield call


@asynccontextmanager
async def _nats(url: str) -> AsyncIterator[Callable[[str], Awaitable[Any]]]:
    import nats

    client = await nats.connect(url)

    async def call(method: str) -> Any:
        answer = await client.request(method, json.dumps(PAYLOADS[method]).encode(), timeout=_PATIENCE)
        return json.loads(answer.data)

    try:
        yield call
    finally:
        await client.close()


CLIENTS: dict[str, Open] = {
    OURS: _circle_ws,
    BLOCKING: _circle_ws_sync,
    BASE: hand_loops.base,
    "websockets + msgspec": hand_loops.with_msgspec,
    "jsonrpc-websocket": _jsonrpc_websocket,
    "web3.py": _web3,
    "gql": _gql,
    NATS: _nats,
}
"""By the name that the tables use."""
if sys.version_info >= (3, 15):
    # What it needs has no wheels there.
    del CLIENTS["web3.py"]
