"""Coroutines that are run from plain code: what they raise comes out, and their time is limited."""

import asyncio

import pytest

from circle_ws.testing import loop


async def fail(error: BaseException) -> None:
    await asyncio.sleep(0)
    raise error


def test_what_a_coroutine_returns_or_raises_comes_out() -> None:
    assert loop.run(asyncio.sleep(0, "its result")) == "its result"
    with pytest.raises(ZeroDivisionError, match="its error"):
        loop.run(fail(ZeroDivisionError("its error")))


async def test_a_coroutine_that_takes_too_long_fails_with_words() -> None:
    """Which a time-out of its own is not."""
    with pytest.raises(AssertionError, match="still running after its limit of 0.01 s"):
        await loop.limited(asyncio.Event().wait(), 0.01)
    with pytest.raises(TimeoutError, match="its own"):
        await loop.limited(fail(TimeoutError("its own")), 100)
