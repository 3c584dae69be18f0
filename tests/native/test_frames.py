"""A stream of frames is split at their ends, however it is cut into pieces on its way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circle_ws.transport.base import BEGINNING
from circle_ws.transport.frames import FrameSplitter

TEXT, LIMIT = 0x81, 70_000
OTHERS = [0x01, 0x00, 0x80, 0x82, 0x88, 0x89, 0x8A, 0xC1]
"""The first bytes of fragments, binary messages, control frames, and of a compressed text."""


def frame(first: int, payload: bytes, *, mask: int = 0) -> bytes:
    length = len(payload)
    if length < 126:
        return bytes([first, mask | length]) + payload
    if length < 1 << 16:
        return bytes([first, mask | 126]) + length.to_bytes(2) + payload
    return bytes([first, mask | 127]) + length.to_bytes(8) + payload


class Taken:
    """Record the output of a splitter, in order."""

    def __init__(self, limit: int | None = LIMIT, *, refuses: bool = False) -> None:
        self.texts: list[bytes] = []
        self.stream = bytearray()
        """What was passed on; a text that was taken leaves a mark in its place."""
        self.refuses = refuses
        self.splitter = FrameSplitter(limit, self._text, self._other)

    def _text(self, payload: bytes | memoryview) -> bool:
        if not self.refuses:
            self.texts.append(bytes(payload))
            self.stream += b"<text>"
        return not self.refuses

    def _other(self, data: bytes | memoryview) -> None:
        self.stream += data

    def feed(self, stream: bytes, *cuts: int) -> "Taken":
        places = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
        for start, stop in zip(places, places[1:], strict=False):
            self.splitter.feed(stream[start:stop])
        return self


payloads = st.one_of(st.binary(max_size=20), st.sampled_from([125, 126, 65_535, 65_536]).map(bytes))
frames = st.lists(st.tuples(st.sampled_from([TEXT, TEXT, *OTHERS]), payloads), max_size=6)


@given(frames, st.lists(st.integers(0, 200_000), max_size=8))
def test_texts_are_taken_and_all_else_is_passed_on_in_order(parts: list[tuple[int, bytes]], cuts: list[int]) -> None:
    """Wherever the stream is cut, each text comes once and whole, and every other byte stays in its place."""
    taken = Taken().feed(b"".join(frame(*part) for part in parts), *cuts)
    assert taken.texts == [payload for first, payload in parts if first == TEXT]
    assert taken.stream == b"".join(b"<text>" if first == TEXT else frame(first, data) for first, data in parts)


def test_a_stream_in_single_bytes() -> None:
    """A header, too, may come in byte by byte."""
    stream = frame(TEXT, b"a") + frame(TEXT, bytes(300)) + frame(0x89, b"ping") + frame(TEXT, bytes(66_000))
    taken = Taken().feed(stream, *range(len(stream)))
    assert [len(text) for text in taken.texts] == [1, 300, 66_000]


def test_what_may_not_be_taken_is_passed_on() -> None:
    """A text in the middle of a fragmented message is the general parser's business, with its header."""
    stream = frame(0x01, b"begin") + frame(TEXT, b"text")
    assert Taken(refuses=True).feed(stream).stream == stream


def test_a_frame_over_the_limit_is_passed_on_before_it_has_come_in() -> None:
    """The general parser refuses it by its header, and nothing that follows is kept."""
    for length in (100, 10_000, 100_000):
        taken = Taken(limit=99).feed(frame(TEXT, bytes(length))[:20])
        assert len(taken.stream) == 20
        assert not taken.texts


def test_a_masked_frame_and_all_behind_it_are_passed_on() -> None:
    """A server must not mask (RFC 6455 section 5.1): no byte behind such a frame can be trusted."""
    stream = frame(TEXT, b"key!text", mask=0x80) + frame(TEXT, b"text")
    taken = Taken().feed(stream, 3, 9)
    assert taken.stream == stream
    assert not taken.texts


def test_garbage_is_passed_on_at_once() -> None:
    """What is no frame at all must not be waited for: it may say that it is very long."""
    taken = Taken().feed(b"\x07\x7e\xff\xff")
    assert taken.stream == b"\x07\x7e\xff\xff"


def test_without_a_limit_any_length_is_waited_for() -> None:
    """Only the beginning of a very long text has come: it is neither taken nor passed on."""
    taken = Taken(limit=None).feed(bytes([TEXT, 127]) + (1 << 40).to_bytes(8) + b"begin")
    assert not taken.texts
    assert not taken.stream


def test_a_masked_text_without_a_limit() -> None:
    """It is passed on, too, and not taken for one that is endless."""
    stream = frame(TEXT, b"key!text", mask=0x80)
    taken = Taken(limit=None).feed(stream, 1, 2, 9)
    assert taken.stream == stream
    assert not taken.texts


@pytest.mark.parametrize("cut", [1, 2, 3, 4, 5, 700])
def test_the_beginning_of_a_text_over_the_limit(cut: int) -> None:
    """It is kept, as far as it tells which call it answers, also where the header came in two pieces."""
    payload = b"{" + bytes(5000)
    splitter = Taken(limit=99).feed(frame(TEXT, payload) + frame(TEXT, payload), cut, 1500).splitter
    assert splitter.beginning == payload[:BEGINNING]
    assert Taken(limit=99).feed(frame(0x82, payload), cut).splitter.beginning == b""
