"""Tests that must fail, each for the reason in its name."""

import asyncio
import sys

import pytest

_kept: list[object] = []


def test_assertion() -> None:
    assert 1 == 2


async def test_async_assertion() -> None:
    await asyncio.sleep(0)
    assert 1 == 2


@pytest.mark.limit(0.1)
async def test_takes_too_long() -> None:
    await asyncio.sleep(3600)


async def test_leaves_a_task() -> None:
    _kept.append(asyncio.create_task(asyncio.sleep(1), name="forgotten"))


async def test_leaves_an_error() -> None:
    async def fail() -> None:
        raise ValueError("nobody looked")

    asyncio.create_task(fail())
    await asyncio.sleep(0.01)


if sys.platform == "emscripten":
    from pyodide.ffi import create_proxy

    async def test_leaves_a_proxy() -> None:
        def left_behind() -> None:
            """Stays in JavaScript."""

        create_proxy(left_behind)
