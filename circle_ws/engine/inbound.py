"""What comes in on one connection: replies to their calls, notifications to their listeners, the rest is told of."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from ..errors import ConnectionLost, MessageTooLarge, ProtocolError
from ..jsonrpc import codec as json
from ..jsonrpc import messages as envelope
from ..jsonrpc.codes import AUTHENTICATION_REQUIRED, INVALID_REQUEST, PARSE_ERROR
from ..jsonrpc.messages import MAX_BATCH, Kind
from ..jsonrpc.plain_sight import is_nameless_error, reply_error, reply_ids
from .blame import only_message, take_almost_named, take_named
from .listener import weigh

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from ..errors import RpcError
    from .handlers import Handlers
    from .notifications import Subscriptions
    from .observers import ProtocolErrors
    from .owner import Owner
    from .pending_call import PendingCall
    from .session import Session

__all__ = ["Inbound"]

_MALFORMED = 4002
"""The close code for a peer that sends too much that is no JSON-RPC."""
_MALFORMED_BEARABLE = 5
"""So many malformed messages in a row end a connection."""
_ABOUT_A_MESSAGE = (PARSE_ERROR, INVALID_REQUEST)
"""What a peer answers, without an id, to a message that it could not read."""
_SHOWN = 200
"""Characters of a peer's own words that an error repeats."""


