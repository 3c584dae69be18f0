"""A transport that keeps what it is given, and the engine's objects around it: for tests of single modules."""

import json
from typing import TYPE_CHECKING, Any

from circle_ws.config import ClientConfig
from circle_ws.engine.handlers import Handlers
from circle_ws.engine.inbound import Inbound
from circle_ws.engine.notifications import Subscriptions
from circle_ws.engine.observers import ProtocolErrors
from circle_ws.engine.pending_call import CallKind, PendingBatch, PendingCall
from circle_ws.engine.send_queue import SendQueue
from circle_ws.stats import Counters

if TYPE_CHECKING:
    from circle_ws.errors import ConnectionLost, ProtocolError

__all__ = ["Line", "Wire"]


class Wire:
    """A transport that takes everything, until it is told to refuse.

    Attributes:
        sent: The texts, in order.
        refusal: What `send` raises; None takes the text.
        drained: What `drain` raises; None returns.
        closed: The codes of the closing handshakes and, for an abort, None.
    """

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.refusal: ConnectionLost | None = None
        self.drained: Exception | None = None
        self.closed: list[int | None] = []
        self.buffered = 0
        self.bytes_received = 0
        self.on_send: Any = None

    def send(self, text: str) -> None:
        if self.on_send is not None:
            self.on_send(text)
        if self.refusal is not None:
            raise self.refusal
        self.sent.append(text)

    async def drain(self) -> None:
        if self.drained is not None:
            raise self.drained
        self.buffered = 0

    async def ping(self) -> None: ...

    async def close(self, code: int = 1000, reason: str = "") -> None:
        self.closed.append(code)

    def abort(self) -> None:
        self.closed.append(None)

    def ids(self) -> list[int]:
        """Return the ids of the requests that were sent, those of batches too."""
        messages = [json.loads(text) for text in self.sent]
        members = [one for it in messages for one in (it if isinstance(it, list) else [it])]
        return [one["id"] for one in members if "id" in one and "method" in one]


class _Closing:
    """Notes the closing handshakes that a session asks for."""

    def __init__(self, line: "Line") -> None:
        self._line = line

    def close(self, transport: Wire, code: int, reason: str) -> None:
        transport.closed.append(code)


class Line:
    """A send queue, and one session after the other with its transport and its receiver.

    Attributes:
        told: The protocol errors that no call failed with.
    """

    def __init__(self, **options: Any) -> None:
        config = ClientConfig("ws://localhost/", **options)
        self.counters = Counters()
        closing: Any = _Closing(self)
        self.queue = SendQueue(config, self.counters, closing, lambda: "open")
        self.subscriptions = Subscriptions()
        self._protocol_errors = ProtocolErrors(self.counters)
        self.told: list[ProtocolError] = []
        self._protocol_errors.callbacks.add(self.told.append)
        self.handlers = Handlers(None)
        self.open()

    def open(self) -> None:
        """Begin another connection, and attach it."""
        self.wire = Wire()
        self.session = self.queue.new_session()
        self.session.open(self.wire)
        self.session.take_requests()
        self.inbound = Inbound(self.session, self.queue, self.subscriptions, self.handlers, self._protocol_errors)
        self.queue.attach(self.session)

    def made(self, method: str = "f", params: str = "[]", **attributes: Any) -> PendingCall:
        """Return a new request."""
        id = self.queue.pending.new_id()
        text = f'{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}'
        call = PendingCall(CallKind.REQUEST, id, method, text, None)
        for name, value in attributes.items():
            setattr(call, name, value)
        # Not every test looks at how every call ends.
        call.future.add_done_callback(lambda future: future.cancelled() or future.exception())
        return call

    def noted(self) -> PendingCall:
        """Return a new notification."""
        return PendingCall(CallKind.NOTIFICATION, 0, "note", '{"jsonrpc":"2.0","method":"note"}', None)

    def submitted(self, method: str = "f", params: str = "[]", **attributes: Any) -> PendingCall:
        """Return a new request that was submitted."""
        call = self.made(method, params, **attributes)
        self.queue.submit(call)
        return call

    def batched(self, count: int) -> PendingBatch:
        """Return a new batch that was submitted."""
        batch = PendingBatch([self.made() for _ in range(count)], None)
        self.queue.submit(batch)
        return batch

    def reply(self, call: PendingCall, **members: Any) -> None:
        """Hand in a reply to a request: the result true, unless `members` say something else."""
        self.hand_in({"jsonrpc": "2.0", "id": call.id, **(members or {"result": True})})

    def hand_in(self, message: Any) -> None:
        """Hand in a message."""
        self.inbound.message(message if isinstance(message, str) else json.dumps(message))
