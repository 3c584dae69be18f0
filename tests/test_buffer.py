"""What stands between a producer that never waits and a slow reader."""

import json
from typing import Any

import pytest

from circle_ws.engine.buffer import Buffer, Gap, weigh


def _read(buffer: Buffer[int]) -> list[int | Gap]:
    return [buffer.pop() for _ in range(len(buffer))]


def test_order() -> None:
    """What was put first is read first."""
    buffer: Buffer[int] = Buffer(3)
    for item in (1, 2, 3):
        buffer.put(item)
    assert (_read(buffer), buffer.dropped) == ([1, 2, 3], 0)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_the_oldest_goes(size: int) -> None:
    """A full buffer keeps the newest items, and counts those that went."""
    buffer: Buffer[int] = Buffer(size)
    for item in range(12):
        buffer.put(item)
    assert (_read(buffer), buffer.dropped) == (list(range(12 - size, 12)), 12 - size)


def test_reading_makes_room() -> None:
    """Only an item without room costs another one."""
    buffer: Buffer[int] = Buffer(2)
    for item in range(10):
        buffer.put(item)
        assert buffer.pop() == item
    assert (len(buffer), buffer.dropped) == (0, 0)


def test_nothing_comes_after_the_end() -> None:
    """After the end what is there can be read, and nothing is added or counted."""
    buffer: Buffer[int] = Buffer(1)
    buffer.put(1)
    buffer.end()
    buffer.end()
    buffer.put(2)
    assert (buffer.ended, buffer.dropped, _read(buffer)) == (True, 0, [1])


def test_an_empty_one_says_so() -> None:
    """Reading from an empty buffer is an error, not a wait."""
    with pytest.raises(IndexError):
        Buffer[int](1).pop()


def _weighed(*weights: int, **options: Any) -> Buffer[int]:
    """Make a buffer of at most 100 bytes that was given items of these weights; each is its own number."""
    buffer: Buffer[int] = Buffer(99, most_bytes=100, **options)
    for number, weight in enumerate(weights):
        buffer.put(number, weight)
    return buffer


def test_the_oldest_go_until_there_is_room() -> None:
    """Bytes are bounded too: as many of the oldest go as the newest needs, and each is counted."""
    buffer = _weighed(40, 40, 40)
    assert (_read(buffer), buffer.dropped) == ([1, 2], 1)
    buffer = _weighed(30, 30, 30, 90)
    assert (_read(buffer), buffer.dropped) == ([3], 3)
    assert _read(_weighed(30, 30, 30, 90, gaps=True)) == [Gap(3, 0), 3]


def test_the_newest_goes_that_is_too_much() -> None:
    """With `drop_newest` one for which there is no room goes, and a smaller one after it may have some."""
    buffer = _weighed(60, 60, 40, 1, overflow="drop_newest")
    assert (_read(buffer), buffer.dropped) == ([0, 2], 2)
    assert _read(_weighed(60, 60, 40, gaps=True, overflow="drop_newest")) == [0, Gap(1, 0), 2]


def test_it_ends_with_what_is_too_much() -> None:
    """With `close` the first for which there is no room ends it, and the error says how much was there."""
    buffer = _weighed(60, 60, 1, overflow="close")
    assert (_read(buffer), buffer.dropped, buffer.ended) == ([0], 1, True)
    assert "1 items of 60 bytes" in str(buffer.overrun)


def test_the_latest_alone_stays() -> None:
    """With `latest` one is kept, whatever its size and that of the buffer; those that it replaces are counted."""
    buffer = _weighed(10, 10, 500, 20, overflow="latest")
    assert (_read(buffer), buffer.dropped) == ([3], 3)
    assert _read(_weighed(10, 10, 10, overflow="latest", gaps=True)) == [Gap(2, 0), 2]


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest", "latest", "close"])
def test_one_alone_is_always_kept(overflow: Any) -> None:
    """A prompt reader misses nothing, however large it is."""
    buffer: Buffer[int] = Buffer(9, most_bytes=100, overflow=overflow)
    for item in range(3):
        buffer.put(item, 1000)
        assert buffer.pop() == item
    assert (buffer.dropped, buffer.ended) == (0, False)


def test_what_was_read_weighs_nothing() -> None:
    """Reading gives the room back, to the last byte."""
    buffer: Buffer[int] = Buffer(99, most_bytes=100)
    for item in range(1000):
        buffer.put(item, 50)
        buffer.put(item, 50)
        assert _read(buffer) == [item, item]
    assert (buffer.dropped, len(buffer)) == (0, 0)


def test_a_text_weighs_what_it_takes() -> None:
    """At least its length; one that is all structure so many times as much as its parts take in memory."""
    assert weigh("x" * 100) == 100
    assert weigh(f'["{"x" * 100_000}"]') < 100_200
    many = f"[{','.join(['[]'] * 10_000)}]"
    assert 20 * len(many) < weigh(many) < 40 * len(many)
    records = json.dumps([{"a": 1}] * 10_000)
    assert 10 * len(records) < weigh(records) < 30 * len(records)


def test_peeking_takes_nothing() -> None:
    """What is next, a gap or an item, is still there afterwards."""
    buffer: Buffer[int] = Buffer(1, gaps=True)
    buffer.put(1)
    buffer.put(2)
    assert [buffer.peek(), buffer.peek(), buffer.pop(), buffer.peek(), buffer.pop()] == [Gap(1, 0)] * 3 + [2, 2]
    with pytest.raises(IndexError):
        buffer.peek()
