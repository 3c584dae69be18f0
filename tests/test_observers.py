"""Where the status stands, and who is told of it."""

import asyncio
import gc
import logging
import time
from typing import Any

import pytest

from circle_ws import InvalidRequest
from circle_ws.engine.observers import MAX_BUFFERED_CHANGES, MAX_RUNNING_CALLBACKS, Callbacks, StatusPublisher
from circle_ws.status import ConnectionStatus, StatusChange

_S = ConnectionStatus


def _close(publisher: StatusPublisher) -> None:
    publisher.set(_S.CLOSING)
    publisher.set(_S.CLOSED)


def test_a_new_publisher() -> None:
    """It begins in IDLE, now."""
    before = time.time()
    publisher = StatusPublisher("ws://localhost/")
    assert publisher.status is _S.IDLE
    assert publisher.last.previous is _S.IDLE
    assert before <= publisher.last.at <= time.time()


def test_a_change_is_written_whole() -> None:
    """Status, previous status, time, attempt, delay and cause stand in the latest change."""
    publisher, cause, before = StatusPublisher("ws://localhost/"), OSError("refused"), time.time()
    publisher.set(_S.CONNECTING, attempt=1)
    publisher.set(_S.WAITING, attempt=1, retry_in=0.5, cause=cause)
    assert publisher.status is _S.WAITING
    assert before <= publisher.last.at <= time.time()
    assert publisher.last == StatusChange(_S.WAITING, _S.CONNECTING, publisher.last.at, 1, 0.5, cause)


@pytest.mark.parametrize("status", [_S.IDLE, _S.CONNECTED, _S.WAITING, _S.CLOSING])
def test_an_illegal_transition_is_a_fault_of_ours(status: ConnectionStatus) -> None:
    """A transition that the table has not is an error, under `python -O` too, and nothing is written."""
    publisher = StatusPublisher("ws://localhost/")
    with pytest.raises(RuntimeError, match="is not a legal transition"):
        publisher.set(status)
    assert publisher.status is _S.IDLE


async def test_changes_start_with_the_present() -> None:
    """The first item is the present status, as its own previous; then each change comes."""
    publisher = StatusPublisher("ws://localhost/")
    publisher.set(_S.CONNECTING, attempt=1)
    changes = publisher.changes()
    publisher.set(_S.CONNECTED, attempt=1)
    first, second = await anext(changes), await anext(changes)
    assert (first.status, first.previous, first.attempt) == (_S.CONNECTING, _S.CONNECTING, 1)
    assert (second.status, second.previous) == (_S.CONNECTED, _S.CONNECTING)
    await changes.aclose()


async def test_changes_end_after_closed() -> None:
    """CLOSED is the last item."""
    publisher = StatusPublisher("ws://localhost/")
    publisher.set(_S.CONNECTING)
    changes = publisher.changes()
    _close(publisher)
    assert [change.status async for change in changes] == [_S.CONNECTING, _S.CLOSING, _S.CLOSED]


async def test_changes_after_closed() -> None:
    """Who comes too late gets CLOSED, and the end."""
    publisher = StatusPublisher("ws://localhost/")
    publisher.set(_S.CONNECTING)
    _close(publisher)
    assert [change.status async for change in publisher.changes()] == [_S.CLOSED]


async def test_two_listeners_see_the_same() -> None:
    """Each listener has a buffer of its own."""
    publisher = StatusPublisher("ws://localhost/")
    one, other = publisher.changes(), publisher.changes()
    publisher.set(_S.CLOSED)
    assert [change.status async for change in one] == [change.status async for change in other] == [_S.IDLE, _S.CLOSED]


