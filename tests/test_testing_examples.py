"""Tests as users write them, by `circle_ws.testing`: of code that must bear what a circle and its connection may do."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import circle_ws.sync
from circle_ws import (
    AuthRejected,
    Backoff,
    CallTimeout,
    CircleWsClient,
    CircleWsClientBuilder,
    ConnectionStatus,
    Gap,
    OutcomeUnknown,
)
from circle_ws.testing import Circle, Request, virtual_time


class Shop:
    """What a program may be: it orders once, whatever happens, and shows prices."""

    def __init__(self, client: CircleWsClient) -> None:
        self.client = client
        self.unsure: list[str] = []

    async def order(self, item: str) -> int | None:
        try:
            return await self.client.call("order", {"item": item}, returns=int)
        except OutcomeUnknown:
            self.unsure.append(item)
            return None

    async def price(self, item: str) -> int:
        return await self.client.call("price", {"item": item}, returns=int, idempotent=True, timeout=5)


@pytest.fixture
def shop_circle(circle: Circle) -> Circle:
    """The circle of a shop."""
    orders: list[str] = []

    @circle.method()
    def order(item: str) -> int:
        orders.append(item)
        return len(orders)

    @circle.method()
    def price(item: str) -> int:
        return len(item)

    return circle


async def test_a_restart_in_mid_call(shop_circle: Circle, circle_client: CircleWsClient) -> None:
    """A price is asked for again by the client itself."""
    shop_circle.delay("price", 60)
    asking = asyncio.ensure_future(Shop(circle_client).price("tea"))
    await shop_circle.received("price")
    shop_circle.delay("price", 0)
    await shop_circle.restart()
    assert await asking == 3
    assert shop_circle.calls("price") == [Request("price", {"item": "tea"})] * 2


async def test_an_order_of_unknown_outcome_is_not_repeated(shop_circle: Circle, circle_client: CircleWsClient) -> None:
    """The shop notes it for a person to look at; the next one works."""
    shop = Shop(circle_client)
    shop_circle.cut_after("order")
    assert await shop.order("tea") is None
    assert shop.unsure == ["tea"]
    assert await shop.order("milk") == 1
    assert [call.params["item"] for call in shop_circle.calls("order")] == ["tea", "milk"]


async def test_a_slow_circle(shop_circle: Circle) -> None:
    """A price that takes too long is an error after five seconds, none of which the test waits."""
    shop_circle.delay("price", 10)
    async with virtual_time() as clock, shop_circle.connect() as client:
        with pytest.raises(CallTimeout):
            await Shop(client).price("tea")
        assert clock.elapsed == 5


async def test_a_rejected_key(circle: Circle) -> None:
    """The first connect says so; a client that was signed in gives up after the second rejection."""
    circle.reject_sign_in(1)
    with pytest.raises(AuthRejected):
        await circle.connect()
    async with circle.connect() as client:
        circle.reject_sign_in(2)
        await circle.drop()
        with pytest.raises(AuthRejected):
            await client.wait_until_connected()
        assert client.status is ConnectionStatus.FAILED


async def test_a_gap_in_notifications(circle: Circle, circle_client: CircleWsClient) -> None:
    """After a reconnect the reader knows that it may have missed something."""
    async with circle_client.notifications("news", gaps=True) as news:
        circle.publish("news", ["one"])
        assert await anext(news) == ["one"]
        await circle.drop()
        await circle_client.wait_until_connected()
        circle.publish("news", ["three"])
        assert isinstance(await anext(news), Gap)
        assert await anext(news) == ["three"]


async def test_refused_and_then_accepted(circle: Circle) -> None:
    """A service that starts before its circle waits for it, with the back-off of production."""
    circle.refuse(3)
    async with virtual_time() as clock:
        async with circle.connect(first_connect="retry", backoff=Backoff(seed=1)) as client:
            assert client.is_connected()
        assert 0.3 < clock.elapsed < 8


async def test_a_circle_that_hangs(circle: Circle) -> None:
    """The default keep-alive notices it within a minute, and the client comes back when it goes on."""
    async with virtual_time() as clock, circle.connect() as client:
        circle.hang()
        async for change in client.status_changes():
            if change.status is ConnectionStatus.WAITING:
                break
        assert 20 < clock.elapsed < 60
        circle.resume()
        await client.wait_until_connected()


async def test_calls_wait_for_the_circle(shop_circle: Circle, circle_client: CircleWsClient) -> None:
    """What is called while the circle is down goes out when it is up again, in order."""
    shop = Shop(circle_client)
    await shop_circle.stop()
    orders = [asyncio.ensure_future(shop.order(item)) for item in ("tea", "milk", "bread")]
    await asyncio.sleep(0)
    assert shop_circle.calls() == []
    shop_circle.start()
    assert await asyncio.gather(*orders) == [1, 2, 3]
    assert [call.params["item"] for call in shop_circle.calls("order")] == ["tea", "milk", "bread"]


async def test_a_request_of_the_circles(circle: Circle, circle_client: CircleWsClient) -> None:
    """A handler answers what the circle asks."""
    circle_client.handle("stock", lambda item: {"item": item, "left": 7})
    [connection] = circle.connections
    assert await connection.call("stock", ["tea"]) == {"item": "tea", "left": 7}


async def test_a_middleware_of_the_programs(shop_circle: Circle) -> None:
    """A builder of the program's own, with its middleware, is pointed at the circle."""
    seen = []

    async def audit(request: circle_ws.Request, call_next: Callable[[circle_ws.Request], Awaitable[Any]]) -> Any:
        seen.append(request.method)
        return await call_next(request)

    builder = CircleWsClientBuilder("wss://shop.example/").with_keypair(shop_circle.key).with_middleware(audit)
    async with builder.with_transport(shop_circle.transport).build() as client:
        assert await Shop(client).order("tea") == 1
    assert seen == ["order"]


def test_blocking_code(shop_circle: Circle, circle_sync_client: circle_ws.sync.CircleWsClient) -> None:
    """A plain test of plain code, over a connection that is cut in between."""
    assert circle_sync_client.call("order", {"item": "tea"}) == 1
    shop_circle.drop(1006)
    assert circle_sync_client.call("order", {"item": "milk"}) == 2
    with circle_sync_client.notifications("news") as news:
        shop_circle.publish("news", [1])
        assert news.get(timeout=10) == [1]
