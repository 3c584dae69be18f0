"""Start something in the background and look at its end later, without an error that nobody awaits."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

__all__ = ["eventually", "later"]


def later(awaitable: Awaitable[Any]) -> "asyncio.Task[Any]":
    """Run it in a task whose result is its result, or the exception that it raised."""

    async def outcome() -> Any:
        try:
            return await awaitable
        except Exception as error:
            return error

    return asyncio.ensure_future(outcome())


async def eventually(condition: Callable[[], Any]) -> Any:
    """Return the first true value of `condition()`, asking once a turn; the test's own limit ends a vain wait."""
    while not (value := condition()):
        await asyncio.sleep(0.001)
    return value
