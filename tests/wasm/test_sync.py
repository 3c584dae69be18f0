"""The blocking client where Python cannot wait: it is refused in words, before anything is dialled."""

import asyncio
from collections.abc import Callable
from typing import Any

import js
import pytest
from pyodide.ffi import create_once_callable

import circle_ws.sync
from circle_ws import CircleWsClientBuilder, UnsupportedRuntime
from tests.support.clients import KEY
from tests.support.outcomes import until
from tests.support.peers import Peers


async def without_stack_switching(function: Callable[[], Any]) -> Any:
    """Return the result of a function that JavaScript calls in the ordinary way, or the exception that it raised."""
    called = asyncio.get_running_loop().create_future()

    def call() -> None:
        try:
            called.set_result(function())
        except Exception as error:
            called.set_result(error)

    js.setTimeout(create_once_callable(call), 0)
    return await called


@pytest.mark.parametrize(
    "make",
    [
        CircleWsClientBuilder("ws://127.0.0.1:1/").build_sync,
        lambda: circle_ws.sync.connect("ws://127.0.0.1:1/"),
    ],
)
async def test_where_python_cannot_wait(make: Callable[[], Any]) -> None:
    """Building one says what is missing and what to do instead."""
    refused = await without_stack_switching(make)
    assert isinstance(refused, UnsupportedRuntime)
    assert "cannot wait here" in str(refused)
    assert "circle_ws.connect()" in str(refused)


async def test_a_client_that_is_used_where_python_cannot_wait(peers: Peers) -> None:
    """Its calls are refused there, its state can be read, and elsewhere it works on."""
    circle = await peers.start("circle")
    with circle_ws.sync.connect(circle.url, private_key=KEY) as client:
        assert isinstance(await without_stack_switching(lambda: client.call("echo", [1])), UnsupportedRuntime)
        assert await without_stack_switching(client.is_connected)
        assert client.call("echo", [1]) == 1


async def test_tasks_wait_side_by_side(peers: Peers) -> None:
    """A blocking call suspends its own stack only: other tasks of the page go on, and may block too."""
    circle = await peers.start("circle")
    with circle_ws.sync.connect(circle.url, private_key=KEY) as client:

        async def hold(value: int) -> Any:
            return client.call("hold", [value])

        async def release() -> None:
            await until(circle, "runs", lambda runs: runs == [1, 2])
            await circle.ask("release")

        first, second, _ = await asyncio.gather(hold(1), hold(2), release())
        assert (first, second) == (1, 2)
