"""One client's session: reads its messages and answers its requests."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from ..errors import ProtocolError, RpcError
from ..jsonrpc import codec, messages
from ..jsonrpc.messages import (
    AUTHENTICATION_REQUIRED,
    INVALID_PARAMS,
    INVALID_REQUEST,
    LIMIT_EXCEEDED,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    Kind,
)
from ..jsonrpc.responder import BatchReply, ReplyRoom, Responder
from .concurrency import ConcurrencyLimit
from .connection import Connection
from .requests import Requests, fail
from .sign_in import RESERVED, SIGN_IN, SignIn, is_bound

if TYPE_CHECKING:
    from .base import Socket
    from .rules import Rules

__all__ = ["MAX_MALFORMED", "MAX_RUNNING", "ClientSession"]

_logger = logging.getLogger("circle_ws.server")

MAX_RUNNING = 256
"""Maximum number of running async methods of one client before its messages wait unread."""
MAX_MALFORMED = 5
"""Number of malformed members with which a batch is refused as a whole."""
_TURN = 16
"""Number of members of a batch that are taken before the other clients have their turn."""
_NOT_SIGNED_IN = 1008
"""The close code for clients that do not sign in: a violated policy (RFC 6455 section 7.4.1)."""
_REFUSED = {"named": (list, "by name"), "positional": (dict, "by position")}
"""By the form of params that a circle takes alone: the type that is refused, and the words for the other."""

_Reply: TypeAlias = Callable[[str | None], Awaitable[object]]
"""Sends the text of a reply; None means that there is no reply."""

_RESPONDER = Responder(_logger, unwritable="internal error: the result of {} cannot be written as JSON")


class ClientSession:
    """The circle's end of one client's connection.

    Args:
        rules: The circle's.
        socket: The client's.

    Attributes:
        connection: The connection as the next method will see it.
    """

    def __init__(self, rules: Rules, socket: Socket) -> None:
        self._rules = rules
        self._socket = socket
        self._requests = Requests(socket)
        self.connection: Connection = Connection(socket, self._requests)
        self._sign_in = SignIn(rules, self._accept, self._reject)
        self._limit = ConcurrencyLimit(MAX_RUNNING)
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_over = False
        most = rules.max_batch_reply_bytes
        self._room = ReplyRoom(most)
        words = f"the response is left out: those of your open batches are over {most} bytes together; it has run"
        self._left_out = RpcError(LIMIT_EXCEEDED, words)

    async def serve(self) -> None:
        """Read and answer messages until the connection and all its methods have ended."""
        self._socket.when_lost = self._end
        limit = self._rules.sign_in_timeout
        timer = None if limit is None else self._socket.loop.call_later(limit, self._reject_unless_signed_in, limit)
        try:
            while (message := await self._socket.next_message()) is not None:
                await self._take(message)
        finally:
            if timer is not None:
                timer.cancel()
            self._end()
            while self._tasks:
                await asyncio.wait(self._tasks)

    def _end(self) -> None:
        self._is_over = True
        self._limit.close()
        for task in self._tasks:
            # Once: a second time would interrupt what a method does about the first.
            if not task.cancelling():
                task.cancel()
        self._requests.end()

    def _accept(self, key: str) -> None:
        if self.connection.public_key in (None, key):
            self.connection.public_key = key
        else:
            # Running methods go on in the name of the key that called them.
            self.connection = Connection(self._socket, self._requests, key)

    def _reject_unless_signed_in(self, limit: float) -> None:
        if self.connection.public_key is None:
            self._reject(f"not signed in within {limit:g} s")

    def _reject(self, why: str) -> None:
        self._socket.drop(why, _NOT_SIGNED_IN)

    async def _reply(self, text: str | None) -> None:
        if text is not None:
            await self._socket.wait_until_read()
            self._socket.push(text.encode())

    async def _reply_in_batch(self, batch: BatchReply, id: Any, text: str | None) -> None:
        whole = batch.add(id, text)
        if whole is not None:
            try:
                await self._reply(whole)
            finally:
                batch.release()

    async def _take(self, message: str | bytes) -> None:
        # Invalid UTF-8 becomes lone surrogates, which the codec refuses as invalid JSON.
        text = message if isinstance(message, str) else message.decode(errors="surrogateescape")
        try:
            frame = codec.decode(text)
        except ProtocolError as error:
            is_reply = fail(self._requests.pending.take_undecoded(text), error)
            await self._reply(None if is_reply else _PARSE_ERROR)
            return
        if type(frame) is list:
            await self._take_batch(frame)
        else:
            await self._take_one(frame, self._kind_of(frame, alone=True), self._reply, alone=True)

    async def _take_batch(self, members: list[Any]) -> None:
        most = self._rules.max_batch
        if not members:
            error = ProtocolError("the client answered with an empty array")
            is_reply = fail(self._requests.pending.take_only_message(), error)
            await self._reply(None if is_reply else _invalid_request("a batch without members"))
        elif len(members) > most:
            await self._reply(_invalid_request(f"a batch has at most {most} members, not {len(members)}"))
        elif (kinds := self._kinds_of(members)) is None:
            await self._reply(_invalid_request(f"{MAX_MALFORMED} members of the batch are no requests; none was run"))
        else:
            batch = BatchReply(len(members), self._room, self._left_out)
            for number, (member, kind) in enumerate(zip(members, kinds, strict=True), 1):
                id = member.get("id") if type(member) is dict else None
                await self._take_one(member, kind, partial(self._reply_in_batch, batch, id), alone=False)
                if number % _TURN == 0:
                    await asyncio.sleep(0)

    def _kinds_of(self, members: list[Any]) -> list[Kind | str | None] | None:
        """Return the kind of every member, before the first is run; None as soon as too many are malformed."""
        malformed = 0
        kinds: list[Kind | str | None] = []
        for member in members:
            kinds.append(kind := self._kind_of(member, alone=len(members) == 1))
            malformed += isinstance(kind, str)
            if malformed == MAX_MALFORMED:
                return None
        return kinds

    def _kind_of(self, frame: Any, *, alone: bool) -> Kind | str | None:
        """Return the kind of a frame; of invalid JSON-RPC the error reply, or None if it ended a request of ours."""
        try:
            return messages.kind_of(frame)
        except ProtocolError as error:
            # A member of a batch that has no id may be the reply to any of our requests.
            may_be_reply = type(frame) is dict and "method" not in frame and (alone or frame.get("id") is not None)
            if may_be_reply and fail(self._requests.pending.take_broken(frame), error):
                return None
            return _invalid_request(str(error))

    async def _take_one(self, frame: Any, kind: Kind | str | None, reply: _Reply, *, alone: bool) -> None:
        if kind is Kind.REQUEST or kind is Kind.NOTIFICATION:
            await self._run(frame, reply, alone=alone)
        elif isinstance(kind, Kind):
            self._requests.settle(frame, kind)
            await reply(None)
        else:
            await reply(kind)

    async def _run(self, request: dict[str, Any], reply: _Reply, *, alone: bool) -> None:
        """Run a request or a notification, or start to; returns when the next message may be read."""
        try:
            outcome = self._start(request["method"], request.get("params"), alone)
        except (Exception, asyncio.CancelledError) as error:
            await reply(_failure(request, error))
            return
        if not inspect.isawaitable(outcome):
            await reply(_success(request, outcome))
            return
        task = asyncio.create_task(self._finish(request, outcome, reply))
        self._tasks.add(task)
        self._limit.enter()
        task.add_done_callback(partial(self._ended, outcome))
        await self._limit.wait_for_space()

    def _start(self, name: str, params: Any, alone: bool) -> Any:
        if name in SIGN_IN and not alone:
            # The members of a batch may run in any order, and all of them were sent before the sign-in.
            raise RpcError(INVALID_REQUEST, f"invalid request: {name} is a message of its own, not part of a batch")
        refused, form = _REFUSED.get(self._rules.params, (None, ""))
        if type(params) is refused and not is_bound(name, params):
            raise RpcError(INVALID_PARAMS, f"invalid params: this circle takes them {form} only")
        if name in RESERVED:
            return self._sign_in.call(name, params)
        if self.connection.public_key is None and self._rules.sign_in:
            raise RpcError(AUTHENTICATION_REQUIRED, "authentication required: sign in first")
        method = self._rules.methods.get(name)
        if method is None:
            raise RpcError(METHOD_NOT_FOUND, f"method not found: {name[:100]}")
        return method.call(params, self.connection)

    async def _finish(self, request: dict[str, Any], outcome: Any, reply: _Reply) -> None:
        self._limit.mark_task()
        try:
            text = _success(request, await outcome)
        except asyncio.CancelledError as error:
            # By `_end`, or something that the method awaited was cancelled: then the client still needs a reply.
            if self._is_over:
                raise
            await reply(_failure(request, error))
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
            return
        except Exception as error:
            text = _failure(request, error)
        await reply(text)

    def _ended(self, outcome: Any, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._limit.leave()
        if inspect.iscoroutine(outcome):
            # A task that was cancelled before its first step never awaits its coroutine, and Python would warn.
            outcome.close()
        if not task.cancelled() and (error := task.exception()) is not None:
            _logger.error("a response could not be sent", exc_info=error)


def _success(request: dict[str, Any], result: Any) -> str | None:
    return _RESPONDER.result(request, result) if "id" in request else None


def _failure(request: dict[str, Any], error: BaseException) -> str | None:
    # A notification's exception is logged too.
    text = _RESPONDER.failure(request, error)
    return text if "id" in request else None


_PARSE_ERROR = _RESPONDER.error(None, RpcError(PARSE_ERROR, "parse error: the message is not strict JSON"))


def _invalid_request(why: str) -> str:
    return _RESPONDER.error(None, RpcError(INVALID_REQUEST, f"invalid request: {why}"))
