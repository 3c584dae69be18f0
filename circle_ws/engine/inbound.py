"""Dispatch of the incoming messages of one connection: replies, notifications, requests, and invalid ones."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ..errors import ConnectionLost, MessageTooLarge, ProtocolError
from ..jsonrpc import codec as json
from ..jsonrpc import messages as envelope
from ..jsonrpc.lenient import reply_error
from ..jsonrpc.messages import AUTHENTICATION_REQUIRED, MAX_BATCH, Kind
from ..jsonrpc.pending import UNREAD
from . import clock
from .listener import weigh

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..errors import RpcError
    from .handlers import Handlers
    from .notifications import Subscriptions
    from .observers import ProtocolErrors
    from .pending_call import PendingCall
    from .send_queue import SendQueue
    from .session import Session

__all__ = ["Inbound"]

_MALFORMED = 4002
"""The close code for a peer that sends too many messages that are not JSON-RPC."""
_MAX_MALFORMED = 5
"""Number of malformed messages, without a well-formed one in between, that end a connection."""
_SHOWN = 200
"""Maximum number of characters of a peer's text that an error repeats."""


class Inbound:
    """The receiver of one transport.

    Args:
        session: The connection.
        send_queue: The unanswered calls, and those that wait for a slot.
        subscriptions: The buffers for notifications.
        handlers: The functions that answer the circle's requests.
        protocol_errors: The reports of violations of JSON-RPC.
    """

    __slots__ = (
        "_counters",
        "_handlers",
        "_malformed",
        "_pending",
        "_send_queue",
        "_session",
        "_subscriptions",
        "_too_large",
        "_protocol_errors",
    )

    def __init__(
        self,
        session: Session,
        send_queue: SendQueue,
        subscriptions: Subscriptions,
        handlers: Handlers,
        protocol_errors: ProtocolErrors,
    ) -> None:
        self._session = session
        self._send_queue = send_queue
        self._pending = send_queue.pending
        self._subscriptions = subscriptions
        self._handlers = handlers
        self._protocol_errors = protocol_errors
        self._counters = protocol_errors.counters
        self._malformed = 0
        """Number of malformed messages since the last well-formed one."""
        self._too_large: MessageTooLarge | None = None
        """The message over our own limit for which the connection is being closed."""

    # Called by the transport.

    def message(self, text: str) -> None:
        """Handle one text message."""
        if self._session.loss is not None:
            # Read together with the message that ended the connection; it could not be answered any more.
            return
        self._counters.bytes_in += len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))
        try:
            frame = json.decode(text)
        except ProtocolError as error:
            self._take_undecoded(text, error)
            return
        if type(frame) is list:
            self._take_batch(frame, text)
        else:
            self._take(frame, text)

    def invalid(self, cause: ProtocolError) -> None:
        """Handle a binary message, or one over the maximum size."""
        if self._session.loss is not None:
            return
        if isinstance(cause, MessageTooLarge):
            named = self._pending.take_named_in(cause.beginning)
            if self._session.signing_in:
                # The message may echo the nonce or the signature.
                cause.beginning = ""
            self._protocol_errors.report(cause)
            self._too_large = cause
            # Their slots are not freed, because the connection is being closed.
            self._set_error(named, cause)
        elif not self._fail(self._pending.take_only_message(partly_answered=False), cause):
            self._take_malformed(None, cause)

    def lost(self, cause: ConnectionLost) -> None:
        """Handle the loss of the connection."""
        if self._too_large is not None and cause.local:
            words = f"this client closed the connection with code {cause.code}: {self._too_large}"
            cause = ConnectionLost(words, code=cause.code, reason=cause.reason, local=True)
            cause.__cause__ = self._too_large
        self._session.lost(cause)

    # One well-formed message, or member of a batch.

    def _take(self, frame: Any, text: str, *, in_batch: bool = False) -> None:
        try:
            kind = envelope.kind_of(frame)
        except ProtocolError as error:
            self._take_malformed(frame, error)
            return
        self._malformed = 0
        if kind is Kind.RESULT:
            if (call := self._pending.take(frame["id"])) is None:
                self._take_stray_reply(frame["id"])
                return
            if not call.internal:
                self._session.answered = True
            future = call.future
            if not future.done():
                future.set_result(frame["result"])
            self._send_queue.flush()
        elif kind is Kind.NOTIFICATION:
            subscriptions, counters = self._subscriptions, self._counters
            if subscriptions.interrupted_at is not None:
                subscriptions.resume(clock.wall_time())
            counters.notifications += 1
            if dropped := subscriptions.publish(
                frame["method"], frame.get("params"), _own_text(frame, text) if in_batch else text
            ):
                counters.dropped += dropped
        elif kind is Kind.ERROR:
            self._take_error(frame)
        else:
            self._take_requests([frame], partial(self._handlers.take, frame, self._session.reply, weigh(text)), text)

    def _take_error(self, frame: dict[str, Any]) -> None:
        error = envelope.rpc_error(frame)
        if frame["id"] is None:
            self._take_nameless_error(error)
        elif (call := self._pending.take(frame["id"])) is None:
            self._take_stray_reply(frame["id"])
        else:
            if not call.internal:
                self._session.answered = True
            if error.code == AUTHENTICATION_REQUIRED and self._session.may_retry_rejected(call):
                self._send_queue.retry_rejected(call)
            else:
                call.fail(error)
            # Only now: a call that waits for the slot must not be written before re-authentication has begun.
            self._send_queue.flush()

    def _take_stray_reply(self, id: Any) -> None:
        """Handle a reply whose id is not that of an unanswered call."""
        if (found := self._pending.take_almost(id)) is not None:
            sent, call = found
            words = f"the reply to {call.method!r} has the id {id!r}, which is not as it was sent: {sent}"
            self._fail([call], ProtocolError(f"{words} (JSON-RPC 2.0 section 5)"))
            return
        self._counters.ignored_replies += 1
        if not self._pending.was_sent(id):
            self._protocol_errors.report(ProtocolError("a reply came in for an id that was never sent; it is ignored"))

    def _take_requests(self, requests: list[dict[str, Any]], answer: Callable[[], None], text: str) -> None:
        """Answer the requests of one message, now or after the sign-in."""
        if self._session.takes_requests:
            answer()
        else:
            self._session.hold_requests(answer, len(requests), weigh(text))

    # Batches.

    def _take_batch(self, frames: list[Any], text: str) -> None:
        """Handle the members of a batch one by one (JSON-RPC 2.0 section 6), malformed ones last."""
        if not frames or len(frames) > MAX_BATCH:
            self._take_bad_batch(len(frames))
            return
        requests: list[dict[str, Any]] = []
        late: list[dict[str, Any]] = []
        errors: list[tuple[Any, ProtocolError]] = []
        for frame in frames:
            kind = _kind_or_error(frame)
            if isinstance(kind, ProtocolError):
                errors.append((frame, kind))
                continue
            self._malformed = 0
            if kind is Kind.REQUEST:
                requests.append(frame)
            elif kind is Kind.ERROR and frame["id"] is None:
                late.append(frame)
            else:
                self._take(frame, text, in_batch=True)
        if requests:
            self._take_requests(requests, partial(self._answer_batch, requests, text), text)
        for frame in late:
            # An error about a member that the peer could not read. Handled after the other replies, when it is known
            # which members have none.
            self._take_nameless_error(envelope.rpc_error(frame), in_batch=True)
        for frame, error in errors:
            self._take_malformed(frame, error, in_batch=True)

    def _take_bad_batch(self, size: int) -> None:
        if size:
            self._take_malformed(None, ProtocolError(f"a batch of {size} is over the maximum of {MAX_BATCH} members"))
            return
        error = ProtocolError("the circle answered with an empty batch, which says nothing")
        if not self._fail(self._pending.take_only_message(partly_answered=False), error):
            self._take_malformed(None, ProtocolError("a batch is empty"))

    def _answer_batch(self, requests: list[dict[str, Any]], text: str) -> None:
        weighed = [(request, weigh(_own_text(request, text))) for request in requests]
        self._handlers.take_batch(weighed, self._session.reply)

    # Violations of JSON-RPC: the call that the message is about fails at once, and no other.

    def _take_nameless_error(self, error: RpcError, *, in_batch: bool = False) -> None:
        """Handle an error without an id: it belongs to the one unanswered message, if there is exactly one."""
        if error.code in UNREAD and self._fail(self._pending.take_unread(partly_answered=in_batch), error):
            return
        unread = ProtocolError(f"the peer could not read one of our messages (code {error.code})")
        # During a sign-in a peer's text may echo a secret.
        unread.__cause__ = None if self._session.signing_in else error
        self._protocol_errors.report(unread)

    def _take_undecoded(self, text: str, error: ProtocolError) -> None:
        if calls := self._pending.take_undecoded(text):
            self._fail(calls, self._in_its_words(error, reply_error(text, _SHOWN)))
        else:
            self._take_malformed(None, error)

    def _take_malformed(self, frame: Any, error: ProtocolError, *, in_batch: bool = False) -> None:
        if type(frame) is dict and "method" not in frame and self._fail_named(frame, error, in_batch=in_batch):
            return
        if self._session.loss is None:
            self._protocol_errors.report(error)
            self._count_malformed()

    def _fail_named(self, reply: dict[str, Any], error: ProtocolError, *, in_batch: bool) -> bool:
        """Fail the calls that a broken reply is about; return whether there are any."""
        calls = self._pending.take_broken(reply, partly_answered=in_batch)
        if calls and (said := reply.get("error")) is not None:
            error = self._in_its_words(error, _own_text(said, ""))
        return self._fail(calls, error)

    def _fail(self, calls: list[PendingCall], error: ProtocolError | RpcError) -> bool:
        """Fail calls and free their slots; return whether there are any."""
        self._set_error(calls, error)
        if calls:
            self._send_queue.flush()
        return bool(calls)

    def _set_error(self, calls: list[PendingCall], error: ProtocolError | RpcError) -> None:
        for call in calls:
            self._session.answered = self._session.answered or not call.internal
            call.fail(error)

    def _in_its_words(self, error: ProtocolError, said: str) -> ProtocolError:
        """Add the peer's error to an error of ours, except during a sign-in, when it may echo a secret."""
        if not said or self._session.signing_in:
            return error
        return ProtocolError(f"{error}; the circle wrote {ascii(said[:_SHOWN])[1:-1]}")

    def _count_malformed(self) -> None:
        self._malformed += 1
        if self._malformed >= _MAX_MALFORMED:
            words = f"{_MAX_MALFORMED} malformed messages in a row"
            self._session.leave(ConnectionLost.closed(_MALFORMED, words, local=True))


def _own_text(frame: Any, text: str) -> str:
    """Return the text of one member of a batch; the whole `text` if the member cannot be encoded again."""
    try:
        return json.encode(frame)
    except ValueError:
        return text


def _kind_or_error(frame: Any) -> Kind | ProtocolError:
    try:
        return envelope.kind_of(frame)
    except ProtocolError as error:
        return error
