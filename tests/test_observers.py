"""Where the status stands, and who is told of it."""

import asyncio
import gc
import logging
import time
from typing import Any

import pytest

from circle_ws import InvalidRequest
from circle_ws.engine.callbacks import MOST_RUNNING, Callbacks
from circle_ws.engine.observers import KEPT_FOR_SLOW_READERS, StatusPublisher
from circle_ws.status import ConnectionStatus, StatusChange

_S = ConnectionStatus


def _close(board: StatusPublisher) -> None:
    board.set(_S.CLOSING)
    board.set(_S.CLOSED)


def test_a_new_board() -> None:
    """It begins in IDLE, now."""
    before = time.time()
    board = StatusPublisher("ws://localhost/")
    assert board.status is _S.IDLE
    assert board.last.previous is _S.IDLE
    assert before <= board.last.at <= time.time()


def test_a_change_is_written_whole() -> None:
    """Status, previous status, time, attempt, delay and cause stand in the latest change."""
    board, cause, before = StatusPublisher("ws://localhost/"), OSError("refused"), time.time()
    board.set(_S.CONNECTING, attempt=1)
    board.set(_S.WAITING, attempt=1, retry_in=0.5, cause=cause)
    assert board.status is _S.WAITING
    assert before <= board.last.at <= time.time()
    assert board.last == StatusChange(_S.WAITING, _S.CONNECTING, board.last.at, 1, 0.5, cause)


@pytest.mark.parametrize("status", [_S.IDLE, _S.CONNECTED, _S.WAITING, _S.CLOSING])
def test_an_illegal_transition_is_a_fault_of_ours(status: ConnectionStatus) -> None:
    """A transition that the table has not is an error, under `python -O` too, and nothing is written."""
    board = StatusPublisher("ws://localhost/")
    with pytest.raises(RuntimeError, match="is not a legal transition"):
        board.set(status)
    assert board.status is _S.IDLE


async def test_changes_start_with_the_present() -> None:
    """The first item is the present status, as its own previous; then each change comes."""
    board = StatusPublisher("ws://localhost/")
    board.set(_S.CONNECTING, attempt=1)
    changes = board.changes()
    board.set(_S.CONNECTED, attempt=1)
    first, second = await anext(changes), await anext(changes)
    assert (first.status, first.previous, first.attempt) == (_S.CONNECTING, _S.CONNECTING, 1)
    assert (second.status, second.previous) == (_S.CONNECTED, _S.CONNECTING)
    await changes.aclose()


async def test_changes_end_after_closed() -> None:
    """CLOSED is the last item."""
    board = StatusPublisher("ws://localhost/")
    board.set(_S.CONNECTING)
    changes = board.changes()
    _close(board)
    assert [change.status async for change in changes] == [_S.CONNECTING, _S.CLOSING, _S.CLOSED]


async def test_changes_after_closed() -> None:
    """Who comes too late gets CLOSED, and the end."""
    board = StatusPublisher("ws://localhost/")
    board.set(_S.CONNECTING)
    _close(board)
    assert [change.status async for change in board.changes()] == [_S.CLOSED]


async def test_two_listeners_see_the_same() -> None:
    """Each listener has a buffer of its own."""
    board = StatusPublisher("ws://localhost/")
    one, other = board.changes(), board.changes()
    board.set(_S.CLOSED)
    assert [change.status async for change in one] == [change.status async for change in other] == [_S.IDLE, _S.CLOSED]


async def test_a_slow_reader_knows_what_it_missed() -> None:
    """256 changes are kept; `skipped` counts the older ones, and the newest is there."""
    board = StatusPublisher("ws://localhost/")
    changes = board.changes()
    for _ in range(KEPT_FOR_SLOW_READERS):
        board.set(_S.CONNECTING)
        board.set(_S.WAITING)
    board.set(_S.FAILED)
    board.set(_S.CLOSED)
    seen = [change.status async for change in changes]
    assert KEPT_FOR_SLOW_READERS == 256
    assert len(seen) == 256
    assert seen[-2:] == [_S.FAILED, _S.CLOSED]
    assert changes.skipped == 1 + 2 * 256 + 2 - 256


async def test_a_closed_listener_is_told_nothing() -> None:
    """After `aclose()` no change is put into the listener."""
    board = StatusPublisher("ws://localhost/")
    changes = board.changes()
    await changes.aclose()
    board.set(_S.CLOSED)
    assert [change.status async for change in changes] == [_S.IDLE]


async def test_a_dropped_listener_costs_nothing() -> None:
    """The board does not keep a listener alive that nobody has any more."""
    board = StatusPublisher("ws://localhost/")
    changes = board.changes()
    await anext(changes)
    assert len(board._buffers) == 1
    del changes
    gc.collect()
    assert len(board._buffers) == 0


