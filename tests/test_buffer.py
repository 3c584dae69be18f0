"""What stands between a producer that never waits and a slow reader."""

import pytest

from circle_ws.buffer import Buffer, Gap


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