async def test_a_slow_reader_knows_what_it_missed() -> None:
    """256 changes are kept; `skipped` counts the older ones, and the newest is there."""
    publisher = StatusPublisher("ws://localhost/")
    changes = publisher.changes()
    for _ in range(MAX_BUFFERED_CHANGES):
        publisher.set(_S.CONNECTING)
        publisher.set(_S.WAITING)
    publisher.set(_S.FAILED)
    publisher.set(_S.CLOSED)
    seen = [change.status async for change in changes]
    assert MAX_BUFFERED_CHANGES == 256
    assert len(seen) == 256
    assert seen[-2:] == [_S.FAILED, _S.CLOSED]
    assert changes.skipped == 1 + 2 * 256 + 2 - 256


async def test_a_closed_listener_is_told_nothing() -> None:
    """After `aclose()` no change is put into the listener."""
    publisher = StatusPublisher("ws://localhost/")
    changes = publisher.changes()
    await changes.aclose()
    publisher.set(_S.CLOSED)
    assert [change.status async for change in changes] == [_S.IDLE]


async def test_a_dropped_listener_costs_nothing() -> None:
    """The publisher does not keep a listener alive that has no other reference."""
    publisher = StatusPublisher("ws://localhost/")
    changes = publisher.changes()
    await anext(changes)
    assert len(publisher._buffers) == 1
    del changes
    gc.collect()
    assert len(publisher._buffers) == 0


async def test_callbacks_are_told() -> None:
    """A callback gets each change, in order, and never on the stack of the writer."""
    publisher, told = StatusPublisher("ws://localhost/"), asyncio.Queue[StatusChange]()
    publisher.callbacks.add(told.put_nowait)
    publisher.set(_S.CONNECTING, attempt=1)
    publisher.set(_S.CONNECTED)
    assert told.empty()
    assert [(await told.get()).status, (await told.get()).status] == [_S.CONNECTING, _S.CONNECTED]


async def test_a_callback_that_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """An exception in a callback is logged; the other callbacks and later changes are not harmed."""
    publisher, told = StatusPublisher("ws://localhost/"), asyncio.Queue[StatusChange]()

    def fail(change: StatusChange) -> None:
        raise LookupError(f"no handler for {change.status.name}")

    publisher.callbacks.add(fail)
    publisher.callbacks.add(told.put_nowait)
    with caplog.at_level(logging.ERROR, "circle_ws"):
        publisher.set(_S.CONNECTING)
        publisher.set(_S.CONNECTED)
        assert [(await told.get()).status, (await told.get()).status] == [_S.CONNECTING, _S.CONNECTED]
    assert [record.message for record in caplog.records] == ["a status callback raised; the client goes on"] * 2
    assert "no handler for CONNECTING" in caplog.text


async def test_a_callback_may_be_async(caplog: pytest.LogCaptureFixture) -> None:
    """It runs in a task of its own, which is held until it ends; what it raises is logged."""
    publisher, told, release = StatusPublisher("ws://localhost/"), list[ConnectionStatus](), asyncio.Event()

    async def note(change: StatusChange) -> None:
        await release.wait()
        told.append(change.status)
        raise LookupError(f"no handler for {change.status.name}")

    publisher.callbacks.add(note)
    publisher.set(_S.CONNECTING)
    publisher.set(_S.CONNECTED)
    await asyncio.sleep(0)
    gc.collect()
    release.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert told == [_S.CONNECTING, _S.CONNECTED]
    assert caplog.text.count("a status callback raised; the client goes on") == 2
    assert "no handler for CONNECTED" in caplog.text


async def test_async_callbacks_do_not_pile_up(caplog: pytest.LogCaptureFixture) -> None:
    """No more than so many run at the same time; a warning tells of what is left out."""
    callbacks: Callbacks[int] = Callbacks("protocol error")
    told: list[int] = []
    release = asyncio.Event()

    async def note(number: int) -> None:
        told.append(number)
        await release.wait()

    callbacks.add(note)
    for number in range(MAX_RUNNING_CALLBACKS + 2):
        callbacks.notify(number)
    for _ in range(3):
        await asyncio.sleep(0)
    assert told == list(range(MAX_RUNNING_CALLBACKS))
    assert caplog.text.count("calls of protocol error callbacks run already") == 2
    release.set()
    for _ in range(3):
        await asyncio.sleep(0)
    callbacks.notify(-1)
    for _ in range(3):
        await asyncio.sleep(0)
    assert told[-1] == -1


