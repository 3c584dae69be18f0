"""The states of a client and the one table of legal transitions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

__all__ = ["TRANSITIONS", "ConnectionStatus", "StatusChange"]


class ConnectionStatus(Enum):
    """The status of a client."""

    IDLE = "idle"
    """Never started, or `connect()` was cancelled before it was ever connected."""
    CONNECTING = "connecting"
    """Opening the connection: TCP, TLS, the WebSocket handshake."""
    AUTHENTICATING = "authenticating"
    """Signing in."""
    CONNECTED = "connected"
    """Ready: signed in if there is a key."""
    WAITING = "waiting"
    """Waiting for the next attempt."""
    FAILED = "failed"
    """Gave up; `connect()` starts the client again."""
    CLOSING = "closing"
    """`close()` was called; calls in flight may still end."""
    CLOSED = "closed"
    """Closed; final."""


_S = ConnectionStatus

TRANSITIONS: dict[ConnectionStatus, frozenset[ConnectionStatus]] = {
    _S.IDLE: frozenset({_S.CONNECTING, _S.CLOSED}),
    _S.CONNECTING: frozenset({_S.AUTHENTICATING, _S.CONNECTED, _S.WAITING, _S.FAILED, _S.IDLE, _S.CLOSING}),
    _S.AUTHENTICATING: frozenset({_S.CONNECTED, _S.WAITING, _S.FAILED, _S.IDLE, _S.CLOSING}),
    _S.CONNECTED: frozenset({_S.WAITING, _S.FAILED, _S.CLOSING}),
    _S.WAITING: frozenset({_S.CONNECTING, _S.FAILED, _S.IDLE, _S.CLOSING}),
    _S.FAILED: frozenset({_S.CONNECTING, _S.CLOSED}),
    _S.CLOSING: frozenset({_S.CLOSED}),
    _S.CLOSED: frozenset(),
}
"""For each status, the ones that may follow."""


@dataclass(frozen=True, slots=True)
class StatusChange:
    """One change of status.

    Attributes:
        status: The new status.
        previous: The status before; the same as `status` in the first item of `status_changes()`.
        at: The time, in seconds since 1970 (Unix time).
        attempt: Number of attempts to connect since the client was last connected.
        retry_in: With WAITING, the seconds until the next attempt; else None.
        cause: The reason for the change, or None. With AUTHENTICATING: the reason why the sign-in has to wait, if a key
            in a page has signed too often.
    """

    status: ConnectionStatus
    previous: ConnectionStatus
    at: float
    attempt: int = 0
    retry_in: float | None = None
    cause: BaseException | None = None
