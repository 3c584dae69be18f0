"""What a program hands in: middleware with its requests, and the setup function of each connection."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from .jsonrpc.messages import Params

__all__ = ["CallNext", "Middleware", "Request", "Setup", "SetupSession"]


@dataclass(frozen=True, slots=True)
class Request:
    """One call, or one batch of calls, as middleware sees it.

    Attributes:
        method: The method's name; of a batch, the text `batch`.
        params: A list, a tuple, a dict, a dataclass, a Struct or None, as given; of a batch, None. No `repr` shows
            them: they may hold secrets.
        idempotent: Whether the call may run twice.
        notification: Whether it is a notification, which has no reply; only in a batch.
        batch: The members of a batch, in order; empty for a single call.
    """

    method: str
    params: Params = field(default=None, repr=False)
    idempotent: bool = False
    notification: bool = False
    batch: tuple[Request, ...] = ()


CallNext: TypeAlias = Callable[[Request], Awaitable[Any]]
"""Calls the next middleware, and after the last one the circle. Called again, it makes another call."""

Middleware: TypeAlias = Callable[[Request, CallNext], Awaitable[Any]]
"""A user's async function around every call and every batch: `async (request, call_next) -> result`.

The result is plain JSON values; of a batch, a list with a result or an exception for each member, None for a
notification.
"""


class SetupSession(Protocol):
    """A new connection as the setup function sees it: it calls the circle while the client's own calls still wait."""

    async def call(self, method: str, params: Params = None) -> Any:
        """Call a method and return its result, as plain JSON values; `open_timeout` limits the time.

        Raises:
            RpcError: The circle answered with an error.
            ConnectionLost: The connection was lost.
            InvalidRequest: The params cannot be sent as JSON.
            MessageTooLarge: The request is over `max_request_bytes`.
        """
        ...

    async def notify(self, method: str, params: Params = None) -> None:
        """Send a notification; return when it is written.

        Raises:
            ConnectionLost: The connection was lost.
            InvalidRequest: The params cannot be sent as JSON.
            MessageTooLarge: It is over `max_request_bytes`.
        """
        ...


Setup: TypeAlias = Callable[[SetupSession], Awaitable[object]]
"""A user's async function that runs after every sign-in, before queued calls are written."""