async def test_callbacks_are_told() -> None:
    """A callback gets each change, in order, and never on the stack of the writer."""
    board, told = StatusPublisher("ws://localhost/"), asyncio.Queue[StatusChange]()
    board.on_change(told.put_nowait)
    board.set(_S.CONNECTING, attempt=1)
    board.set(_S.CONNECTED)
    assert told.empty()
    assert [(await told.get()).status, (await told.get()).status] == [_S.CONNECTING, _S.CONNECTED]


async def test_a_callback_that_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """An exception in a callback is logged; the other callbacks and later changes are not harmed."""
    board, told = StatusPublisher("ws://localhost/"), asyncio.Queue[StatusChange]()

    def fail(change: StatusChange) -> None:
        raise LookupError(f"no handler for {change.status.name}")

    board.on_change(fail)
    board.on_change(told.put_nowait)
    with caplog.at_level(logging.ERROR, "circle_ws"):
        board.set(_S.CONNECTING)
        board.set(_S.CONNECTED)
        assert [(await told.get()).status, (await told.get()).status] == [_S.CONNECTING, _S.CONNECTED]
    assert [record.message for record in caplog.records] == ["a status callback raised; the client goes on"] * 2
    assert "no handler for CONNECTING" in caplog.text


async def test_a_callback_may_be_async(caplog: pytest.LogCaptureFixture) -> None:
    """It runs in a task of its own, which is held until it ends; what it raises is logged."""
    board, told, release = StatusPublisher("ws://localhost/"), list[ConnectionStatus](), asyncio.Event()

    async def note(change: StatusChange) -> None:
        await release.wait()
        told.append(change.status)
        raise LookupError(f"no handler for {change.status.name}")

    board.on_change(note)
    board.set(_S.CONNECTING)
    board.set(_S.CONNECTED)
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
    for number in range(MOST_RUNNING + 2):
        callbacks.tell(number)
    for _ in range(3):
        await asyncio.sleep(0)
    assert told == list(range(MOST_RUNNING))
    assert caplog.text.count("calls of protocol error callbacks run already") == 2
    release.set()
    for _ in range(3):
        await asyncio.sleep(0)
    callbacks.tell(-1)
    for _ in range(3):
        await asyncio.sleep(0)
    assert told[-1] == -1


@pytest.mark.parametrize("callback", [None, "print", 1], ids=repr)
async def test_what_is_no_callback(callback: Any) -> None:
    """It is refused at once, and not when something happens."""
    with pytest.raises(InvalidRequest, match="a status callback must be a function"):
        StatusPublisher("ws://localhost/").on_change(callback)


async def test_a_removed_callback_is_not_called() -> None:
    """Removal holds at once, also for a change that is already on its way, and may be repeated."""
    board, told, end = StatusPublisher("ws://localhost/"), list[ConnectionStatus](), asyncio.Queue[StatusChange]()
    remove = board.on_change(lambda change: told.append(change.status))
    board.on_change(end.put_nowait)
    board.set(_S.CONNECTING)
    remove()
    remove()
    board.set(_S.CONNECTED)
    assert [(await end.get()).status, (await end.get()).status] == [_S.CONNECTING, _S.CONNECTED]
    assert told == []


async def test_one_function_may_be_registered_twice() -> None:
    """Each registration is its own: removing one leaves the other."""
    board, told = StatusPublisher("ws://localhost/"), asyncio.Queue[StatusChange]()
    remove = board.on_change(told.put_nowait)
    board.on_change(told.put_nowait)
    remove()
    board.set(_S.CONNECTING)
    board.set(_S.CONNECTED)
    assert [(await told.get()).status, (await told.get()).status] == [_S.CONNECTING, _S.CONNECTED]
    assert told.empty()


async def test_a_callback_may_add_and_remove() -> None:
    """A callback that registers another one and removes itself breaks nothing."""
    board, told = StatusPublisher("ws://localhost/"), asyncio.Queue[StatusChange]()

    def swap(change: StatusChange) -> None:
        remove()
        board.on_change(told.put_nowait)
        board.set(_S.CONNECTED)

    remove = board.on_change(swap)
    board.set(_S.CONNECTING)
    assert (await told.get()).status is _S.CONNECTED


async def test_waiting_for_the_end_of_an_attempt() -> None:
    """`settled()` returns, for all who wait, when it is known how an attempt ended; a cancelled wait is forgotten."""
    board = StatusPublisher("ws://localhost/")
    waits = [asyncio.create_task(board.settled()) for _ in range(3)]
    await asyncio.sleep(0)
    waits[0].cancel()
    await asyncio.gather(waits[0], return_exceptions=True)
    assert len(board._waiters) == 2
    for on_the_way in (_S.CONNECTING, _S.AUTHENTICATING, _S.WAITING, _S.CONNECTING):
        board.set(on_the_way)
    assert len(board._waiters) == 2
    board.set(_S.CONNECTED)
    await asyncio.gather(*waits[1:])
    assert len(board._waiters) == 0
