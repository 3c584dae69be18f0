"""What comes in on one connection: replies to their calls, notifications to their listeners, the rest is told of."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from .buffer import weigh
from .errors import ConnectionLost, MessageTooLarge, ProtocolError
from .handlers import BatchReply
from .jsonrpc import envelope, json
from .jsonrpc.codes import AUTHENTICATION_REQUIRED
from .jsonrpc.envelope import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from .call import Call
    from .errors import RpcError
    from .handlers import Handlers
    from .jsonrpc.subscriptions import Subscriptions
    from .owner import Owner
    from .session import Session
    from .trouble import Trouble

__all__ = ["Inbound"]

_logger = logging.getLogger("circle_ws")

_MALFORMED = 4002
"""The close code for a peer that sends too much that is no JSON-RPC."""
_MALFORMED_BEARABLE = 5
"""So many malformed messages end a connection."""


class Inbound:
    """Be the receiver of one transport.

    Args:
        session: The connection.
        owner: Is told when a slot is free, and sends again what was refused for want of a sign-in.
        subscriptions: Where notifications go.
        handlers: Who answers the circle's requests.
        trouble: Is told what breaks JSON-RPC.
    """

    __slots__ = ("_counters", "_handlers", "_malformed_messages", "_owner", "_session", "_subscriptions", "_trouble")

    def __init__(
        self, session: Session, owner: Owner, subscriptions: Subscriptions, handlers: Handlers, trouble: Trouble
    ) -> None:
        self._session = session
        self._owner = owner
        self._subscriptions = subscriptions
        self._handlers = handlers
        self._trouble = trouble
        self._counters = trouble.counters
        self._malformed_messages = 0

    def message(self, text: str) -> None:
        """Take one message: resolve the call it answers, or hand the notification on."""
        self._counters.bytes_in += len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))
        try:
            frame = json.decode(text)
        except ProtocolError as error:
            self._take_malformed(None, error)
            return
        if type(frame) is list:
            self._take_batch(frame, text)
        else:
            self._take(frame, text)

    def _take_batch(self, frames: list[Any], text: str) -> None:
        """Take the members of a batch one by one (JSON-RPC 2.0 section 6)."""
        if not frames:
            self._take_malformed(None, ProtocolError("a batch is empty"))
            return
        count = sum(1 for frame in frames if _wants_reply(frame))
        replies = BatchReply(count, self._session.answer, self._handlers.max_reply_bytes)
        for frame in frames:
            self._take(frame, text, replies.add)

    def _take(self, frame: Any, text: str, reply: Callable[[str], None] | None = None) -> None:
        try:
            kind = envelope.kind_of(frame)
        except ProtocolError as error:
            self._take_malformed(frame, error)
            return
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
                frame["method"], frame.get("params"), text if reply is None else _own_text(frame, text)
            ):
                counters.dropped += dropped
        elif kind is Kind.ERROR:
            self._take_error(frame)
        else:
            own_text = text if reply is None else _own_text(frame, text)
            self._handlers.take(frame, reply or self._session.answer, weigh(own_text))

    def invalid(self, cause: ProtocolError) -> None:
        """Learn of what is no text message. One over the size may have been any call's reply, so all fail with it."""
        self._trouble.tell(cause)
        if isinstance(cause, MessageTooLarge):
            self._session.fail_in_flight(cause)
        else:
            self._count_malformed()

    def lost(self, cause: ConnectionLost) -> None:
        """Learn that the link is down."""
        self._session.lost(cause)

    def _answered(self, id: Any) -> Call | None:
        """Take the call with this id out of those in flight. Once it is settled its slot is free, and not before.

        A call that waits for the slot must not go out if this one tells that nobody is signed in any more.
        """
        # 1.0 and True are equal to 1 and would find its call.
        call = self._session.in_flight.pop(id, None) if type(id) is int else None
        if call is None:
            self._ignore_reply(id)
        elif call.users:
            self._session.answered = True
        return call

    def _ignore_reply(self, id: Any) -> None:
        self._counters.ignored_replies += 1
        if not self._owner.knows(id):
            self._trouble.tell(ProtocolError("a reply came in for an id that was never sent; it is ignored"))

    def _take_error(self, frame: dict[str, Any]) -> None:
        error = envelope.rpc_error(frame)
        if frame["id"] is None:
            trouble = ProtocolError(f"the peer could not read one of our messages (code {error.code})")
            # In a sign-in a peer's own words may echo a secret.
            trouble.__cause__ = None if self._session.signing_in else error
            self._trouble.tell(trouble)
            self._blame_batch(error)
            return
        call = self._answered(frame["id"])
        if call is None:
            return
        if error.code == AUTHENTICATION_REQUIRED and self._session.may_send_again(call):
            self._owner.send_again(call)
        else:
            call.fail(error)
        self._owner.slot_freed()

    def _blame_batch(self, error: RpcError) -> None:
        """Fail the one batch that is unanswered, which alone an error without an id can be about.

        A circle that knows no batches refuses them so, and its calls would wait for their whole time.
        """
        in_flight = self._session.in_flight
        batch = next(iter(in_flight.values())).batch if in_flight else None
        if batch is not None and len(in_flight) == batch.slots and all(it.batch is batch for it in in_flight.values()):
            self._session.fail_in_flight(error)

    def _take_malformed(self, frame: Any, error: ProtocolError) -> None:
        is_reply = type(frame) is dict and "method" not in frame
        call = self._session.in_flight.pop(frame["id"], None) if is_reply and type(frame.get("id")) is int else None
        if call is None:
            self._trouble.tell(error)
            self._count_malformed()
            return
        self._session.answered = self._session.answered or call.users
        call.fail(error)
        self._owner.slot_freed()

    def _count_malformed(self) -> None:
        self._malformed_messages += 1
        if self._malformed_messages == _MALFORMED_BEARABLE:
            words = f"{_MALFORMED_BEARABLE} malformed messages on one connection"
            self._session.leave(ConnectionLost.closed(_MALFORMED, words, local=True))


def _own_text(frame: dict[str, Any], text: str) -> str:
    """Return the part of a batch that one member is; the whole `text` for one that cannot be written as it was read."""
    try:
        return json.encode(frame)
    except ValueError:
        return text


def _wants_reply(frame: Any) -> bool:
    try:
        return envelope.kind_of(frame) is Kind.REQUEST
    except ProtocolError:
        return False
