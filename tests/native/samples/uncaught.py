"""A test that passes while a callback that JavaScript calls fails."""

import asyncio

import js
from pyodide.ffi import create_once_callable


async def test_fails_elsewhere() -> None:
    def fail() -> None:
        raise ValueError("out of a callback")

    js.setTimeout(create_once_callable(fail), 0)
    await asyncio.sleep(0.05)
