"""Rows 35, 43 and 44: what a task waits on is kept, what no task waits on is collected, and names do not stay."""

import asyncio
import gc
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from circle_ws import Backoff, CircleWsClient, ConnectionStatus
from circle_ws.transport import host_events
from tests.faults.stage import LONG, behind_faults
from tests.support.clients import client
from tests.support.outcomes import eventually, later, until
from tests.support.peers import Peers, RemotePeer

S = ConnectionStatus

PATIENT: dict[str, Any] = {"backoff": Backoff(first=LONG, floor=LONG, maximum=LONG), "open_timeout": 1.0}
"""A client that waits until it is woken."""


class Log:
    """What readers tell, who refer to nothing else of the test: nothing here keeps a client alive."""

    def __init__(self) -> None:
        self.got: list[Any] = []
        self.statuses: list[ConnectionStatus] = []

    async def until_status(self, status: ConnectionStatus) -> None:
        await eventually(lambda: self.statuses and self.statuses[-1] is status)


async def _with_blocks(it: CircleWsClient) -> AsyncGenerator[Any]:
    async with it.notifications("tick") as ticks:
        async for params in ticks:
            yield params


async def _bare(it: CircleWsClient) -> AsyncGenerator[Any]:
    async for params in it.notifications("tick"):
        yield params


async def _batches(it: CircleWsClient) -> AsyncGenerator[Any]:
    ticks = it.notifications("tick")
    while batch := await ticks.batch():
        for params in batch:
            yield params


async def _everything(it: CircleWsClient) -> AsyncGenerator[Any]:
    async for notification in it.notifications():
        yield notification.params


READERS = [_with_blocks, _bare, _batches, _everything]


async def _read(make: Callable[[], CircleWsClient], reader: Callable[..., AsyncGenerator[Any]], log: Log) -> None:
    """Connect a client that lives in this frame alone, and log what it is told up to the word "end"."""
    async with make() as it:
        it.on_status(lambda change: log.statuses.append(change.status))
        log.statuses.append(it.status)
        async for params in reader(it):
            if params == ["end"]:
                break
            log.got.append(params)


def _start_unkept(url: str, reader: Callable[..., AsyncGenerator[Any]], **options: Any) -> Log:
    log = Log()
    asyncio.ensure_future(_read(lambda: client(url, **options), reader, log))
    return log


def _collect() -> None:
    for _ in range(3):
        gc.collect()


async def _tell(circle: RemotePeer, *words: str) -> None:
    for word in words:
        await circle.ask("push", method="tick", params=[word])


async def _goes_on(circle: RemotePeer, log: Log) -> None:
    """Check that the reader is there, and end it."""
    await log.until_status(S.CONNECTED)
    _collect()
    await _tell(circle, "one", "two")
    await eventually(lambda: log.got == [["one"], ["two"]])
    _collect()
    await _tell(circle, "three", "end")
    await eventually(lambda: log.got == [["one"], ["two"], ["three"]])
    await log.until_status(S.CLOSED)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("keepalive", [True, False])
async def test_row_43_connected(peers: Peers, reader: Any, keepalive: bool) -> None:
    """Row 43, a reader whose task the program does not keep: a collection while it is connected takes nothing away."""
    circle = await peers.start("circle")
    log = _start_unkept(circle.url, reader, **({} if keepalive else {"keepalive": None}))
    await _goes_on(circle, log)


@pytest.mark.parametrize("reader", READERS)
async def test_row_43_while_it_waits_for_the_next_attempt(peers: Peers, reader: Any) -> None:
    """Row 43: a collection in the pause between two attempts."""
    circle = await peers.start("circle")
    log = _start_unkept(circle.url, reader, **PATIENT)
    await log.until_status(S.CONNECTED)
    await circle.ask("cut_all")
    await log.until_status(S.WAITING)
    _collect()
    await asyncio.sleep(0.02)
    _collect()
    host_events.wake()
    await _goes_on(circle, log)


@pytest.mark.parametrize("reader", READERS)
async def test_row_43_while_it_dials(peers: Peers, reader: Any) -> None:
    """Row 43: a collection in the middle of an attempt that hangs."""
    circle, proxy = await behind_faults(peers)
    log = _start_unkept(proxy.url, reader, open_timeout=1.0)
    await log.until_status(S.CONNECTED)
    await proxy.ask("black_hole")
    await proxy.ask("end", how="reset")
    await log.until_status(S.CONNECTING)
    _collect()
    await asyncio.sleep(0.02)
    _collect()
    await proxy.ask("answer")
    await _goes_on(circle, log)


async def test_row_43_before_it_is_ever_connected(peers: Peers) -> None:
    """Row 43: a client that another task connects later, and that only a reader and that task know."""
    circle = await peers.start("circle")
    log, it = Log(), client(circle.url)
    asyncio.ensure_future(_note(it.notifications("tick"), log))
    await asyncio.sleep(0)
    _collect()
    async with it:
        _collect()
        await _tell(circle, "one")
        await eventually(lambda: log.got == [["one"]])


