"""Requests that the circle sends: functions of the user's answer them, each in a task of its own."""

from __future__ import annotations

import asyncio
import inspect
import logging
import math
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any

from ..errors import InvalidRequest, MessageTooLarge, RpcError
from ..jsonrpc import codec as json
from ..jsonrpc import messages as envelope
from ..jsonrpc.codes import INTERNAL_ERROR, INVALID_REQUEST, LIMIT_EXCEEDED, METHOD_NOT_FOUND
from .tasks import cancel_once, is_cancelled, start_task

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..jsonrpc.methods import Method

__all__ = ["BatchReply", "Handlers"]

_logger = logging.getLogger("circle_ws")

MOST_RUNNING = 256
"""How many requests are answered at the same time; one more is refused."""
MOST_BYTES = 16 * 1024 * 1024
"""How large they may be together, as the buffers of notifications count it; one alone is always answered."""
_TOO_LARGE = RpcError(LIMIT_EXCEEDED, "the replies to this batch are too large together; ask for fewer at once")


class Handlers:
    """Answer requests.

    Args:
        max_reply_bytes: The largest reply, in bytes of UTF-8; None means no limit.
    """

    __slots__ = ("_methods", "_running", "_weight", "max_reply_bytes")

    def __init__(self, max_reply_bytes: int | None) -> None:
        self.max_reply_bytes = max_reply_bytes
        """The largest reply, in bytes of UTF-8; None means no limit."""
        self._methods: dict[str, tuple[Method, Context]] = {}
        # A dict, because an empty set takes three times its memory in every client that is asked nothing.
        self._running: dict[asyncio.Task[None], int] = {}
        """The tasks that answer, each with the weight of its request."""
        self._weight = 0

    def __len__(self) -> int:
        return len(self._methods)

    def add(self, name: str, function: Callable[..., Any]) -> Callable[[], None]:
        """Have `function` answer the method `name`; gives a function that ends it.

        Raises:
            InvalidRequest: The name is no text, the function is none, its parameters cannot be known, no value can be
                converted to an annotation of theirs, or the method is answered already.
        """
        if type(name) is not str or not name:
            raise InvalidRequest(f"a method is named by a text that is not empty, not by {name!r}")
        if not callable(function):
            raise InvalidRequest(f"the method {name!r} is answered by a function, not by {function!r}")
        if name in self._methods:
            raise InvalidRequest(f"the method {name!r} is answered already; remove that handler first")
        # Most clients answer nothing.
        from ..jsonrpc.methods import Method

        try:
            method = Method(function)
        except InvalidRequest as error:
            raise InvalidRequest(f"the method {name!r}: {error}") from None
        self._methods[name] = entry = method, copy_context()

        def remove() -> None:
            if self._methods.get(name) is entry:
                del self._methods[name]

        return remove

    def take(self, frame: dict[str, Any], reply: Callable[[str], None], weight: int = 0) -> None:
        """Answer a request, now or later.

        Args:
            frame: The checked request.
            reply: Is called once, with the reply's text.
            weight: How much memory the request takes, in bytes.
        """
        entry = self._methods.get(frame["method"])
        if entry is None:
            words = "this client answers no such method" if self._methods else "this client answers no requests"
            reply(envelope.error(frame["id"], RpcError(METHOD_NOT_FOUND, words)))
        elif len(self._running) >= MOST_RUNNING:
            error = RpcError(LIMIT_EXCEEDED, f"this client answers {MOST_RUNNING} requests already; try again later")
            reply(envelope.error(frame["id"], error))
        elif self._running and self._weight + weight > MOST_BYTES:
            words = f"this client answers requests of {self._weight} bytes already; try again later"
            reply(envelope.error(frame["id"], RpcError(LIMIT_EXCEEDED, words)))
        else:
            method, context = entry
            name = f"the handler of {frame['method'][:100]!r}"
            task = start_task(self._answer(method, frame, reply), context=context.copy(), name=name)
            self._running[task] = weight
            self._weight += weight
            task.add_done_callback(self.spare)

    def spare(self, task: asyncio.Task[Any] | None) -> None:
        """Leave this task alone in `cancel`: it has ended, or is one of ours that closes the client."""
        if task is not None:
            self._weight -= self._running.pop(task, 0)

    def cancel(self) -> list[asyncio.Task[None]]:
        """Cancel what runs; gives the tasks."""
        for task in self._running:
            cancel_once(task)
        return list(self._running)

    async def _answer(self, method: Method, frame: dict[str, Any], reply: Callable[[str], None]) -> None:
        try:
            outcome = method.call(frame.get("params"))
            if inspect.isawaitable(outcome):
                outcome = await outcome
            text = self._checked(envelope.result(frame["id"], outcome))
        except RpcError as error:
            text = self._error(frame["id"], error)
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and is_cancelled():
                # The circle must not wait, nor a batch lose its other replies, whoever it was that cancelled it.
                reply(self._error(frame["id"], RpcError(INTERNAL_ERROR, "internal error")))
                raise
            # What went wrong here is not the circle's to know; a cancellation may be that of something it awaited.
            _logger.exception("the handler of %r raised", frame["method"])
            text = self._error(frame["id"], RpcError(INTERNAL_ERROR, "internal error"))
        reply(text)

    def _error(self, id: Any, error: RpcError) -> str:
        try:
            return self._checked(envelope.error(id, error))
        except (InvalidRequest, MessageTooLarge):
            _logger.exception("the data of an error cannot be sent")
            return envelope.error(id, RpcError(error.code, error.message[:200]))

    def _checked(self, text: str) -> str:
        size, limit = len(text.encode()), self.max_reply_bytes
        if limit is not None and size > limit:
            raise MessageTooLarge(
                f"a reply to the circle has {size} bytes, over max_request_bytes ({limit})", size=size, limit=limit
            )
        return text


class BatchReply:
    """Collect the replies to a batch, and send them as one.

    Args:
        requests: What is replied to.
        send: Is called once, with all of them.
        limit: The largest reply, in bytes of UTF-8; what would make it larger is replaced by errors. None: no limit.
    """

    __slots__ = ("_count", "_each", "_left", "_limit", "_send", "_texts")

    def __init__(self, requests: list[dict[str, Any]], send: Callable[[str], None], limit: int | None = None) -> None:
        self._count = len(requests)
        self._send = send
        self._limit = limit
        # Kept free for each until its reply is there, so that refusals leave the results of what was run their room.
        self._each = max(len(envelope.error(request["id"], _TOO_LARGE).encode()) for request in requests)
        self._left = math.inf if limit is None else limit - 1 - self._count * (self._each + 1)
        """How much is free beyond what is kept for each, the brackets and the commas."""
        self._texts: list[str] = []

    def accept(self) -> bool:
        """Return whether there is room for a reply to each; if not, refuse all at once, before anything is run."""
        if self._left >= 0:
            return True
        words = f"the replies to {self._count} requests are over this client's limit of {self._limit} bytes together"
        # Without an id, and so with this code: as for any batch that is refused as a whole.
        self._send(envelope.error(None, RpcError(INVALID_REQUEST, f"{words}; ask for fewer at once")))
        return False

    def add(self, text: str) -> None:
        """Add one reply."""
        size = len(text.encode())
        if size > self._left + self._each:
            # They wait for the slowest one: without this, many batches would hold as many times the largest reply.
            text = envelope.error(json.decode(text)["id"], _TOO_LARGE)
            size = len(text.encode())
        self._left += self._each - size
        self._texts.append(text)
        if len(self._texts) == self._count:
            self._send(f"[{','.join(self._texts)}]")
