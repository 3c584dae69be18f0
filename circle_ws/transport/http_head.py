"""The head of an HTTP response, to an opening handshake or to CONNECT, read as leniently as browsers read it.

Only the status line and a few headers matter. A missing reason phrase, HTTP/1.0, a body and a long head are accepted.
"""

from __future__ import annotations

import re

__all__ = ["ResponseHead"]

_MAX_BYTES = 64 * 1024
"""Maximum length of a head, in bytes; a longer one counts as complete after that."""
_MAX_INTERIM = 20
"""Maximum number of interim answers (1xx); one more counts as the final one."""
_START = b"HTTP/1."
_STATUS = re.compile(rb"HTTP/1\.([01]) +([1-5][0-9][0-9])(?: [^\n]*|\r)?(?:\n|$)")
_END = re.compile(rb"\r?\n\r?\n")
_OPENING = frozenset(
    {b"upgrade", b"connection", b"sec-websocket-accept", b"sec-websocket-protocol", b"sec-websocket-extensions"}
)
"""The headers of an opening handshake (RFC 6455 section 4.2.2)."""
_REFUSING = {b"retry-after": 100, b"date": 100, b"location": 1000}
"""The headers of a refusal, with the maximum length of each."""
_PLAIN = re.compile(rb"[ -~]+")


class ResponseHead:
    """The head of one response, after the interim ones before it: 100, 103 ... (RFC 9110 section 15.2).

    Attributes:
        status: The HTTP status, once `feed` or `finish` has returned True; None if it was not HTTP.
        rest: The bytes after the head.
    """

    __slots__ = ("_interim", "_seen", "rest", "status")

    def __init__(self) -> None:
        self._seen = bytearray()
        self._interim = 0
        self.status: int | None = None
        self.rest: bytes = b""

    def feed(self, data: bytes) -> bool:
        """Add bytes, and return whether the head has ended, or is invalid or too long."""
        seen = self._seen
        searched = max(0, len(seen) - 3)
        seen += data
        end = _END.search(seen, searched)
        if end is not None:
            self.rest = bytes(seen[end.end() :])
            del seen[end.end() :]
        elif len(seen) <= _MAX_BYTES and seen[: len(_START)] == _START[: len(seen)]:
            return False
        self._read(whole=end is not None)
        # 101 is in the class of interim responses, but final for a client that requested an upgrade.
        if self.status is None or self.status >= 200 or self.status == 101 or self._interim == _MAX_INTERIM:
            return True
        self._interim += 1
        self.status = None
        seen.clear()
        rest, self.rest = self.rest, b""
        return self.feed(rest)

    def finish(self) -> bool:
        """Return whether what came before the end of the connection is enough to know the status."""
        self._read(whole=False)
        return self.status is not None

    def opening(self) -> bytes:
        """Return the head rewritten, with only the headers that matter; without HTTP, the bytes unchanged."""
        if self.status is None:
            return bytes(self._seen)
        names = _OPENING if self.status == 101 else _REFUSING
        lines = [b"%s: %s" % pair for pair in self._pairs() if pair[0] in names]
        if self.status != 101:
            lines.append(b"content-length: 0")
        return b"\r\n".join([b"HTTP/1.1 %d -" % self.status, *lines, b"", b""])

    def header(self, name: bytes) -> str | None:
        """Return the first header of this name, in lower case, or None."""
        return next((value.decode("latin-1") for key, value in self._pairs() if key == name), None)

    def _read(self, *, whole: bool) -> None:
        found = _STATUS.match(self._seen)
        if found is None:
            return
        status = int(found[2])
        # An upgrade needs HTTP/1.1. An upgrade or an interim response counts only once it is complete.
        if status >= 200 or (whole and (status != 101 or found[1] == b"1")):
            self.status = status
            if not whole:
                # The last line may be incomplete.
                del self._seen[max(self._seen.rfind(b"\n"), found.end()) :]

    def _pairs(self) -> list[tuple[bytes, bytes]]:
        lines = bytes(self._seen).split(b"\n")[1:]
        pairs = [
            (name.lower(), value.strip()) for name, colon, value in (line.partition(b":") for line in lines) if colon
        ]
        return [
            (name, value)
            for name, value in pairs
            if name not in _REFUSING or (len(value) <= _REFUSING[name] and _PLAIN.fullmatch(value))
        ]
