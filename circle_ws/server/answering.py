"""How one request, or one member of a batch, is answered: its method is found, run, and its response written."""

from __future__ import annotations

import asyncio
import inspect
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from ..errors import CircleWsError, RpcError
from ..jsonrpc import messages as envelope
from ..jsonrpc.codes import AUTHENTICATION_REQUIRED, INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND
from .concurrency import Room
from .entry import RESERVED, SIGN_IN, Entry, is_bound

if TYPE_CHECKING:
    from collections.abc import Callable

    from .batch import Answer
    from .connection import Connection
    from .rules import Rules

__all__ = ["Answering", "error_text"]

_logger = logging.getLogger("circle_ws.server")

_FORMS = {"named": "by name", "positional": "by position"}

MAX_RUNNING = 256
"""How many async methods of one client may run before its messages wait unread."""


class Answering:
    """Answer the requests of one client.

    Args:
        rules: The circle's.
        connection: The client's.
        bar: Is told, in words, why the client is not to go on.

    Attributes:
        connection: As the methods that are called now see it.
    """

    __slots__ = ("_entry", "_over", "_refused_params", "_room", "_rules", "_tasks", "connection")

    def __init__(self, rules: Rules, connection: Connection, bar: Callable[[str], object]) -> None:
        self._rules = rules
        self.connection = connection
        self._entry = Entry(rules, self._accept, bar)
        self._refused_params = rules.refused_params
        self._over = False
        self._room = Room(MAX_RUNNING)
        self._tasks: set[asyncio.Task[None]] = set()

    async def take(self, request: dict[str, Any], answer: Answer, *, alone: bool) -> None:
        """Run a request, or start to; returns when the next one may be read.

        Args:
            request: Its envelope is checked; without an id it is a notification.
            answer: Takes the response, or None for a notification.
            alone: Whether it is not a member of a batch.
        """
        try:
            outcome = self._start(request["method"], request.get("params"), alone)
        except (Exception, asyncio.CancelledError) as error:
            await answer(_failure(request, error))
            return
        if not inspect.isawaitable(outcome):
            await answer(_success(request, outcome))
            return
        task = asyncio.create_task(self._finish(request, outcome, answer))
        self._tasks.add(task)
        self._room.enter()
        task.add_done_callback(partial(self._ended, outcome))
        await self._room.wait_for_space()

    def end(self) -> None:
        """Cancel what runs: the client is gone."""
        self._over = True
        self._room.close()
        for task in self._tasks:
            # Once: a second time would interrupt what a method does about the first.
            if not task.cancelling():
                task.cancel()

    async def ended(self) -> None:
        """Return when nothing runs any more."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _accept(self, key: str) -> None:
        if self.connection.public_key not in (None, key):
            # Methods that run go on in the name of the key that called them.
            self.connection = self.connection.anew()
        self.connection.public_key = key

    def _start(self, name: str, params: Any, alone: bool) -> Any:
        if name in SIGN_IN and not alone:
            # The members of a batch may run in any order, and all of them were sent before anybody was signed in.
            raise RpcError(INVALID_REQUEST, f"invalid request: {name} is a message of its own, not part of a batch")
        if type(params) is self._refused_params and not is_bound(name, params):
            raise RpcError(INVALID_PARAMS, f"invalid params: this circle takes them {_FORMS[self._rules.params]} only")
        if name in RESERVED:
            return self._entry.call(name, params)
        if self.connection.public_key is None:
            raise RpcError(AUTHENTICATION_REQUIRED, "authentication required: sign in first")
        method = self._rules.methods.get(name)
        if method is None:
            raise RpcError(METHOD_NOT_FOUND, f"method not found: {name[:100]}")
        return method.call(params, self.connection)

    async def _finish(self, request: dict[str, Any], outcome: Any, answer: Answer) -> None:
        self._room.be_here()
        try:
            text = _success(request, await outcome)
        except Exception as error:
            text = _failure(request, error)
        except asyncio.CancelledError as error:
            # By `end`, or by whatever else cancelled the method, or something that it awaited: then its client waits.
            if self._over:
                raise
            await answer(_failure(request, error))
            if _is_cancelled():
                raise
            return
        await answer(text)

    def _ended(self, outcome: Any, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._room.leave()
        if inspect.iscoroutine(outcome):
            # One whose task was cancelled before its first step would be warned about as never awaited.
            outcome.close()
        if not task.cancelled() and (error := task.exception()) is not None:
            _logger.error("a response could not be sent", exc_info=error)


def error_text(id: Any, failure: RpcError) -> str:
    """Write an error response; what of it is no plain JSON is left out and logged."""
    try:
        return envelope.error(id, failure)
    except Exception as error:
        _logger.error("an error response cannot be written: %s", error)
    try:
        return envelope.error(id, RpcError(failure.code, failure.message))
    except CircleWsError:
        return envelope.error(id, RpcError(INTERNAL_ERROR, "internal error"))


def _success(request: dict[str, Any], result: Any) -> str | None:
    if "id" not in request:
        return None
    try:
        return envelope.result(request["id"], result)
    except Exception as error:
        # One line for the codec: where it gave up is of no use to the author of the method, whose class may raise too.
        fault = None if isinstance(error, CircleWsError) else error
        _logger.error("method %r gave a result that cannot be sent: %s", request["method"], error, exc_info=fault)
        words = f"internal error: the result of {request['method']} cannot be written as JSON"
        return error_text(request["id"], RpcError(INTERNAL_ERROR, words))


def _failure(request: dict[str, Any], error: BaseException) -> str | None:
    if not isinstance(error, RpcError) or not _is_well_formed(error):
        _logger.error("method %r raised", request["method"], exc_info=error)
        error = RpcError(INTERNAL_ERROR, "internal error")
    return error_text(request["id"], error) if "id" in request else None


def _is_well_formed(error: RpcError) -> bool:
    code: object = error.code
    message: object = error.message
    return isinstance(code, int) and not isinstance(code, bool) and isinstance(message, str)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
