"""An in-process circle that misbehaves as a test demands, and records what reached it."""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

from circle_ws.errors import ConnectionFailed, RedirectRefused
from circle_ws.testing.connection import ClientEnd
from circle_ws.transport import Capabilities, Receiver, Transport, TransportOptions
from circle_ws.transport.memory import MemoryPeer, MemoryServer, MemoryTransport

__all__ = ["Connection", "Request", "UnreliableCircle"]

_OWN = {"fetch_nonce", "authenticate", "rpc.ping", "set_up"}
"""Methods that the client calls for itself."""
_CONGESTING = 1000
"""Weight of each unread byte, so that a few unread requests fill the buffer."""


@dataclass(frozen=True)
class Request:
    """One request of the user's, as it was written to a connection."""

    connection: "Connection"
    id: int | None
    method: str
    token: int
    size: int


class Connection(ClientEnd):
    """The client's end of one connection.

    Attributes:
        frozen: Half open: nothing arrives on either side, and neither side notices.
        broken: The connection is lost, which only the next `send` notices.
    """

    def __init__(self, inner: MemoryTransport, circle: "UnreliableCircle") -> None:
        super().__init__(inner)
        self.frozen = False
        self.broken = False
        self._circle = circle

    @property
    def buffered(self) -> int:
        return super().buffered * _CONGESTING

    def send(self, text: str) -> None:
        if self.broken:
            self.inner.abort()
        super().send(text)
        self._circle.note(self, text)

    async def ping(self) -> None:
        if self.frozen:
            await asyncio.get_running_loop().create_future()
        if self.broken:
            self.inner.abort()
        await super().ping()


class UnreliableCircle:
    """A `Connect` for `with_transport` that opens connections to itself.

    Attributes:
        refusal: Every dial fails with this HTTP status, or, with 0, without one; None lets them through.
        hanging: Dials never end.
        deaf: It does not read; later it reads all that was sent meanwhile, even on connections that are gone.
        sign_in: What it does with an `authenticate`: `well`, `reject`, `fail` or `hang`.
        honest: It answers every request.
        signed_out: The number of next calls that are refused with -32001, without running.
        written: Every request of the user's that was written to a connection, in order.
        ran: How often each request ran, by its token.
        unanswered: The requests that ran and have no reply yet.
        connections: The connections that were opened, oldest first.
    """

    def __init__(self, *, ping: bool) -> None:
        self.capabilities = Capabilities(ping=ping, headers=False, proxy=False, tls=False, http_status=False)
        self.refusal: int | None = None
        self.hanging = False
        self.honest = False
        self.sign_in = "well"
        self.signed_out = 0
        self.written: list[Request] = []
        self.ran: Counter[int] = Counter()
        self.unanswered: list[Request] = []
        self.connections: list[Connection] = []
        self._server = MemoryServer(self._serve)
        self._hearing = asyncio.Event()
        self._hearing.set()

    async def __call__(self, url: str, receiver: Receiver, options: TransportOptions) -> Transport:
        if self.hanging:
            await asyncio.get_running_loop().create_future()
        if self.refusal is not None:
            raise _refused(self.refusal)
        connection = Connection(await self._server(url, receiver, options), self)
        self.connections.append(connection)
        return connection

    def note(self, connection: Connection, text: str) -> None:
        """Record a written request."""
        request = json.loads(text)
        if request.get("method", "set_up") not in _OWN:
            self.written.append(_request(connection, request, text))

    # Operations for tests.

    @property
    def deaf(self) -> bool:
        return not self._hearing.is_set()

    @deaf.setter
    def deaf(self, deaf: bool) -> None:
        if deaf:
            self._hearing.clear()
        else:
            self._hearing.set()

    @property
    def open_connections(self) -> list[Connection]:
        """The connections that are up on the circle's side and deliver what it sends."""
        return [
            connection
            for connection in self.connections
            if connection.inner.peer.loss is None and not connection.frozen
        ]

    def send(self, text: str | bytes) -> None:
        """Send to every connection."""
        for connection in self.open_connections:
            connection.inner.peer.send(text)

    def answer(self, request: Request, answer: dict[str, Any], connection: Connection | None = None) -> None:
        """Answer a request, on its own connection or on another one."""
        connection = connection or request.connection
        if not connection.frozen:
            connection.inner.peer.send(json.dumps({"jsonrpc": "2.0", "id": request.id, **answer}))

    def cut(self, code: int) -> None:
        """Close every connection."""
        for connection in self.open_connections:
            connection.inner.peer.close(code)

    def freeze(self) -> None:
        """Make every connection half open."""
        for connection in self.open_connections:
            connection.frozen = True

    def break_silently(self) -> None:
        """Break every connection, which the client notices when it sends."""
        for connection in self.open_connections:
            connection.broken = True

    def heal(self) -> None:
        """Behave well from now on; broken connections end."""
        self.refusal, self.hanging, self.deaf = None, False, False
        self.sign_in, self.signed_out = "well", 0
        for connection in self.connections:
            if connection.frozen or connection.broken:
                connection.frozen = connection.broken = False
                connection.inner.peer.close(1006)

    # The circle's side of a connection.

    async def _serve(self, peer: MemoryPeer) -> None:
        async for text in peer:
            await self._hearing.wait()
            # `__call__` has added it before the client can send.
            connection = next(connection for connection in self.connections if connection.inner.peer is peer)
            if not connection.frozen:
                self._take(connection, json.loads(text), text)

    def _take(self, connection: Connection, message: dict[str, Any], text: str) -> None:
        if "method" not in message:
            return
        request = _request(connection, message, text)
        if request.method in _OWN:
            self._serve_client_itself(request)
        elif self.signed_out and request.id is not None:
            self.signed_out -= 1
            self.answer(request, {"error": {"code": -32001, "message": "sign in first"}})
        else:
            self._run(request)

    def _run(self, request: Request) -> None:
        self.ran[request.token] += 1
        if request.id is None:
            return
        if request.method == "echo" or self.honest:
            self.answer(request, {"result": ["of", request.token]})
        elif request.method == "fail":
            self.answer(request, {"error": {"code": request.token, "message": "no"}})
        elif request.method == "end":
            request.connection.inner.peer.close(1001)
        else:
            self.unanswered.append(request)

    def _serve_client_itself(self, request: Request) -> None:
        if request.method == "fetch_nonce":
            self.answer(request, {"result": "nonce_1234567890_abcdef"})
        elif request.method != "authenticate":
            self.answer(request, {"result": "pong"})
        elif self.sign_in == "fail":
            self.answer(request, {"error": {"code": -32603, "message": "internal error"}})
        elif self.sign_in != "hang":
            self.answer(request, {"result": self.sign_in == "well"})


def _refused(status: int) -> ConnectionFailed:
    kind = RedirectRefused if 300 <= status < 400 else ConnectionFailed
    return kind("refused", http_status=status or None, retry_after=5.0 if status == 503 else None)


def _request(connection: Connection, message: dict[str, Any], text: str) -> Request:
    params = message.get("params")
    token = params[0] if isinstance(params, list) and params else -1
    return Request(connection, message.get("id"), message["method"], token, len(text))
