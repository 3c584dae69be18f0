"""One client of the circle, as a method sees it."""

from __future__ import annotations

import asyncio
import inspect
from threading import get_ident
from typing import TYPE_CHECKING, Any, TypeVar

from ..jsonrpc import messages as envelope

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

    from ..jsonrpc.messages import Params
    from .requests import Calls
    from .socket import Link

__all__ = ["LOOK_INTERVAL", "Connection"]

LOOK_INTERVAL = 0.5
"""So often another thread that waits for the circle's loop looks whether that has ended, in seconds."""

T = TypeVar("T")


class Connection:
    """A client's connection, as a method sees it. Its methods may be used from any thread and any event loop.

    Attributes:
        public_key: The key that signed in, 66 hex characters (compressed); None before. It does not change under a
            method that runs: a client that signs in with another key is another `Connection` from then on.
    """

    def __init__(self, link: Link, calls: Calls, public_key: str | None = None) -> None:
        self._link = link
        self._calls = calls
        self.public_key = public_key

    def notify(self, method: str, params: Params = None) -> None:
        """Push a notification to this client, without waiting; it is lost when the client is gone.

        A client that does not read is dropped, with close code 1013, when over `max_backlog_bytes` wait for it.

        Raises:
            InvalidRequest: The params are not finite plain JSON with string keys.
        """
        text = envelope.notification(method, params).encode()
        if get_ident() == self._link.thread:
            self.push(text)
        else:
            self._link.run_on_its_loop(self.push, text)

    async def call(self, method: str, params: Params = None, *, timeout: float | None = 30.0) -> Any:
        """Ask this client, signed in or not, and return its result: plain JSON values. May be cancelled.

        In a thread: `asyncio.run(connection.call(...))`.

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
        return await self._on_its_loop(self._calls.call(method, params, timeout))

    async def batch(self, requests: Iterable[tuple[str, Params]], *, timeout: float | None = 30.0) -> list[Any]:
        """Ask this client for several methods in one message. May be cancelled.

        A client that knows no batches may refuse the whole with an error that names no request: where nothing else is
        open all of it fails with that, else it times out.

        Args:
            requests: Methods and their params.
            timeout: How long all of it may take, in seconds; None sets no limit.

        Returns:
            For each request, in their order, its result or the error that `call` would raise.

        Raises:
            InvalidRequest: Some params are not finite plain JSON with string keys; nothing was sent.
            QueueFull: There would be over 256 requests to this client without a reply.
        """
        return await self._on_its_loop(self._calls.batch(requests, timeout))

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close this connection with a closing handshake, within the circle's `close_timeout`."""
        await self._on_its_loop(self._link.close(code, reason))

    def abort(self) -> None:
        """Cut this connection off, without a closing handshake."""
        self._link.run_on_its_loop(self._link.transport.abort)

    def anew(self) -> Connection:
        """Give another view of the same connection, for another key."""
        return Connection(self._link, self._calls)

    def push(self, text: bytes) -> bool:
        """Send a notification (UTF-8) without waiting, on the circle's loop; tells whether that was possible."""
        self._calls.is_quiet = False
        return self._link.push(text)

    async def _on_its_loop(self, work: Coroutine[Any, Any, T]) -> T:
        link = self._link
        if get_ident() == link.thread:
            return await work
        try:
            future = asyncio.run_coroutine_threadsafe(work, link.loop)
        except RuntimeError:
            # The circle's loop has ended, and with it the connection.
            work.close()
            raise link.loss() from None
        waiting = asyncio.wrap_future(future)
        try:
            while not waiting.done():
                if link.loop.is_closed() and not future.done():
                    if inspect.getcoroutinestate(work) == inspect.CORO_CREATED:
                        work.close()
                    raise link.loss()
                await asyncio.wait([waiting], timeout=LOOK_INTERVAL)
        except asyncio.CancelledError:
            waiting.cancel()
            raise
        if waiting.cancelled():
            # By the end of the circle's loop.
            raise link.loss()
        return waiting.result()
