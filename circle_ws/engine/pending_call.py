"""One request, one notification, or one batch of them, on its way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .wakeup import settle

if TYPE_CHECKING:
    import asyncio

__all__ = ["MOST_REWRITES", "PendingBatch", "PendingCall"]

MOST_REWRITES = 3
"""How often a call that may run twice is written again."""


class PendingCall:
    """Be one request, or one notification, on its way."""

    __slots__ = (
        "batch",
        "deadline",
        "future",
        "id",
        "limit",
        "method",
        "resent",
        "rewrites",
        "size",
        "slots",
        "text",
        "users",
    )

    def __init__(self, id: int | None, method: str, text: str, future: asyncio.Future[Any]) -> None:
        self.id = id
        """None for a notification, and for a batch, whose members have theirs."""
        self.slots = 0 if id is None else 1
        """How many replies it is owed once it is written."""
        self.batch: PendingBatch | None = None
        """Which it was written with, if any."""
        self.method = method
        self.text = text
        self.size = len(text) if text.isascii() else len(text.encode())
        """In bytes of UTF-8."""
        self.future = future
        self.deadline: float | None = None
        """On the event loop's clock."""
        self.limit: float | None = None
        """The time it was given, in seconds."""
        self.resent = False
        """Whether it was refused for want of a sign-in, and is sent once more."""
        self.rewrites: int | None = None
        """How often it may still be written again after a loss; None says that it may not."""
        self.users = True
        """Whether it is the user's; one of the client's own (sign-in, probe) is never sent again."""

    @property
    def rewritten(self) -> bool:
        """Whether it was written before, on a link that was lost."""
        return self.rewrites is not None and self.rewrites < MOST_REWRITES

    @property
    def requests(self) -> tuple[PendingCall, ...]:
        """What replies are owed to."""
        return (self,) if self.slots else ()

    @property
    def written_size(self) -> int:
        """The size of the message that it was written in, in bytes of UTF-8."""
        return self.size if self.batch is None else self.batch.size

    def give(self, limit: float, deadline: float) -> None:
        """Give it a time, in seconds, that ends at `deadline` on the event loop's clock."""
        self.limit = limit
        self.deadline = deadline

    def settle(self, result: Any) -> None:
        """Give the caller the result, unless it is gone."""
        settle(self.future, result)

    def fail(self, error: Exception) -> None:
        """Give the caller an error, unless it is gone."""
        if not self.future.done():
            try:
                self.future.set_exception(error)
            except RuntimeError:
                # Its event loop is closed, and the caller gone with it.
                if not self.future.get_loop().is_closed():
                    raise


class PendingBatch(PendingCall):
    """Be several calls that are written as one message (JSON-RPC 2.0 section 6).

    Its own future is done when it is written, or when it never will be. From then on each member is on its own: it is
    answered, fails, or is sent again by itself.
    """

    __slots__ = ("_members",)

    def __init__(self, members: list[PendingCall], future: asyncio.Future[Any]) -> None:
        text = f"[{','.join(member.text for member in members)}]"
        super().__init__(None, f"a batch of {len(members)}", text, future)
        self._members = tuple(member for member in members if member.id is not None)
        self.slots = len(self._members)
        for member in self._members:
            member.batch = self

    @property
    def requests(self) -> tuple[PendingCall, ...]:
        """What replies are owed to."""
        return self._members

    def give(self, limit: float, deadline: float) -> None:
        """Give it, and each member, a time."""
        super().give(limit, deadline)
        for member in self._members:
            member.give(limit, deadline)

    def fail(self, error: Exception) -> None:
        """Give every caller an error."""
        if not self._members:
            super().fail(error)
        settle(self.future)
        for member in self._members:
            member.fail(error)
