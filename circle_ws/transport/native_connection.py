"""One open WebSocket of the package `websockets`, with a fast path for whole text messages.

They go from the network straight to the receiver, and from the sender straight to the network: no reader task, no
queue, no object for the frame. Writes of one turn of the event loop are joined: the first message is written at once,
the following ones together at the end of the turn. The library handles everything else (control frames, fragments,
compression, faults), and sees those bytes in order.
"""

from __future__ import annotations

import asyncio
import logging
import os
from struct import Struct
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import websockets.asyncio.client as websockets_client
from websockets.exceptions import NegotiationError, PayloadTooBig
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN, Event

try:
    from websockets.speedups import apply_mask
except ImportError:  # pragma: no cover - a platform for which `websockets` has no compiled wheel
    from websockets.utils import apply_mask

from ..errors import ConnectionLost
from .base import BEGINNING, binary_message, message_too_large
from .frames import FrameSplitter
from .http_head import ResponseHead

if TYPE_CHECKING:
    from .base import Receiver, Send

__all__ = ["BufferedConnection", "Connection", "NativeTransport"]

_logger = logging.getLogger("circle_ws.transport")

_TEXT = 0x81
"""FIN, no extension, opcode 1: the first byte of a whole text message (RFC 6455 section 5.2)."""
_MASKED = 0x80
_SHORT, _MEDIUM, _LONG = (Struct(form) for form in ("!BB4s", "!BBH4s", "!BBQ4s"))
_MAX_JOINED = 64 * 1024
"""More bytes than this are written before the end of the turn: one more system call costs little in comparison."""
_READ_AT_ONCE = 64 * 1024
"""Size of the read buffer, in bytes: about a listener's buffer of short notifications, so that its task gets a turn."""
_PING_BYTES = 8
"""Size of the random payload of a ping, which the pong repeats, so that each pong is matched to its ping."""
_MAX_PENDING_PINGS = 8
"""Maximum number of pings that wait for their pong."""


