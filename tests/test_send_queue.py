"""What becomes of a call when its connection goes down: never twice unless its caller allows that, in both runtimes."""

import asyncio
import json

import pytest

from circle_ws import (
    Backoff,
    CallTimeout,
    ClientClosed,
    ConnectionStatus,
    NotConnected,
    OutcomeUnknown,
)
from tests.support.clients import client
from tests.support.outcomes import eventually, later, until
from tests.support.peers import Peers

S = ConnectionStatus


async def test_an_idempotent_call_is_written_again(peers: Peers) -> None:
    """A plain call fails with `OutcomeUnknown`; idempotent ones are answered on the next connection, in order."""
    peer = await peers.start("scripted")
    async with client(peer.url, key=None) as it:
        plain = later(it.call("f", ["plain"]))
        allowed = [later(it.call("f", [number], idempotent=True)) for number in range(3)]
        await until(peer, "received", lambda texts: len(texts) == 4)
        await peer.ask("answer", method="f", answer={"result": "well"})
        await peer.ask("cut")
        assert isinstance(await plain, OutcomeUnknown)
        after = later(it.call("f", ["after"]))
        assert await asyncio.gather(*allowed, after) == ["well"] * 4
    received = [json.loads(text)["params"][0] for text in await peer.ask("received")]
    assert received == ["plain", 0, 1, 2, 0, 1, 2, "after"]


async def test_an_idempotent_call_is_written_four_times_at_most(peers: Peers) -> None:
    """Once, and again after three losses; then its outcome is unknown too. Each time it has an id of its own."""
    peer = await peers.start("scripted", answers={"f": {"close": 1001}})
    async with client(peer.url, key=None) as it:
        with pytest.raises(OutcomeUnknown):
            await it.call("f", [1], idempotent=True)
    received = [json.loads(text) for text in await peer.ask("received")]
    assert [request["params"] for request in received] == [[1]] * 4
    assert len({request["id"] for request in received}) == 4


async def test_an_idempotent_call_keeps_its_one_deadline(peers: Peers) -> None:
    """Its time goes on over the losses, and the words say that it may have run."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        allowed = later(it.call("hold", [1], idempotent=True, timeout=0.4))
        await until(circle, "runs")
        await circle.kill()
        ended = await allowed
        assert isinstance(ended, CallTimeout)
        assert "may have run" in str(ended)
        await circle.start()


async def test_closing_tells_of_an_idempotent_call_that_its_outcome_is_unknown(peers: Peers) -> None:
    """It was written once: `ClientClosed`, which says that nothing was, would be wrong."""
    circle = await peers.start("circle")
    it = client(circle.url)
    await it.connect()
    in_flight = later(it.call("hold", [1], idempotent=True))
    await until(circle, "runs")
    await it.close(drain=0)
    assert type(await in_flight) is OutcomeUnknown

    it = client(circle.url)
    await it.connect()
    waiting = later(it.call("hold", [2], idempotent=True))
    await until(circle, "runs", lambda runs: len(runs) == 2)
    await circle.kill()
    await eventually(lambda: it.status is S.WAITING)
    plain = later(it.call("record", [3]))
    await asyncio.sleep(0)
    await it.close()
    assert type(await waiting) is OutcomeUnknown
    assert type(await plain) is ClientClosed


async def test_reconnect_skips_the_delay(peers: Peers) -> None:
    """In the pause between attempts `reconnect()` dials at once."""
    circle = await peers.start("circle")
    async with client(circle.url, backoff=Backoff(first=60, floor=60, maximum=60)) as it:
        await circle.ask("cut_all")
        await eventually(lambda: it.status is S.WAITING)
        it.reconnect()
        assert await it.call("echo", ["at once"], timeout=5) == "at once"


async def test_reconnect_leaves_the_connection_for_a_fresh_one(peers: Peers) -> None:
    """While connected it says good-bye and dials again at once, even without a back-off; it does nothing twice."""
    circle = await peers.start("circle")
    async with client(circle.url, backoff=None) as it:
        plain = later(it.call("hold", [1]))
        await until(circle, "runs")
        it.reconnect()
        it.reconnect()
        unknown = await plain
        assert isinstance(unknown, OutcomeUnknown)
        assert unknown.local
        assert await it.call("echo", ["fresh"]) == "fresh"
        await until(circle, "public_keys", lambda keys: len(keys) == 1)


async def test_reconnect_of_a_client_that_is_not_there(peers: Peers) -> None:
    """IDLE, FAILED and CLOSED refuse in words."""
    circle = await peers.start("circle")
    it = client(circle.url, backoff=None)
    with pytest.raises(NotConnected):
        it.reconnect()
    await it.connect()
    await circle.ask("cut_all")
    await eventually(lambda: it.status is S.FAILED)
    with pytest.raises(NotConnected):
        it.reconnect()
    await it.close()
    with pytest.raises(ClientClosed):
        it.reconnect()
