"""The observers of a client: listeners, callbacks, waiting tasks and the log, for its status and protocol errors.

The supervisor alone writes the status. The log has one line for each lost connection, failed attempt and end of a
client. What can repeat without end is logged once a minute. URLs are logged without their query, which may hold a
token, and a peer's text is escaped and cut.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..errors import CircleWsError, ConnectionLost, InvalidRequest, MessageTooLarge, NotConnected, RpcError
from ..status import TRANSITIONS, StatusChange
from ..status import ConnectionStatus as Status
from ..text import redact
from ..text import shown as shown_text
from ..transport.waiter import hold_back
from ..urls import shown
from . import clock
from .listener import Buffer, Listener
from .tasks import is_cancelled, start_task
from .wakeup import settle

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..errors import ProtocolError
    from ..stats import Counters
    from .loop_affinity import LoopAffinity

__all__ = ["Callbacks", "ConnectionLog", "ProtocolErrors", "StatusChanges", "StatusPublisher", "described"]

_callbacks_logger = logging.getLogger("circle_ws.callbacks")
_connection_logger = logging.getLogger("circle_ws.connection")
_protocol_logger = logging.getLogger("circle_ws.protocol")

MAX_BUFFERED_CHANGES = 256
"""Maximum number of status changes that are kept for a slow reader."""
MAX_RUNNING_CALLBACKS = 256
"""Maximum number of calls of async callbacks that run at the same time: a peer may cause them faster than they end."""
_MAX_WARNINGS = 5
"""Maximum number of protocol errors that one client logs as warnings: a peer that goes on must not fill the log."""
_INTERVAL = 60.0
"""Minimum time between two warnings of failed attempts, in seconds."""
_UNDECIDED = frozenset({Status.CONNECTING, Status.AUTHENTICATING, Status.WAITING})
"""In these it is not known yet how an attempt to connect ends."""
_NOT_WANTED = frozenset({Status.IDLE, Status.CLOSING, Status.CLOSED, Status.FAILED})
"""In these the client does not try to be connected."""

T = TypeVar("T")


class Callbacks(Generic[T]):
    """User callbacks, always invoked from a fresh iteration of the event loop; one that raises is logged.

    Each call runs in a fresh copy of the context in which the callback was added. An async callback runs in a task of
    its own, which is held until it ends.

    Args:
        what: What they are called for, for the log.
    """

    __slots__ = ("_functions", "_tasks", "_what")

    def __init__(self, what: str) -> None:
        self._what = what
        self._functions: dict[object, tuple[Callable[[T], object], Context]] = {}
        self._tasks: dict[asyncio.Task[None], None] = {}

    def __len__(self) -> int:
        return len(self._functions)

    def add(self, function: Callable[[T], object]) -> Callable[[], None]:
        """Call `function`, sync or async, from now on; returns a function that removes it.

        Raises:
            InvalidRequest: It is not callable.
        """
        if not callable(function):
            raise InvalidRequest(f"a {self._what} callback must be a function, sync or async, not {function!r}")
        token = object()
        self._functions[token] = function, copy_context()

        def remove() -> None:
            self._functions.pop(token, None)

        return remove

    def notify(self, value: T) -> None:
        """Schedule a call of every callback with `value`."""
        for token, (_, context) in list(self._functions.items()):
            # Never on the stack of the caller: a callback may do anything to the client.
            asyncio.get_running_loop().call_soon(self._call, token, value, context=context.copy())

    def _call(self, token: object, value: T) -> None:
        function, _ = self._functions.get(token, (None, None))
        if function is None:
            return
        try:
            outcome = function(value)
        except (Exception, asyncio.CancelledError):
            self._log_exception()
            return
        if not inspect.isawaitable(outcome):
            return
        if len(self._tasks) < MAX_RUNNING_CALLBACKS:
            # In the context of this call, which is a copy already.
            task = start_task(self._await(outcome))
            self._tasks[task] = None
            task.add_done_callback(self._tasks.pop)
        else:
            if inspect.iscoroutine(outcome):
                outcome.close()
            _callbacks_logger.warning(
                "%d calls of %s callbacks run already; one is left out", MAX_RUNNING_CALLBACKS, self._what
            )

    async def _await(self, outcome: Awaitable[Any]) -> None:
        try:
            await outcome
        except asyncio.CancelledError:
            if is_cancelled():
                raise
            self._log_exception()
        except Exception:
            self._log_exception()

    def _log_exception(self) -> None:
        _callbacks_logger.exception("a %s callback raised; the client goes on", self._what)


class ProtocolErrors:
    """Reports of what a peer got wrong: counted, logged, and passed to the user's callbacks.

    Args:
        counters: Where they are counted.
    """

    __slots__ = ("callbacks", "counters")

    def __init__(self, counters: Counters) -> None:
        self.counters: Counters = counters
        self.callbacks: Callbacks[ProtocolError] = Callbacks("protocol error")

    def report(self, error: ProtocolError) -> None:
        """Count, log and pass on; without the frames in which it was raised, which hold the whole message."""
        error.with_traceback(None)
        self.counters.protocol_errors += 1
        level = logging.WARNING if self.counters.protocol_errors <= _MAX_WARNINGS else logging.DEBUG
        # A message over our own limit is no fault of the peer's.
        what = "a message is refused" if isinstance(error, MessageTooLarge) else "the peer broke the protocol"
        _protocol_logger.log(level, "%s: %s", what, error, extra={"circle_error": type(error).__name__})
        self.callbacks.notify(error)


class StatusChanges(Listener[StatusChange]):
    """Iterator over the changes of status, the present one first; it ends after CLOSED."""

    __slots__ = ()

    @property
    def skipped(self) -> int:
        """How many changes a slow reader has missed."""
        return self.dropped


class StatusPublisher:
    """The status of one client, and the listeners, callbacks, waiting tasks and log that follow it.

    Args:
        url: The circle's, for the log.

    Attributes:
        last: The latest change.
        callbacks: The user's, called with each change.
        log: Writes what is worth a line.
    """

    __slots__ = ("_buffers", "_waiters", "callbacks", "last", "log")

    def __init__(self, url: str) -> None:
        self.log: ConnectionLog = ConnectionLog(url)
        self.last: StatusChange = StatusChange(Status.IDLE, Status.IDLE, clock.wall_time())
        self.callbacks: Callbacks[StatusChange] = Callbacks("status")
        # A dict, as one step takes a buffer out of it: a collector may do that between any two.
        self._buffers: dict[Buffer[Any], None] = {}
        self._waiters: list[asyncio.Future[None]] = []

    @property
    def status(self) -> Status:
        """The present status."""
        return self.last.status

    def set(
        self,
        status: Status,
        *,
        attempt: int = 0,
        retry_in: float | None = None,
        cause: BaseException | None = None,
    ) -> None:
        """Write a new status and publish it. Only the supervisor calls this."""
        previous = self.last.status
        if status not in TRANSITIONS[previous]:
            raise RuntimeError(f"{previous} -> {status} is not a legal transition; this is a fault of circle-ws")
        self.last = change = StatusChange(status, previous, clock.wall_time(), attempt, retry_in, cause)
        self.log.note(change)
        for buffer in list(self._buffers):
            buffer.put(change)
            if status is Status.CLOSED:
                buffer.end()
        if self.callbacks:
            self.callbacks.notify(change)
        if self._waiters and status not in _UNDECIDED:
            for waiter in self._waiters:
                settle(waiter)
            self._waiters.clear()
        hold_back()

    def changes(self, owner: object = None, affinity: LoopAffinity | None = None) -> StatusChanges:
        """Return an iterator over the changes, the present status first; the arguments are those of `Listener`."""
        buffer: Buffer[StatusChange] = Buffer(MAX_BUFFERED_CHANGES)
        last = self.last
        buffer.put(StatusChange(last.status, last.status, last.at, last.attempt, last.retry_in, last.cause))
        if last.status is Status.CLOSED:
            buffer.end()
        else:
            self._buffers[buffer] = None
        return StatusChanges(buffer, self, owner=owner, affinity=affinity)

    def remove(self, buffer: Buffer[Any]) -> None:
        """Publish to `buffer` no more; one that is not known is ignored."""
        self._buffers.pop(buffer, None)

    def drop(self, buffer: Buffer[Any]) -> None:
        """Publish to `buffer` no more; may be called in any thread."""
        self._buffers.pop(buffer, None)

    async def changed(self) -> None:
        """Return at the next change."""
        async with self.changes() as changes:
            # The first is the present status.
            await anext(changes)
            await anext(changes)

    async def settled(self) -> None:
        """Return at the next change to a status that an attempt to connect ends with."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)


