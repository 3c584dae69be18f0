"""One client of the circle: what a method sees of it, and the reader of its messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from websockets.exceptions import ConnectionClosed

from ..errors import ProtocolError, RpcError
from ..jsonrpc import envelope, json
from ..jsonrpc.codes import INVALID_REQUEST, PARSE_ERROR
from ..jsonrpc.envelope import Kind
from .answering import Answering, error_text
from .batch import Batch
from .calls import Calls

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..jsonrpc.envelope import Params
    from .batch import Answer
    from .link import Link
    from .rules import Rules

__all__ = ["Connection"]


class Connection:
    """Be one client's connection, as a method sees it.

    Attributes:
        public_key: The key that signed in, 66 hex characters (compressed); None before.
    """

    def __init__(self, rules: Rules, link: Link) -> None:
        self._rules = rules
        self._link = link
        self._calls = Calls(link)
        self._answering = Answering(rules, self)
        self.public_key: str | None = None

    def notify(self, method: str, params: Params = None) -> None:
        """Push a notification to this client, without waiting; it is lost when the client is gone.

        A client that does not read is dropped, with close code 1013, when over `max_backlog_bytes` wait for it.

        Raises:
            InvalidRequest: The params are not finite plain JSON with string keys.
        """
        self.push(envelope.notification(method, params).encode())

    async def call(self, method: str, params: Params = None, *, timeout: float | None = 30.0) -> Any:
        """Ask this client, signed in or not, and return its result: plain JSON values. May be cancelled.

        Args:
            method: Its name.
            params: By position or by name.
            timeout: How long it may take, in seconds; None sets no limit.

        Raises:
            InvalidRequest: The params are not finite plain JSON with string keys.
            RpcError: The client answered with an error; raised on from a method, it is that method's answer.
            ProtocolError: What the client answered is no JSON-RPC.
            CallTimeout: The time is over; the client may have run it, unless `phase` is `queue`.
            ConnectionLost: The client is gone, and was never asked.
            OutcomeUnknown: The client went after it was asked; it may have run it.
            QueueFull: 256 requests to this client have no reply.
        """
        return await self._calls.call(method, params, timeout)

    async def batch(self, requests: Iterable[tuple[str, Params]], *, timeout: float | None = 30.0) -> list[Any]:
        """Ask this client for several methods in one message. May be cancelled.

        A client that knows no batches may refuse the whole with an error that names no request: then all time out.

        Args:
            requests: Methods and their params.
            timeout: How long all of it may take, in seconds; None sets no limit.

        Returns:
            For each request, in their order, its result or the error that `call` would raise.

        Raises:
            InvalidRequest: Some params are not finite plain JSON with string keys; nothing was sent.
            QueueFull: There would be over 256 requests to this client without a reply.
        """
        return await self._calls.batch(requests, timeout)

    def push(self, text: bytes) -> bool:
        """Send a text message (UTF-8) without waiting; tells whether that was possible."""
        return self._link.push(text)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close this connection with a closing handshake, within the circle's `close_timeout`."""
        await self._link.close(code, reason)

    def abort(self) -> None:
        """Cut this connection off, without a closing handshake."""
        self._link.transport.abort()

    async def serve(self) -> None:
        """Read and answer until the client is gone."""
        self._link.when_lost = self._end
        try:
            async for message in self._link:
                await self._take(message)
        except ConnectionClosed:
            pass
        finally:
            self._end()
            await self._answering.ended()

    def _end(self) -> None:
        self._answering.end()
        self._calls.end()

    async def _answer(self, text: str | None) -> None:
        if text is not None:
            await self._link.push_when_read(text)

    async def _take(self, message: str | bytes) -> None:
        try:
            frame = json.decode(message if isinstance(message, str) else message.decode())
        except (ProtocolError, UnicodeDecodeError):
            await self._answer(error_text(None, RpcError(PARSE_ERROR, "parse error: the message is not strict JSON")))
            return
        if type(frame) is list:
            await self._take_batch(frame)
        else:
            await self._take_one(frame, self._answer, alone=True)

    async def _take_batch(self, members: list[Any]) -> None:
        most = self._rules.max_batch
        if not members:
            await self._answer(_invalid_request("a batch without members"))
        elif len(members) > most:
            await self._answer(_invalid_request(f"a batch has at most {most} members, not {len(members)}"))
        else:
            batch = Batch(len(members), self._answer)
            for member in members:
                await self._take_one(member, batch.answer, alone=False)

    async def _take_one(self, frame: Any, answer: Answer, *, alone: bool) -> None:
        try:
            kind = envelope.kind_of(frame)
        except ProtocolError as error:
            await answer(None if self._calls.settle_broken(frame, error) else _invalid_request(str(error)))
            return
        if kind in (Kind.REQUEST, Kind.NOTIFICATION):
            await self._answering.take(frame, answer, alone=alone)
            return
        self._calls.settle(frame, kind)
        await answer(None)


def _invalid_request(why: str) -> str:
    return error_text(None, RpcError(INVALID_REQUEST, f"invalid request: {why}"))
