"""Functions around every call, in both runtimes against the real circle."""

import asyncio
import dataclasses
from typing import Any

import pytest

from circle_ws import (
    CallNext,
    CallTimeout,
    ConnectionStatus,
    InvalidResult,
    NotConnected,
    Request,
    RpcError,
)
from tests.support.clients import client
from tests.support.outcomes import eventually, later, until
from tests.support.peers import Peers


async def test_the_first_is_the_outermost(peers: Peers) -> None:
    """Each sees the request on its way out and the result on its way back, in order."""
    circle = await peers.start("circle")
    seen: list[Any] = []

    def noting(name: str) -> Any:
        async def around(request: Request, call_next: CallNext) -> Any:
            seen.append((name, request.method, request.params, request.idempotent))
            result = await call_next(request)
            seen.append((name, result))
            return result

        return around

    async with client(circle.url, middleware=[noting("outer"), noting("inner")]) as it:
        assert await it.call("echo", ["x"], idempotent=True) == "x"
    assert seen == [
        ("outer", "echo", ["x"], True),
        ("inner", "echo", ["x"], True),
        ("inner", "x"),
        ("outer", "x"),
    ]


async def test_it_may_change_everything(peers: Peers) -> None:
    """The request, the result, and whether there is a call at all; `returns` looks at what comes out."""
    circle = await peers.start("circle")

    async def change(request: Request, call_next: CallNext) -> Any:
        if request.method == "cached":
            return "from the cache"
        return [await call_next(dataclasses.replace(request, params=["changed"]))]

    async with client(circle.url, middleware=[change]) as it:
        assert await it.call("cached") == "from the cache"
        assert await it.call("echo", ["x"], returns=list[str]) == ["changed"]
        with pytest.raises(InvalidResult):
            await it.call("echo", ["x"], returns=str)
        assert it.stats.calls == 2


async def test_retries_of_ones_own(peers: Peers) -> None:
    """Going on twice makes two calls, with ids and counters of their own."""
    circle = await peers.start("circle")

    async def again(request: Request, call_next: CallNext) -> Any:
        try:
            return await call_next(request)
        except RpcError:
            return await call_next(dataclasses.replace(request, method="echo"))

    async with client(circle.url, middleware=[again]) as it:
        assert await it.call("no such method", ["x"]) == "x"
        assert (it.stats.calls, it.stats.failures) == (2, 1)


async def test_play_and_whoami_are_calls(peers: Peers) -> None:
    """The circle's own methods go through it; signing in and probes do not."""
    circle = await peers.start("circle")
    methods: list[str] = []

    async def note(request: Request, call_next: CallNext) -> Any:
        methods.append(request.method)
        return await call_next(request)

    async with client(circle.url, middleware=[note]) as it:
        assert await it.play("40 + 2") == "42"
        await it.whoami()
        await it.notify("record", [1])
    assert methods == ["play", "whoami"]


async def test_a_batch_is_one_request(peers: Peers) -> None:
    """It is seen as a whole; its outcomes are a list, exceptions among them."""
    circle = await peers.start("circle")
    seen: list[Any] = []

    async def note(request: Request, call_next: CallNext) -> Any:
        outcomes = await call_next(request)
        seen.append((request.method, [one.method for one in request.batch], outcomes))
        return outcomes

    async with client(circle.url, middleware=[note]) as it:
        async with it.batch() as batch:
            one = batch.call("echo", [1])
            batch.notify("record", [2])
            bad = batch.call("no such method")
        assert await one == 1
        with pytest.raises(RpcError):
            await bad
    (method, methods, outcomes), *rest = seen
    assert (method, methods, rest) == ("batch", ["echo", "record", "no such method"], [])
    assert outcomes[:2] == [1, None]
    assert isinstance(outcomes[2], RpcError)


async def test_a_batch_answered_with_something_else(peers: Peers) -> None:
    """A middleware that gives no list of as many outcomes is told so."""
    circle = await peers.start("circle")

    async def break_it(request: Request, call_next: CallNext) -> Any:
        return []

    async with client(circle.url, middleware=[break_it]) as it:
        with pytest.raises(TypeError, match="middleware must answer a batch of 1"):
            async with it.batch() as batch:
                batch.call("echo", [1])


async def test_one_deadline_over_all_of_it(peers: Peers) -> None:
    """The time of the call is that of everything in the middleware too, and the error says where it ended."""
    circle = await peers.start("circle")

    async def dawdle(request: Request, call_next: CallNext) -> Any:
        if request.method == "dawdle":
            await asyncio.Event().wait()
        return await call_next(request)

    async with client(circle.url, middleware=[dawdle]) as it:
        with pytest.raises(CallTimeout, match=r"longer than 0\.05 s \(middleware\)") as caught:
            await it.call("dawdle", timeout=0.05)
        assert caught.value.phase == "middleware"
        with pytest.raises(CallTimeout, match=r"longer than 0\.2 s \(reply\)") as caught:
            await it.call("hold", [1], timeout=0.2)
        assert caught.value.phase == "reply"
        assert await it.call("echo", [1], timeout=None) == 1


async def test_what_it_raises_is_the_calls(peers: Peers) -> None:
    """An exception of a middleware reaches the caller as it is, and breaks nothing."""
    circle = await peers.start("circle")

    async def refuse(request: Request, call_next: CallNext) -> Any:
        if request.params:
            raise PermissionError("not with params")
        return await call_next(request)

    async with client(circle.url, middleware=[refuse]) as it:
        with pytest.raises(PermissionError):
            await it.call("echo", [1])
        assert await it.call("echo") is None


