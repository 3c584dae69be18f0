"""A peer that does not read, in both runtimes: calls wait inside their time, and nothing piles up without bound."""

import asyncio

from circle_ws import CallTimeout, OutcomeUnknown
from tests.support.clients import client
from tests.support.outcomes import later, until
from tests.support.peers import Peers

LARGE = "x" * 1_000_000


async def test_calls_wait_for_a_peer_that_does_not_read(peers: Peers) -> None:
    """What was written before it stopped goes on its way later; what waits ends at its time and was never sent."""
    peer = await peers.start("scripted", answers={"f": {"result": 1}}, deaf=True)
    async with client(peer.url, key=None, max_request_bytes=None, max_queued_bytes=10**9, keepalive=None) as it:
        written = [later(it.call("f", [LARGE])) for _ in range(64)]
        await asyncio.sleep(0)
        waiting = await later(it.call("f", ["small"], timeout=0.2))
        assert isinstance(waiting, CallTimeout)
        assert waiting.phase == "queue"
        assert "has not run" in str(waiting)
        await peer.ask("listen")
        assert await asyncio.gather(*written) == [1] * 64
        assert await it.call("f", ["again"]) == 1
    received = await until(peer, "received_sizes", lambda sizes: len(sizes) == 65)
    assert sum(size > 1_000_000 for size in received) == 64


async def test_a_link_that_ends_while_the_peer_does_not_read(peers: Peers) -> None:
    """What was written fails with `OutcomeUnknown`; what waited goes out on the next link."""
    peer = await peers.start("scripted", answers={"f": {"result": 1}}, deaf=True)
    async with client(peer.url, key=None, max_request_bytes=None, max_queued_bytes=10**9, keepalive=None) as it:
        made = [later(it.call("f", [LARGE])) for _ in range(64)]
        await asyncio.sleep(0)
        await peer.ask("hear_from_now_on")
        await peer.ask("cut")
        outcomes = await asyncio.gather(*made)
    assert {type(outcome) for outcome in outcomes} == {int, OutcomeUnknown}
    assert isinstance(outcomes[0], OutcomeUnknown)
    assert outcomes[-1] == 1
