"""Calls and listeners go on within the browser's message event; what that means for code that switches stacks."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import js
import pytest
from pyodide.ffi import can_run_sync, create_proxy, run_sync

from circle_ws.engine.observers import StatusPublisher
from circle_ws.status import ConnectionStatus
from circle_ws.transport.waiter import Waiter, deliver, new_waiter
from tests.support.clients import client
from tests.support.peers import Peers


async def _event(waiter: Waiter, text: str) -> None:
    """Answer a waiter from an event that JavaScript fires, on a stack that holds no Python."""
    js_channel = js.MessageChannel.new()
    handled = asyncio.get_running_loop().create_future()

    def on_message(js_event: Any) -> None:
        deliver(waiter.set_result, js_event.data)
        handled.set_result(None)

    js_handler = create_proxy(on_message)
    js_channel.port1.onmessage = js_handler
    js_channel.port2.postMessage(text)
    try:
        await handled
    finally:
        js_channel.port1.onmessage = None
        js_channel.port1.close()
        js_handler.destroy()


def _waiter() -> Waiter:
    waiter = new_waiter()
    assert isinstance(waiter, Waiter)
    return waiter


async def test_a_call_goes_on_within_the_event(peers: Peers) -> None:
    """After the reply no stack can be switched, as an event handler is not entered so; after the next hop one can."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        for _ in range(10):
            assert await it.call("echo", ["x"]) == "x"
            assert not can_run_sync()
        with pytest.raises(RuntimeError, match="stack switch"):
            run_sync(asyncio.sleep(0))
        await asyncio.sleep(0)
        run_sync(asyncio.sleep(0))


async def test_a_listener_goes_on_within_the_event(peers: Peers) -> None:
    """So are readers of notifications."""
    peer = await peers.start("scripted")
    async with client(peer.url, key=None) as it, it.notifications("tick") as ticks:
        for number in range(3):
            reading = asyncio.create_task(_read(ticks))
            await asyncio.sleep(0)
            await peer.ask("send", text=f'{{"jsonrpc":"2.0","method":"tick","params":[{number}]}}')
            assert await reading == ([number], False)


async def _read(ticks: Any) -> tuple[Any, bool]:
    return await anext(ticks), can_run_sync()


async def test_closing_within_the_event_works(peers: Peers) -> None:
    """A task that goes on in the message event may end the very socket whose event that is."""
    circle = await peers.start("circle")
    it = client(circle.url)
    await it.connect()
    assert await it.call("echo", ["x"]) == "x"
    await it.close(drain=0)


async def test_a_task_goes_on_while_another_has_switched_stacks() -> None:
    """One task waits in `run_sync`; an event comes meanwhile and resumes another one at once."""
    waiter, called_back = _waiter(), asyncio.Event()
    order: list[str] = []

    async def read() -> None:
        order.append(await waiter)

    async def switch() -> None:
        order.append("switched")
        run_sync(called_back.wait())
        order.append("back")

    tasks = [asyncio.create_task(read()), asyncio.create_task(switch())]
    await asyncio.sleep(0.01)
    await _event(waiter, "answered")
    assert order == ["switched", "answered"]
    called_back.set()
    await asyncio.gather(*tasks)
    assert order == ["switched", "answered", "back"]


async def test_an_asynchronous_generator_is_finished() -> None:
    """One that a resumed task began and dropped has its `finally` run, as the loop knows of it."""
    waiter = _waiter()
    finished = asyncio.Event()

    async def numbers() -> AsyncGenerator[int]:
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(0)
            finished.set()

    async def read() -> None:
        await waiter
        async for _ in numbers():
            break

    task = asyncio.create_task(read())
    await asyncio.sleep(0)
    await _event(waiter, "answered")
    await task
    async with asyncio.timeout(5):
        await finished.wait()


async def test_news_of_the_status_come_before_the_answer() -> None:
    """Status callbacks and iterators see the connection before a call on it is answered."""
    board, waiter = StatusPublisher("ws://localhost/"), _waiter()
    order: list[str] = []
    acted = asyncio.get_running_loop().create_future()

    async def watch() -> None:
        async for change in board.changes():
            order.append(f"listener {change.status.value}")
            if change.status is ConnectionStatus.CONNECTED:
                return

    async def read() -> None:
        order.append(await waiter)

    def act() -> None:
        board.set(ConnectionStatus.CONNECTED)
        deliver(waiter.set_result, "answered")
        acted.set_result(None)

    board.set(ConnectionStatus.CONNECTING)
    tasks = [asyncio.create_task(watch()), asyncio.create_task(read())]
    await asyncio.sleep(0.01)
    board.callbacks.add(lambda change: order.append(f"callback {change.status.value}"))
    asyncio.get_running_loop().call_soon(act)
    await acted
    await asyncio.gather(*tasks)
    assert order[0] == "listener connecting"
    assert sorted(order[1:3]) == ["callback connected", "listener connected"]
    assert order[3:] == ["answered"]