class Connection(websockets_client.ClientConnection):
    """A connection that passes whole messages to a receiver as soon as they have arrived.

    Args:
        receiver: The consumer of the messages.
    """

    def __init__(self, *args: Any, receiver: Receiver, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.receiver = receiver
        self.bytes_received: int = 0
        self.silent: bool = False
        """Whether nothing more is passed to the receiver."""
        self.joined_size: int = 0
        """Number of bytes to be written at the end of this turn."""
        self._joined: list[bytes] = []
        self._joining = False
        self._splitter = FrameSplitter(self.protocol.max_message_size, self._deliver, self._pass_on)
        # The library writes a pong for each ping, even if the peer does not read: without this, a flood of pings
        # would fill the write buffer.
        self.protocol.send_frame = self._send_frame  # type: ignore[method-assign]
        self._open = False
        self._head: ResponseHead | None = ResponseHead()
        self._ended = False
        self._fragments = bytearray()
        """The received fragments of a message, joined: a list would cost an object for each, even for empty ones."""
        self._text = True
        self._held_pong: bytes | None = None
        """The payload of the latest ping that arrived while the peer did not read, or None."""
        self._hang_up: asyncio.TimerHandle | None = None

    # Writing.

    def send_text(self, text: str) -> None:
        """Write one text message.

        Raises:
            ConnectionLost: The connection is known to be lost.
        """
        protocol = self.protocol
        if protocol.state is not OPEN:
            raise self.loss()
        payload = text.encode()
        if protocol.extensions:
            protocol.send_text(payload)
            self.send_data()
            return
        # The frame of a whole text message, masked with a fresh key (RFC 6455 section 5.3). The masked payload stays
        # apart from the header, because copying a long one is expensive.
        length, key = len(payload), os.urandom(4)
        if length < 126:
            header = _SHORT.pack(_TEXT, _MASKED | length, key)
        elif length < 1 << 16:
            header = _MEDIUM.pack(_TEXT, _MASKED | 126, length, key)
        else:
            header = _LONG.pack(_TEXT, _MASKED | 127, length, key)
        masked = apply_mask(payload, key)
        if self._joining:
            self._joined += (header, masked)
            self.joined_size += len(header) + length
            if self.joined_size > _MAX_JOINED:
                self.write_joined()
        else:
            self._joining = True
            self.loop.call_soon(self._end_turn)
            self.transport.write(header + masked)

    def terminate_pending_pings(self) -> None:
        """Fail the pings that wait for a pong, once TCP is closed."""
        for pong, _ in self.pending_pings.values():
            if not pong.done():
                pong.set_exception(self.loss())
                # Marks the error as retrieved: there may be no task that awaits the pong.
                pong.cancel()
        self.pending_pings.clear()

    def _end_turn(self) -> None:
        # While the peer does not read, keep joining: asyncio's buffer takes time for each of its pieces.
        if not self.paused:
            self._joining = False
            self.write_joined()

    def write_joined(self) -> None:
        """Write the joined messages now instead of at the end of this turn."""
        if self._joined:
            joined, self._joined = self._joined, []
            self.joined_size = 0
            self.transport.write(b"".join(joined))

    def send_data(self) -> None:
        """Write the output of the library, after the joined messages, to keep the order."""
        if self.protocol.writes:
            self.write_joined()
            super().send_data()

    def _send_frame(self, frame: Frame) -> None:
        """Write a frame of the library; while the peer does not read, keep only the latest pong (RFC 6455, 5.5.3)."""
        if frame.opcode is Opcode.PONG and self.paused:
            self._held_pong = bytes(frame.data)
        else:
            type(self.protocol).send_frame(self.protocol, frame)

    def resume_writing(self) -> None:
        """Handle that the peer reads again: write the joined messages and answer its latest ping."""
        super().resume_writing()
        self._end_turn()
        pong, self._held_pong = self._held_pong, None
        if pong is not None and self.protocol.state is OPEN:
            self.protocol.send_pong(pong)
            self.send_data()

    # Reading.

    def loss(self) -> ConnectionLost:
        """Return the error for the end of the connection."""
        received, sent = self.protocol.close_rcvd, self.protocol.close_sent
        if received is not None and (sent is None or self.protocol.close_rcvd_then_sent):
            return ConnectionLost.closed(received.code, received.reason)
        if sent is not None:
            return ConnectionLost.closed(sent.code, sent.reason, local=True)
        return ConnectionLost.closed(1006)

    def process_event(self, event: Event) -> None:
        """Handle an event of the library: the response to the handshake, or a frame that was passed on to it."""
        protocol = self.protocol
        if not isinstance(event, Frame):
            offered = protocol.available_subprotocols
            if offered and protocol.subprotocol is None and protocol.handshake_exc is None:
                # Browsers fail a handshake in which the server accepted none of them (WHATWG).
                self.silent = True
                protocol.handshake_exc = NegotiationError(
                    f"the server took none of the subprotocols that were offered: {', '.join(offered)}"
                )
            super().process_event(event)
        elif event.opcode is Opcode.PONG:
            self.acknowledge_pings(bytes(event.data))
        elif event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT) and not self.silent:
            self._take_frame(event)

    def _take_frame(self, frame: Frame) -> None:
        if frame.opcode is not Opcode.CONT:
            self._text = frame.opcode is Opcode.TEXT
        data: Any = frame.data
        if not frame.fin or self._fragments:
            self._fragments += data
            if not frame.fin:
                return
            data, self._fragments = self._fragments, bytearray()
        limit = self.protocol.max_message_size
        if limit is not None and len(data) > limit:
            self._refuse(PayloadTooBig(len(data), limit), data[:BEGINNING])
        else:
            self._deliver(data, text=self._text)

    def _refuse(self, error: PayloadTooBig, beginning: bytes) -> None:
        """Fail the connection for data that zlib held back, which `websockets` accepts with an empty last fragment."""
        self.protocol.parser_exc = error
        self._fragments = bytearray(beginning)
        self.protocol.fail(1009, str(error))
        self.send_data()
        self._end()
        self.silent = True

    def data_received(self, data: bytes | memoryview) -> None:
        """Handle incoming bytes: the response to the handshake and what follows it, then frames."""
        self.bytes_received += len(data)
        if self._open:
            self._splitter.feed(data)
        elif self._head is not None and self._head.feed(bytes(data)):
            self._take_head(self._head)
        if self.protocol.state is not OPEN and self.response is not None:
            self._end()

    def eof_received(self) -> None:
        """Handle the end of input; a partial response to the handshake may be enough."""
        if self._head is not None and self._head.finish():
            self._take_head(self._head)
        super().eof_received()

    def _take_head(self, head: ResponseHead) -> None:
        """Pass only the head of the response to the library, so that its parser is then between frames.

        A response that the library would not read whole, or refuse for its form, is rewritten.
        """
        self._head = None
        super().data_received(head.opening())
        self._open = self.protocol.state is OPEN
        if self._open and head.rest:
            self._splitter.feed(head.rest)

    def _pass_on(self, data: bytes | memoryview) -> None:
        super().data_received(bytes(data))

    def _deliver(self, data: Any, *, text: bool = True) -> bool:
        """Pass a whole message to the receiver; return False if the library must see its frame instead."""
        protocol = self.protocol
        if self.silent or protocol.state is not OPEN or protocol.current_size is not None:
            return False
        try:
            if text:
                self.receiver.message(str(data, "utf-8"))
            else:
                self.receiver.invalid(binary_message())
        except UnicodeDecodeError:
            protocol.fail(1007, "invalid UTF-8")
            self.send_data()
        except Exception:
            _logger.exception("a receiver raised; the connection goes on")
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Handle the end of TCP."""
        if self._head is not None and self._head.finish():
            self._take_head(self._head)
        super().connection_lost(exc)
        if self._hang_up is not None:
            self._hang_up.cancel()
        if self.response is not None:
            self._end()

    def _end(self) -> None:
        """Report the loss to the receiver, once, without waiting for the server to close TCP."""
        if self._ended or self.protocol.handshake_exc is not None:
            return
        self._ended = True
        self.transport.close()
        if self.close_timeout is not None:
            self._hang_up = self.loop.call_later(self.close_timeout, self.transport.abort)
        if self.silent:
            return
        try:
            if isinstance(self.protocol.parser_exc, PayloadTooBig):
                # It came in fragments, or in one frame.
                beginning = str(self._fragments[:BEGINNING] or self._splitter.beginning, "utf-8", "ignore")
                self.receiver.invalid(message_too_large(self.protocol.max_message_size, beginning))
            self.receiver.lost(self.loss())
        except Exception:
            _logger.exception("a receiver raised; the connection is down all the same")


class BufferedConnection(Connection, asyncio.BufferedProtocol):
    """A connection that reads into a buffer that all connections of an event loop share.

    Without `BufferedProtocol` asyncio allocates 256 KiB for each read, which costs more than all the work for a short
    message. Sharing is safe if the loop requests the buffer, fills it and reports that in one step, as the selector
    loop does (the proactor loop does not).
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.loop not in _buffers:
            _buffers[self.loop] = memoryview(bytearray(_READ_AT_ONCE))
        self._buffer = _buffers[self.loop]

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return the buffer to read into."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Handle the bytes that were read. No view of the buffer is kept."""
        self.data_received(self._buffer[:nbytes])


