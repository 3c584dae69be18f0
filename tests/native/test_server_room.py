"""The room that the methods of one client run in: who waits for space, and who need not."""

import asyncio
from contextvars import copy_context

from circle_ws.server.concurrency import Room, step_outside
from tests.support.loop import settle


async def test_the_reader_waits_until_there_is_space() -> None:
    """One more than the size makes it wait; space that is taken again before it looks does not let it go."""
    room = Room(2)
    await room.wait_for_space()
    for _ in range(3):
        room.enter()
    reader = asyncio.ensure_future(room.wait_for_space())
    await settle()
    room.leave()
    room.enter()
    await settle()
    assert not reader.done()
    room.leave()
    await reader


async def test_a_closed_room_keeps_nobody_waiting() -> None:
    """Who waits goes, and nobody waits again, however many are inside."""
    room = Room(1)
    for _ in range(5):
        room.enter()
    reader = asyncio.ensure_future(room.wait_for_space())
    await settle()
    room.close()
    await reader
    room.enter()
    await room.wait_for_space()


async def test_who_steps_outside_is_not_counted() -> None:
    """Only who is in a room makes space in it, and takes it back in any case."""
    room = Room(1)
    room.enter()
    room.enter()
    with step_outside():
        assert not room._spare.is_set()

    def inside() -> None:
        room.be_here()
        try:
            with step_outside():
                assert room._spare.is_set()
                raise KeyError
        except KeyError:
            assert not room._spare.is_set()

    copy_context().run(inside)
