"""One connection: what is written to it, the requests of the client's own, and its end."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from ..errors import ConnectionLost
from ..jsonrpc import messages
from ..text import Hidden, redacted
from .closing import cut
from .pending_call import CallKind, PendingCall
from .tasks import cancel_once, is_cancelled, start_task
from .wakeup import Wakeup

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..config import ClientConfig
    from ..jsonrpc.messages import Params
    from ..jsonrpc.pending import Pending
    from ..stats import Counters
    from ..transport import Transport
    from .closing import Closing

__all__ = ["MAX_HELD_BYTES", "MAX_HELD_REQUESTS", "Session"]

_logger = logging.getLogger("circle_ws.connection")

_REQUEST, _BATCH = CallKind.REQUEST, CallKind.BATCH
_HIGH_WATER = 256 * 1024
"""Bytes in the transport's buffer above which calls wait until the peer has read."""
MAX_HELD_REQUESTS = 256
"""Maximum number of the peer's requests that are kept until the sign-in is over."""
MAX_HELD_BYTES = 1024 * 1024
"""Maximum size of them together, in bytes of UTF-8."""
MAX_UNREAD_REPLIES = 16 * 1024 * 1024
"""Maximum bytes of replies that wait for a peer that does not read: 256 replies of the default maximum size."""
_TRY_AGAIN_LATER = 1013


