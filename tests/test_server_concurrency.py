"""The limit on one client's running methods: when its reader waits, and what is not counted."""

import asyncio
from contextvars import copy_context

from circle_ws.server.concurrency import ConcurrencyLimit, not_counted
from circle_ws.testing.loop import settle


async def test_the_reader_waits_until_there_is_space() -> None:
    """One more than the maximum makes it wait; space that is taken again before it looks does not let it go."""
    limit = ConcurrencyLimit(2)
    await limit.wait_for_space()
    for _ in range(3):
        limit.enter()
    reader = asyncio.ensure_future(limit.wait_for_space())
    await settle()
    limit.leave()
    limit.enter()
    await settle()
    assert not reader.done()
    limit.leave()
    await reader


async def test_closing_ends_every_wait() -> None:
    """Those that have begun, and later ones, however many methods run."""
    limit = ConcurrencyLimit(1)
    for _ in range(5):
        limit.enter()
    reader = asyncio.ensure_future(limit.wait_for_space())
    await settle()
    limit.close()
    await reader
    limit.enter()
    await limit.wait_for_space()


async def test_a_method_that_waits_for_its_client_is_not_counted() -> None:
    """Only a task that was marked makes space while it waits, and takes it back in any case."""
    limit = ConcurrencyLimit(1)
    limit.enter()
    limit.enter()
    with not_counted():
        assert not limit._has_space.is_set()

    def inside() -> None:
        limit.mark_task()
        try:
            with not_counted():
                assert limit._has_space.is_set()
                raise KeyError
        except KeyError:
            assert not limit._has_space.is_set()

    copy_context().run(inside)
