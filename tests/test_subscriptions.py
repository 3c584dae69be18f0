"""Who gets which notification."""

import gc

import pytest

from circle_ws.buffer import Buffer
from circle_ws.jsonrpc.subscriptions import Subscriptions


def _read(buffer: Buffer[object]) -> list[object]:
    return [buffer.pop() for _ in range(len(buffer))]


def test_by_method() -> None:
    """A notification goes to all who listen to its method, and to nobody else."""
    subscriptions, one, two, other = Subscriptions(), Buffer[object](9), Buffer[object](9), Buffer[object](9)
    subscriptions.add("price", one)
    subscriptions.add("price", two)
    subscriptions.add("news", other)
    subscriptions.publish("price", [1])
    subscriptions.publish("news", {"a": 2})
    subscriptions.publish("weather", None)
    assert (_read(one), _read(two), _read(other)) == ([[1]], [[1]], [{"a": 2}])


@pytest.mark.parametrize("params", [None, [], {}, [1, 2], {"a": 1}], ids=repr)
def test_params_come_as_they_are(params: object) -> None:
    """The params are handed on unchanged, also where there are none."""
    subscriptions, buffer = Subscriptions(), Buffer[object](1)
    subscriptions.add("price", buffer)
    subscriptions.publish("price", params)
    assert buffer.pop() is params


def test_one_buffer_for_two_methods() -> None:
    """A buffer that listens to two methods gets both, and may give up one."""
    subscriptions, buffer = Subscriptions(), Buffer[object](9)
    subscriptions.add("price", buffer)
    subscriptions.add("news", buffer)
    subscriptions.publish("news", 1)
    subscriptions.publish("price", 2)
    subscriptions.remove("news", buffer)
    subscriptions.publish("news", 3)
    subscriptions.publish("price", 4)
    assert _read(buffer) == [1, 2, 4]


def test_a_buffer_added_twice_gets_one() -> None:
    """Adding a buffer once more does not double what it gets."""
    subscriptions, buffer = Subscriptions(), Buffer[object](9)
    subscriptions.add("price", buffer)
    subscriptions.add("price", buffer)
    subscriptions.publish("price", 1)
    assert _read(buffer) == [1]


def test_removal() -> None:
    """A removed buffer gets nothing more and is not ended; removing one that is not there is ignored."""
    subscriptions, one, two = Subscriptions(), Buffer[object](9), Buffer[object](9)
    subscriptions.add("price", one)
    subscriptions.add("price", two)
    subscriptions.remove("price", one)
    subscriptions.remove("price", one)
    subscriptions.remove("news", one)
    subscriptions.publish("price", 1)
    assert (_read(one), one.ended, _read(two)) == ([], False, [1])


def test_a_dropped_buffer_costs_nothing() -> None:
    """A buffer that nobody has any more is not kept alive, and does not keep others from their notifications."""
    subscriptions, dropped, kept = Subscriptions(), Buffer[object](9), Buffer[object](9)
    subscriptions.add("price", dropped)
    subscriptions.add("price", kept)
    del dropped
    gc.collect()
    assert subscriptions._by_method["price"].alive() == [kept]
    subscriptions.publish("price", 1)
    assert _read(kept) == [1]


def test_a_full_buffer_does_not_hold_up_others() -> None:
    """A slow listener loses its own oldest items only."""
    subscriptions, slow, quick = Subscriptions(), Buffer[object](1), Buffer[object](9)
    subscriptions.add("price", slow)
    subscriptions.add("price", quick)
    for item in range(3):
        subscriptions.publish("price", item)
    assert (_read(slow), slow.dropped, _read(quick)) == ([2], 2, [0, 1, 2])


def test_the_end() -> None:
    """The end reaches every buffer, and each that comes later; what was there can be read."""
    subscriptions, one, other, late = Subscriptions(), Buffer[object](9), Buffer[object](9), Buffer[object](9)
    subscriptions.add("price", one)
    subscriptions.add("news", other)
    subscriptions.publish("price", 1)
    subscriptions.end()
    subscriptions.end()
    subscriptions.add("price", late)
    subscriptions.publish("price", 2)
    assert (one.ended, other.ended, late.ended) == (True, True, True)
    assert (_read(one), _read(late)) == ([1], [])