class ConnectionLog:
    """The log of one client's connection.

    Args:
        url: The circle's.
        clock: A monotonic clock, in seconds.

    Attributes:
        url: The circle's; a function's, if there is one, as of the latest attempt.
    """

    __slots__ = ("_clock", "_next_warning", "_since", "url")

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.url: str = url
        self._clock = clock
        self._since: float | None = None
        """Time at which the connection was lost, or the first attempt failed; None while connected."""
        self._next_warning = clock()

    def note(self, change: StatusChange) -> None:
        """Log a change of status, as far as it is worth a line."""
        status = change.status
        if _connection_logger.isEnabledFor(logging.DEBUG):
            _connection_logger.debug("status %s -> %s", change.previous.value, status.value)
        if status is Status.WAITING:
            self._note_failure(change)
        elif status is Status.CONNECTED and self._since is not None:
            downtime = self._clock() - self._since
            self._log(logging.INFO, change, "%s: connected, after %.1f s without", shown(self.url), downtime)
            self._since = None
        elif status is Status.FAILED:
            words = "%s: the client gave up: %s; connect() starts it again"
            # That it was dropped, or its event loop ended, is the program's own doing, and warned of elsewhere.
            level = logging.INFO if isinstance(change.cause, NotConnected) else logging.ERROR
            self._log(level, change, words, shown(self.url), described(change.cause))
        if status in _NOT_WANTED:
            self._since = None

    def _note_failure(self, change: StatusChange) -> None:
        now = self._clock()
        if self._since is None:
            self._since = now
        url, cause, delay = shown(self.url), change.cause, change.retry_in or 0.0
        if change.previous is Status.CONNECTED:
            # A connection that `reconnect()` left was not lost.
            left = isinstance(cause, ConnectionLost) and cause.local and cause.code == 1000
            words = "%s: lost the connection: %s; the next attempt is in %.1f s"
            self._log(logging.INFO if left else logging.WARNING, change, words, url, described(cause), delay)
            return
        due = now >= self._next_warning
        if due:
            self._next_warning = now + _INTERVAL
        words = "%s: attempt %d to connect failed: %s; the next one is in %.1f s"
        level = logging.WARNING if due else logging.DEBUG
        self._log(level, change, words, url, change.attempt, described(cause), delay)

    def _log(self, level: int, change: StatusChange, words: str, *values: object) -> None:
        """Write one record, with what a structured log wants to find apart from the words."""
        if not _connection_logger.isEnabledFor(level):
            return
        extra = {
            "circle_url": shown(self.url),
            "circle_status": change.status.value,
            "circle_attempt": change.attempt,
            "circle_retry_in": change.retry_in,
            "circle_error": None if change.cause is None else type(change.cause).__name__,
        }
        _connection_logger.log(level, words, *values, extra=extra, stacklevel=2)


def described(cause: BaseException | None) -> str:
    """Return what went wrong on one line, without what may be a secret that the peer repeats."""
    # With its type, as the words of an error that is not ours may say little.
    text = str(cause) if isinstance(cause, CircleWsError) else f"{type(cause).__name__}: {cause}"
    return shown_text(redact(text) if _quotes_the_peer(cause) else text)


def _quotes_the_peer(cause: BaseException | None) -> bool:
    while cause is not None:
        if isinstance(cause, RpcError) or (isinstance(cause, ConnectionLost) and not cause.local):
            return True
        cause = cause.__cause__
    return False
