"""Row 33: cancelling and closing at every moment that can last, against a peer that answers nothing any more."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from circle_ws import (
    Challenge,
    CircleWsClient,
    CircleWsError,
    ClientClosed,
    ConnectionStatus,
    NotConnected,
    StatusChange,
    Verdict,
)
from circle_ws.policy import Failure
from tests.faults.moments import CLOSE_TIMEOUT, MOMENTS, Moment
from tests.faults.stage import IN_BROWSER, NONCE, timed
from tests.support.clients import client
from tests.support.outcomes import eventually, later, until
from tests.support.peers import Peers
from tests.support.signers import Vault

S = ConnectionStatus
SLACK = 5.0
"""How much later a busy machine may notice that a time is over, in seconds."""
Act = Callable[[Moment], Awaitable[None]]


async def closed(moment: Moment) -> None:
    """Close it."""
    await moment.client.close(drain=0)


async def closed_from_everywhere(moment: Moment) -> None:
    """Close it twice at the same time, once more from a callback that raises, and once more afterwards."""
    it = moment.client

    def react(change: StatusChange) -> None:
        moment.waiting.append(later(it.close()))
        raise RuntimeError("a fault of the callback's")

    it.on_status(react)
    await asyncio.gather(it.close(drain=0), it.close(drain=0))
    await it.close()


async def closed_again_after_a_cancelled_close(moment: Moment) -> None:
    """Cancel the task that closes it, and close it once more."""
    closing = asyncio.ensure_future(moment.client.close(drain=0))
    await asyncio.sleep(0.01)
    closing.cancel()
    await moment.client.close()
    await asyncio.wait([closing])


async def cancelled(moment: Moment) -> None:
    """Cancel the waiting tasks, then close the client."""
    for task in moment.waiting:
        task.cancel()
    if moment.waiting:
        await asyncio.wait(moment.waiting)
    assert moment.client.status is S.IDLE or not moment.starting
    await moment.client.close(drain=0)


ACTS: list[Act] = [closed, closed_from_everywhere, closed_again_after_a_cancelled_close, cancelled]


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
@pytest.mark.parametrize("moment", MOMENTS)
async def test_row_33_it_ends_at_every_moment(peers: Peers, moment: str, act: Act) -> None:
    """Row 33, cancel or `close()` at every await point: bounded, who waits learns, no socket, no task is left."""
    there = await MOMENTS[moment](peers)
    assert await timed(act(there)) < 2 * CLOSE_TIMEOUT + SLACK
    assert there.client.status is S.CLOSED
    for task in there.waiting:
        outcome = await task if not task.cancelled() else None
        assert outcome is None or isinstance(outcome, CircleWsError | StopAsyncIteration)
    with pytest.raises(ClientClosed):
        await there.client.connect()
    if not IN_BROWSER:
        # A browser keeps a socket whose peer does not answer as long as it likes.
        await there.gone()


@pytest.mark.parametrize("moment", sorted(set(MOMENTS) - {"while_it_closes"}))
async def test_row_33_it_ends_with_its_event_loop(peers: Peers, moment: str) -> None:
    """Row 33, cancel at every await point: as `asyncio.run` does at its end, every task at once, its own ones too."""
    before = asyncio.all_tasks()
    there = await MOMENTS[moment](peers)
    tasks = asyncio.all_tasks() - before
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
    assert there.client.status in (S.IDLE, S.FAILED, S.CLOSED)
    assert await timed(there.client.close()) < SLACK
    if not IN_BROWSER:
        await there.gone()


LASTING = [S.CONNECTING, S.AUTHENTICATING, S.CONNECTED, S.WAITING]


@pytest.mark.parametrize("status", LASTING, ids=lambda status: status.value)
async def test_row_33_it_is_closed_from_a_callback(peers: Peers, status: ConnectionStatus) -> None:
    """Row 33, `close()` from a callback: at whichever status, and though the callback raises."""
    answers = {"fetch_nonce": NONCE, "authenticate": {"result": True}, "f": {"close": 1001}}
    peer = await peers.start("scripted", answers=answers)
    it = client(peer.url)
    closings: list[asyncio.Task[Any]] = []

    def react(change: StatusChange) -> None:
        if change.status is status:
            closings.append(later(it.close()))
        raise RuntimeError("a fault of the callback's")

    it.on_status(react)
    waiting = [later(it.connect())]
    await asyncio.sleep(0)
    waiting.append(later(it.call("f")))
    await eventually(lambda: closings)
    assert await closings[0] is None
    assert it.status is S.CLOSED
    assert all(isinstance(outcome, CircleWsError | None) for outcome in await asyncio.gather(*waiting))


async def close_and_go_on(it: CircleWsClient) -> None:
    await it.close()
    pytest.fail("the client is closed, so its parts are not used any more")


class Closing(Vault):
    """Closes the client that it signs for."""

    client: CircleWsClient

    async def sign(self, challenge: Challenge) -> str:
        await close_and_go_on(self.client)
        return await super().sign(challenge)


@pytest.mark.parametrize("where", ["setup", "signer", "classifier"])
async def test_row_33_it_is_closed_by_a_part_of_its_own(peers: Peers, where: str) -> None:
    """Row 33, `close()` from a callback: the setup, the signer and the classifier may close what they work for."""
    answers = {"fetch_nonce": NONCE, "authenticate": {"result": True}, "f": {"close": 1001}}
    peer = await peers.start("scripted", answers=answers)
    closings: list[asyncio.Task[Any]] = []

    def classify(failure: Failure) -> Verdict | None:
        closings.append(later(it.close()))
        return None

    async def setup(session: Any) -> None:
        await close_and_go_on(it)

    signer = Closing()
    parts: dict[str, dict[str, Any]] = {
        "setup": {"setup": setup},
        "signer": {"key": None, "signer": signer},
        "classifier": {"classifier": classify},
    }
    it = signer.client = client(peer.url, **parts[where])
    connecting = later(it.connect())
    await asyncio.sleep(0)
    called = later(it.call("f"))
    await eventually(lambda: it.status is S.CLOSED)
    assert isinstance(await connecting, ClientClosed | None)
    assert isinstance(await called, CircleWsError)
    assert not any(await asyncio.gather(*closings))
    assert (not closings) is (where != "classifier")


async def test_row_33_starting_twice_and_ending_once(peers: Peers) -> None:
    """Row 33: one of two that wait for the same attempt is cancelled; the other gets it, or learns of the end."""
    peer = await peers.start("tcp")
    it = client(peer.url)
    first, second = asyncio.ensure_future(it.connect()), later(it.connect())
    await until(peer, "count")
    first.cancel()
    await asyncio.wait([first])
    assert it.status is S.CONNECTING
    assert not second.done()
    await it.close()
    assert isinstance(await second, ClientClosed)
    with pytest.raises(ClientClosed):
        it.reconnect()
    fresh = client(peer.url)
    with pytest.raises(NotConnected):
        fresh.reconnect()
    await fresh.close()
