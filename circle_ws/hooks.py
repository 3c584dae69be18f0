"""What a program asks of the circle, as middleware sees it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import field
from typing import TYPE_CHECKING, Any, TypeAlias

from .frozen import dataclass

if TYPE_CHECKING:
    from .jsonrpc.messages import Params

__all__ = ["CallNext", "Middleware", "Request"]


@dataclass(frozen=True, slots=True)
class Request:
    """Be one call, or one batch of them.

    Attributes:
        method: The method's name; of a batch, the text `batch`.
        params: A list, a tuple, a dict or None, as they were given; of a batch, None. No `repr` shows them: they may be
            anything.
        idempotent: Whether it may run twice.
        notification: Whether it is not answered; only in a batch.
        batch: What a batch holds, in order; empty for a single call.
    """

    method: str
    params: Params = field(default=None, repr=False)
    idempotent: bool = False
    notification: bool = False
    batch: tuple[Request, ...] = ()


CallNext: TypeAlias = Callable[[Request], Awaitable[Any]]
"""Goes on to the next middleware, and at last to the circle. Called again, it makes another call."""

Middleware: TypeAlias = Callable[[Request, CallNext], Awaitable[Any]]
"""A user's async function around every call and every batch: `async (request, call_next) -> result`.

The result is plain JSON values; of a batch, a list that holds for each member a result, or an exception, or None where
it is a notification.
"""
