"""Rows 38 and 44: what a peer can make grow is bounded, in bytes and in pieces."""

import asyncio
import logging
import sys

import pytest

from circle_ws import Backoff, CircleWsClient, ConnectionLost, ConnectionStatus
from circle_ws.engine import session
from circle_ws.transport import Receiver, TransportOptions
from circle_ws.transport.memory import MemoryPeer, MemoryServer, MemoryTransport
from tests.faults.stage import IN_BROWSER, Story
from tests.support.clients import client
from tests.support.outcomes import eventually, later, until
from tests.support.peers import Peers, RemotePeer

S = ConnectionStatus
MEBIBYTE = 1024 * 1024
QUESTION = '{"jsonrpc":"2.0","id":1,"method":"question"}'
SEVERAL = f"[{','.join([QUESTION] * 20)}]"


async def answered(peer: RemotePeer, count: int) -> None:
    await until(peer, "received_sizes", lambda sizes: len(sizes) >= count)


@pytest.mark.parametrize("question", [QUESTION, SEVERAL], ids=["single", "batch"])
async def test_row_38_a_circle_that_asks_and_does_not_read(
    peers: Peers, monkeypatch: pytest.MonkeyPatch, question: str
) -> None:
    """Row 38, the circle asks without end: what waits for it is bounded; over it the connection is closed; retry."""
    monkeypatch.setattr(session, "MAX_UNREAD_REPLIES", MEBIBYTE)
    peer = await peers.start("scripted", deaf=True)
    highest = 0

    def answer() -> str:
        nonlocal highest
        connection = it._supervisor._session
        assert connection is not None
        highest = max(highest, connection.transport.buffered)
        return "x" * 60_000

    async with client(peer.url, key=None, close_timeout=0.2, keepalive=None) as it:
        it.handle("question", answer)
        story = Story(it)
        await peer.ask("ask_on_and_on", text=question)
        loss = (await story.until(S.WAITING)).cause
        assert isinstance(loss, ConnectionLost)
        assert (loss.code, loss.local) == (1013, True)
        assert "asks and does not read" in str(loss)
        # What was measured ran before the answer over the limit was written: the mark, the limit, and one answer more.
        assert highest <= session._HIGH_WATER + MEBIBYTE + 200_000
        await story.until(S.CONNECTED)


async def test_row_38_a_circle_that_asks_before_the_sign_in(peers: Peers, caplog: pytest.LogCaptureFixture) -> None:
    """Row 38, the circle asks without end: before the sign-in nothing is answered, and little of it is kept."""
    # What is dropped is told at level DEBUG, which pytest would keep.
    caplog.set_level(logging.INFO, "circle_ws")
    peer = await peers.start("scripted", deaf=True)
    it = client(peer.url, close_timeout=0.2, keepalive=None, open_timeout=20)
    it.handle("question", lambda: "x" * 60_000)
    connecting = later(it.connect())
    await eventually(lambda: it.status is S.AUTHENTICATING and it._supervisor._session is not None)
    transport = it._supervisor._session.transport  # type: ignore[union-attr]
    await peer.ask("ask_on_and_on", text=SEVERAL)
    before = sys.getallocatedblocks()
    await eventually(lambda: transport.bytes_received > MEBIBYTE)
    assert it.status is S.AUTHENTICATING
    assert it.stats.bytes_out < 1000
    # 24,000 questions of a few blocks each.
    assert sys.getallocatedblocks() - before < 24_000
    await it.close()
    await connecting


async def test_row_38_a_circle_that_reads_may_ask_as_often_as_it_likes(
    peers: Peers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 38, the circle asks without end: one that reads gets every answer, however many they are."""
    monkeypatch.setattr(session, "MAX_UNREAD_REPLIES", MEBIBYTE)
    peer = await peers.start("scripted")
    async with client(peer.url, key=None, keepalive=None) as it:
        it.handle("question", lambda: "x" * 60_000)
        for asked in range(5, 105, 5):
            await asyncio.gather(*(peer.ask("send", text=QUESTION) for _ in range(5)))
            await answered(peer, asked)
        assert sum(await peer.ask("received_sizes")) > 5 * MEBIBYTE
        assert it.stats.connects == 1


async def test_row_44_endless_empty_fragments(peers: Peers) -> None:
    """Row 44, endless empty fragments: they cost nothing that stays, under whatever limit of bytes."""
    peer = await peers.start("scripted")
    async with client(peer.url, key=None, keepalive=None, max_message_bytes=1024) as it:
        transport = it._supervisor._session.transport  # type: ignore[union-attr]
        await eventually(lambda: it.is_connected())
        before, received = sys.getallocatedblocks(), transport.bytes_received
        await peer.ask("begin_message", fragments=20_000)
        await until(peer, "begun_messages")
        if not IN_BROWSER:
            await eventually(lambda: transport.bytes_received >= received + 40_000)
        assert sys.getallocatedblocks() - before < 5_000
        assert it.is_connected()


class Unclosable(MemoryTransport):
    """A connection whose peer answers no close."""

    __slots__ = ()
    released = asyncio.Event()
    cut = 0

    async def close(self, code: int = 1000, reason: str = "") -> None:
        try:
            await self.released.wait()
        except asyncio.CancelledError:
            type(self).cut += 1
            raise
        finally:
            self.abort()


class Deaf(MemoryServer):
    """A circle that answers no close."""

    async def __call__(self, url: str, receiver: Receiver, options: TransportOptions) -> MemoryTransport:
        connection = await super().__call__(url, receiver, options)
        connection.__class__ = Unclosable
        return connection


async def _listen(peer: MemoryPeer) -> None:
    async for _ in peer:
        pass


async def test_row_44_closes_that_are_never_answered() -> None:
    """Row 44, growth: without `close_timeout` the handshakes of connections that were left are few all the same."""
    Unclosable.released, Unclosable.cut = asyncio.Event(), 0
    backoff = Backoff(first=0, base=0.001, maximum=0.001, floor=0)
    async with client("ws://localhost/", key=None, transport=Deaf(_listen), close_timeout=None, backoff=backoff) as it:
        for number in range(1, 21):
            await connected(it, number)
            it.reconnect()
        await connected(it, 21)
        assert len(it._supervisor._closing) == 8
        assert Unclosable.cut == 12
        Unclosable.released.set()


async def connected(it: CircleWsClient, times: int) -> None:
    await eventually(lambda: it.is_connected() and it.stats.connects == times)
