"""One connection: what is written to it, what comes in, and the calls that wait for a reply on it."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from .call import settle
from .errors import ConnectionLost, MessageTooLarge, OutcomeUnknown, ProtocolError, RpcError
from .jsonrpc import envelope, json
from .jsonrpc.envelope import Kind
from .renewal import Renewal

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from .call import Call
    from .jsonrpc.envelope import Params
    from .jsonrpc.subscriptions import Subscriptions
    from .owner import Owner
    from .transport import Transport

__all__ = ["Session"]

_logger = logging.getLogger("circle_ws")

AUTHENTICATION_REQUIRED = -32001
METHOD_NOT_FOUND = -32601
_MESSAGE_TOO_BIG = 1009
_MALFORMED = 4002
"""The close code for a peer that sends too much that is no JSON-RPC."""
_MALFORMED_BEARABLE = 5
"""So many malformed messages end a connection."""
_HIGH_WATER = 256 * 1024
"""Bytes on their way from which on calls wait for the peer to read."""


class Session:
    """Receive for one transport; match replies with calls, hand notifications on.

    Args:
        owner: Makes requests, and is told when a slot is free or the link is down.
        subscriptions: Where notifications go.
        max_in_flight: How many calls may be written and unanswered.
    """

    __slots__ = (
        "_owner",
        "_congestion",
        "_limit",
        "_malformed_messages",
        "_max_in_flight",
        "_subscriptions",
        "_transport",
        "_waiter",
        "answered",
        "in_flight",
        "loss",
        "renewal",
        "signing_in",
    )

    def __init__(self, owner: Owner, subscriptions: Subscriptions, max_in_flight: int) -> None:
        self._owner = owner
        self._subscriptions = subscriptions
        self._max_in_flight = max_in_flight
        self._transport: Transport | None = None
        self._congestion: asyncio.Task[None] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._limit: asyncio.Timeout | None = None
        self.in_flight: dict[int, Call] = {}
        """The calls that are written and unanswered, by id."""
        self.loss: ConnectionLost | None = None
        """How the link went down, or None."""
        self.renewal = Renewal()
        """The one renewal of the sign-in that this connection may have."""
        self.signing_in = False
        """Whether a sign-in is on its way. What the peer says when it closes the link meanwhile may echo a secret."""
        self._malformed_messages = 0
        self.answered = False
        """Whether any of the user's calls was answered."""

    def open(self, transport: Transport) -> None:
        """Use this transport, which was made with this session as its receiver."""
        self._transport = transport

    @property
    def transport(self) -> Transport:
        """The open transport."""
        assert self._transport is not None, "the session is used before its transport is open"
        return self._transport

    # Writing.

    def has_room(self, call: Call) -> bool:
        """Tell whether `call` may be written now. A notification needs no slot."""
        return self._congestion is None and (call.id is None or len(self.in_flight) < self._max_in_flight)

    def write(self, call: Call) -> bool:
        """Write a call; False when the link no longer takes it, and it was not written."""
        transport = self.transport
        # Learnt before it is written, so that no reply can come too early.
        if call.id is not None:
            self.in_flight[call.id] = call
        try:
            transport.send(call.text)
        except ConnectionLost as loss:
            if call.id is not None:
                del self.in_flight[call.id]
            self.lost(loss)
            return False
        if call.id is None:
            call.settle(None)
        if transport.buffered > _HIGH_WATER and self._congestion is None:
            self._congestion = asyncio.get_running_loop().create_task(self._relieve(transport))
        return True

    def notify(self, method: str, params: Params) -> None:
        """Send a notification past the queue.

        Raises:
            ConnectionLost: The link is down.
        """
        if not self.write(self._owner.notification(method, params)):
            raise self.loss or ConnectionLost.closed(1006)

    async def request(self, method: str, params: Params = None) -> Any:
        """Call the peer for the client itself (sign-in, setup, probe): past the queue and the slots.

        Raises:
            RpcError: The peer answered with an error.
            ConnectionLost: The link went down.
        """
        call = self._owner.request(method, params)
        call.users = False
        if not self.write(call):
            raise self.loss or ConnectionLost.closed(1006)
        try:
            return await call.future
        finally:
            self.forget(call.id)

    def forget(self, id: int | None) -> None:
        """Wait no longer for the reply with this id."""
        if id is not None and self.in_flight.pop(id, None) is not None:
            self._owner.slot_freed()

    async def _relieve(self, transport: Transport) -> None:
        try:
            await transport.drain()
        except ConnectionLost:
            return
        self._congestion = None
        self._owner.flush()

    # Receiving: the methods of `Receiver`.

    def message(self, text: str) -> None:
        """Take one message: resolve the call it answers, or hand the notification on."""
        frame: Any = None
        try:
            frame = json.decode(text)
            kind = envelope.kind_of(frame)
        except ProtocolError as error:
            self._malformed(frame, error)
            return
        if kind is Kind.RESULT:
            call = self._answered(frame["id"])
            if call is not None:
                call.settle(frame["result"])
                self._owner.slot_freed()
        elif kind is Kind.NOTIFICATION:
            self._subscriptions.publish(frame["method"], frame.get("params"))
        elif kind is Kind.ERROR:
            self._take_error(frame)
        else:
            self._refuse_request(frame)

    def invalid(self, cause: ProtocolError) -> None:
        """Learn of what is no text message. One over the size may have been any call's reply, so all fail with it."""
        _logger.warning("the peer sent what is no JSON-RPC message: %s", cause)
        if isinstance(cause, MessageTooLarge):
            self._fail_in_flight(cause)
        else:
            self._count_malformed()

    def lost(self, cause: ConnectionLost) -> None:
        """Learn that the link is down: what is unanswered fails at once."""
        if self.loss is not None:
            return
        if self.signing_in and cause.reason:
            cause = ConnectionLost.closed(cause.code, local=cause.local)
        self.loss = cause
        # At once, so that a call made before the supervisor wakes up waits for the next link.
        self._owner.detach(self)
        if self._congestion is not None:
            self._congestion.cancel()
        unknown = OutcomeUnknown(
            f"{cause}; the request was written and may have run",
            code=cause.code,
            reason=cause.reason,
            local=cause.local,
        )
        # The supervisor first, so that whoever learns of the loss finds the status changed.
        self._wake()
        if cause.code == _MESSAGE_TOO_BIG and not cause.local:
            self._blame_the_largest()
        for id, call in list(self.in_flight.items()):
            if self._owner.write_again(call):
                del self.in_flight[id]
        self._fail_in_flight(unknown)

    @property
    def quiet(self) -> bool:
        """Whether the link stands and nothing has to be done about its sign-in."""
        return self.loss is None and not self.renewal.wanted

    async def wait(self, until: float | None = None) -> None:
        """Return when it is not quiet any more, or at the time `until` on the event loop's clock."""
        if not self.quiet:
            return
        loop = asyncio.get_running_loop()
        self._waiter = waiter = loop.create_future()
        timer = loop.call_later(max(until - loop.time(), 0), settle, waiter) if until is not None else None
        try:
            await waiter
        finally:
            if timer is not None:
                timer.cancel()

    async def wait_for(self, sign: Awaitable[object], until: float) -> None:
        """Wait for a sign of life, up to the time `until`, but no longer than it is quiet.

        Raises:
            TimeoutError: It did not come.
            ConnectionLost: The link went down.
        """
        try:
            async with asyncio.timeout_at(until) as self._limit:
                await sign
        finally:
            self._limit = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        # An unanswered sign of life would hold up what has to be done for its whole time.
        if self._limit is not None and not self._limit.expired():
            self._limit.reschedule(asyncio.get_running_loop().time())

    # Ending.

    async def close(self) -> None:
        """Close the link with the handshake, bounded; what is unanswered fails."""
        try:
            await self.transport.close()
        finally:
            self.lost(ConnectionLost.closed(1000, local=True))

    def abort(self, cause: ConnectionLost) -> None:
        """Close the link at once; what is unanswered fails."""
        if self._transport is not None:
            self._transport.abort()
        self.lost(cause)

    def _answered(self, id: Any) -> Call | None:
        """Take the call with this id out of those in flight. Once it is settled its slot is free, and not before.

        A call that waits for the slot must not go out if this one tells that nobody is signed in any more.
        """
        # 1.0 and True are equal to 1 and would find its call.
        call = self.in_flight.pop(id, None) if type(id) is int else None
        if call is None:
            _logger.debug("a reply that nobody waits for is ignored")
        elif call.users:
            self.answered = True
        return call

    def _take_error(self, frame: dict[str, Any]) -> None:
        error = envelope.rpc_error(frame)
        if frame["id"] is None:
            _logger.warning("the peer could not read one of our messages: error %d", error.code)
            return
        call = self._answered(frame["id"])
        if call is None:
            return
        if error.code == AUTHENTICATION_REQUIRED and self._may_send_again(call):
            self._owner.send_again(call)
        else:
            call.fail(error)
        self._owner.slot_freed()

    def _may_send_again(self, call: Call) -> bool:
        if call.id is None or not call.users or call.resent or call.future.done():
            return False
        if not self.renewal.refused(call.id):
            return False
        if self.renewal.wanted:
            self._owner.pause()
            self._wake()
        return True

    def _refuse_request(self, frame: dict[str, Any]) -> None:
        if self._transport is None:
            _logger.debug("a request that came before the handshake was over is ignored")
            return
        error = RpcError(METHOD_NOT_FOUND, "this client answers no requests")
        try:
            self._transport.send(envelope.error(frame["id"], error))
        except ConnectionLost as loss:
            self.lost(loss)

    def _malformed(self, frame: Any, error: ProtocolError) -> None:
        is_reply = type(frame) is dict and "method" not in frame
        call = self._answered(frame.get("id")) if is_reply else None
        if call is not None:
            call.fail(error)
            self._owner.slot_freed()
            return
        _logger.warning("a malformed message is ignored: %s", error)
        self._count_malformed()

    def _count_malformed(self) -> None:
        self._malformed_messages += 1
        if self._malformed_messages == _MALFORMED_BEARABLE:
            words = f"{_MALFORMED_BEARABLE} malformed messages on one connection"
            self._owner.say_goodbye(self.transport, _MALFORMED, words)
            self.lost(ConnectionLost.closed(_MALFORMED, words, local=True))

    def _blame_the_largest(self) -> None:
        """Fail the call that the peer most likely found too large: it would be the end of the next link too."""
        call = max(self.in_flight.values(), key=lambda call: call.size, default=None)
        if call is not None:
            self.forget(call.id)
            call.fail(
                MessageTooLarge(
                    f"the peer refused a message as too large (close code 1009); the largest unanswered request was "
                    f"{call.method!r} with {call.size} bytes: send less, or have the circle take more",
                    size=call.size,
                )
            )

    def _fail_in_flight(self, error: ProtocolError | ConnectionLost) -> None:
        calls = list(self.in_flight.values())
        self.in_flight.clear()
        for call in calls:
            call.fail(error)
        self._owner.slot_freed()
