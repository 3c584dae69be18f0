"""What a client tells the log, unasked: lost connections, failed attempts, its end.

Each is one line of the logger `circle_ws`. What can repeat without end is told once a minute. URLs stand there without
their query, which may hold a token, and a peer's text is escaped and cut.
"""

from __future__ import annotations

import logging
from time import monotonic
from typing import TYPE_CHECKING

from ..errors import CircleWsError, ConnectionLost, NotConnected, RpcError
from ..status import ConnectionStatus as Status
from ..text import redact
from ..text import shown as shown_text
from ..urls import shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..status import StatusChange

__all__ = ["ConnectionLog"]

_logger = logging.getLogger("circle_ws")

_INTERVAL = 60.0
"""So often, in seconds, at most, is told what can repeat."""
_NEITHER_NOR = frozenset({Status.IDLE, Status.CLOSING, Status.CLOSED, Status.FAILED})


class ConnectionLog:
    """The log of one client's connection.

    Args:
        url: The circle's.
        clock: Gives the time in seconds; it is never put back.
    """

    __slots__ = ("_clock", "_next_attempt", "_since", "_url")

    def __init__(self, url: str, clock: Callable[[], float] = monotonic) -> None:
        self._url = url
        self._clock = clock
        self._since: float | None = None
        """Since when a connection is wanted and there is none; None where nothing went wrong."""
        self._next_attempt = clock()

    def note(self, change: StatusChange) -> None:
        """Tell of a change of status what is to be told."""
        status = change.status
        if _logger.isEnabledFor(logging.DEBUG):
            _logger.debug("status %s -> %s", change.previous.value, status.value)
        if status is Status.WAITING:
            self._note_trouble(change)
        elif status is Status.CONNECTED:
            self._note_recovery()
        elif status is Status.FAILED:
            words = "%s: the client gave up: %s; connect() starts it anew"
            # That it was dropped, or its event loop ended, is the program's own doing, and warned of elsewhere.
            level = logging.INFO if isinstance(change.cause, NotConnected) else logging.ERROR
            _logger.log(level, words, shown(self._url), _described(change.cause))
        if status in _NEITHER_NOR:
            self._since = None

    def _note_trouble(self, change: StatusChange) -> None:
        now = self._clock()
        if self._since is None:
            self._since = now
        cause, delay = change.cause, change.retry_in or 0.0
        if change.previous is Status.CONNECTED:
            # A connection that was left by `reconnect()` is none that was lost.
            wanted = isinstance(cause, ConnectionLost) and cause.local and cause.code == 1000
            words = "%s: lost the connection: %s; the next attempt is in %.1f s"
            _logger.log(logging.INFO if wanted else logging.WARNING, words, shown(self._url), _described(cause), delay)
            return
        due = now >= self._next_attempt
        if due:
            self._next_attempt = now + _INTERVAL
        words = "%s: attempt %d to connect failed: %s; the next one is in %.1f s"
        _logger.log(
            logging.WARNING if due else logging.DEBUG,
            words,
            shown(self._url),
            change.attempt,
            _described(cause),
            delay,
        )

    def _note_recovery(self) -> None:
        if self._since is not None:
            _logger.info("%s: connected, after %.1f s without", shown(self._url), self._clock() - self._since)
            self._since = None


def _described(cause: BaseException | None) -> str:
    """Write what went wrong on one line, without what may be a secret that the peer repeats."""
    # With its type, as the words of an error that is not ours may say little.
    text = str(cause) if isinstance(cause, CircleWsError) else f"{type(cause).__name__}: {cause}"
    return shown_text(redact(text) if _quotes_the_peer(cause) else text)


def _quotes_the_peer(cause: BaseException | None) -> bool:
    while cause is not None:
        if isinstance(cause, RpcError) or (isinstance(cause, ConnectionLost) and not cause.local):
            return True
        cause = cause.__cause__
    return False
