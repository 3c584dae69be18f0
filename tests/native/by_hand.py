"""Speak to a circle by hand, message by message."""

import asyncio
import json
import socket as sockets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from circle_ws.auth import derive_public_key, sign_message
from circle_ws.server import CircleServer, Connection
from tests.support.clients import KEY

__all__ = [
    "NOISE",
    "ask",
    "batch",
    "clog",
    "exchange",
    "reluctant",
    "request",
    "send_all",
    "sign_in",
    "signed_in",
    "stranger",
]

NOISE = ["x" * 10_000]
"""Params to push at who does not listen."""


def request(method: str, params: Any = None, id: Any = "by hand") -> dict[str, Any]:
    whole = {"jsonrpc": "2.0", "id": id, "method": method}
    return whole if params is None else {**whole, "params": params}


async def exchange(socket: ClientConnection, text: str | bytes) -> Any:
    """Send a message as it stands; give the next one that comes in."""
    await socket.send(text)
    return json.loads(await socket.recv())


async def ask(socket: ClientConnection, method: str, params: Any = None) -> Any:
    """Call a method; give the whole reply."""
    return await exchange(socket, json.dumps(request(method, params)))


async def batch(socket: ClientConnection, *members: Any) -> Any:
    """Send a batch; give its reply, by id where it is an array of which each member has one."""
    reply = await exchange(socket, json.dumps(members))
    return {one["id"]: one for one in reply} if type(reply) is list else reply


async def sign_in(socket: ClientConnection, key: str = KEY) -> Any:
    """Sign the bare nonce, as in dialect hero-0.2; give what is answered."""
    public = derive_public_key(key)
    given = (await ask(socket, "fetch_nonce", [public]))["result"]
    nonce = given["nonce"] if type(given) is dict else given
    return (await ask(socket, "authenticate", [public, sign_message(key, nonce)]))["result"]


@asynccontextmanager
async def signed_in(server: CircleServer, key: str = KEY, **options: Any) -> AsyncGenerator[ClientConnection]:
    """A connection by hand that has signed in."""
    async with connect(server.url, **options) as socket:
        assert await sign_in(socket, key) is True
        yield socket


@asynccontextmanager
async def reluctant(server: CircleServer) -> AsyncGenerator[ClientConnection]:
    """A client that has signed in, reads only on demand, and buffers little."""
    async with stranger(server) as client:
        assert await sign_in(client) is True
        yield client


@asynccontextmanager
async def stranger(server: CircleServer) -> AsyncGenerator[ClientConnection]:
    """Such a client that has not signed in."""
    assert server._server is not None
    for one in server._server.sockets:
        one.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, 8192)
    plain = sockets.socket()
    plain.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 8192)
    plain.setblocking(False)
    await asyncio.get_running_loop().sock_connect(plain, ("127.0.0.1", server.port))
    async with connect(server.url, sock=plain, max_queue=1) as client:
        yield client
        client.transport.abort()


def native_socket(connection: Connection) -> Any:
    """Return the socket of a connection of a real `CircleServer`, whose buffers and pauses the tests look at."""
    return connection._socket


async def clog(connection: Connection) -> None:
    """Push until the client, which does not read, has all its buffers full."""
    while not native_socket(connection).paused:
        connection.notify("noise", NOISE)
        await asyncio.sleep(0)


async def send_all(client: ClientConnection, messages: list[Any]) -> None:
    for message in messages:
        await client.send(json.dumps(message))
