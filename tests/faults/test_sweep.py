"""Row 33 again: cancelling and closing after every single turn of the event loop, from the first to the last."""

import asyncio
import itertools
import json
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from circle_ws import Backoff, CircleWsClient, CircleWsError, ClientClosed, ConnectionStatus, OutcomeUnknown
from circle_ws.transport.memory import MemoryPeer, MemoryServer
from tests.faults.stage import NONCE
from tests.support.clients import client
from tests.support.outcomes import later, until
from tests.support.peers import Peers, RemotePeer
from tests.support.signers import Vault

S = ConnectionStatus
AT_ONCE = Backoff(first=0, base=0, maximum=0, floor=0)
_GROWTH = 2.2 if os.environ.get("CIRCLE_WS_RUNTIME") == "firefox" else 1.4
"""Firefox delays each new attempt at an address that was cut off before, so fewer are made there."""
RESULTS: dict[str, Any] = {"fetch_nonce": NONCE["result"], "authenticate": True}


class Place:
    """A circle, how to make clients of it, and after how many turns something is done to them."""

    url = "ws://localhost/"

    def make(self, **options: Any) -> CircleWsClient:
        # In a browser a key of the client's own may sign only so often.
        return client(self.url, None, signer=Vault(), backoff=AT_ONCE, setup=_setup, keepalive=None, **options)

    def turns(self) -> Iterator[int]:
        raise NotImplementedError

    async def cut(self) -> None:
        """Cut every connection."""
        raise NotImplementedError

    async def gone(self) -> None:
        """Return when every connection is gone."""
        raise NotImplementedError


class MemoryPlace(Place):
    """In this process, so that every turn of the event loop is a step, and each one is tried."""

    def __init__(self) -> None:
        self.server = MemoryServer(self.serve)

    async def serve(self, peer: MemoryPeer) -> None:
        async for text in peer:
            request = json.loads(text)
            if request["method"] == "hold":
                continue
            result = RESULTS.get(request["method"], request.get("params"))
            peer.send(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}))

    def make(self, **options: Any) -> CircleWsClient:
        return super().make(transport=self.server, **options)

    def turns(self) -> Iterator[int]:
        return itertools.count()

    async def cut(self) -> None:
        for peer in self.server.peers:
            peer.close(1006)

    async def gone(self) -> None:
        assert all(peer.loss is not None for peer in self.server.peers)


class RealPlace(Place):
    """Over real sockets, where most turns only wait: longer and longer steps."""

    def __init__(self, circle: RemotePeer) -> None:
        self.circle, self.url = circle, circle.url

    def turns(self) -> Iterator[int]:
        return (int(_GROWTH**step) - 1 for step in itertools.count())

    async def cut(self) -> None:
        await self.circle.ask("cut_all")

    async def gone(self) -> None:
        await until(self.circle, "public_keys", lambda keys: not keys)


async def _setup(session: Any) -> None:
    await session.call("echo", [1])


# In memory a turn is the same in every page, so of pages only Chromium, which runs the whole suite, sweeps there.
@pytest.fixture(params=["real"] if os.environ.get("CIRCLE_WS_RUNTIME") in ("firefox", "node") else ["memory", "real"])
async def place(request: pytest.FixtureRequest, peers: Peers) -> AsyncGenerator[Place]:
    yield MemoryPlace() if request.param == "memory" else RealPlace(await peers.start("circle"))


async def sweep(place: Place, strike: Callable[[int], Awaitable[bool]]) -> None:
    """Strike after 0, 1, 2 ... turns, until it comes too late to meet anything."""
    struck = 0
    for turns in place.turns():
        if await strike(turns):
            break
        struck += 1
    assert struck >= 3, "what was to be met was over before the sweep began"
    await place.gone()


async def let(turns: int) -> None:
    """Run a turn of the event loop."""
    for _ in range(turns):
        await asyncio.sleep(0)


async def test_row_33_connecting_is_cancelled_at_every_turn(place: Place) -> None:
    """Row 33, cancel at every await point: nothing of the attempt is left, and the same client connects afterwards."""

    async def strike(turns: int) -> bool:
        it = place.make()
        connecting = asyncio.ensure_future(it.connect())
        await let(turns)
        late = connecting.done()
        connecting.cancel()
        await asyncio.wait([connecting])
        assert it.status is (S.CONNECTED if it.is_connected() else S.IDLE)
        await it.connect()
        assert await it.call("echo", [turns]) in (turns, [turns])
        await it.close()
        return late

    await sweep(place, strike)


