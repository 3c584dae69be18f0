"""One connection: what is written to it, the calls that wait for a reply on it, and its end."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, cast

from ..errors import ConnectionLost, MessageTooLarge, OutcomeUnknown, ProtocolError, RpcError
from ..text import Hidden, redacted
from .closing import cut
from .renewal import Renewal
from .tasks import cancel_once, is_cancelled, start_task
from .wakeup import Wakeup

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..jsonrpc.messages import Params
    from ..stats import Counters
    from ..transport import Transport
    from .owner import Owner
    from .pending_call import PendingCall

__all__ = ["Session"]

_logger = logging.getLogger("circle_ws")

_MESSAGE_TOO_BIG = 1009
_HIGH_WATER = 256 * 1024
"""Bytes on their way from which on calls wait for the peer to read."""
MOST_HELD_REQUESTS = 256
"""How many requests of the peer's are kept until the sign-in is over."""
MOST_HELD_BYTES = 1024 * 1024
"""How large they may be together, in bytes of UTF-8."""
MOST_UNREAD_ANSWERS = 16 * 1024 * 1024
"""Bytes of answers that may wait for a peer that asks and does not read: 256 at a time of the largest default size."""
_TRY_AGAIN_LATER = 1013


class Session:
    """Write to one transport, and know which calls wait for a reply on it.

    Args:
        owner: Makes requests, and is told when a slot is free or the link is down.
        counters: What is written is counted there.
        max_in_flight: How many calls may be written and unanswered.
    """

    __slots__ = (
        "_congestion",
        "_counters",
        "_held",
        "_held_bytes",
        "_held_count",
        "_max_in_flight",
        "_notified_before",
        "_owner",
        "_refusal",
        "_transport",
        "_unread_answers",
        "wakeup",
        "answered",
        "doubted",
        "forgot",
        "in_flight",
        "leaving",
        "loss",
        "notified",
        "renewal",
        "secrets",
        "set_up",
        "signing_in",
        "takes_requests",
    )

    def __init__(self, owner: Owner, counters: Counters, max_in_flight: int) -> None:
        self._owner = owner
        self._counters = counters
        self._max_in_flight = max_in_flight
        self._transport: Transport | None = None
        self._congestion: asyncio.Task[None] | None = None
        self._refusal: ConnectionLost | None = None
        """What the transport took nothing more with."""
        self._unread_answers = 0
        """Bytes of answers that were written since the peer last kept up."""
        self.wakeup = Wakeup()
        """Ends the wait of whoever serves the link when there is something to do."""
        self.in_flight: dict[int, PendingCall] = {}
        """The calls that are written and unanswered, by id."""
        self.loss: ConnectionLost | None = None
        """How the link went down, or None."""
        self.leaving = False
        """Whether this side closes the link with the handshake, or will as soon as it is open."""
        self.notified = False
        """Whether something was written since the last reply whose failure nobody waits for: a notification, an answer
        to a request of the peer's, or a call that was given up."""
        self.forgot = False
        """Whether a call was given up since the last reply: the next one without an id may be its."""
        self.takes_requests = False
        """Whether the peer's requests are answered: from the sign-in on, or from the opening where there is none."""
        self._held: list[Callable[[], None]] = []
        self._held_count = self._held_bytes = 0
        self.renewal = Renewal()
        """The one renewal of the sign-in that this connection may have."""
        self.signing_in = False
        """Whether a sign-in is on its way. What the peer says when it closes the link meanwhile may echo a secret."""
        self.secrets: Hidden[tuple[str, ...]] = Hidden(())
        """What is secret of the sign-in that is on its way: it is taken out of what the peer says."""
        self.answered = False
        """Whether any of the user's calls was answered."""
        self.set_up = False
        """Whether any call of the setup was answered."""
        self._notified_before = counters.notifications
        self.doubted = False
        """Whether a sign of life is to be asked for at once."""

    def open(self, transport: Transport) -> None:
        """Use this transport, whose receiver is an `Inbound` of this session."""
        self._transport = transport
        if self.leaving and self.loss is not None:
            self._owner.say_goodbye(transport, self.loss.code, self.loss.reason)

    def hold_requests(self, answer: Callable[[], None], count: int, size: int) -> None:
        """Keep what the peer asks in one message until requests are taken; over the limit it is dropped.

        Args:
            answer: Starts to answer it.
            count: How many requests it holds.
            size: Its size in bytes.
        """
        self._held_count += count
        self._held_bytes += size
        if self._held_count <= MOST_HELD_REQUESTS and self._held_bytes <= MOST_HELD_BYTES:
            self._held.append(answer)
        else:
            self._held_count -= count
            self._held_bytes -= size
            _logger.debug("requests of the circle's are dropped: too many came before the sign-in")

    def take_requests(self) -> None:
        """Answer the peer's requests from now on, those first that were held."""
        self.takes_requests = True
        held, self._held = self._held, []
        for answer in held:
            if self.loss is None:
                answer()

    @property
    def transport(self) -> Transport:
        """The open transport."""
        if self._transport is None:
            raise RuntimeError("the session is used before its transport is open; this is a fault of circle-ws")
        return self._transport

    @property
    def useful(self) -> bool:
        """Whether it brought a reply to the setup or a notification."""
        return self.set_up or self._counters.notifications > self._notified_before

    # Writing.

    def has_room(self, call: PendingCall) -> bool:
        """Tell whether `call` may be written now. A notification needs no slot, a batch one for each of its calls."""
        return self._congestion is None and len(self.in_flight) + call.slots <= self._max_in_flight

    def write(self, call: PendingCall) -> bool:
        """Write a call; False when the link no longer takes it, and it was not written."""
        transport = self._transport
        if self.loss is not None or transport is None:
            # The transport may still be closing and would take it; nobody would hear of its end.
            return False
        # Learnt before it is written, so that no reply can come too early.
        if call.id is not None:
            self.in_flight[call.id] = call
        elif call.slots:
            self.in_flight.update((cast("int", request.id), request) for request in call.requests)
        try:
            transport.send(call.text)
        except ConnectionLost as loss:
            # A transport may have told of the loss already: then what was in flight has failed, or waits for the next.
            settled = self.loss is not None and bool(call.slots)
            for request in call.requests:
                self.in_flight.pop(cast("int", request.id), None)
            self._refused(loss)
            return settled
        self._counters.bytes_out += call.size
        if call.id is None:
            self.notified = self.notified or not call.slots
            call.settle(None)
        if transport.buffered > _HIGH_WATER and self._congestion is None:
            self._congestion = start_task(self._relieve(transport))
        return True

    def notify(self, method: str, params: Params) -> None:
        """Send a notification past the queue.

        Raises:
            ConnectionLost: The link is down.
        """
        if not self.write(self._owner.notification(method, params)):
            raise self._down().with_traceback(None)

    async def request(self, method: str, params: Params = None) -> Any:
        """Call the peer for the client itself (sign-in, setup, probe): past the queue and the slots.

        Raises:
            RpcError: The peer answered with an error.
            ConnectionLost: The link went down.
        """
        call = self._owner.request(method, params)
        # In a sign-in they hold the signature, and the frames of an error may be recorded with their variables.
        del params
        call.users = False
        if not self.write(call):
            raise self._down().with_traceback(None)
        try:
            return await call.future
        finally:
            self.forget(call.id)

    def forget(self, id: int | None) -> None:
        """Wait no longer for the reply with this id."""
        if id is not None and self.in_flight.pop(id, None) is not None:
            self.notified = self.forgot = True
            self._owner.slot_freed()

    async def _relieve(self, transport: Transport) -> None:
        try:
            await transport.drain()
        except ConnectionLost:
            return
        except (Exception, asyncio.CancelledError) as error:
            if is_cancelled():
                raise
            # A transport that breaks its contract must not keep calls from going out.
            _logger.warning("the transport could not tell when to write on: %s: %s", type(error).__name__, error)
        self._congestion = None
        self._owner.flush()

    def answer(self, text: str) -> None:
        """Answer a request of the peer's, unless the link is down."""
        if self.loss is not None:
            return
        transport = self.transport
        self.notified = True
        size = len(text.encode())
        try:
            transport.send(text)
        except ConnectionLost as loss:
            self._refused(loss)
            return
        self._counters.bytes_out += size
        # Calls wait while the peer does not read; what it asks for cannot, so it is counted.
        self._unread_answers = self._unread_answers + size if transport.buffered > _HIGH_WATER else 0
        if self._unread_answers > MOST_UNREAD_ANSWERS:
            words = f"the peer asks and does not read: {self._unread_answers} bytes of answers wait for it"
            self.leave(ConnectionLost.closed(_TRY_AGAIN_LATER, words, local=True))

    def _refused(self, refusal: ConnectionLost) -> None:
        """Take the link for lost at the end of this turn.

        A reply may have led here, by a call that waited for its slot, while the transport still hands over what came
        before the close: those are replies too, and then it tells the code.
        """
        if self._refusal is None:
            self._refusal = refusal.with_traceback(None)
            asyncio.get_running_loop().call_soon(self.lost, refusal)

    def _down(self) -> ConnectionLost:
        """Return why nothing was written, for the client's own tasks, which no reply leads to."""
        if self.loss is None and self._refusal is not None:
            self.lost(self._refusal)
        return self.loss or ConnectionLost.closed(1006)

    # Its end, as it comes and as it is made.

    def lost(self, cause: ConnectionLost) -> None:
        """Learn that the link is down: what is unanswered fails at once."""
        if self.loss is not None:
            return
        if self.signing_in and not cause.local:
            cause = redacted(cause, self.secrets.value)
        self.loss = cause
        # At once, so that a call made before the supervisor wakes up waits for the next link.
        self._owner.detach(self)
        if self._congestion is not None:
            cancel_once(self._congestion)
        unknown = OutcomeUnknown(
            f"{cause}; the request was written and may have run",
            code=cause.code,
            reason=cause.reason,
            local=cause.local,
        )
        unknown.__cause__ = cause.__cause__
        # The supervisor first, so that a caller that learns of the loss finds the status changed. It waits for the
        # alarm or, while it renews the sign-in, for a call of its own.
        self.wakeup.wake()
        self._fail([call for call in self.in_flight.values() if not call.users], unknown)
        if cause.code == _MESSAGE_TOO_BIG and not cause.local:
            self._blame_the_largest()
        for id, call in list(self.in_flight.items()):
            if self._owner.write_again(call):
                del self.in_flight[id]
        self.fail_in_flight(unknown)

    @property
    def quiet(self) -> bool:
        """Whether the link stands and nothing has to be done about its sign-in."""
        return self.loss is None and not self.renewal.wanted

    def doubt(self) -> None:
        """Have the link asked for a sign of life at once: the machine or the tab may have slept."""
        if self.quiet:
            self.doubted = True
            self.wakeup.wake()

    def leave(self, cause: ConnectionLost) -> None:
        """Take the link for lost, and close it with the handshake meanwhile."""
        self.leaving = True
        if self._transport is not None and self.loss is None:
            self._owner.say_goodbye(self._transport, cause.code, cause.reason)
        self.lost(cause)

    def abort(self, cause: ConnectionLost) -> None:
        """Close the link at once; what is unanswered fails."""
        if self._transport is not None:
            cut(self._transport)
        self.lost(cause)

    def may_send_again(self, call: PendingCall) -> bool:
        """Tell whether a call that was refused for want of a sign-in may be sent once more; see to the renewal."""
        if call.id is None or not call.users or call.resent or call.future.done():
            return False
        wanted_before = self.renewal.wanted
        if not self.renewal.refused(call.id):
            return False
        if self.renewal.wanted and not wanted_before:
            self._owner.pause()
            self.wakeup.wake()
        return True

    def _blame_the_largest(self) -> None:
        """Fail the call that the peer most likely found too large, and its whole batch: it would end the next link."""
        largest = max(self.in_flight.values(), key=lambda call: call.written_size, default=None)
        if largest is None:
            return
        blamed = (largest,) if largest.batch is None else largest.batch.requests
        size = largest.written_size
        name = repr(largest.method) if largest.batch is None else largest.batch.method
        for call in blamed:
            self.forget(call.id)
            call.fail(
                MessageTooLarge(
                    "the peer refused a message as too large (close code 1009); the largest unanswered request was "
                    f"{name} with {size} bytes: send less, or have the circle take more",
                    size=size,
                )
            )

    def fail_in_flight(self, error: ProtocolError | ConnectionLost | RpcError) -> None:
        """Fail what is written and unanswered."""
        self._fail(list(self.in_flight.values()), error)
        self._owner.slot_freed()

    def _fail(self, calls: list[PendingCall], error: ProtocolError | ConnectionLost | RpcError) -> None:
        for call in calls:
            del self.in_flight[cast("int", call.id)]
        for call in calls:
            call.fail(error)