async def _note(listener: Any, log: Log) -> None:
    async for item in listener:
        log.got.append(item)
        if item == ["end"]:
            return


async def test_row_43_the_client_is_kept_with_its_listener(peers: Peers) -> None:
    """Row 43: a task that has the listener alone keeps the client, while it waits and while it works on an item."""
    circle = await peers.start("circle")
    it, log = client(circle.url), Log()
    await it.connect()
    asyncio.ensure_future(_note(it.notifications("tick"), log))
    await asyncio.sleep(0)
    del it
    _collect()
    await _tell(circle, "one")
    await eventually(lambda: log.got == [["one"]])
    _collect()
    with pytest.warns(ResourceWarning, match="dropped without close"):
        await _tell(circle, "end")
        await eventually(lambda: len(log.got) == 2)
        await asyncio.sleep(0)
        _collect()
    await until(circle, "public_keys", lambda keys: not keys)


async def test_row_43_status_changes(peers: Peers) -> None:
    """Row 43: the changes of status, with the client in the reader's frame alone."""
    circle = await peers.start("circle")
    log = Log()

    async def watch() -> None:
        it = client(circle.url, **PATIENT)
        connecting = asyncio.ensure_future(it.connect())
        async for change in it.status_changes():
            log.statuses.append(change.status)
            if log.statuses.count(S.CONNECTED) == 2:
                break
        await connecting
        await it.close()
        log.got.append("closed")

    asyncio.ensure_future(watch())
    await log.until_status(S.CONNECTED)
    _collect()
    await circle.ask("cut_all")
    await log.until_status(S.WAITING)
    _collect()
    host_events.wake()
    await eventually(lambda: log.got == ["closed"])
    assert log.statuses.count(S.WAITING) == 1


async def test_row_43_a_task_that_is_kept(peers: Peers) -> None:
    """Row 43: with a task that the program keeps, and a client that it keeps, it is the same."""
    circle = await peers.start("circle")
    log = Log()
    async with client(circle.url) as it:
        task = later(_note(it.notifications("tick"), log))
        await asyncio.sleep(0)
        _collect()
        await _tell(circle, "one", "end")
        await task
    assert log.got == [["one"], ["end"]]


async def test_row_43_who_waits_for_a_reply_or_for_the_connection(peers: Peers) -> None:
    """Row 43: a task that awaits a call, a batch, or the connection is kept as one that listens is."""
    circle, proxy = await behind_faults(peers)
    log = Log()

    async def work() -> None:
        async with client(proxy.url, **PATIENT) as it:
            log.got.append("connected")
            async with it.batch() as batch:
                sums = [batch.call("echo", [1]), batch.call("echo", [2])]
            log.got.append([await one for one in sums])
            await circle.ask("cut_all")
            await eventually(lambda: it.status is S.WAITING)
            waiting = asyncio.ensure_future(it.wait_until_connected())
            log.got.append("waiting")
            log.got.append(await it.call("echo", [3]))
            await waiting
        log.got.append("closed")

    asyncio.ensure_future(work())
    await eventually(lambda: len(log.got) == 3)
    _collect()
    await asyncio.sleep(0.02)
    _collect()
    host_events.wake()
    await eventually(lambda: log.got == ["connected", [1, 2], "waiting", 3, "closed"])


async def test_row_35_a_listener_that_is_dropped_while_no_task_waits(peers: Peers) -> None:
    """Row 35, client dropped without `close()`: listeners of its that are dropped too do not keep it."""
    circle = await peers.start("circle")
    it = client(circle.url)
    await it.connect()
    ticks, changes = it.notifications("tick"), it.status_changes()
    await _tell(circle, "one")
    assert await anext(ticks) == ["one"]
    await anext(changes)
    with pytest.warns(ResourceWarning, match="dropped without close"):
        del it, ticks, changes
        _collect()
    await until(circle, "public_keys", lambda keys: not keys)


async def test_row_44_names_of_dropped_listeners(peers: Peers) -> None:
    """Row 44, growth by names of dropped listeners: none stays, whether anything ever came for it or not."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        kept = it.notifications("tick")
        for number in range(500):
            listener = it.notifications(f"job {number}")
            changes = it.status_changes()
            if number % 2:
                await circle.ask("push", method=f"job {number}", params=[])
            del listener, changes
            gc.collect(0)
        it.notifications("another")
        engine = it._supervisor
        assert len(engine.subscriptions._topics) <= 2
        assert len(engine.publisher._buffers) == 0
        await _tell(circle, "one")
        assert await anext(kept) == ["one"]
        assert list(engine.subscriptions._topics) == ["tick"]
