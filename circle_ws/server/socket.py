"""The socket of one client: what waits to be read by it is bounded, and who neither reads nor hangs up is cut off."""

from __future__ import annotations

import logging
from contextlib import suppress
from threading import get_ident
from typing import TYPE_CHECKING, Any

from websockets.asyncio.server import ServerConnection
from websockets.frames import Frame, Opcode
from websockets.protocol import CONNECTING, OPEN

from ..errors import ConnectionLost

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

__all__ = ["Link"]

_logger = logging.getLogger("circle_ws.server")

TRY_AGAIN_LATER = 1013
"""Why not 1008, a violated policy: that tells a client not to come back as it is, and clients give up after a few.

A slow client did nothing wrong. 1013, in the registry of RFC 6455 section 11.7, tells it to come back later.
"""

_WRITTEN_AT_ONCE = 256 * 1024
"""So many bytes of what is held are handed to the transport, which then tells again when the client has read them."""


class Link(ServerConnection):
    """Be a WebSocket of the package `websockets` that holds back only so much.

    `websockets` itself sets no limit here: a client that stops reading keeps what is sent without waiting, pongs too,
    in memory for ever, is never found by its pings (they wait to be written), and has closing it wait for ever.

    Args:
        links: Holds this one for as long as its socket is there.
        max_backlog: So many bytes may be sent without waiting to a client that does not keep up.
        stall_timeout: How long a client that does not keep up may take nothing at all, in seconds.

    Attributes:
        when_lost: Is called once, when the socket is gone.
        thread: The thread of the circle's event loop.
    """

    def __init__(self, *args: Any, links: set[Link], max_backlog: int, stall_timeout: float, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.when_lost: Callable[[], object] | None = None
        self.thread = get_ident()
        self._links = links
        self._max_backlog = max_backlog
        self._stall_timeout = stall_timeout
        self._written = 0
        # One piece: asyncio's buffer takes time for each of its pieces whenever it is written to or asked for its size.
        self._held = bytearray()
        self._held_pong: bytes | None = None
        # The library itself writes a pong for each ping, however many the client leaves unread.
        self.protocol.send_frame = self._send_frame  # type: ignore[method-assign]
        self._hang_up: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None

    @property
    def is_opening(self) -> bool:
        """Whether the opening handshake is not over yet."""
        return self.protocol.state is CONNECTING

    @property
    def backlog(self) -> int:
        """How much was sent while the client did not keep up, and is still here, in bytes."""
        return len(self._held)

    def run_on_its_loop(self, function: Callable[..., object], *arguments: object) -> None:
        """Call a function now, or from another thread soon; not at all when the loop has ended."""
        if get_ident() == self.thread:
            function(*arguments)
            return
        with suppress(RuntimeError):
            self.loop.call_soon_threadsafe(function, *arguments)

    def push(self, text: bytes) -> bool:
        """Send a text message without waiting; tells whether that was possible.

        Args:
            text: UTF-8.
        """
        if not self._is_open():
            return False
        self.protocol.send_text(text)
        self.send_data()
        return True

    async def push_when_read(self, text: str) -> bool:
        """Send a text message as soon as the client has read what came before; tells whether that was possible."""
        while self.paused:
            try:
                await self.drain()
            except OSError:
                return False
        return self.push(text.encode())

    def drop(self, why: str, code: int = TRY_AGAIN_LATER) -> None:
        """Ask the client to hang up; it is cut off when it does not within `close_timeout`.

        Args:
            why: At most 123 bytes.
            code: By default it asks the client to come back later.
        """
        if not self._is_open():
            return
        # Anybody can connect and not sign in, as often as they like: that is no warning.
        _logger.log(logging.WARNING if code == TRY_AGAIN_LATER else logging.INFO, "a client is dropped: %s", why)
        self.protocol.send_close(code, why)
        self.send_data()

    def loss(self) -> ConnectionLost:
        """Describe how the client went."""
        received, sent = self.protocol.close_rcvd, self.protocol.close_sent
        if received is not None and (sent is None or self.protocol.close_rcvd_then_sent):
            words = f"the client is gone: it closed the connection with code {received.code}"
            return ConnectionLost(words, code=received.code, reason=received.reason)
        if sent is not None:
            words = f"the client is gone: the circle closed the connection with code {sent.code}"
            return ConnectionLost(words, code=sent.code, reason=sent.reason, local=True)
        return ConnectionLost("the client is gone, without a closing handshake (1006)")

    # What `websockets` and asyncio call.

    def send_data(self) -> None:
        """Write what the protocol has to say: all that goes out, and every end, passes here."""
        writes = self.protocol.data_to_send()
        data = b"".join(writes)
        if self._held or self.paused:
            self._held += data
        elif data:
            self._write(data)
        if b"" in writes:  # The end, after which nothing more is sent.
            self._write(self._held)
            self._held = bytearray()
            self.protocol.writes.append(b"")
            super().send_data()
        if not self._is_open():
            if self._hang_up is None:
                self._begin_to_hang_up()
        elif self.backlog > self._max_backlog:
            self.drop("too slow: more waits for you than max_backlog_bytes")

    def _write(self, data: bytes | bytearray) -> None:
        self._written += len(data)
        self.transport.write(data)

    def _send_frame(self, frame: Frame) -> None:
        """Write a frame of the library's; who does not read is kept only the latest pong (RFC 6455 section 5.5.3)."""
        if frame.opcode is Opcode.PONG and self.paused:
            self._held_pong = bytes(frame.data)
        else:
            type(self.protocol).send_frame(self.protocol, frame)

    def pause_writing(self) -> None:
        """Learn that the client does not keep up."""
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        """Learn that the client has read nearly everything."""
        super().resume_writing()
        self._stop_watching()
        pong, self._held_pong = self._held_pong, None
        if pong is not None and self._is_open():
            self.protocol.send_pong(pong)
            self.send_data()
        while self._held and not self.paused:
            data = self._held[:_WRITTEN_AT_ONCE]
            del self._held[:_WRITTEN_AT_ONCE]
            self._write(data)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Learn that the socket is there."""
        super().connection_made(transport)
        self._links.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Learn that the socket is gone."""
        super().connection_lost(exc)
        self._held = bytearray()
        self._links.discard(self)
        self._stop_watching()
        if self._hang_up is not None:
            self._hang_up.cancel()
        if self.when_lost is not None:
            self.when_lost()

    def _is_open(self) -> bool:
        return self.protocol.state is OPEN

    def _begin_to_hang_up(self) -> None:
        if not self.is_opening and self.close_timeout is not None:
            self._hang_up = self.loop.call_later(self.close_timeout, self.transport.abort)

    def _watch(self) -> None:
        taken = self._written - self.transport.get_write_buffer_size()
        self._stall = self.loop.call_later(self._stall_timeout, self._look, taken)

    def _look(self, taken_before: int) -> None:
        if self._written - self.transport.get_write_buffer_size() > taken_before:
            self._watch()
        elif self._is_open():
            self.drop(f"too slow: you read nothing for {self._stall_timeout:g} s")

    def _stop_watching(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
