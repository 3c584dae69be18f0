"""Where one WebSocket frame ends and the next begins (RFC 6455 section 5.2), for the side of the client.

Nearly every frame that a circle sends is a whole, unmasked text message. Those are found here and taken as they are;
the bytes of every other frame are passed on to the general parser, which so stands between two frames whenever a text
message is taken past it.
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
"""In the place of a short length: it follows in two bytes, big-endian; one more, 127, stands for eight."""
_FOR_EVER = 1 << 64
"""Longer than any frame."""


class FrameSplitter:
    """Split what comes in at the ends of frames.

    Args:
        limit: The longest payload, in bytes; None means no limit.
        text: Takes the payload of a whole text message; returns False when it may not be taken so, because it stands in
            the middle of a fragmented one, or the link is closing. Then its frame is passed on.
        other: Takes the bytes of all other frames, as they come in; from a frame on that is too long, or masked, which
            a server must not do, all that follows.
    """

    __slots__ = ("_limit", "_missing", "_other", "_partial", "_passing", "_refused", "_text", "beginning")

    def __init__(self, limit: int | None, text: Callable[[_Data], bool], other: Callable[[_Data], None]) -> None:
        self._limit = _FOR_EVER - 1 if limit is None else limit
        self._text = text
        self._other = other
        self._partial = bytearray()
        """The beginning of a text message, or of a header, that has not come in whole."""
        self._missing = 0
        """So many bytes more have to come in before it makes sense to look at it again."""
        self._passing = 0
        """So many bytes to come belong to a frame that is passed on."""
        self._refused = False
        """Whether what is passed on belongs to a text whose frame is too long."""
        self.beginning = b""
        """That of this text, as far as it has come in together with the last byte of its frame's header."""

    def feed(self, data: _Data) -> None:
        """Take what came in from the network; of a view nothing is kept."""
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
                    # A new one, as a view keeps the old one from changing its size.
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
                self._passing = _FOR_EVER
                self._other(data[start:])
                return
            else:
                self._passing = max(stop - end, 0)
                self._other(data[start:stop])
            start = stop
        else:
            self._missing = 1
        self._partial += data[start:]

    def _read_length(self, data: _Data, start: int) -> tuple[int, int]:
        """Give where the payload begins and how long it is, where its length does not fit into seven bits."""
        mark = data[start + 1]
        if mark >= _MASKED:
            return start + 2, _FOR_EVER
        head = start + (4 if mark == _TWO_BYTES else 10)
        if len(data) < head:
            return head, 0
        length = int.from_bytes(data[start + 2 : head])
        return head, length
