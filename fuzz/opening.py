"""Any bytes from the network: what is read is the same however they are cut, in the head and in the frames.

The first two bytes say where the cuts are.
"""

from collections.abc import Iterator

from circle_ws.transport.frames import FrameSplitter
from circle_ws.transport.http_head import ResponseHead

__all__ = ["one_input"]

_LIMIT = 100


def _pieces(data: bytes, sizes: bytes) -> Iterator[bytes]:
    at = turn = 0
    while at < len(data):
        size = 1 + sizes[turn % len(sizes)] % 60
        yield data[at : at + size]
        at, turn = at + size, turn + 1


def _head(pieces: Iterator[bytes]) -> tuple[object, ...]:
    """Return what a head is read as: its status, what it is passed on as, and what follows."""
    head = ResponseHead()
    for piece in pieces:
        if head.feed(piece):
            rest = head.rest + b"".join(pieces)
            # Without HTTP all bytes are passed on as they came; how many were needed to see that is no matter.
            return (None, head.opening() + rest) if head.status is None else (head.status, head.opening(), rest)
    return head.finish(), head.status, head.opening()


def _frames(pieces: Iterator[bytes]) -> tuple[list[bytes], bytes]:
    """Return the texts, and all other bytes."""
    texts: list[bytes] = []
    others = bytearray()

    def text(payload: bytes | bytearray | memoryview) -> bool:
        assert len(payload) <= _LIMIT, "a text over the limit"
        texts.append(bytes(payload))
        return True

    splitter = FrameSplitter(_LIMIT, text, lambda passed: others.extend(passed))
    for piece in pieces:
        splitter.feed(piece)
    return texts, bytes(others)


def one_input(data: bytes) -> None:
    """Read bytes whole and in pieces."""
    sizes, rest = data[:2] or b"\0", data[2:]
    assert _frames(iter([rest])) == _frames(_pieces(rest, sizes)), "frames are cut otherwise"
    assert _head(iter([rest])) == _head(_pieces(rest, sizes)), "a head is read otherwise"
