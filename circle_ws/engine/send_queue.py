"""The calls of one client over all its connections: queue, slots, re-sends and deadlines.

A call that was not written yet waits here for a slot or for a connection. One timer per client ends overdue calls: it
checks the few hundred that can be in flight, and the queue knows its earliest deadline. So a call needs no timer of its
own.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING

from ..errors import CallTimeout, ClientClosed, MessageTooLarge, OutcomeUnknown, QueueFull
from ..jsonrpc.pending import Pending
from .call_queue import CallQueue
from .pending_call import MAX_RETRIES, PendingCall
from .session import Session
from .wakeup import settle

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..config import ClientConfig
    from ..stats import Counters
    from .closing import Closing

__all__ = ["SendQueue"]

_MESSAGE_TOO_BIG = 1009
_EMPTY = CallQueue()
"""The shared queue of clients in which no call has waited yet, because an empty one takes 800 bytes."""


class SendQueue:
    """The calls in order: it passes them to the session, requeues or fails those of a lost one, and ends overdue ones.

    Args:
        config: The limits.
        counters: Counts what sessions write.
        closing: Closes the transports of sessions in the background.
        phase: Returns the phase of the client while nothing can be written, for the text of a timeout.

    Attributes:
        pending: The table of unanswered requests, which also gives each request its id.
    """

    __slots__ = (
        "_closed",
        "_closing",
        "_config",
        "_counters",
        "_drained",
        "_phase",
        "_queue",
        "_session",
        "_sweep_at",
        "_timer",
        "pending",
    )

    def __init__(
        self,
        config: ClientConfig,
        counters: Counters,
        closing: Closing,
        phase: Callable[[], str],
    ) -> None:
        self.pending: Pending[PendingCall] = Pending()
        self._config = config
        self._counters = counters
        self._closing = closing
        self._phase = phase
        self._closed = False
        self._queue = _EMPTY
        self._session: Session | None = None
        self._drained: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._sweep_at = inf

    # Sessions.

    def new_session(self) -> Session:
        """Return a session for a new connection, which gives back its unanswered calls here when it is lost."""
        return Session(
            self._config,
            self.pending,
            self._counters,
            self._closing,
            on_lost=self._take_back,
            on_room=self.flush,
        )

    def attach(self, session: Session) -> None:
        """Write calls to `session` from now on, starting with the waiting ones."""
        self._session = session
        self.flush()

    def _take_back(self, session: Session, unanswered: list[PendingCall]) -> None:
        """Requeue or fail the calls that have no reply from a lost connection."""
        if self._session is session:
            self._session = None
        loss = session.loss
        assert loss is not None
        unknown = OutcomeUnknown(
            f"{loss}; the request was written and may have run",
            code=loss.code,
            reason=loss.reason,
            local=loss.local,
        )
        unknown.__cause__ = loss.__cause__
        # The client's own calls first: the task that changes the status may wait for one of them.
        for call in unanswered:
            if call.internal:
                call.fail(unknown)
        users = [call for call in unanswered if not call.internal]
        if loss.code == _MESSAGE_TOO_BIG and not loss.local:
            _fail_the_largest(users)
        for call in users:
            if not self._requeue(call):
                call.fail(unknown)
        self.flush()

    def _requeue(self, call: PendingCall) -> bool:
        """Queue an in-flight idempotent call for the next connection; return whether it may be written again."""
        if not call.idempotent or call.retries == MAX_RETRIES or self._closed or call.future.done():
            return False
        call.retries += 1
        self._put_with_new_id(call)
        return True

    def retry_rejected(self, call: PendingCall) -> None:
        """Queue a call that the circle rejected with -32001, before calls that were not written yet."""
        call.rejected = True
        self._put_with_new_id(call)

    def _put_with_new_id(self, call: PendingCall) -> None:
        # A reply to the earlier writing may still arrive; a new id keeps it from answering this one.
        id = self.pending.new_id()
        call.text = call.text.replace(f'"id":{call.id},', f'"id":{id},', 1)
        call.id = id
        call.batch = None
        self._put(call)

    # Writing.

    def submit(self, call: PendingCall) -> None:
        """Write a new call, or queue it until there is a slot or a connection.

        Raises:
            QueueFull: Too many calls wait already.
        """
        session = self._session
        if session is None or self._queue.count or not session.has_room(call) or not session.write(call):
            self._enqueue(call)
        if call.deadline < self._sweep_at:
            self._sweep_then(call.deadline, call.future.get_loop())

    def _enqueue(self, call: PendingCall) -> None:
        config, queue = self._config, self._queue
        # A call that waits alone is never refused: with a connection it would be written at once.
        if queue.count and (
            queue.count + max(call.slots, 1) > config.max_queued or queue.size + call.size > config.max_queued_bytes
        ):
            raise QueueFull(
                f"{queue.count} calls ({queue.size} bytes) wait already, for a slot or for the connection; "
                "send fewer at once, or raise max_queued and max_queued_bytes with with_limits()"
            )
        self._put(call)

    def _put(self, call: PendingCall) -> None:
        if self._queue is _EMPTY:
            self._queue = CallQueue()
        self._queue.put(call)

    def flush(self) -> None:
        """Write waiting calls while there is room: a slot or the connection is new, or a call is gone."""
        queue = self._queue
        while self._session is not None and queue.count:
            call = queue.peek()
            if not self._session.has_room(call) and not call.future.done():
                break
            # Taken out of the queue before it is written: a reply or a loss may arrive within `write`.
            queue.pop()
            if not call.future.done() and not self._session.write(call):
                queue.put_back(call)
                break
        if self._drained is not None and self._idle():
            settle(self._drained)

    def forget(self, call: PendingCall) -> None:
        """Release a call whose caller is gone; its reply will be ignored."""
        if not self._queue.discard(call):
            for request in call.requests:
                self.pending.give_up(request.id)
        # Of those behind a call in the queue, a notification needs no slot, so it may have waited only because of it.
        self.flush()

    # Ending.

    def fail_queued(self, error: Exception) -> None:
        """Fail all waiting calls; those that were written before may have run, and fail with `OutcomeUnknown`."""
        while self._queue:
            call = self._queue.pop()
            call.fail(_unknown(error) if call.may_have_run else error)

    def close(self) -> None:
        """Fail waiting calls, and requeue nothing from now on: the client is being closed."""
        self._closed = True
        self.fail_queued(ClientClosed("the client was closed before the request was written; it has not run"))

    def stop(self) -> None:
        """Cancel the timer; no call is submitted any more."""
        self._sweep_at = inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def drained(self) -> asyncio.Future[None] | None:
        """Return a future for the end of the user's calls in flight, or of the connection; None if there are none."""
        self._drained = None if self._idle() else asyncio.get_running_loop().create_future()
        return self._drained

    def _idle(self) -> bool:
        if self._session is None:
            return True
        return not self._queue and all(call.internal for call in self.pending.entries.values())

    # Deadlines.

    def _sweep_then(self, time: float, loop: asyncio.AbstractEventLoop) -> None:
        self.stop()
        self._sweep_at = time
        # Not `call_at`, which in a page raises for a time in the past.
        self._timer = loop.call_later(max(time - loop.time(), 0), self._sweep, loop)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """End overdue calls, and set the timer for the next deadline."""
        self.stop()
        now = loop.time()
        waiting = self._queue.overdue(now)
        written = [call for call in self.pending.entries.values() if call.deadline <= now]
        for call in waiting:
            self._expire(call, written=False)
        for call in written:
            self._expire(call, written=True)
        # Released only now: a freed slot must not go to a call that is overdue too.
        for call in (*written, *waiting):
            self.forget(call)
        # Computed only now: calls that just got a slot are in flight.
        next_deadline = min((call.deadline for call in self.pending.entries.values()), default=inf)
        next_deadline = min(next_deadline, self._queue.next_deadline)
        if next_deadline < self._sweep_at:
            self._sweep_then(next_deadline, loop)

    def _expire(self, call: PendingCall, *, written: bool) -> None:
        connected = self._session is not None and not self._session.reauthenticating
        phase = "reply" if written else ("queue" if connected else self._phase())
        if written or call.may_have_run:
            ending = "it was written and may have run"
        elif call.rejected:
            ending = "it was refused, as the client was not signed in, and has not run"
        else:
            ending = "it was never written and has not run"
        call.fail(CallTimeout(f"{call.method!r} took longer than {call.timeout:g} s ({phase}); {ending}", phase=phase))


def _fail_the_largest(calls: list[PendingCall]) -> None:
    """Fail the call that was most likely too large, with its whole batch: it would end the next connection too."""
    if not calls:
        return
    largest = max(calls, key=lambda call: call.written_size)
    size = largest.written_size
    name = repr(largest.method) if largest.batch is None else largest.batch.method
    for call in (largest,) if largest.batch is None else largest.batch.requests:
        call.fail(
            MessageTooLarge(
                "the peer refused a message as too large (close code 1009); the largest unanswered request was "
                f"{name} with {size} bytes: send less, or raise the limit of the circle",
                size=size,
            )
        )


def _unknown(cause: Exception) -> OutcomeUnknown:
    # The text of `ClientClosed` says that the request was not written, which is wrong here.
    why = "the client was closed" if isinstance(cause, ClientClosed) else cause
    unknown = OutcomeUnknown(f"the request was written before and may have run; it was not written again: {why}")
    unknown.__cause__ = cause
    return unknown
