"""The head of an HTTP answer, in whatever pieces and whatever form it comes."""

import pytest

from circle_ws.transport.http_head import ResponseHead

OPENING = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nX-Trace: 1\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: abc\r\n\r\n"
)
KEPT = b"HTTP/1.1 101 -\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: abc\r\n\r\n"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("ends", [b"\r\n", b"\n"], ids=["CRLF", "LF"])
def test_it_ends_where_it_ends(size: int, ends: bytes) -> None:
    """However it is cut, what is behind the empty line is no part of it."""
    head, stream = ResponseHead(), OPENING.replace(b"\r\n", ends) + b"\x81\x00"
    whole = len(stream) - 2
    fed = next(end for end in range(size, len(stream) + size, size) if head.feed(stream[end - size : end]))
    assert (head.status, head.opening()) == (101, KEPT)
    assert whole <= fed < whole + size
    assert head.rest == stream[whole:fed]


@pytest.mark.parametrize(
    "garbage",
    [
        b"220 mail.example ESMTP\r\n",
        b"\x15\x03\x03\x00\x02\x02\x46",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 1010 x\r\n\r\n",
        b"HTTP/1.1 600 x\r\n\r\n",
        b"HTTP/1.1 ok\r\n\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"\r\nHTTP/1.1 503 x\r\n\r\n",
        b"HTTP/1.0 101 x\r\n\r\n",
    ],
)
def test_what_is_none_is_handed_on_as_it_came(garbage: bytes) -> None:
    """At once, where its first bytes tell."""
    head = ResponseHead()
    assert head.feed(garbage)
    assert head.status is None
    assert head.opening() == garbage
    assert not head.finish()


def test_so_much_is_read_and_no_more() -> None:
    """A refusal counts as far as it came; an acceptance has to be whole."""
    refusal = ResponseHead()
    assert refusal.feed(b"HTTP/1.1 429 x\r\nRetry-After: 5\r\nDate: now\r\nX: " + b"x" * 70_000)
    assert (refusal.status, refusal.header(b"retry-after")) == (429, "5")
    assert refusal.opening() == b"HTTP/1.1 429 -\r\nretry-after: 5\r\ndate: now\r\ncontent-length: 0\r\n\r\n"
    acceptance = ResponseHead()
    assert acceptance.feed(OPENING[:-2] + b"X: " + b"x" * 70_000)
    assert acceptance.status is None


def test_a_value_that_cannot_be_one_is_left_out() -> None:
    """The status is not lost with it."""
    head = ResponseHead()
    assert head.feed(b"HTTP/1.1 503 x\r\nRetry-After: \x00\r\nDate: " + b"9" * 101 + b"\r\n\r\n")
    assert head.opening() == b"HTTP/1.1 503 -\r\ncontent-length: 0\r\n\r\n"
    assert head.header(b"retry-after") is None


def test_dripping_does_not_cost_more_the_longer_it_lasts() -> None:
    """What was searched for its end is not searched again: 64 KiB, byte by byte, take well under a second."""
    head = ResponseHead()
    assert not head.feed(b"HTTP/1.1 503 x\r\nX: ")
    count = 0
    while not head.feed(b"x"):
        count += 1
    assert 65_000 < count < 65_536
    assert head.status == 503


INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_interim_answers_are_read_past(size: int) -> None:
    """RFC 9110 section 15.2: a client reads any number of them; the final one follows, and 101 is final."""
    head, stream = ResponseHead(), b"HTTP/1.1 100\r\n\r\n" + INTERIM * 3 + OPENING + b"\x81\x00"
    fed = next(end for end in range(size, len(stream) + size, size) if head.feed(stream[end - size : end]))
    assert (head.status, head.opening()) == (101, KEPT)
    assert head.rest == stream[len(stream) - 2 : fed]


def test_interim_answers_have_an_end() -> None:
    """A server that sends nothing else has not answered."""
    head = ResponseHead()
    assert not head.feed(INTERIM * 20)
    assert head.feed(INTERIM)
    assert head.status == 103
    cut = ResponseHead()
    assert not cut.feed(INTERIM + INTERIM[:-2])
    assert not cut.finish()
