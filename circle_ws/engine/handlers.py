"""Handlers: the program's functions that answer requests from the circle, each request in a task of its own."""

from __future__ import annotations

import asyncio
import inspect
import logging
import math
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, cast

from ..errors import InvalidRequest, RpcError
from ..jsonrpc import messages
from ..jsonrpc.messages import INVALID_REQUEST, LIMIT_EXCEEDED, METHOD_NOT_FOUND
from ..jsonrpc.responder import BatchReply, ReplyRoom, Responder
from .tasks import cancel_once, is_cancelled, start_task

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..jsonrpc.methods import Method

__all__ = ["Handlers"]

_logger = logging.getLogger("circle_ws.callbacks")

MAX_RUNNING = 256
"""Maximum number of requests that run at the same time; more are refused."""
MAX_BYTES = 16 * 1024 * 1024
"""Maximum weight of them together, as `weigh` counts it; one alone is always answered."""
_TOO_LARGE = RpcError(LIMIT_EXCEEDED, "the replies to this batch are too large together; ask for fewer at once")


class Handlers:
    """The registered functions that answer requests from the circle, and their running tasks.

    Args:
        max_reply_bytes: Maximum size of a reply, in bytes of UTF-8; `None` sets no limit.
    """

    __slots__ = ("_max_reply_bytes", "_methods", "_responder", "_running", "_weight")

    def __init__(self, max_reply_bytes: int | None) -> None:
        self._max_reply_bytes = max_reply_bytes
        self._responder = Responder(_logger, max_bytes=max_reply_bytes)
        self._methods: dict[str, tuple[Method, Context]] = {}
        # A dict, because an empty set takes three times the memory of an empty dict, in every client.
        self._running: dict[asyncio.Task[None], int] = {}
        """The running tasks, each with the weight of its request."""
        self._weight = 0

    def __len__(self) -> int:
        return len(self._methods)

    def add(self, name: str, function: Callable[..., Any]) -> Callable[[], None]:
        """Register the function that answers the method `name`; return a function that unregisters it.

        Raises:
            InvalidRequest: The name is not a text, the function is not callable, its parameters are unknown, JSON
                cannot be converted to one of its annotations, or the method has a handler already.
        """
        if type(name) is not str or not name:
            raise InvalidRequest(f"a method is named by a text that is not empty, not by {name!r}")
        if not callable(function):
            raise InvalidRequest(f"the method {name!r} is answered by a function, not by {function!r}")
        if name in self._methods:
            raise InvalidRequest(f"the method {name!r} is answered already; remove that handler first")
        # Imported here: most clients have no handlers.
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

    def take(self, request: dict[str, Any], reply: Callable[[str], None], weight: int = 0) -> None:
        """Run the handler of a request, or refuse the request.

        Args:
            request: A request with a checked envelope.
            reply: Called once, with the text of the reply.
            weight: Memory that the request takes, in bytes.
        """
        entry = self._methods.get(request["method"])
        if entry is None:
            words = "this client answers no such method" if self._methods else "this client answers no requests"
            refusal = RpcError(METHOD_NOT_FOUND, words)
        elif len(self._running) >= MAX_RUNNING:
            words = f"this client answers {MAX_RUNNING} requests already; try again later"
            refusal = RpcError(LIMIT_EXCEEDED, words)
        elif self._running and self._weight + weight > MAX_BYTES:
            words = f"this client answers requests of {self._weight} bytes already; try again later"
            refusal = RpcError(LIMIT_EXCEEDED, words)
        else:
            method, context = entry
            name = f"the handler of {request['method'][:100]!r}"
            task = start_task(self._answer(method, request, reply), context=context.copy(), name=name)
            self._running[task] = weight
            self._weight += weight
            task.add_done_callback(self.spare)
            return
        reply(self._responder.error(request["id"], refusal))

    def take_batch(self, requests: list[tuple[dict[str, Any], int]], reply: Callable[[str], None]) -> None:
        """Answer the requests of one batch with one reply; refuse the batch if the replies cannot fit.

        Args:
            requests: Requests as for `take`, each with its weight.
            reply: Called once, with the text of the one reply.
        """
        limit, count = self._max_reply_bytes, len(requests)
        # Reserved for each request until its reply is there, so that refusals never take the room of results.
        reserved = max(len(messages.error(request["id"], _TOO_LARGE).encode()) for request, _ in requests)
        room = ReplyRoom(math.inf if limit is None else limit - 1 - count * (reserved + 1))
        if room.left < 0:
            words = f"the replies to {count} requests are over this client's limit of {limit} bytes together"
            # Without an id and with this code, as for any batch that is refused as a whole.
            reply(self._responder.error(None, RpcError(INVALID_REQUEST, f"{words}; ask for fewer at once")))
            return
        batch = BatchReply(count, room, _TOO_LARGE, reserved=reserved)
        for request, weight in requests:

            def add(text: str, id: Any = request["id"]) -> None:
                if (whole := batch.add(id, text)) is not None:
                    reply(whole)

            self.take(request, add, weight)

    def spare(self, task: asyncio.Task[Any] | None) -> None:
        """Exempt a task from `cancel`: it has ended, or is a handler that closes the client."""
        self._weight -= self._running.pop(cast("asyncio.Task[None]", task), 0)

    def cancel(self) -> list[asyncio.Task[None]]:
        """Cancel the running handlers; return their tasks."""
        for task in self._running:
            cancel_once(task)
        return list(self._running)

    async def _answer(self, method: Method, request: dict[str, Any], reply: Callable[[str], None]) -> None:
        try:
            outcome = method.call(request.get("params"))
            if inspect.isawaitable(outcome):
                outcome = await outcome
        except asyncio.CancelledError as error:
            # Whatever was cancelled, the circle gets a reply, and a batch keeps its other replies.
            reply(self._responder.failure(request, error, is_cancelled=is_cancelled()))
            if is_cancelled():
                raise
        except Exception as error:
            reply(self._responder.failure(request, error))
        else:
            reply(self._responder.result(request, outcome))
