"""Start something in the background and look at its end later, without reports of errors that were never retrieved."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tests.support.peers import RemotePeer

__all__ = ["eventually", "later", "until"]

_PAUSE = 0.005
"""Between two looks, in seconds. Pyodide makes a posted message, not a timer, of a pause of up to 2 ms.

A page that only posts messages to itself has its timers and what its sockets receive come seconds late.
"""


def later(awaitable: Awaitable[Any]) -> "asyncio.Task[Any]":
    """Run it in a task whose result is its result, or the exception that it raised."""

    async def outcome() -> Any:
        try:
            return await awaitable
        except Exception as error:
            return error

    return asyncio.ensure_future(outcome())


async def eventually(condition: Callable[[], Any]) -> Any:
    """Return the first true value of `condition()`, asking again and again; the test's own limit ends a vain wait."""
    while not (value := condition()):  # noqa: ASYNC110 - what is looked at has no event
        await asyncio.sleep(_PAUSE)
    return value


async def until(peer: RemotePeer, name: str, condition: Callable[[Any], Any] = bool) -> Any:
    """Ask the peer until its answer meets the condition, and return it; a test's own limit ends a vain wait."""
    while not condition(answer := await peer.ask(name)):  # noqa: ASYNC110 - it is on the host, with no event here
        await asyncio.sleep(0.01)
    return answer
