"""A splitter of incoming bytes into WebSocket frames (RFC 6455 section 5.2), for the client's side.

Nearly every frame that a circle sends is a whole, unmasked text message. The splitter delivers those directly. It
passes the bytes of every other frame on to the general parser, which is therefore always between two frames when a
text message bypasses it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .base import BEGINNING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    _Data: TypeAlias = bytes | memoryview

__all__ = ["FrameSplitter"]

_TEXT = 0x81
"""FIN, no extension, opcode 1: a whole text message."""
_FIN = 0x80
"""Set in the last frame of a message."""
_MASKED = 0x80
_TWO_BYTES = 126
"""Marks a length in the next two bytes, big-endian; 127 marks one in eight bytes."""
_ENDLESS = 1 << 64
"""Longer than any frame."""


class FrameSplitter:
    """A splitter of incoming bytes at the ends of frames.

    Args:
        limit: Maximum length of a payload, in bytes; None means no limit.
        text: Called with the payload of a whole text message. It returns False if the frame must go to the parser,
            because the message is in the middle of a fragmented one, or the connection is closing.
        other: Called with the bytes of all other frames as they arrive. After a frame that is too long, or masked,
            which a server must not send, it gets all bytes that follow.
    """

    __slots__ = ("_limit", "_missing", "_other", "_partial", "_passing", "_refused", "_text", "beginning")

    def __init__(self, limit: int | None, text: Callable[[_Data], bool], other: Callable[[_Data], None]) -> None:
        self._limit = _ENDLESS - 1 if limit is None else limit
        self._text = text
        self._other = other
        self._partial = bytearray()
        """The beginning of a text message, or of a header, that is not complete yet."""
        self._missing = 0
        """Number of bytes that must arrive before parsing can continue."""
        self._passing = 0
        """Number of the next bytes that belong to a frame that is passed on."""
        self._refused = False
        """Whether the frame that is passed on is a text message that is too long."""
        self.beginning: bytes = b""
        """The beginning of that text message."""

    def feed(self, data: _Data) -> None:
        """Split bytes from the network; no view of `data` is kept."""
        while data:
            if self._passing:
                passed, data = data[: self._passing], data[self._passing :]
                self._passing -= len(passed)
                if self._refused:
                    self.beginning += bytes(passed[: BEGINNING - len(self.beginning)])
                self._other(passed)
            elif self._partial:
                self._partial += data[: self._missing]
                data, self._missing = data[self._missing :], self._missing - len(data)
                if self._missing <= 0:
                    # A new bytearray, because a bytearray with a view cannot be resized.
                    begun, self._partial = self._partial, bytearray()
                    self._split(memoryview(begun))
            else:
                self._split(data)
                return

    def _split(self, data: _Data) -> None:
        start, end = 0, len(data)
        while end - start >= 2:
            length = data[start + 1]
            head, length = (start + 2, length) if length < _TWO_BYTES else self._read_length(data, start)
            stop = head + length
            if data[start] == _TEXT and length <= self._limit:
                if stop > end:
                    self._missing = stop - end
                    break
                if not self._text(data[head:stop]):
                    self._other(data[start:stop])
            elif head > end:
                self._missing = head - end
                break
            elif length > self._limit:
                if data[start] | _FIN == _TEXT:
                    self._refused = True
                    self.beginning = bytes(data[head : head + BEGINNING])
                self._passing = _ENDLESS
                self._other(data[start:])
                return
            else:
                self._passing = max(stop - end, 0)
                self._other(data[start:stop])
            start = stop
        else:
            self._missing = 1
        if start < end:
            self._partial += data[start:]

    def _read_length(self, data: _Data, start: int) -> tuple[int, int]:
        """Return the start and the length of a payload whose length does not fit into seven bits."""
        mark = data[start + 1]
        if mark >= _MASKED:
            return start + 2, _ENDLESS
        head = start + (4 if mark == _TWO_BYTES else 10)
        if len(data) < head:
            return head, 0
        length = int.from_bytes(data[start + 2 : head])
        return head, length