async def test_cancelling_goes_through(peers: Peers) -> None:
    """A cancelled call is cancelled in the middleware, and its slot is free."""
    circle = await peers.start("circle")
    ends: list[str] = []

    async def note(request: Request, call_next: CallNext) -> Any:
        try:
            return await call_next(request)
        except asyncio.CancelledError:
            ends.append(request.method)
            raise

    async with client(circle.url, middleware=[note], max_in_flight=1) as it:
        call = asyncio.ensure_future(it.call("hold", [1]))
        await until(circle, "runs")
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert ends == ["hold"]
        assert await it.call("echo", [1]) == 1


async def test_a_client_that_is_not_connected_is_not_asked(peers: Peers) -> None:
    """What cannot be is said before any middleware runs, and again when it goes on too late."""
    circle = await peers.start("circle")
    release = asyncio.Event()

    async def wait(request: Request, call_next: CallNext) -> Any:
        await release.wait()
        return await call_next(request)

    it = client(circle.url, middleware=[wait], backoff=None)
    with pytest.raises(NotConnected):
        await it.call("echo")
    await it.connect()
    call = later(it.call("echo"))
    await circle.ask("cut_all")
    await eventually(lambda: it.status is ConnectionStatus.FAILED)
    release.set()
    assert isinstance(await call, NotConnected)
    await it.close()


async def test_it_may_go_on_twice_at_once(peers: Peers) -> None:
    """Two requests at the same time; the first answer is the call's, and the other request is ended."""
    circle = await peers.start("circle")

    async def race(request: Request, call_next: CallNext) -> Any:
        calls = [asyncio.ensure_future(call_next(dataclasses.replace(request, params=[one]))) for one in (1, 2)]
        done, running = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        for call in running:
            call.cancel()
        await asyncio.wait(calls)
        return [call.result() for call in done]

    async def both(request: Request, call_next: CallNext) -> Any:
        return await asyncio.gather(call_next(request), call_next(request))

    async with client(circle.url, middleware=[race]) as it:
        assert set(await it.call("echo")) <= {1, 2}
    async with client(circle.url, middleware=[both]) as it:
        assert await it.call("echo", [3]) == [3, 3]
        with pytest.raises(CallTimeout, match=r"longer than 0\.1 s \(reply\)") as caught:
            await it.call("hold", [1], timeout=0.1)
        assert caught.value.phase == "reply"
        assert await it.call("echo", [4]) == [4, 4]


async def test_it_may_go_on_in_a_task_of_its_own(peers: Peers) -> None:
    """Under the same deadline, with the phase in which the request ended."""
    circle = await peers.start("circle")

    async def apart(request: Request, call_next: CallNext) -> Any:
        return await asyncio.create_task(_awaited(call_next(request)))

    async with client(circle.url, middleware=[apart], max_in_flight=1) as it:
        assert await it.call("echo", [1]) == 1
        with pytest.raises(CallTimeout, match=r"\(reply\)"):
            await it.call("hold", [1], timeout=0.1)
        held = later(it.call("hold", [2], timeout=None))
        await asyncio.sleep(0.01)
        with pytest.raises(CallTimeout, match=r"\(queue\)"):
            await it.call("echo", [1], timeout=0.1)
        await circle.ask("release")
        assert await held == 2
        assert await it.call("echo", [3], timeout=None) == 3


async def _awaited(awaitable: Any) -> Any:
    return await awaitable


async def test_what_it_leaves_behind_ends_at_the_calls_time(peers: Peers) -> None:
    """A middleware that answers before its request does: the request continues until then, without harm."""
    circle = await peers.start("circle")
    left: list[asyncio.Task[Any]] = []

    async def answer_from_the_cache(request: Request, call_next: CallNext) -> Any:
        left.append(later(call_next(request)))
        await asyncio.sleep(0)
        return "from the cache"

    async with client(circle.url, middleware=[answer_from_the_cache]) as it:
        assert await it.call("hold", [1], timeout=0.1) == "from the cache"
        outcome = await left[0]
        assert isinstance(outcome, CallTimeout)
        assert outcome.phase == "reply"


async def test_time_that_ends_while_one_of_its_requests_is_under_way(peers: Peers) -> None:
    """It may still hand on what it has; it is told what the time ended in, and nothing more is sent."""
    circle = await peers.start("circle")

    async def fall_back(request: Request, call_next: CallNext) -> Any:
        try:
            return await call_next(request)
        except CallTimeout:
            if request.params == ["dawdle"]:
                await asyncio.Event().wait()
            if request.params == ["again"]:
                return await call_next(request)
            return "too late"

    async with client(circle.url, middleware=[fall_back]) as it:
        assert await it.call("hold", [1], timeout=0.1) == "too late"
        calls = it.stats.calls
        for params in (["dawdle"], ["again"]):
            with pytest.raises(CallTimeout, match=r"longer than 0\.1 s \(reply\)"):
                await it.call("hold", params, timeout=0.1)
        # What goes on after the time is over is not sent.
        assert it.stats.calls == calls + 2


async def test_a_batch_in_tasks_of_its_own(peers: Peers) -> None:
    """As a single call."""
    circle = await peers.start("circle")

    async def twice(request: Request, call_next: CallNext) -> Any:
        outcomes, _ = await asyncio.gather(call_next(request), call_next(request))
        return outcomes

    async with client(circle.url, middleware=[twice]) as it:
        async with it.batch() as batch:
            one, two = batch.call("echo", [1]), batch.call("echo", [2])
        assert (await one, await two) == (1, 2)
        with pytest.raises(CallTimeout) as caught:
            async with it.batch(timeout=0.1) as batch:
                held = batch.call("hold", [1])
            await held
        assert caught.value.phase == "reply"
