"""A circle in this process that does everything wrong that a test asks for, and keeps account of what reached it."""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

from circle_ws.errors import ConnectionFailed, RedirectRefused
from circle_ws.transport import Capabilities, Receiver, Transport, TransportOptions
from circle_ws.transport.memory import MemoryPeer, MemoryServer, MemoryTransport

__all__ = ["Link", "Request", "UnreliableCircle"]

_OWN = {"fetch_nonce", "authenticate", "rpc.ping", "set_up"}
"""What the client asks for itself."""
_CONGESTING = 1000
"""Each unread byte counts as so many, so that a few unread requests are as good as a full buffer."""


@dataclass(frozen=True)
class Request:
    """Be one request of the user's, as it was written to a link."""

    link: "Link"
    id: int | None
    method: str
    token: int
    size: int


class Link:
    """Be the client's end of one link.

    Attributes:
        frozen: Half open: nothing arrives on either side, and nobody is told.
        broken: What the next `send` finds out, though nobody was told.
    """

    def __init__(self, inner: MemoryTransport, circle: "UnreliableCircle") -> None:
        self.inner = inner
        self.frozen = False
        self.broken = False
        self._circle = circle

    @property
    def buffered(self) -> int:
        return self.inner.buffered * _CONGESTING

    @property
    def bytes_received(self) -> int:
        return self.inner.bytes_received

    def send(self, text: str) -> None:
        if self.broken:
            self.inner.abort()
        self.inner.send(text)
        self._circle.note(self, text)

    async def drain(self) -> None:
        await self.inner.drain()

    async def ping(self) -> None:
        if self.frozen:
            await asyncio.get_running_loop().create_future()
        if self.broken:
            self.inner.abort()
        await self.inner.ping()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        await self.inner.close(code, reason)

    def abort(self) -> None:
        self.inner.abort()


class UnreliableCircle:
    """Open links to itself: a `Connect` for `with_transport`.

    Attributes:
        refusal: Every dial fails with this HTTP status, or, with 0, without one; None lets them through.
        hanging: Dials never come to an end.
        deaf: It does not read; what it is sent meanwhile it reads later, even from links that are gone.
        sign_in: What it does with an `authenticate`: `well`, `reject`, `fail` or `hang`.
        honest: It answers whatever it is asked.
        signed_out: So many calls are refused, unrun, with -32001.
        written: Every request of the user's that was written to a link, in order.
        ran: How often each was run, by its token.
        unanswered: What it ran and has not answered.
        links: The links that were opened, oldest first.
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
        self.links: list[Link] = []
        self._server = MemoryServer(self._serve)
        self._hearing = asyncio.Event()
        self._hearing.set()

    async def __call__(self, url: str, receiver: Receiver, options: TransportOptions) -> Transport:
        if self.hanging:
            await asyncio.get_running_loop().create_future()
        if self.refusal is not None:
            raise _refused(self.refusal)
        link = Link(await self._server(url, receiver, options), self)
        self.links.append(link)
        return link

    def note(self, link: Link, text: str) -> None:
        """Learn what was written."""
        request = json.loads(text)
        if request.get("method", "set_up") not in _OWN:
            self.written.append(_request(link, request, text))

    # What tests do to it.

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
    def open_links(self) -> list[Link]:
        """The links that the circle knows to be up and that carry what it sends."""
        return [link for link in self.links if link.inner.peer.loss is None and not link.frozen]

    def send(self, text: str | bytes) -> None:
        """Send to every link."""
        for link in self.open_links:
            link.inner.peer.send(text)

    def answer(self, request: Request, answer: dict[str, Any], link: Link | None = None) -> None:
        """Answer a request, on its own link or on another one."""
        link = link or request.link
        if not link.frozen:
            link.inner.peer.send(json.dumps({"jsonrpc": "2.0", "id": request.id, **answer}))

    def cut(self, code: int) -> None:
        """Close every link."""
        for link in self.open_links:
            link.inner.peer.close(code)

    def freeze(self) -> None:
        """Let every link be half open from now on."""
        for link in self.open_links:
            link.frozen = True

    def break_silently(self) -> None:
        """Let every link be down, which the client finds out when it sends."""
        for link in self.open_links:
            link.broken = True

    def heal(self) -> None:
        """Do everything well from now on; links that cannot be mended end."""
        self.refusal, self.hanging, self.deaf = None, False, False
        self.sign_in, self.signed_out = "well", 0
        for link in self.links:
            if link.frozen or link.broken:
                link.frozen = link.broken = False
                link.inner.peer.close(1006)

    # Its side of a link.

    async def _serve(self, peer: MemoryPeer) -> None:
        async for text in peer:
            await self._hearing.wait()
            # It is there before anything can be sent over it.
            link = next(link for link in self.links if link.inner.peer is peer)
            if not link.frozen:
                self._take(link, json.loads(text), text)

    def _take(self, link: Link, message: dict[str, Any], text: str) -> None:
        if "method" not in message:
            return
        request = _request(link, message, text)
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
            request.link.inner.peer.close(1001)
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


def _request(link: Link, message: dict[str, Any], text: str) -> Request:
    params = message.get("params")
    token = params[0] if isinstance(params, list) and params else -1
    return Request(link, message.get("id"), message["method"], token, len(text))
