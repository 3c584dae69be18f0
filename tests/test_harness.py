"""The harness itself: async tests and fixtures run, and reach real servers, in every runtime."""

import asyncio
import sys
from collections.abc import AsyncGenerator

import pytest

from tests.support.peers import Peers

if sys.platform == "emscripten":
    import js
    from pyodide.ffi import create_proxy

    async def _exchange(url: str, text: str) -> str:
        """Send one text over a new WebSocket of the browser and return the answer."""
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        js_socket = js.WebSocket.new(url)
        handlers = {
            "onopen": create_proxy(lambda _: js_socket.send(text)),
            "onmessage": create_proxy(lambda event: answer.set_result(event.data)),
        }
        for name, handler in handlers.items():
            setattr(js_socket, name, handler)
        try:
            return await answer
        finally:
            js_socket.close()
            for name, handler in handlers.items():
                setattr(js_socket, name, None)
                handler.destroy()

else:
    from websockets.asyncio.client import connect

    async def _exchange(url: str, text: str) -> str:
        """Send one text over a new WebSocket and return the answer."""
        async with connect(url) as connection:
            await connection.send(text)
            return str(await connection.recv())


@pytest.fixture
async def seven() -> int:
    await asyncio.sleep(0)
    return 7


@pytest.fixture
async def grouped() -> AsyncGenerator[list[str]]:
    """Spans a task group, so the same task must enter and leave it."""
    ended: list[str] = []
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(0))
        yield ended
        assert ended == ["body"]


async def test_async_fixtures(seven: int, grouped: list[str]) -> None:
    """A coroutine test runs, with both forms of async fixtures."""
    await asyncio.sleep(0.01)
    grouped.append("body")
    assert seven == 7


async def test_echo(peers: Peers) -> None:
    """A peer is started, answers, and counts."""
    peer = await peers.start("echo")
    assert await _exchange(peer.url, "ärger 😀") == "ärger 😀"
    assert await peer.ask("count") == 1


async def test_kill_and_start_again(peers: Peers) -> None:
    """A killed peer comes back on the same port."""
    peer = await peers.start("echo")
    await peer.kill()
    await peer.start()
    assert await _exchange(peer.url, "again") == "again"
    await peer.stop()


async def test_peer_errors_arrive(peers: Peers) -> None:
    """What goes wrong on the host is an exception in the test."""
    with pytest.raises(Exception, match="no kind of peer is called 'nothing'"):
        await peers.start("nothing")
    peer = await peers.start("echo")
    with pytest.raises(Exception, match="AttributeError.*fly"):
        await peer.ask("fly")
