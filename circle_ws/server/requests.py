"""Requests from the circle to one client, and the replies to them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ..errors import CallTimeout, CircleWsError, OutcomeUnknown, ProtocolError, QueueFull
from ..jsonrpc import messages
from ..jsonrpc.messages import Kind
from ..jsonrpc.pending import UNREAD, Pending
from .concurrency import not_counted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..jsonrpc.messages import Params
    from .base import Socket

__all__ = ["MAX_OPEN", "Requests", "fail"]

MAX_OPEN = 256
"""Maximum number of requests to one client that wait to be sent or to be answered."""


class Requests:
    """Requests to one client, each matched with its reply.

    Args:
        socket: The client's.

    Attributes:
        pending: The unanswered requests; each entry is set to the result, which is plain JSON, or to an error.
    """

    __slots__ = ("_open", "_socket", "pending")

    def __init__(self, socket: Socket) -> None:
        self._socket = socket
        self._open = 0
        self.pending: Pending[asyncio.Future[Any]] = Pending()

    async def call(self, method: str, params: Params, timeout: float | None) -> Any:
        """Send one request and return its result; see `Connection.call`."""
        id = self.pending.new_id()
        text = messages.request(id, method, params)
        [outcome] = await self._exchange(text, [id], timeout, repr(method))
        if isinstance(outcome, CircleWsError):
            raise outcome
        return outcome

    async def batch(self, requests: Iterable[tuple[str, Params]], timeout: float | None) -> list[Any]:
        """Send several requests in one message; see `Connection.batch`."""
        numbered = [(self.pending.new_id(), method, params) for method, params in requests]
        if not numbered:
            return []
        text = f"[{','.join(messages.request(*request) for request in numbered)}]"
        return await self._exchange(text, [id for id, _, _ in numbered], timeout, "a batch")

    def settle(self, reply: dict[str, Any], kind: Kind) -> None:
        """Handle a checked reply; a reply to no request is ignored."""
        id = reply["id"]
        outcome = messages.rpc_error(reply) if kind is Kind.ERROR else reply["result"]
        if (future := self.pending.take(id)) is not None:
            future.set_result(outcome)
        elif (almost := self.pending.take_almost(id)) is not None:
            # An id is to be sent back as it came (JSON-RPC 2.0 section 5), but it cannot mean another request.
            words = f"the client answered with the id {id!r:.50} where {almost[0]} was asked"
            almost[1].set_result(ProtocolError(words))
        elif kind is Kind.ERROR and id is None and outcome.code in UNREAD:
            fail(self.pending.take_unread(), outcome)

    def end(self) -> None:
        """Fail all requests that have no reply, because the client is gone."""
        for future in self.pending.take_all():
            loss = self._socket.loss()
            words = f"{loss}; whether the request was run is unknown"
            future.set_result(OutcomeUnknown(words, code=loss.code, reason=loss.reason, local=loss.local))

    async def _exchange(self, text: str, ids: list[int], timeout: float | None, what: str) -> list[Any]:
        """Send the requests with these ids; return the outcome of each, which may be an error."""
        if self._open + len(ids) > MAX_OPEN:
            raise QueueFull(f"over {MAX_OPEN} requests to this client have no reply; wait for some of them")
        loop = asyncio.get_running_loop()
        replies = {id: loop.create_future() for id in ids}
        failure: CircleWsError | None = None
        phase = "queue"
        self._open += len(ids)
        try:
            with not_counted():
                async with asyncio.timeout(timeout):
                    await self._socket.wait_until_read()
                    phase = "reply"
                    self.pending.add_batch(replies)
                    if self._socket.push(text.encode()):
                        await asyncio.wait(replies.values())
                    else:
                        failure = self._socket.loss()
        except TimeoutError:
            words = f"{what}: the client did not reply within {timeout} s; it may have run"
            if phase == "queue":
                words = f"{what}: the client did not read what came before within {timeout} s; this was not sent"
            failure = CallTimeout(words, phase=phase)
        finally:
            self._open -= len(ids)
            for id in ids:
                self.pending.give_up(id)
        return [reply.result() if reply.done() else failure for reply in replies.values()]


def fail(futures: list[asyncio.Future[Any]], error: CircleWsError) -> bool:
    """Fail requests with an error; return whether there were any."""
    for future in futures:
        future.set_result(error)
    return bool(futures)
