"""One call on its way: a request, a notification, or a batch of them; and the factory that writes them."""

from __future__ import annotations

import math
from asyncio import get_running_loop
from enum import Enum
from typing import TYPE_CHECKING, Any

from ..errors import InvalidRequest, MessageTooLarge
from ..jsonrpc import messages
from ..jsonrpc.pending import Pending
from ..transport.waiter import new_waiter
from .wakeup import settle

if TYPE_CHECKING:
    import asyncio

    from ..config import ClientConfig
    from ..jsonrpc.messages import Params
    from .loop_affinity import LoopAffinity

__all__ = ["MAX_RETRIES", "CallFactory", "CallKind", "PendingBatch", "PendingCall"]

MAX_RETRIES = 3
"""Maximum number of times that an idempotent call is written again after a lost connection."""


class CallKind(Enum):
    """What a call is on the wire."""

    REQUEST = "request"
    NOTIFICATION = "notification"
    BATCH = "batch"


class PendingCall:
    """A request or a notification that is queued, or written and unanswered.

    Attributes:
        kind: What it is on the wire.
        id: The id of a request; a new one for each writing. 0 for what has none.
        method: The method's name, for errors.
        text: The message, as JSON.
        size: The size of `text` in bytes of UTF-8.
        future: What the caller waits on: the result of a request; of what has no reply, None once it is written.
        slots: How many replies it is owed once it is written.
        batch: The batch that it is written with; None for a message of its own.
        timeout: The time that the caller gave it, in seconds, for errors; None means no limit.
        deadline: When that is over, on the event loop's clock; infinity means never.
        idempotent: Whether it may run twice, so that it may be written again after a lost connection.
        retries: How often it was queued again because its connection was lost.
        rejected: Whether it was rejected with -32001, and is sent once more after re-authentication.
        internal: Whether it is the client's own (sign-in, setup, probe), past the queue, and never sent again.
    """

    __slots__ = (
        "batch",
        "deadline",
        "future",
        "id",
        "idempotent",
        "internal",
        "kind",
        "method",
        "rejected",
        "retries",
        "size",
        "slots",
        "text",
        "timeout",
    )

    def __init__(self, kind: CallKind, id: int, method: str, text: str, future: asyncio.Future[Any]) -> None:
        self.kind = kind
        self.id = id
        self.method = method
        self.text = text
        self.size = len(text) if text.isascii() else len(text.encode())
        self.future = future
        self.slots = 1 if kind is CallKind.REQUEST else 0
        self.batch: PendingBatch | None = None
        self.timeout: float | None = None
        self.deadline = math.inf
        self.idempotent = False
        self.retries = 0
        self.rejected = False
        self.internal = False

    @property
    def may_have_run(self) -> bool:
        """Whether it was written on a connection that was lost, before it was queued again."""
        return self.retries > 0

    @property
    def requests(self) -> tuple[PendingCall, ...]:
        """The requests in it: itself, or those of a batch."""
        return (self,) if self.slots else ()

    @property
    def written_size(self) -> int:
        """The size of the message that it was written in, in bytes of UTF-8."""
        return self.size if self.batch is None else self.batch.size

    def limit(self, timeout: float | None, deadline: float) -> None:
        """Set the time that it has; both arguments as the attributes."""
        self.timeout = timeout
        self.deadline = deadline

    def settle(self, result: Any = None) -> None:
        """Resolve the caller's future, unless it is done."""
        settle(self.future, result)

    def fail(self, error: Exception) -> None:
        """Fail the caller's future, unless it is done."""
        if not self.future.done():
            try:
                self.future.set_exception(error)
            except RuntimeError:
                # Its event loop is closed, and the caller gone with it.
                if not self.future.get_loop().is_closed():
                    raise


class PendingBatch(PendingCall):
    """Several calls that are written as one message (JSON-RPC 2.0 section 6).

    Its own future is done when it is written, or when it never will be. From then on each member is on its own: it is
    answered, fails, or is sent again by itself.
    """

    __slots__ = ("_requests",)

    def __init__(self, members: list[PendingCall], future: asyncio.Future[Any]) -> None:
        text = f"[{','.join(member.text for member in members)}]"
        super().__init__(CallKind.BATCH, 0, f"a batch of {len(members)}", text, future)
        self._requests = tuple(member for member in members if member.kind is CallKind.REQUEST)
        self.slots = len(self._requests)
        for request in self._requests:
            request.batch = self

    @property
    def requests(self) -> tuple[PendingCall, ...]:
        """Its members but the notifications, which have no reply."""
        return self._requests

    def limit(self, timeout: float | None, deadline: float) -> None:
        """Set the time that it and each of its members has."""
        super().limit(timeout, deadline)
        for request in self._requests:
            request.limit(timeout, deadline)

    def fail(self, error: Exception) -> None:
        """Fail the future of every request; its own only if there is none that could tell."""
        if not self._requests:
            super().fail(error)
        self.settle()
        for request in self._requests:
            request.fail(error)


class CallFactory:
    """Writes the calls of one client as JSON, and gives each request an id of its own.

    Args:
        config: The limits.
        affinity: The event loop that the client belongs to.

    Attributes:
        pending: The requests that are written and unanswered, on one connection after the other.
    """

    __slots__ = ("_affinity", "_max_in_flight", "_max_request_bytes", "pending")

    def __init__(self, config: ClientConfig, affinity: LoopAffinity) -> None:
        self._max_request_bytes = config.max_request_bytes
        self._max_in_flight = config.max_in_flight
        self._affinity = affinity
        self.pending: Pending[PendingCall] = Pending()

    def request(self, method: str, params: Params) -> PendingCall:
        """Return a new request.

        Raises:
            InvalidRequest: The params cannot be sent as JSON.
            MessageTooLarge: It is over `max_request_bytes`.
            RuntimeError: The client belongs to another event loop.
        """
        loop = get_running_loop()
        if loop is not self._affinity.loop:
            raise self._affinity.refusal()
        id = self.pending.new_id()
        call = PendingCall(CallKind.REQUEST, id, method, messages.request(id, method, params), new_waiter(loop))
        if self._max_request_bytes is not None and call.size > self._max_request_bytes:
            raise self._too_large(call, self._max_request_bytes)
        return call

    def notification(self, method: str, params: Params) -> PendingCall:
        """Return a new notification. The errors are those of `request`, but for the event loop."""
        call = PendingCall(CallKind.NOTIFICATION, 0, method, messages.notification(method, params), new_waiter())
        if self._max_request_bytes is not None and call.size > self._max_request_bytes:
            raise self._too_large(call, self._max_request_bytes)
        return call

    def batch(self, members: list[PendingCall]) -> PendingBatch:
        """Return one message of several calls.

        Raises:
            InvalidRequest: They need more slots than there are.
            MessageTooLarge: Together they are over `max_request_bytes`.
        """
        batch = PendingBatch(members, new_waiter())
        if batch.slots > self._max_in_flight:
            raise InvalidRequest(
                f"a batch of {batch.slots} calls can never be written, as max_in_flight is {self._max_in_flight}; "
                "make it smaller, or raise that with with_limits()"
            )
        if self._max_request_bytes is not None and batch.size > self._max_request_bytes:
            raise self._too_large(batch, self._max_request_bytes)
        return batch

    @staticmethod
    def _too_large(call: PendingCall, limit: int) -> MessageTooLarge:
        return MessageTooLarge(
            f"the request {call.method!r} has {call.size} bytes, over max_request_bytes ({limit}), which is what "
            "published circles take; send less, or raise it with with_limits()",
            size=call.size,
            limit=limit,
        )
