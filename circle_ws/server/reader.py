"""The reader of one client's messages: each is looked at, and given to what it is for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from websockets.exceptions import ConnectionClosed

from ..errors import ProtocolError, RpcError
from ..jsonrpc import codec as json
from ..jsonrpc import messages as envelope
from ..jsonrpc.codes import INVALID_REQUEST, PARSE_ERROR
from ..jsonrpc.messages import Kind
from .answering import Answering, error_text
from .batch import Batch, Waiting
from .connection import Connection
from .requests import Calls

if TYPE_CHECKING:
    from .batch import Answer
    from .rules import Rules
    from .socket import Link

__all__ = ["MAX_MALFORMED", "Reader"]

MAX_MALFORMED = 5
"""With so many malformed members a batch is refused as a whole."""

TURN = 16
"""After so many members of a batch the other clients have their turn."""

NOT_SIGNED_IN = 1008
"""The close code for clients that do not sign in: a violated policy (RFC 6455 section 7.4.1)."""


class Reader:
    """The circle's end of one client's connection, for as long as that lasts.

    Args:
        rules: The circle's.
        link: The client's socket.
    """

    __slots__ = ("_answering", "_calls", "_link", "_rules", "_waiting")

    def __init__(self, rules: Rules, link: Link) -> None:
        self._rules = rules
        self._link = link
        self._calls = Calls(link)
        self._waiting = Waiting(rules.max_batch_reply_bytes)
        self._answering = Answering(rules, Connection(link, self._calls), self._bar)

    @property
    def connection(self) -> Connection:
        """The connection as methods see it that are called now."""
        return self._answering.connection

    async def serve(self) -> None:
        """Read and answer until the client is gone."""
        self._link.when_lost = self._end
        limit = self._rules.sign_in_timeout
        timer = None if limit is None else self._link.loop.call_later(limit, self._bar_stranger, limit)
        try:
            async for message in self._link:
                await self._take(message)
        except ConnectionClosed:
            pass
        finally:
            if timer is not None:
                timer.cancel()
            self._end()
            await self._answering.ended()

    def _end(self) -> None:
        self._answering.end()
        self._calls.end()

    def _bar_stranger(self, limit: float) -> None:
        if self.connection.public_key is None:
            self._bar(f"not signed in within {limit:g} s")

    def _bar(self, why: str) -> None:
        self._link.drop(why, NOT_SIGNED_IN)

    async def _answer(self, text: str | None) -> None:
        if text is not None:
            await self._link.push_when_read(text)

    async def _take(self, message: str | bytes) -> None:
        # What is no UTF-8 is no JSON either: the codec says so of half a surrogate.
        text = message if isinstance(message, str) else message.decode(errors="surrogateescape")
        try:
            frame = json.decode(text)
        except ProtocolError as error:
            await self._answer(None if self._calls.settle_unreadable(text, error) else _PARSE_ERROR)
            return
        if type(frame) is list:
            await self._take_batch(frame)
        else:
            await self._take_one(frame, self._look_at(frame, alone=True), self._answer, alone=True)

    async def _take_batch(self, members: list[Any]) -> None:
        most = self._rules.max_batch
        if not members:
            error = ProtocolError("the client answered with an empty array")
            await self._answer(None if self._calls.settle_empty(error) else _invalid_request("a batch without members"))
        elif len(members) > most:
            await self._answer(_invalid_request(f"a batch has at most {most} members, not {len(members)}"))
        elif (found := self._look_at_all(members)) is None:
            await self._answer(_invalid_request(f"{MAX_MALFORMED} members of the batch are no requests; none was run"))
        else:
            batch = Batch(members, self._waiting, self._answer)
            for number, (member, kind) in enumerate(zip(members, found, strict=True), 1):
                await self._take_one(member, kind, batch.place(member), alone=False)
                if number % TURN == 0:
                    await asyncio.sleep(0)

    def _look_at_all(self, members: list[Any]) -> list[Kind | str | None] | None:
        """Look at every member before the first is run; None when too many are malformed."""
        malformed = 0
        found: list[Kind | str | None] = []
        for member in members:
            found.append(kind := self._look_at(member, alone=len(members) == 1))
            malformed += isinstance(kind, str)
            if malformed == MAX_MALFORMED:
                return None
        return found

    def _look_at(self, frame: Any, *, alone: bool) -> Kind | str | None:
        """Tell what a frame is; for what is no JSON-RPC its response, or None when it fails a call of ours."""
        try:
            return envelope.kind_of(frame)
        except ProtocolError as error:
            return None if self._calls.settle_broken(frame, error, alone=alone) else _invalid_request(str(error))

    async def _take_one(self, frame: Any, kind: Kind | str | None, answer: Answer, *, alone: bool) -> None:
        if kind is Kind.REQUEST or kind is Kind.NOTIFICATION:
            await self._answering.take(frame, answer, alone=alone)
        elif isinstance(kind, Kind):
            self._calls.settle(frame, kind)
            await answer(None)
        else:
            await answer(kind)


_PARSE_ERROR = error_text(None, RpcError(PARSE_ERROR, "parse error: the message is not strict JSON"))


def _invalid_request(why: str) -> str:
    return error_text(None, RpcError(INVALID_REQUEST, f"invalid request: {why}"))
