"""Errors that are kept and raised more than once, in both runtimes."""

import asyncio
import json
import traceback

import pytest

from circle_ws import CircleWsError, ConnectionFailed, ConnectionStatus
from circle_ws.transport.memory import MemoryPeer, MemoryServer
from tests.support.clients import client
from tests.support.outcomes import eventually


def _frames(error: BaseException) -> int:
    return len(traceback.extract_tb(error.__traceback__))


@pytest.mark.parametrize("what", ["listen", "overrun", "batch"])
async def test_an_error_that_is_raised_often_holds_the_frames_of_the_last_time_alone(what: str) -> None:
    """It is one object: with each time it would hold all that the frames of that time refer to."""
    server = MemoryServer(_refusing)
    it = client("ws://localhost/", key=None, transport=server, backoff=None)
    await it.connect()
    news = it.notifications("news", buffer=1, overflow="close")
    async with it.batch() as batch:
        refused = batch.call("f")
    if what == "overrun":
        for _ in range(3):
            server.peers[0].send('{"jsonrpc":"2.0","method":"news","params":[1]}')
        await eventually(lambda: news.dropped)
        await anext(news)
    else:
        server.peers[0].close()
        await eventually(lambda: it.status is ConnectionStatus.FAILED)

    async def wait() -> int:
        try:
            if what == "batch":
                await refused
            else:
                await anext(news)
        except CircleWsError as error:
            return _frames(error)
        raise AssertionError("it fails")

    first = await wait()
    assert [await wait() for _ in range(5)] == [first] * 5
    await it.close()


async def test_all_who_wait_for_a_start_that_fails_have_frames_of_their_own() -> None:
    """The failure is raised for each of them."""
    server = MemoryServer(_refusing)
    server.refusal = ConnectionFailed("no")
    it = client("ws://localhost/", key=None, transport=server)

    async def wait() -> int:
        try:
            await it.connect()
        except ConnectionFailed as error:
            return _frames(error)
        raise AssertionError("it fails")

    counts = await asyncio.gather(*(wait() for _ in range(5)))
    assert counts == counts[:1] * 5
    await it.close()


async def _refusing(peer: MemoryPeer) -> None:
    async for text in peer:
        one = json.loads(text)
        answer = {"jsonrpc": "2.0", "id": (one[0] if isinstance(one, list) else one)["id"]}
        answer["error"] = {"code": -32000, "message": "no"}
        peer.send(json.dumps([answer] if isinstance(one, list) else answer))


async def test_what_connect_raises_has_the_frames_of_where_it_failed() -> None:
    """A program sees where its own setup went wrong, each time that the failure is raised."""

    async def setup(_: object) -> None:
        raise KeyError("missing")

    it = client("ws://localhost/", key=None, transport=MemoryServer(_refusing), setup=setup)
    with pytest.raises(KeyError) as caught:
        await it.connect()
    assert "setup" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    await it.close()
