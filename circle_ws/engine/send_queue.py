"""The calls of a client, over all its connections: ids, the queue, the slots, the deadlines.

A call that was never written waits here for a slot or for the connection. One timer per client ends what is over its
time: it looks at the few hundred calls that can be in flight, and the queue knows which of its calls is due first, so a
call costs no timer of its own.
"""

from __future__ import annotations

import asyncio
from asyncio import get_running_loop
from typing import TYPE_CHECKING

from ..errors import CallTimeout, ClientClosed, InvalidRequest, MessageTooLarge, OutcomeUnknown, QueueFull
from ..jsonrpc import messages as envelope
from ..transport.waiter import new_waiter
from .call_queue import CallQueue
from .pending_call import PendingBatch, PendingCall
from .wakeup import settle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..config import ClientConfig
    from ..jsonrpc.messages import Params
    from ..transport import Transport
    from .loop_affinity import LoopAffinity
    from .session import Session

__all__ = ["SendQueue"]

_NOTHING = CallQueue()
"""The queue of every client that has had none yet, for an empty one takes 800 bytes."""


class SendQueue:
    """Take calls, hand them to the session in order, and end those whose time is over.

    Args:
        config: The limits.
        home: The event loop that calls are made on.
        phase: Tells what the client is doing while it is not connected, for the words of a timeout.
        say_goodbye: Closes a transport with the handshake, without waiting for it.
    """

    __slots__ = (
        "_closed",
        "_config",
        "_drained",
        "_affinity",
        "_next_id",
        "_paused",
        "_phase",
        "_queue",
        "_say_goodbye",
        "_session",
        "_sweep_at",
        "_timer",
    )

    def __init__(
        self,
        config: ClientConfig,
        affinity: LoopAffinity,
        phase: Callable[[], str],
        say_goodbye: Callable[[Transport, int, str], None],
    ) -> None:
        self._say_goodbye = say_goodbye
        self._config = config
        self._affinity = affinity
        self._phase = phase
        self._next_id = 0
        self._closed = False
        self._paused = False
        self._queue = _NOTHING
        self._session: Session | None = None
        self._drained: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._sweep_at = 0.0

    def request(self, method: str, params: Params) -> PendingCall:
        """Make a request with an id that no other call of this client has had.

        Raises:
            InvalidRequest: The params are not finite plain JSON with string keys.
            MessageTooLarge: It is over `max_request_bytes`.
            RuntimeError: The client belongs to another event loop.
        """
        loop = get_running_loop()
        if loop is not self._affinity.loop:
            raise self._affinity.refusal()
        self._next_id = id = self._next_id + 1
        return self._checked(PendingCall(id, method, envelope.request(id, method, params), new_waiter(loop)))

    def notification(self, method: str, params: Params) -> PendingCall:
        """Make a notification. The errors are those of `request`."""
        return self._checked(PendingCall(None, method, envelope.notification(method, params), new_waiter()))

    def batch(self, calls: list[PendingCall]) -> PendingBatch:
        """Make one message of several calls.

        Raises:
            InvalidRequest: They need more slots than there are.
            MessageTooLarge: Together they are over `max_request_bytes`.
        """
        batch = PendingBatch(calls, new_waiter())
        if batch.slots > self._config.max_in_flight:
            raise InvalidRequest(
                f"a batch of {batch.slots} calls can never be written, as max_in_flight is "
                f"{self._config.max_in_flight}; make it smaller, or raise that with with_limits()"
            )
        self._checked(batch)
        return batch

    def submit(self, call: PendingCall, limit: float | None, left: float | None) -> None:
        """Write the call, or let it wait for a slot or for the link.

        Args:
            call: A new one.
            limit: The time that the user gave it, in seconds; None means no limit.
            left: What is left of that, in seconds, where middleware has used some.

        Raises:
            QueueFull: Too many wait already.
        """
        session = self._session
        if (
            session is None
            or self._paused
            or self._queue.count
            or not session.has_room(call)
            or not session.write(call)
        ):
            self._enqueue(call)
        if limit is not None and left is not None:
            self._watch(call, limit, left)

    def forget(self, call: PendingCall) -> None:
        """Free what a call holds whose caller is gone; its reply will be ignored."""
        if self._queue.discard(call):
            # A notification needs no slot: it may have waited behind this call alone.
            self.flush()
        elif self._session is not None:
            for request in call.requests:
                self._session.forget(request.id)

    def attach(self, session: Session) -> None:
        """Let calls go out through `session` from now on, the waiting ones first."""
        self._session = session
        self._paused = False
        self.flush()

    def detach(self, session: Session) -> None:
        """Let calls wait from now on, if it is `session` that they went out through."""
        if self._session is session:
            self._session = None
            self._tell_drained()

    def pause(self) -> None:
        """Let calls wait, though the link stands, until `resume`."""
        self._paused = True

    def resume(self) -> None:
        """Write again."""
        self._paused = False
        self.flush()

    def send_again(self, call: PendingCall) -> None:
        """Let a call that the circle refused to run go out once more, before all that waits, with an id of its own."""
        self._readdress(call)
        call.resent = True
        self._put(call)

    def write_again(self, call: PendingCall) -> bool:
        """Let a call that was written and is unanswered go out on the next link, where its caller allows that.

        Returns:
            Whether it will.
        """
        if not call.rewrites or self._closed or call.future.done():
            return False
        call.rewrites -= 1
        self._readdress(call)
        self._put(call)
        return True

    def say_goodbye(self, transport: Transport, code: int, reason: str) -> None:
        """Close a transport with the handshake, without waiting for it."""
        self._say_goodbye(transport, code, reason)

    def knows(self, id: object) -> bool:
        """Tell whether a request ever had this id."""
        return type(id) is int and 0 < id <= self._next_id

    def slot_freed(self) -> None:
        """Learn that fewer calls are in flight."""
        if self._queue.count or self._drained is not None:
            self.flush()

    def flush(self) -> None:
        """Write what waits, as far as there is room."""
        queue = self._queue
        while self._session is not None and queue.count and not self._paused:
            call = queue.peek()
            if not self._session.has_room(call) and not call.future.done():
                break
            # Out of the queue before it is written: a reply, or a loss, may come back on this very stack.
            queue.pop()
            if not call.future.done() and not self._session.write(call):
                queue.put_back(call)
                break
        self._tell_drained()

    def fail_queued(self, error: Exception) -> None:
        """Fail everything that waits; what was written before may have run, and is told so."""
        while self._queue:
            call = self._queue.pop()
            call.fail(_unknown(error) if call.rewritten else error)

    def close(self) -> None:
        """Write nothing again from now on: the client is being closed."""
        self._closed = True
        self.fail_queued(ClientClosed("the client was closed before the request was written; it has not run"))

    def stop(self) -> None:
        """Let go of the timer; nothing is submitted any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def drained(self) -> None:
        """Return when nothing waits and no call of the user's is unanswered, or when there is no link any more."""
        if not self._idle():
            self._drained = asyncio.get_running_loop().create_future()
            await self._drained

    def _idle(self) -> bool:
        session = self._session
        return session is None or not (self._queue or any(call.users for call in session.in_flight.values()))

    def _tell_drained(self) -> None:
        if self._drained is not None and not self._drained.done() and self._idle():
            settle(self._drained)

    def _readdress(self, call: PendingCall) -> None:
        """Give a call a new id: one that was used before could be answered twice."""
        self._next_id += 1
        call.text = call.text.replace(f'"id":{call.id},', f'"id":{self._next_id},', 1)
        call.id = self._next_id
        call.batch = None

    def _checked(self, call: PendingCall) -> PendingCall:
        limit = self._config.max_request_bytes
        if limit is not None and call.size > limit:
            raise MessageTooLarge(
                f"the request {call.method!r} has {call.size} bytes, over max_request_bytes ({limit}), which is what "
                "published circles take; send less, or raise it with with_limits()",
                size=call.size,
                limit=limit,
            )
        return call

    def _enqueue(self, call: PendingCall) -> None:
        config, queue = self._config, self._queue
        # One that waits alone is never too much: it would be written at once if there were a connection.
        if queue.count and (
            queue.count + max(call.slots, 1) > config.max_queued or queue.size + call.size > config.max_queued_bytes
        ):
            raise QueueFull(
                f"{queue.count} calls ({queue.size} bytes) wait already, for a slot or for the connection; "
                "send fewer at once, or raise max_queued and max_queued_bytes with with_limits()"
            )
        self._put(call)

    def _put(self, call: PendingCall) -> None:
        if self._queue is _NOTHING:
            self._queue = CallQueue()
        self._queue.put(call)

    def _watch(self, call: PendingCall, limit: float, left: float) -> None:
        loop = call.future.get_loop()
        deadline = loop.time() + left
        call.give(limit, deadline)
        if self._queue.count and call in self._queue:
            self._queue.watch(call)
        if self._timer is None or deadline < self._sweep_at:
            self.stop()
            self._sweep_at = deadline
            self._timer = loop.call_later(max(left, 0), self._sweep, loop)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time()
        waiting = self._queue.overdue(now)
        written = [call for call in self._in_flight() if call.deadline is not None and call.deadline <= now]
        for call in waiting:
            self._expire(call, written=False)
        for call in written:
            self._expire(call, written=True)
        # Only now: a slot that is freed must not go to a call whose time is over too.
        for call in (*written, *waiting):
            self.forget(call)
        # And only now the next time: those that got a slot are in flight.
        deadlines = [call.deadline for call in self._in_flight() if call.deadline is not None]
        if self._queue.next_deadline is not None:
            deadlines.append(self._queue.next_deadline)
        if deadlines:
            self._sweep_at = min(deadlines)
            self._timer = loop.call_later(self._sweep_at - now, self._sweep, loop)

    def _in_flight(self) -> Iterable[PendingCall]:
        """Give the calls in flight."""
        return self._session.in_flight.values() if self._session is not None else ()

    def _expire(self, call: PendingCall, *, written: bool) -> None:
        connected = self._session is not None and not self._paused
        phase = "reply" if written else ("queue" if connected else self._phase())
        ending = (
            "it was written and may have run" if written or call.rewritten else f"{_unwritten(call)} and has not run"
        )
        call.fail(CallTimeout(f"{call.method!r} took longer than {call.limit:g} s ({phase}); {ending}", phase=phase))


def _unwritten(call: PendingCall) -> str:
    return "it was refused, as nobody was signed in," if call.resent else "it was never written"


def _unknown(cause: Exception) -> OutcomeUnknown:
    # The words of `ClientClosed` are those for a request that was never written.
    why = "the client was closed" if isinstance(cause, ClientClosed) else cause
    unknown = OutcomeUnknown(f"the request was written before and may have run; it was not written again: {why}")
    unknown.__cause__ = cause
    return unknown
