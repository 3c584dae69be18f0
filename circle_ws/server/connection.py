"""One client of the circle, as its methods see it."""

from __future__ import annotations

import asyncio
import inspect
from threading import get_ident
from typing import TYPE_CHECKING, Any, TypeVar

from ..jsonrpc import messages
from .base import run_on_its_loop

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

    from ..jsonrpc.messages import Params
    from .base import Socket
    from .requests import Requests

__all__ = ["POLL_INTERVAL", "Connection"]

POLL_INTERVAL = 0.5
"""How often another thread that waits for the circle's loop checks whether that has ended, in seconds."""

T = TypeVar("T")


class Connection:
    """A client's connection, as a method sees it. Its methods may be used from any thread and any event loop.

    Attributes:
        public_key: The key that signed in, 66 hex characters (compressed); None before. It does not change under a
            method that runs: a client that signs in with another key is another `Connection` from then on.
    """

    def __init__(self, socket: Socket, requests: Requests, public_key: str | None = None) -> None:
        self._socket = socket
        self._requests = requests
        self.public_key = public_key

    def notify(self, method: str, params: Params = None) -> None:
        """Push a notification to this client, without waiting; it is lost when the client is gone.

        A client that does not read is dropped, with close code 1013, when over `max_backlog_bytes` wait for it.

        Raises:
            InvalidRequest: The params cannot be written as JSON.
        """
        run_on_its_loop(self._socket, self.push, messages.notification(method, params).encode())

    async def call(self, method: str, params: Params = None, *, timeout: float | None = 30.0) -> Any:
        """Send this client, signed in or not, a request and return its result: plain JSON values. May be cancelled.

        In a thread: `asyncio.run(connection.call(...))`.

        Args:
            method: Its name.
            params: By position or by name.
            timeout: How long it may take, in seconds; None sets no limit.

        Raises:
            InvalidRequest: The params cannot be written as JSON.
            RpcError: The client answered with an error; raised on from a method, it is that method's answer.
            ProtocolError: What the client answered is no JSON-RPC.
            CallTimeout: The time is over; the client may have run it, unless `phase` is `queue`.
            ConnectionLost: The connection was lost before the request was sent.
            OutcomeUnknown: The connection was lost after the request was sent; it may have run.
            QueueFull: 256 requests to this client have no reply.
        """
        return await self._on_its_loop(self._requests.call(method, params, timeout))

    async def batch(self, requests: Iterable[tuple[str, Params]], *, timeout: float | None = 30.0) -> list[Any]:
        """Send this client several requests in one message. May be cancelled.

        A client that knows no batches may refuse the whole with an error that names no request: where nothing else is
        open all of it fails with that, else it times out.

        Args:
            requests: Methods and their params.
            timeout: How long all of it may take, in seconds; None sets no limit.

        Returns:
            For each request, in their order, its result or the error that `call` would raise.

        Raises:
            InvalidRequest: Some params cannot be written as JSON; nothing was sent.
            QueueFull: There would be over 256 requests to this client without a reply.
        """
        return await self._on_its_loop(self._requests.batch(requests, timeout))

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close this connection with a closing handshake, within the circle's `close_timeout`."""
        await self._on_its_loop(self._socket.close(code, reason))

    def abort(self) -> None:
        """Cut this connection off, without a closing handshake."""
        run_on_its_loop(self._socket, self._socket.abort)

    def push(self, text: bytes) -> bool:
        """Send a notification (UTF-8) without waiting, on the circle's loop; returns whether that was possible."""
        self._requests.pending.notified = True
        return self._socket.push(text)

    async def _on_its_loop(self, work: Coroutine[Any, Any, T]) -> T:
        socket = self._socket
        if get_ident() == socket.thread:
            return await work
        try:
            future = asyncio.run_coroutine_threadsafe(work, socket.loop)
        except RuntimeError:
            # The circle's loop has ended, and with it the connection.
            work.close()
            raise socket.loss() from None
        waiting = asyncio.wrap_future(future)
        try:
            while not waiting.done():
                if socket.loop.is_closed() and not future.done():
                    if inspect.getcoroutinestate(work) == inspect.CORO_CREATED:
                        work.close()
                    raise socket.loss()
                await asyncio.wait([waiting], timeout=POLL_INTERVAL)
        except asyncio.CancelledError:
            waiting.cancel()
            raise
        if waiting.cancelled():
            # By the end of the circle's loop.
            raise socket.loss()
        return waiting.result()