class Inbound:
    """Be the receiver of one transport.

    Args:
        session: The connection.
        owner: Is told when a slot is free, and sends again what was refused for want of a sign-in.
        subscriptions: Where notifications go.
        handlers: Who answers the circle's requests.
        protocol_errors: Reports of what breaks JSON-RPC.
    """

    __slots__ = (
        "_counters",
        "_handlers",
        "_malformed",
        "_owner",
        "_session",
        "_subscriptions",
        "_too_large",
        "_protocol_errors",
    )

    def __init__(
        self,
        session: Session,
        owner: Owner,
        subscriptions: Subscriptions,
        handlers: Handlers,
        protocol_errors: ProtocolErrors,
    ) -> None:
        self._session = session
        self._owner = owner
        self._subscriptions = subscriptions
        self._handlers = handlers
        self._protocol_errors = protocol_errors
        self._counters = protocol_errors.counters
        self._malformed = 0
        """How many malformed messages came with nothing well-formed between them."""
        self._too_large: MessageTooLarge | None = None
        """The message over our own limit for which the link is being closed."""

    def message(self, text: str) -> None:
        """Take one message: resolve the call it answers, or hand the notification on."""
        if self._session.loss is not None:
            # The rest of what was read with the message that ended the link: its answers could not be sent.
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

    def _take_batch(self, frames: list[Any], text: str) -> None:
        """Take the members of a batch one by one (JSON-RPC 2.0 section 6): what breaks the protocol last."""
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
            # About a member that the peer could not read; by now it is known which ones have no reply.
            self._take_nameless_error(envelope.rpc_error(frame), in_batch=True)
        for frame, error in errors:
            self._take_malformed(frame, error, in_batch=True)

    def _take_bad_batch(self, size: int) -> None:
        if size:
            self._take_malformed(None, ProtocolError(f"a batch of {size} is over the maximum of {MAX_BATCH} members"))
        elif not self._blame_only_message(ProtocolError("the circle answered with an empty batch, which says nothing")):
            self._take_malformed(None, ProtocolError("a batch is empty"))

    def _take_requests(self, requests: list[dict[str, Any]], answer: Callable[[], None], text: str) -> None:
        """Answer the requests of one message, now or after the sign-in."""
        if self._session.takes_requests:
            answer()
        else:
            self._session.hold_requests(answer, len(requests), weigh(text))

    def _answer_batch(self, requests: list[dict[str, Any]], text: str) -> None:
        weighed = [(request, weigh(_own_text(request, text))) for request in requests]
        self._handlers.take_batch(weighed, self._session.answer)

    def _take(self, frame: Any, text: str, *, in_batch: bool = False) -> None:
        try:
            kind = envelope.kind_of(frame)
        except ProtocolError as error:
            self._take_malformed(frame, error)
            return
        self._malformed = 0
        if kind is Kind.RESULT:
            if (call := self._answered(frame["id"])) is not None:
                call.settle(frame["result"])
                self._owner.slot_freed()
        elif kind is Kind.NOTIFICATION:
            subscriptions, counters = self._subscriptions, self._counters
            if subscriptions.interrupted_at is not None:
                subscriptions.resume(time.time())
            counters.notifications += 1
            if dropped := subscriptions.publish(
                frame["method"], frame.get("params"), _own_text(frame, text) if in_batch else text
            ):
                counters.dropped += dropped
        elif kind is Kind.ERROR:
            self._take_error(frame)
        else:
            self._take_requests([frame], partial(self._handlers.take, frame, self._session.answer, weigh(text)), text)

    def invalid(self, cause: ProtocolError) -> None:
        """Learn of what is no text message, or is over the size."""
        if isinstance(cause, MessageTooLarge):
            named = self._named_in(cause.beginning)
            if self._session.signing_in:
                # It may repeat the nonce or the signature.
                cause.beginning = ""
            self._protocol_errors.report(cause)
            self._too_large = cause
            self._fail_all(named, cause)
        elif not self._blame_only_message(cause):
            self._take_malformed(None, cause)

    def lost(self, cause: ConnectionLost) -> None:
        """Learn that the link is down."""
        if self._too_large is not None and cause.local:
            words = f"this client closed the link with code {cause.code}: {self._too_large}"
            cause = ConnectionLost(words, code=cause.code, reason=cause.reason, local=True)
            cause.__cause__ = self._too_large
        self._session.lost(cause)

    def _answered(self, id: Any) -> PendingCall | None:
        """Take the call with this id out of those in flight. Once it is settled its slot is free, and not before.

        A call that waits for the slot must not go out if this one tells that nobody is signed in any more.
        """
        session = self._session
        # 1.0 and True are equal to 1 and would find its call.
        call = session.in_flight.pop(id, None) if type(id) is int else None
        if call is None:
            self._ignore_reply(id)
            return None
        if session.notified:
            session.notified = session.forgot = False
        if call.users:
            session.answered = True
        return call

    def _ignore_reply(self, id: Any) -> None:
        call = take_almost_named(self._session.in_flight, id)
        if call is not None:
            words = f"the reply to {call.method!r} has the id {id!r}, which is not as it was sent: {call.id}"
            self._fail_all([call], ProtocolError(f"{words} (JSON-RPC 2.0 section 5)"))
            self._owner.slot_freed()
            return
        self._counters.ignored_replies += 1
        if not self._owner.knows(id):
            self._protocol_errors.report(ProtocolError("a reply came in for an id that was never sent; it is ignored"))

    def _take_error(self, frame: dict[str, Any]) -> None:
        error = envelope.rpc_error(frame)
        if frame["id"] is None:
            self._take_nameless_error(error)
            return
        call = self._answered(frame["id"])
        if call is None:
            return
        if error.code == AUTHENTICATION_REQUIRED and self._session.may_send_again(call):
            self._owner.send_again(call)
        else:
            call.fail(error)
        self._owner.slot_freed()

    def _take_nameless_error(self, error: RpcError, *, in_batch: bool = False) -> None:
        """Take an error without an id: it is that of the one message that it can be about, where there is only one."""
        if error.code in _ABOUT_A_MESSAGE and self._blame_unread_message(error, in_batch=in_batch):
            return
        trouble = ProtocolError(f"the peer could not read one of our messages (code {error.code})")
        # In a sign-in a peer's own words may echo a secret.
        trouble.__cause__ = None if self._session.signing_in else error
        self._protocol_errors.report(trouble)

    def _blame_unread_message(self, error: ProtocolError | RpcError, *, in_batch: bool) -> bool:
        """Do as `_blame_only_message`, where it is not what has no reply that the peer could not read."""
        # That is a notification, or one of our own answers.
        return not self._session.notified and self._blame_only_message(error, answered=in_batch)

    def _blame_only_message(self, error: ProtocolError | RpcError, *, answered: bool = False) -> bool:
        """Fail the calls of the one message that is unanswered; return whether there is only one."""
        calls = only_message(self._session.in_flight, answered=answered)
        if not calls or self._session.forgot:
            return False
        for call in calls:
            del self._session.in_flight[cast("int", call.id)]
        self._fail_all(calls, error)
        self._owner.slot_freed()
        return True

    def _take_undecoded(self, text: str, error: ProtocolError) -> None:
        calls = self._named_in(text)
        worded = self._in_its_words(error, reply_error(text, _SHOWN))
        if calls:
            self._fail_all(calls, worded)
            self._owner.slot_freed()
        elif not (
            self._session.in_flight
            and is_nameless_error(text)
            and self._blame_unread_message(worded, in_batch=text.lstrip("\ufeff \t\r\n").startswith("["))
        ):
            self._take_malformed(None, error)

    def _named_in(self, text: str) -> list[PendingCall]:
        """Take the calls out whose replies are in a text that cannot be parsed."""
        in_flight = self._session.in_flight
        ids = reply_ids(text) if in_flight else []
        return [call for id in ids if (call := in_flight.pop(id, None)) is not None]

    def _take_malformed(self, frame: Any, error: ProtocolError, *, in_batch: bool = False) -> None:
        if type(frame) is dict and "method" not in frame and self._blame_for(frame, error, in_batch=in_batch):
            return
        if self._session.loss is None:
            self._protocol_errors.report(error)
            self._count_malformed()

    def _blame_for(self, reply: dict[str, Any], error: ProtocolError, *, in_batch: bool) -> bool:
        """Fail the calls that a broken reply is about; return whether there are any."""
        in_flight = self._session.in_flight
        id, said = reply.get("id"), reply.get("error")
        if said is not None and in_flight:
            error = self._in_its_words(error, _own_text(said, ""))
        if (call := take_named(in_flight, id) or take_almost_named(in_flight, id)) is not None:
            self._fail_all([call], error)
            self._owner.slot_freed()
            return True
        if id is not None or type(said) is not dict or said.get("code") not in _ABOUT_A_MESSAGE:
            return False
        return self._blame_unread_message(error, in_batch=in_batch)

    def _in_its_words(self, error: ProtocolError, said: str) -> ProtocolError:
        """Add what the peer wrote as its error, but for a sign-in, where its words may echo a secret."""
        if not said or self._session.signing_in:
            return error
        return ProtocolError(f"{error}; the circle wrote {ascii(said[:_SHOWN])[1:-1]}")

    def _fail_all(self, calls: Collection[PendingCall], error: ProtocolError | RpcError) -> None:
        """Fail calls that were taken out; their slots are free afterwards."""
        for call in calls:
            self._session.answered = self._session.answered or call.users
            call.fail(error)

    def _count_malformed(self) -> None:
        self._malformed += 1
        if self._malformed >= _MALFORMED_BEARABLE:
            words = f"{_MALFORMED_BEARABLE} malformed messages in a row"
            self._session.leave(ConnectionLost.closed(_MALFORMED, words, local=True))


def _own_text(frame: Any, text: str) -> str:
    """Return the part of a batch that one member is; the whole `text` for one that cannot be written as it was read."""
    try:
        return json.encode(frame)
    except ValueError:
        return text


def _kind_or_error(frame: Any) -> Kind | ProtocolError:
    try:
        return envelope.kind_of(frame)
    except ProtocolError as error:
        return error