class Session:
    """One connection: writes calls to its transport, and gives back those without a reply when it is lost.

    A circle that rejects a call with -32001 has not run it. The client then re-authenticates on this connection and
    writes the call again. It does so once for each connection, because each sign-in gives a hostile circle one more
    signature.

    Args:
        config: The limits.
        pending: The table of unanswered requests, which the connections of a client share one after the other.
        counters: Counts the written bytes.
        closing: Closes the transport in the background.
        on_lost: Called once, with the unanswered calls, when the connection is lost.
        on_room: Called when there may be room for calls that wait.
    """

    __slots__ = (
        "_closing",
        "_congestion",
        "_counters",
        "_held",
        "_held_bytes",
        "_held_count",
        "_max_in_flight",
        "_max_request_bytes",
        "_notifications_before",
        "_on_lost",
        "_on_room",
        "_refusal",
        "_transport",
        "_unread_replies",
        "_written_before",
        "answered",
        "doubted",
        "leaving",
        "loss",
        "may_reauthenticate",
        "pending",
        "reauthenticating",
        "secrets",
        "set_up",
        "signing_in",
        "takes_requests",
        "url",
        "wakeup",
    )

    def __init__(
        self,
        config: ClientConfig,
        pending: Pending[PendingCall],
        counters: Counters,
        closing: Closing,
        *,
        on_lost: Callable[[Session, list[PendingCall]], None],
        on_room: Callable[[], None],
    ) -> None:
        self._counters = counters
        self._closing = closing
        self._max_in_flight = config.max_in_flight
        self._max_request_bytes = config.max_request_bytes
        self._on_lost = on_lost
        self._on_room = on_room
        self._transport: Transport | None = None
        self._congestion: asyncio.Task[None] | None = None
        self._refusal: ConnectionLost | None = None
        """Why the transport refused to send, until the loss is handled."""
        self._unread_replies = 0
        """Bytes of replies that were written since the peer last kept up."""
        self._held: list[Callable[[], None]] = []
        self._held_count = self._held_bytes = 0
        self._notifications_before = counters.notifications
        self._written_before: frozenset[int] = frozenset()
        """Ids of the calls that were in flight at re-authentication: they may be rejected for the time before it."""
        self.pending: Pending[PendingCall] = pending
        self.url: str | None = None
        """The circle, as it is dialled; None until that is known."""
        self.wakeup: Wakeup = Wakeup()
        """Ends the wait of the task that serves the connection, when there is something to do."""
        self.loss: ConnectionLost | None = None
        """The error that the connection was lost with; None while it is up."""
        self.leaving: bool = False
        """Whether this side closes with the handshake, or will as soon as the transport is open."""
        self.takes_requests: bool = False
        """Whether the peer's requests are answered: from the sign-in on, or from the opening where there is none."""
        self.may_reauthenticate: bool = False
        """Whether a rejection with -32001 may still start the one re-authentication of this connection."""
        self.reauthenticating: bool = False
        """Whether re-authentication is due or in progress; calls wait meanwhile."""
        self.signing_in: bool = False
        """Whether a sign-in is in progress. The reason of a close during it may echo a secret."""
        self.secrets: Hidden[tuple[str, ...]] = Hidden(())
        """The secrets of that sign-in, which are redacted from the peer's text."""
        self.answered: bool = False
        """Whether any of the user's calls was answered."""
        self.set_up: bool = False
        """Whether any call of the setup was answered."""
        self.doubted: bool = False
        """Whether the connection is to be probed at once."""

    def open(self, transport: Transport) -> None:
        """Use this transport, whose receiver is an `Inbound` of this session."""
        self._transport = transport
        if self.leaving and self.loss is not None:
            self._closing.close(transport, self.loss.code, self.loss.reason)

    @property
    def transport(self) -> Transport:
        """The open transport."""
        if self._transport is None:
            raise RuntimeError("the session is used before its transport is open; this is a fault of circle-ws")
        return self._transport

    @property
    def useful(self) -> bool:
        """Whether it brought a reply to the setup or a notification."""
        return self.set_up or self._counters.notifications > self._notifications_before

    # Requests of the peer that arrive before the sign-in has succeeded.

    def hold_requests(self, answer: Callable[[], None], count: int, size: int) -> None:
        """Keep the requests of one message until the sign-in has succeeded; beyond the maximum they are dropped.

        Args:
            answer: Starts to answer them.
            count: The number of requests.
            size: The size of the message, in bytes.
        """
        if self._held_count + count <= MAX_HELD_REQUESTS and self._held_bytes + size <= MAX_HELD_BYTES:
            self._held_count += count
            self._held_bytes += size
            self._held.append(answer)
        else:
            _logger.debug("requests of the circle are dropped: too many arrived before the sign-in")

    def take_requests(self) -> None:
        """Answer the peer's requests from now on, starting with the held ones."""
        self.takes_requests = True
        held, self._held = self._held, []
        for answer in held:
            if self.loss is None:
                answer()

    # Writing.

    def has_room(self, call: PendingCall) -> bool:
        """Return whether `call` may be written now. A notification needs no slot, a batch one for each request."""
        return (
            self._congestion is None
            and not self.reauthenticating
            and len(self.pending.entries) + call.slots <= self._max_in_flight
        )

    def write(self, call: PendingCall) -> bool:
        """Write a call; return False if the connection is lost and the call was not written."""
        transport = self._transport
        if self.loss is not None or transport is None:
            # A transport that is closing would accept the text, and never report its loss again.
            return False
        # Added to the table before it is written, so that no reply can arrive before its entry.
        if call.kind is _REQUEST:
            self.pending.add(call.id, call)
        elif call.kind is _BATCH:
            self.pending.add_batch({request.id: request for request in call.requests})
        try:
            transport.send(call.text)
        except ConnectionLost as loss:
            # If the transport reported the loss before it raised, the call was given back with all others already.
            given_back = self.loss is not None and bool(call.slots)
            for request in call.requests:
                self.pending.remove(request.id)
            self._refused(loss)
            return given_back
        self._counters.bytes_out += call.size
        if call.kind is not _REQUEST:
            self.pending.notified = self.pending.notified or not call.slots
            call.settle()
        if transport.buffered > _HIGH_WATER and self._congestion is None:
            self._congestion = start_task(self._relieve(transport))
        return True

    async def _relieve(self, transport: Transport) -> None:
        try:
            await transport.drain()
        except ConnectionLost:
            return
        except (Exception, asyncio.CancelledError) as error:
            if is_cancelled():
                raise
            # A transport that breaks its contract must not keep calls from going out.
            _logger.warning("waiting until the transport can write failed: %s: %s", type(error).__name__, error)
        self._congestion = None
        self._on_room()

    def reply(self, text: str) -> None:
        """Write the reply to a request of the peer's, unless the connection is lost."""
        if self.loss is not None:
            return
        transport = self.transport
        self.pending.notified = True
        size = len(text.encode())
        try:
            transport.send(text)
        except ConnectionLost as loss:
            self._refused(loss)
            return
        self._counters.bytes_out += size
        # Calls wait while the peer does not read. Replies cannot wait, so their size is bounded.
        self._unread_replies = self._unread_replies + size if transport.buffered > _HIGH_WATER else 0
        if self._unread_replies > MAX_UNREAD_REPLIES:
            words = f"the peer asks and does not read: {self._unread_replies} bytes of answers wait for it"
            self.leave(ConnectionLost.closed(_TRY_AGAIN_LATER, words, local=True))

    # The client's own requests, which bypass the queue and the slots.

    def notify(self, method: str, params: Params) -> None:
        """Write a notification.

        Raises:
            ConnectionLost: The connection is lost.
        """
        text = messages.notification(method, params)
        if not self.write(PendingCall(CallKind.NOTIFICATION, 0, method, text, self._max_request_bytes)):
            raise self._loss_of_now().with_traceback(None)

    async def request(self, method: str, params: Params = None) -> Any:
        """Return the result of a request.

        Raises:
            RpcError: The peer answered with an error.
            ConnectionLost: The connection was lost.
        """
        id = self.pending.new_id()
        call = PendingCall(_REQUEST, id, method, messages.request(id, method, params), self._max_request_bytes)
        # During a sign-in the params hold the signature, and error trackers record the variables of frames.
        del params
        call.internal = True
        if not self.write(call):
            raise self._loss_of_now().with_traceback(None)
        try:
            return await call.future
        except (asyncio.CancelledError, GeneratorExit):
            if self.pending.give_up(call.id):
                self._on_room()
            raise

    # The end of the connection.

    def _refused(self, refusal: ConnectionLost) -> None:
        """Handle the connection as lost at the end of this turn of the event loop.

        The call may have been written because a reply freed its slot, while the transport still delivers messages that
        arrived before the close. Those count too, and after them the transport reports the close code.
        """
        if self._refusal is None:
            self._refusal = refusal.with_traceback(None)
            asyncio.get_running_loop().call_soon(self.lost, refusal)

    def _loss_of_now(self) -> ConnectionLost:
        """Return the loss for a task of the client's own; such a task never runs within a reply."""
        if self.loss is None and self._refusal is not None:
            self.lost(self._refusal)
        return self.loss or ConnectionLost.closed(1006)

    def lost(self, cause: ConnectionLost) -> None:
        """Handle the loss of the connection: unanswered calls are given back at once."""
        if self.loss is not None:
            return
        if self.signing_in and not cause.local:
            cause = redacted(cause, self.secrets.value)
        self.loss = cause
        if self._congestion is not None:
            cancel_once(self._congestion)
        # First the serving task, so that callers that fail with the loss see the status changed.
        self.wakeup.wake()
        self._on_lost(self, self.pending.take_all())

    def leave(self, cause: ConnectionLost) -> None:
        """Treat the connection as lost, and close it with the handshake in the background."""
        self.leaving = True
        if self._transport is not None and self.loss is None:
            self._closing.close(self._transport, cause.code, cause.reason)
        self.lost(cause)

    def abort(self, cause: ConnectionLost) -> None:
        """Close the connection at once, without the handshake."""
        if self._transport is not None:
            cut(self._transport)
        self.lost(cause)

    # Used by the task that serves the connection.

    @property
    def quiet(self) -> bool:
        """Whether the connection is up and no re-authentication is due."""
        return self.loss is None and not self.reauthenticating

    def doubt(self) -> None:
        """Probe the connection at once: the host may have been suspended."""
        if self.quiet:
            self.doubted = True
            self.wakeup.wake()

    def may_retry_rejected(self, call: PendingCall) -> bool:
        """Return whether a call rejected with -32001 may be written once more; starts re-authentication for it."""
        if call.internal or call.rejected or call.future.done():
            return False
        if self.may_reauthenticate:
            self.may_reauthenticate, self.reauthenticating = False, True
            self.wakeup.wake()
        return self.reauthenticating or call.id in self._written_before

    def reauthenticated(self) -> None:
        """Handle the end of re-authentication: calls are written again."""
        self.reauthenticating = False
        self._written_before = frozenset(self.pending.entries)
        self._on_room()