async def test_futures_of_callbacks_do_not_pile_up_either(caplog: pytest.LogCaptureFixture) -> None:
    """What a callback returns and no coroutine is, is left alone."""
    callbacks: Callbacks[int] = Callbacks("status")
    future = asyncio.get_running_loop().create_future()
    callbacks.add(lambda number: future)
    for number in range(MAX_RUNNING_CALLBACKS + 1):
        callbacks.notify(number)
    await asyncio.sleep(0)
    assert caplog.text.count("calls of status callbacks run already; one is left out") == 1
    future.set_result(None)
    for _ in range(3):
        await asyncio.sleep(0)


@pytest.mark.parametrize("callback", [None, "print", 1], ids=repr)
async def test_what_is_no_callback(callback: Any) -> None:
    """It is refused at once, and not when something happens."""
    with pytest.raises(InvalidRequest, match="a status callback must be a function"):
        StatusPublisher("ws://localhost/").callbacks.add(callback)


async def test_a_removed_callback_is_not_called() -> None:
    """Removal holds at once, also for a change that is already on its way, and may be repeated."""
    publisher, told, end = StatusPublisher("ws://localhost/"), list[ConnectionStatus](), asyncio.Queue[StatusChange]()
    remove = publisher.callbacks.add(lambda change: told.append(change.status))
    publisher.callbacks.add(end.put_nowait)
    publisher.set(_S.CONNECTING)
    remove()
    remove()
    publisher.set(_S.CONNECTED)
    assert [(await end.get()).status, (await end.get()).status] == [_S.CONNECTING, _S.CONNECTED]
    assert told == []


async def test_one_function_may_be_registered_twice() -> None:
    """Each registration is its own: removing one leaves the other."""
    publisher, told = StatusPublisher("ws://localhost/"), asyncio.Queue[StatusChange]()
    remove = publisher.callbacks.add(told.put_nowait)
    publisher.callbacks.add(told.put_nowait)
    remove()
    publisher.set(_S.CONNECTING)
    publisher.set(_S.CONNECTED)
    assert [(await told.get()).status, (await told.get()).status] == [_S.CONNECTING, _S.CONNECTED]
    assert told.empty()


async def test_a_callback_may_add_and_remove() -> None:
    """A callback that registers another one and removes itself breaks nothing."""
    publisher, told = StatusPublisher("ws://localhost/"), asyncio.Queue[StatusChange]()

    def swap(change: StatusChange) -> None:
        remove()
        publisher.callbacks.add(told.put_nowait)
        publisher.set(_S.CONNECTED)

    remove = publisher.callbacks.add(swap)
    publisher.set(_S.CONNECTING)
    assert (await told.get()).status is _S.CONNECTED


async def test_waiting_for_the_end_of_an_attempt() -> None:
    """`settled()` returns, for all who wait, when it is known how an attempt ended; a cancelled wait is forgotten."""
    publisher = StatusPublisher("ws://localhost/")
    waits = [asyncio.create_task(publisher.settled()) for _ in range(3)]
    await asyncio.sleep(0)
    waits[0].cancel()
    await asyncio.gather(waits[0], return_exceptions=True)
    assert len(publisher._waiters) == 2
    for on_the_way in (_S.CONNECTING, _S.AUTHENTICATING, _S.WAITING, _S.CONNECTING):
        publisher.set(on_the_way)
    assert len(publisher._waiters) == 2
    publisher.set(_S.CONNECTED)
    await asyncio.gather(*waits[1:])
    assert len(publisher._waiters) == 0