_buffers: WeakKeyDictionary[asyncio.AbstractEventLoop, memoryview] = WeakKeyDictionary()


class NativeTransport:
    """The `Transport` of one open connection."""

    __slots__ = ("_connection", "send")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        # The connection's own method: one step less for every message.
        self.send: Send = connection.send_text
        # The handshake is over. Its request and response take more memory than the connection itself; the parser keeps
        # a reference to the response while it runs, so the response is emptied.
        connection.request = None
        assert connection.response is not None
        connection.response.headers.clear()

    @property
    def buffered(self) -> int:
        """Number of bytes that are not sent yet."""
        return self._connection.joined_size + self._connection.transport.get_write_buffer_size()

    @property
    def bytes_received(self) -> int:
        """Number of bytes received so far, control frames included."""
        return self._connection.bytes_received

    async def drain(self) -> None:
        """Wait until there is room to write more.

        Raises:
            ConnectionLost: The connection was lost meanwhile.
        """
        try:
            self._connection.write_joined()
            await self._connection.drain()
        except OSError as error:
            raise self._connection.loss() from error
        if self._connection.protocol.state is not OPEN:
            raise self._connection.loss()

    def ping(self) -> asyncio.Future[None]:
        """Send a ping frame; the future is done with its pong, and fails with `ConnectionLost` if the connection ends.

        Raises:
            ConnectionLost: The connection is known to be lost.
        """
        connection = self._connection
        if connection.protocol.state is not OPEN:
            raise connection.loss()
        pong, pings = connection.loop.create_future(), connection.pending_pings
        payload = os.urandom(_PING_BYTES)
        if len(pings) >= _MAX_PENDING_PINGS:
            # Otherwise a peer that is alive but never answers pings would add one of them at each interval.
            earliest, _ = pings.pop(next(iter(pings)))
            earliest.cancel()
        # The library matches the pong and sets the future to the round-trip time.
        pings[payload] = (pong, connection.loop.time())
        connection.protocol.send_ping(payload)
        connection.send_data()
        return pong

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close with the closing handshake, within `close_timeout`. Idempotent; cancelling it aborts."""
        self._connection.silent = True
        try:
            # The library's own timeout starts only when the peer has read everything written before.
            async with asyncio.timeout(self._connection.close_timeout):
                await self._connection.close(code, reason)
        except TimeoutError:
            self.abort()
        except asyncio.CancelledError:
            self.abort()
            raise

    def abort(self) -> None:
        """Close at once, without a closing handshake. Idempotent."""
        self._connection.silent = True
        self._connection.transport.abort()
