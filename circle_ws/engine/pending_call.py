"""One pending call: a request, a notification, or a batch of them."""

from __future__ import annotations

import math
from enum import Enum
from typing import TYPE_CHECKING, Any

from ..errors import MessageTooLarge
from ..transport.waiter import new_waiter
from .wakeup import settle

if TYPE_CHECKING:
    import asyncio

__all__ = ["MAX_RETRIES", "CallKind", "PendingBatch", "PendingCall"]

MAX_RETRIES = 3
"""Maximum number of times that an idempotent call is written again after a lost connection."""


class CallKind(Enum):
    """The kind of a call on the wire."""

    REQUEST = "request"
    NOTIFICATION = "notification"
    BATCH = "batch"


class PendingCall:
    """A request or a notification that is queued, or written and unanswered.

    Args:
        kind: The kind on the wire.
        id: The id of a request; 0 for the other kinds.
        method: The method's name, for errors.
        text: The message, as JSON.
        max_bytes: Maximum size of a message, in bytes of UTF-8; None means no limit.

    Raises:
        MessageTooLarge: It is over `max_bytes`.

    Attributes:
        id: A new one for each writing.
        size: The size of `text` in bytes of UTF-8.
        future: The result of a request; without a reply, None once it is written.
        slots: The number of replies that it will get.
        batch: The batch that it is written in; None for a message of its own.
        timeout: The caller's timeout, in seconds, for errors; None means no limit.
        deadline: The deadline, on the event loop's clock; infinity means never.
        idempotent: Whether it may run twice, so that it may be written again after a lost connection.
        retries: How often it was requeued after a lost connection.
        rejected: Whether it was rejected with -32001, and is sent once more after re-authentication.
        internal: Whether it is the client's own (sign-in, setup, probe): it bypasses the queue and is never sent again.
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

    def __init__(self, kind: CallKind, id: int, method: str, text: str, max_bytes: int | None) -> None:
        self.kind: CallKind = kind
        self.id: int = id
        self.method: str = method
        self.text: str = text
        size = len(text) if text.isascii() else len(text.encode())
        self.size: int = size
        if max_bytes is not None and size > max_bytes:
            raise MessageTooLarge(
                f"the request {method!r} has {size} bytes, over max_request_bytes ({max_bytes}), which is what "
                "published circles take; send less, or raise it with with_limits()",
                size=size,
                limit=max_bytes,
            )
        self.future: asyncio.Future[Any] = new_waiter()
        self.slots = 1 if kind is CallKind.REQUEST else 0
        self.batch: PendingBatch | None = None
        self.timeout: float | None = None
        self.deadline: float = math.inf
        self.idempotent: bool = False
        self.retries: int = 0
        self.rejected: bool = False
        self.internal: bool = False

    @property
    def may_have_run(self) -> bool:
        """Whether it was written on a connection that was lost, before it was requeued."""
        return self.retries > 0

    @property
    def requests(self) -> tuple[PendingCall, ...]:
        """The requests that it consists of: itself, or the requests of a batch."""
        return (self,) if self.slots else ()

    @property
    def written_size(self) -> int:
        """The size of the message in which it was written, in bytes of UTF-8."""
        return self.size if self.batch is None else self.batch.size

    def limit(self, timeout: float | None, deadline: float) -> None:
        """Set timeout and deadline, as in the attributes."""
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
                # The event loop is closed, so the caller is gone.
                if not self.future.get_loop().is_closed():
                    raise


class PendingBatch(PendingCall):
    """Several calls that are written as one message (JSON-RPC 2.0 section 6).

    Its own future is done when it is written, or when it never will be. From then on each member is on its own: it is
    answered, fails, or is sent again by itself.

    Args:
        members: The calls and notifications in it.
        max_bytes: As for a single call.

    Raises:
        MessageTooLarge: The message is over `max_bytes`.
    """

    __slots__ = ("_requests",)

    def __init__(self, members: list[PendingCall], max_bytes: int | None) -> None:
        text = f"[{','.join(member.text for member in members)}]"
        super().__init__(CallKind.BATCH, 0, f"a batch of {len(members)}", text, max_bytes)
        self._requests = tuple(member for member in members if member.kind is CallKind.REQUEST)
        self.slots: int = len(self._requests)
        for request in self._requests:
            request.batch = self

    @property
    def requests(self) -> tuple[PendingCall, ...]:
        """Its members without the notifications, which have no reply."""
        return self._requests

    def limit(self, timeout: float | None, deadline: float) -> None:
        """Set timeout and deadline of the batch and of each member."""
        super().limit(timeout, deadline)
        for request in self._requests:
            request.limit(timeout, deadline)

    def fail(self, error: Exception) -> None:
        """Fail the future of every request; the batch's own only if it has no requests."""
        if not self._requests:
            super().fail(error)
        self.settle()
        for request in self._requests:
            request.fail(error)
