"""Who gets which notification."""

import pytest

from circle_ws.engine.listener import Buffer
from circle_ws.engine.notifications import Subscriptions


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
    news = subscriptions.add("news", buffer)
    subscriptions.publish("news", 1)
    subscriptions.publish("price", 2)
    news.remove(buffer)
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
    price = subscriptions.add("price", one)
    subscriptions.add("price", two)
    price.remove(one)
    price.remove(one)
    subscriptions.publish("price", 1)
    assert (_read(one), one.ended, _read(two)) == ([], False, [1])


def test_a_dropped_buffer_goes_with_the_next_look() -> None:
    """One that is dropped, in any thread and at any time, gets nothing more, and others get theirs."""
    subscriptions, dropped, kept = Subscriptions(), Buffer[object](9), Buffer[object](9)
    subscriptions.add("price", dropped).drop(dropped)
    subscriptions.add("price", kept)
    subscriptions.publish("price", 1)
    assert (_read(dropped), _read(kept)) == ([], [1])


def test_names_of_dropped_buffers_do_not_stay() -> None:
    """Row 44: a listener on a name of its own leaves nothing behind, closed or dropped, with or without traffic."""
    subscriptions = Subscriptions()
    for number in range(1000):
        closed, dropped = Buffer[object](9), Buffer[object](9)
        subscriptions.add(f"closed {number}", closed).remove(closed)
        subscriptions.add(f"dropped {number}", dropped).drop(dropped)
        assert len(subscriptions._topics) <= 2
    subscriptions.publish("another", 1)
    assert subscriptions._topics == {}


def test_one_that_comes_while_the_last_goes() -> None:
    """The last buffer of a name goes in the step after another was added to it: that one gets its notifications."""
    subscriptions, one, other = Subscriptions(), Buffer[object](9), Buffer[object](9)
    price = subscriptions.add("price", one)
    price.drop(one)
    subscriptions.add("price", other)
    price.remove(one)
    subscriptions.publish("price", 1)
    assert (_read(one), _read(other)) == ([], [1])


def test_changes_while_a_notification_is_handed_on() -> None:
    """A buffer that is added or removed by what a notification wakes does not disturb the others."""
    subscriptions, last = Subscriptions(), Buffer[object](9)

    class Changing(Buffer[object]):
        def put(self, item: object, weight: int = 0) -> int:
            price.remove(self)
            subscriptions.add("price", Buffer(9))
            return super().put(item, weight)

    changing = Changing(9)
    price = subscriptions.add("price", changing)
    subscriptions.add("price", last)
    subscriptions.publish("price", 1)
    assert (_read(changing), _read(last)) == ([1], [1])


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
