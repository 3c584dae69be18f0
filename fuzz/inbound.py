"""Any text in, only documented errors and events out: the decoders, and what a client makes of a circle's messages.

What is decoded must be what the standard library reads, and come back when it is written. A message must leave the
tables of a connection as they may be: each call is answered at most once, and nothing raises. A line that begins with
NUL is told as a message that is too large, a single NUL as a binary one.
"""

import asyncio
import json
from typing import Any

from circle_ws.config import ClientConfig
from circle_ws.engine.handlers import Handlers
from circle_ws.engine.inbound import Inbound
from circle_ws.engine.notifications import Subscriptions
from circle_ws.engine.observers import ProtocolErrors
from circle_ws.engine.pending_call import CallKind, PendingCall
from circle_ws.engine.send_queue import SendQueue
from circle_ws.errors import ConnectionLost, MessageTooLarge, ProtocolError
from circle_ws.jsonrpc import codec
from circle_ws.stats import Counters

__all__ = ["one_input"]

CONFIG = ClientConfig("ws://localhost/")


class Line:
    """A transport that accepts everything."""

    buffered = 0
    bytes_received = 0

    def send(self, text: str) -> None:
        codec.decode(text)

    async def drain(self) -> None: ...

    async def ping(self) -> None: ...

    async def close(self, code: int = 1000, reason: str = "") -> None: ...

    def abort(self) -> None: ...


def agree(text: str) -> None:
    """Decode with ours and with the standard library: what ours takes the other takes, to the same value.

    The other way round it is not so: the standard library takes NaN, lone surrogates and numbers without limit.
    """
    try:
        value = codec.decode(text)
    except ProtocolError:
        return
    if json.loads(text) != value:
        raise AssertionError(f"the decoders disagree: {text!r}")
    if codec.decode(codec.encode(value)) != value:
        raise AssertionError(f"it does not come back: {text!r}")


def tell(inbound: Inbound, text: str) -> None:
    """Hand one text to a receiver, as the transports do."""
    if text == "\0":
        inbound.invalid(ProtocolError("a binary message"))
    elif text.startswith("\0"):
        inbound.invalid(MessageTooLarge("too large", beginning=text[1:]))
        inbound.lost(ConnectionLost.closed(1009, local=True))
    else:
        inbound.message(text)


class Closing:
    """Counts the closing handshakes of a client by their codes."""

    def __init__(self) -> None:
        self.codes: list[int] = []

    def close(self, transport: Any, code: int, reason: str) -> None:
        self.codes.append(code)


async def read(texts: list[str]) -> None:
    """Read messages on one connection with two calls in flight."""
    counters = Counters()
    closing: Any = Closing()
    send_queue = SendQueue(CONFIG, counters, closing, lambda: "queue")
    session = send_queue.new_session()
    session.open(Line())
    session.take_requests()
    inbound = Inbound(session, send_queue, Subscriptions(), Handlers(None), ProtocolErrors(counters))
    pending = send_queue.pending
    calls = [PendingCall(CallKind.REQUEST, pending.new_id(), "f", "{}", None) for _ in range(2)]
    for call in calls:
        pending.add(call.id, call)
    for text in texts:
        if session.loss is None:
            tell(inbound, text)
    session.lost(ConnectionLost.closed(1006))
    assert not pending.entries
    assert all(call.future.done() for call in calls), "a call was forgotten"
    for call in calls:
        call.future.exception()
    assert closing.codes in ([], [4002])


def one_input(data: bytes) -> None:
    """Run one input: texts, one a line."""
    texts = data.decode("utf-8", "surrogateescape").split("\n")[:8]
    for text in texts:
        agree(text)
    with asyncio.Runner() as runner:
        runner.run(read(texts))
