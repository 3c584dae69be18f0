"""Requests of the circle's own to one client, and the replies that come in to them."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

from ..errors import CallTimeout, CircleWsError, OutcomeUnknown, ProtocolError, QueueFull, RpcError
from ..jsonrpc import messages as envelope
from ..jsonrpc.codes import INVALID_REQUEST, PARSE_ERROR
from ..jsonrpc.messages import Kind
from ..jsonrpc.plain_sight import is_nameless_error, reply_ids
from .concurrency import step_outside

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..jsonrpc.messages import Params
    from .socket import Link

__all__ = ["Calls"]

_ABOUT_A_MESSAGE = (PARSE_ERROR, INVALID_REQUEST)
"""What a client answers, without an id, to a message that it could not read."""
MAX_OPEN = 256
"""How many requests to one client may wait to be sent or to be answered."""


class Calls:
    """The requests to one client, each matched with what it replies.

    Args:
        link: The client's socket.

    Attributes:
        is_quiet: Whether no notification was pushed since the last reply.
    """

    __slots__ = ("_gave_up", "_ids", "_link", "_messages", "_open", "_unanswered", "is_quiet")

    def __init__(self, link: Link) -> None:
        self._link = link
        self._ids = itertools.count(1)
        self._open = 0
        # What a request came to: the result, which is plain JSON, or the error.
        self._unanswered: dict[int, asyncio.Future[Any]] = {}
        # The messages that were sent, each by its first id; a batch has several.
        self._messages: dict[int, list[asyncio.Future[Any]]] = {}
        self.is_quiet = True
        # Whether a reply that names no request may be to one whose caller waits no more.
        self._gave_up = False

    async def call(self, method: str, params: Params, timeout: float | None) -> Any:
        """Ask for one method; see `Connection.call`."""
        id = next(self._ids)
        text = envelope.request(id, method, params)
        [outcome] = await self._exchange(text, [id], timeout, repr(method))
        if isinstance(outcome, CircleWsError):
            raise outcome
        return outcome

    async def batch(self, requests: Iterable[tuple[str, Params]], timeout: float | None) -> list[Any]:
        """Ask for several methods in one message; see `Connection.batch`."""
        texts = {id: envelope.request(id, *request) for id, request in zip(self._ids, requests, strict=False)}
        if not texts:
            return []
        return await self._exchange(f"[{','.join(texts.values())}]", list(texts), timeout, "a batch")

    def settle(self, reply: dict[str, Any], kind: Kind) -> None:
        """Take a reply; one to nothing that was asked is ignored."""
        outcome = envelope.rpc_error(reply) if kind is Kind.ERROR else reply["result"]
        if not isinstance(outcome, RpcError) or reply["id"] is not None:
            self._settle(reply["id"], outcome)
        elif outcome.code in _ABOUT_A_MESSAGE and self.is_quiet:
            self._settle_only_message(outcome)

    def settle_broken(self, frame: Any, error: ProtocolError, *, alone: bool) -> bool:
        """Take what may be a reply that breaks JSON-RPC; tells whether it is about a request of ours.

        Args:
            frame: What came.
            error: What is wrong with it.
            alone: Nothing came with it that may be the reply to another request of the same message.
        """
        if type(frame) is not dict or "method" in frame:
            return False
        id, said = frame.get("id"), frame.get("error")
        if id is not None or not alone or type(said) is not dict or said.get("code") not in _ABOUT_A_MESSAGE:
            return self._settle(id, error)
        return self.is_quiet and self._settle_only_message(error)

    def settle_empty(self, error: ProtocolError) -> bool:
        """Take an empty array, which may be a reply; tells whether one message of ours is open that it is about."""
        return self._settle_only_message(error)

    def settle_unreadable(self, text: str, error: ProtocolError) -> bool:
        """Take what may be a reply that is no strict JSON; tells whether it is plainly about a request of ours."""
        # Nearly always nothing is open, and what a client sends is no reply: then there is nothing to look for.
        if not self._unanswered:
            return False
        if self.is_quiet and is_nameless_error(text):
            return self._settle_only_message(error)
        found = [self._settle(id, error) for id in reply_ids(text)]
        return any(found)

    def end(self) -> None:
        """Let everything that has no reply fail, for the client is gone."""
        for future in self._unanswered.values():
            if not future.done():
                loss = self._link.loss()
                words = f"{loss}; whether the request was run is unknown"
                future.set_result(OutcomeUnknown(words, code=loss.code, reason=loss.reason, local=loss.local))

    def _settle(self, id: Any, outcome: Any) -> bool:
        if type(id) is not int and (meant := _meant(id)) in self._unanswered:
            # It cannot be anything else, but an id is to be sent back as it came (JSON-RPC 2.0 section 5).
            outcome = ProtocolError(f"the client answered with the id {id!r:.50} where {meant} was asked")
            id = meant
        # True is equal to 1 and would find its request.
        future = self._unanswered.pop(id, None) if type(id) is int else None
        if future is None or future.done():
            return False
        self.is_quiet = True
        self._gave_up = False
        future.set_result(outcome)
        return True

    def _settle_only_message(self, error: CircleWsError) -> bool:
        """Let what has no reply of the one message that is open fail; tells whether there is one and no other."""
        if len(self._messages) != 1 or self._gave_up:
            return False
        [futures] = self._messages.values()
        for future in futures:
            if not future.done():
                future.set_result(error)
        return True

    async def _exchange(self, text: str, ids: list[int], timeout: float | None, what: str) -> list[Any]:
        """Send the requests with these ids; give what each came to, be it an error."""
        if self._open + len(ids) > MAX_OPEN:
            raise QueueFull(f"over {MAX_OPEN} requests to this client have no reply; wait for some of them")
        loop = asyncio.get_running_loop()
        replies = {id: loop.create_future() for id in ids}
        self._open += len(ids)
        try:
            with step_outside():
                failure = await self._send_and_wait(text, replies, timeout, what)
        finally:
            self._open -= len(ids)
            if self._messages.pop(ids[0], None) and not all(reply.done() for reply in replies.values()):
                self._gave_up = True
            for id in ids:
                self._unanswered.pop(id, None)
        return [reply.result() if reply.done() else failure for reply in replies.values()]

    async def _send_and_wait(
        self, text: str, replies: dict[int, asyncio.Future[Any]], timeout: float | None, what: str
    ) -> CircleWsError | None:
        """Return when all replies are in, or with what those fail that are not."""
        phase = "queue"
        try:
            async with asyncio.timeout(timeout):
                if not await self._link.push_when_read(text):
                    return self._link.loss()
                phase = "reply"
                self._unanswered.update(replies)
                self._messages[next(iter(replies))] = list(replies.values())
                await asyncio.wait(replies.values())
        except TimeoutError:
            if phase == "queue":
                words = f"{what}: the client did not read what came before within {timeout} s; this was not sent"
            else:
                words = f"{what}: the client did not reply within {timeout} s; it may have run"
            return CallTimeout(words, phase=phase)
        return None


def _meant(id: Any) -> int | None:
    """Give the number that an id was before the client changed its type; None where it was none."""
    if type(id) is float and id.is_integer():
        return int(id)
    return int(id) if type(id) is str and id.isascii() and id.isdigit() and len(id) < 20 else None