async def test_row_33_connecting_is_closed_at_every_turn(place: Place) -> None:
    """Row 33, `close()` at every await point, twice: every waiter gets the error, and nothing is left."""

    async def strike(turns: int) -> bool:
        it = place.make()
        connecting = later(it.connect())
        calling = later(_call_soon(it))
        await let(turns)
        late = calling.done()
        await asyncio.gather(it.close(drain=0), it.close())
        assert isinstance(await connecting, ClientClosed | None)
        assert late or isinstance(await calling, ClientClosed | OutcomeUnknown | int | list)
        assert it.status is S.CLOSED
        return late

    await sweep(place, strike)


async def _call_soon(it: CircleWsClient) -> Any:
    await asyncio.sleep(0)
    return await it.call("echo", [1])


async def test_row_33_everything_is_cancelled_at_every_turn(place: Place) -> None:
    """Row 33, cancel at every await point: its own task too, as when an event loop ends; it can be started anew."""

    async def strike(turns: int) -> bool:
        before = asyncio.all_tasks()
        it = place.make()
        connecting = asyncio.ensure_future(it.connect())
        await let(turns)
        late = connecting.done()
        # The server in this process is not the client's.
        tasks = [task for task in asyncio.all_tasks() - before if "MemoryServer" not in repr(task)]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        assert it.status in (S.IDLE, S.FAILED)
        await it.connect()
        assert await it.call("echo", [turns]) in (turns, [turns])
        await it.close()
        return late

    await sweep(place, strike)


async def test_row_33_a_call_is_cancelled_at_every_turn(place: Place) -> None:
    """Row 33, cancel at every await point: its slot and queue place are free, its reply reaches no other call."""
    async with place.make(max_in_flight=1) as it:

        async def strike(turns: int) -> bool:
            # One is written and will never be answered, the others wait for its slot.
            calls = [asyncio.ensure_future(it.call("hold", ["never"])) for _ in range(3)]
            await let(turns)
            for call in calls:
                call.cancel()
            assert await it.call("echo", [turns]) in (turns, [turns])
            await asyncio.wait(calls)
            return turns > 20

        await sweep_of_calls(place, strike)


async def sweep_of_calls(place: Place, strike: Callable[[int], Awaitable[bool]]) -> None:
    for turns in place.turns():
        if await strike(turns):
            assert turns >= 2
            return


@pytest.mark.parametrize("idempotent", [False, True])
async def test_row_33_the_connection_is_cut_at_every_turn_of_a_call(place: Place, idempotent: bool) -> None:
    """Row 33, at every await point: a call whose connection is cut is answered or `OutcomeUnknown`, and never hangs."""
    async with place.make() as it:

        async def strike(turns: int) -> bool:
            call = later(it.call("echo", ["cut"], idempotent=idempotent))
            await let(turns)
            late = call.done()
            await place.cut()
            outcome = await call
            assert outcome in ("cut", ["cut"]) or (isinstance(outcome, OutcomeUnknown) and not idempotent)
            assert await it.call("echo", [turns], idempotent=True) in (turns, [turns])
            return late

        await sweep_of_calls(place, strike)


async def test_row_33_coming_back_is_closed_at_every_turn(place: Place) -> None:
    """Row 33, `close()` during back-off and the attempts that follow: what waits learns, and nothing is left."""

    async def strike(turns: int) -> bool:
        it = place.make()
        await it.connect()
        await place.cut()
        await asyncio.sleep(0)
        waiting = later(it.call("echo", [1]))
        await let(turns)
        late = waiting.done()
        await it.close(drain=0)
        assert isinstance(await waiting, CircleWsError | int | list)
        assert it.status is S.CLOSED
        return late

    await sweep(place, strike)


async def test_row_33_closing_is_cancelled_at_every_turn(place: Place) -> None:
    """Row 33, cancel at every await point, of `close()` itself: it goes on, and who closes again waits for its end."""

    async def strike(turns: int) -> bool:
        it = place.make()
        await it.connect()
        called = later(it.call("echo", [1]))
        await asyncio.sleep(0)
        closing = asyncio.ensure_future(it.close())
        await let(turns)
        late = closing.done()
        closing.cancel()
        await it.close()
        assert it.status is S.CLOSED
        await asyncio.wait([closing])
        assert await called in (1, [1])
        return late

    await sweep(place, strike)


async def test_row_33_leaving_a_connection_at_every_turn(place: Place) -> None:
    """Row 33: `reconnect()` after every turn of a call, and a close in the middle of it."""
    async with place.make() as it:

        async def strike(turns: int) -> bool:
            call = later(it.call("echo", [1], idempotent=True))
            await let(turns)
            late = call.done()
            it.reconnect()
            assert await call in (1, [1])
            await it.wait_until_connected()
            return late

        await sweep_of_calls(place, strike)
