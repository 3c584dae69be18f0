"""One request, or one notification, on its way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

__all__ = ["MOST_REWRITES", "Call", "settle"]

MOST_REWRITES = 3
"""How often a call that may run twice is written again."""


class Call:
    """Be one request, or one notification, on its way."""

    __slots__ = ("deadline", "future", "id", "limit", "method", "resent", "rewrites", "size", "text", "users")

    def __init__(self, id: int | None, method: str, text: str, future: asyncio.Future[Any]) -> None:
        self.id = id
        """None for a notification."""
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

    def settle(self, result: Any) -> None:
        """Give the caller the result, unless it is gone."""
        settle(self.future, result)

    def fail(self, error: Exception) -> None:
        """Give the caller an error, unless it is gone."""
        if not self.future.done():
            self.future.set_exception(error)


def settle(future: asyncio.Future[Any], result: Any = None) -> None:
    """Resolve a future that may be done already."""
    if not future.done():
        future.set_result(result)
