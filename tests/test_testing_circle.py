"""A circle in memory does what a test orders, with clients that sign in for real."""

import asyncio
import math
from typing import Any

import pytest

from circle_ws import (
    AuthRejected,
    CallTimeout,
    CircleWsClient,
    CircleWsClientBuilder,
    ConfigError,
    ConnectionFailed,
    ConnectionLost,
    KeepAlive,
    OutcomeUnknown,
    RedirectRefused,
    RpcError,
)
from circle_ws.server import Connection
from circle_ws.status import ConnectionStatus as Status
from circle_ws.testing import Circle, Request
from circle_ws.testing.connection import Done, MemorySocket, Pulse
from circle_ws.testing.gate import Bell
from circle_ws.transport.memory import MemoryPeer
from tests.support.clients import KEY
from tests.support.outcomes import later


def adding(**options: object) -> Circle:
    """Return a circle with a method that adds."""
    circle = Circle(**options)  # type: ignore[arg-type]

    @circle.method()
    def add(a: int, b: int) -> int:
        return a + b

    return circle


async def test_it_answers_and_remembers() -> None:
    """Methods run with strict params; the requests that were read compare equal to those that a test writes down."""
    circle = adding()
    async with circle.connect() as client:
        assert await client.call("add", [40, 2]) == 42
        with pytest.raises(RpcError, match="expected"):
            await client.call("add", ["40", 2])
        await client.notify("seen", {"id": 7})
        await circle.received("seen")
    assert circle.calls("add") == [Request("add", [40, 2]), Request("add", ["40", 2])]
    assert circle.calls()[2:] == [Request("seen", {"id": 7}, notification=True)]
    assert circle.calls("authenticate") == [Request("authenticate")]


async def test_a_real_sign_in_is_the_default() -> None:
    """A client without a key is turned away from methods; with the circle's key it is who that key says."""
    circle = adding()
    async with circle.connect(private_key=None) as stranger:
        with pytest.raises(RpcError, match="sign in first"):
            await stranger.call("add", [1, 2])
    async with circle.connect() as client:
        assert (await client.whoami())["pubkey"] == circle.connections[0].public_key


async def test_it_can_be_open_to_everyone() -> None:
    """Without a sign-in methods answer any client, and it gets notifications."""
    circle = adding(sign_in=False)
    async with circle.connect() as client, client.notifications("news") as news:
        assert client.public_key is None
        assert await client.call("add", [1, 2]) == 3
        assert circle.publish("news", [1]) == 1
        assert await anext(news) == [1]


async def test_a_builder_of_the_programs_own() -> None:
    """A builder that knows its circle by a URL and a key is pointed at this one by its transport."""
    circle = adding(play=lambda script: script.upper())
    builder = CircleWsClientBuilder("wss://circle.example/").with_keypair(KEY)
    async with builder.with_transport(circle.transport).build() as client:
        assert await client.play("loud") == "LOUD"


async def test_drop_ends_every_connection() -> None:
    """With the code that is asked for; the clients know of it when it has been awaited, and come back."""
    circle = adding()
    async with circle.connect() as client:
        changes = client.status_changes()
        assert (await anext(changes)).status is Status.CONNECTED
        await circle.drop(4000, "over")
        assert not client.is_connected()
        change = await anext(changes)
        assert change.status is Status.WAITING
        assert "4000" in str(change.cause)
        await client.wait_until_connected()


async def test_orders_need_not_be_awaited() -> None:
    """An order takes effect at once, also where nothing can await it."""
    circle = adding()
    async with circle.connect(backoff=None) as client:
        circle.drop()
        await asyncio.sleep(0)
        assert not client.is_connected()


async def test_refusals_are_counted() -> None:
    """So many dials fail, with their status where a program can see it; the next one is taken."""
    circle = adding()
    circle.refuse(1)
    with pytest.raises(ConnectionFailed) as failed:
        await circle.connect()
    sees = circle.transport.capabilities.http_status
    assert failed.value.http_status == (503 if sees else None)
    circle.refuse(2, None)
    async with circle.connect(first_connect="retry") as client:
        assert client.stats.connects == 1
    circle.refuse(math.inf, 302)
    with pytest.raises(RedirectRefused if sees else ConnectionFailed):
        await circle.connect()
    circle.refuse(0)
    async with circle.connect():
        pass


async def test_rejected_sign_ins() -> None:
    """They are those of a key that is not admitted, and so are those that `admit` refuses."""

    async def nobody(key: str) -> bool:
        return False

    circle = adding()
    circle.reject_sign_in(1)
    with pytest.raises(AuthRejected):
        await circle.connect()
    async with circle.connect():
        pass
    with pytest.raises(AuthRejected):
        await adding(admit=nobody).connect()
    with pytest.raises(AuthRejected):
        await adding(keys=[]).connect()


async def test_it_hangs_and_goes_on() -> None:
    """While it hangs nothing is answered, not even a dial or a heartbeat; afterwards all is."""
    circle = adding()
    keepalive = KeepAlive(interval=0.05, timeout=0.05, mode="rpc")
    async with circle.connect() as client, circle.connect(keepalive=keepalive) as other:
        lost = asyncio.Event()
        other.on_status(lambda change: lost.set() if change.status is Status.WAITING else None)
        circle.hang()
        call = later(client.call("add", [1, 2]))
        circle.publish("news")
        with pytest.raises(ConnectionFailed, match="open_timeout"):
            await circle.connect(open_timeout=0.05)
        await lost.wait()
        assert not call.done()
        await circle.resume()
        assert await call == 3


async def test_late_answers() -> None:
    """The method has run, its answer comes late, and those of other calls do not wait for it."""
    circle = adding()
    circle.delay("slow", 60)

    @circle.method()
    def slow() -> str:
        return "done"

    async with circle.connect() as client:
        call = later(client.call("slow", timeout=0.05))
        assert await client.call("add", [1, 2]) == 3
        assert isinstance(await call, CallTimeout)
        assert circle.calls("slow") == [Request("slow")]
        circle.delay("slow", 0)
        assert await client.call("slow") == "done"


async def test_a_cut_after_a_method() -> None:
    """The request was read and did not run, which its caller cannot know; it happens once."""
    circle = adding()
    circle.cut_after("add")
    async with circle.connect() as client:
        with pytest.raises(OutcomeUnknown):
            await client.call("add", [1, 2])
        assert await client.call("add", [1, 2]) == 3
        circle.cut_after("add")
        assert await client.call("add", [1, 2], idempotent=True) == 3


async def test_a_restart() -> None:
    """Methods that run are cancelled, and the clients sign in anew."""
    circle = adding()
    ended = []

    @circle.method()
    async def wait() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.append("wait")

    async with circle.connect() as client:
        call = later(client.call("wait"))
        await circle.received("wait")
        await circle.restart()
        assert isinstance(await call, OutcomeUnknown)
        assert await client.call("add", [1, 2]) == 3
    assert ended == ["wait"]
    assert len(circle.calls("authenticate")) == 2


async def test_stop_and_start() -> None:
    """While it is stopped nothing listens."""
    circle = adding()
    async with circle.connect() as client:
        await circle.stop()
        with pytest.raises(ConnectionFailed):
            await circle.connect()
        circle.start()
        assert await client.call("add", [1, 2]) == 3


async def test_its_key_signs_as_often_as_a_test_reconnects() -> None:
    """The limit on signatures in a page is not for a key that protects nothing."""
    circle = adding()
    async with circle.connect() as client:
        waits = []
        client.on_status(lambda change: waits.append(change) if change.status is Status.AUTHENTICATING else None)
        for _ in range(6):
            await circle.drop()
            await client.wait_until_connected()
        assert client.stats.reconnects == 6
    assert [change.cause for change in waits] == [None] * 6


@pytest.mark.parametrize("times", [-1, math.nan, "2", None])
def test_wrong_numbers_are_told(times: Any) -> None:
    """At once, and not by what fails later."""
    circle = Circle()
    for order in (circle.refuse, circle.reject_sign_in, lambda value: circle.delay("add", value)):
        with pytest.raises(ConfigError, match="must be a number"):
            order(times)


async def test_a_method_may_end_its_connection() -> None:
    """With a code of its own, or cut off; to a client that is gone nothing can be sent, and that is said."""
    circle = Circle(sign_in=False)
    kept: list[Connection] = []

    @circle.method()
    async def leave(connection: Connection, code: int) -> None:
        kept.append(connection)
        if code == 1006:
            connection.abort()
        else:
            await connection.close(code, "over")

    async with circle.connect() as client:
        for code in (4000, 1006):
            with pytest.raises(OutcomeUnknown) as lost:
                await client.call("leave", [code])
            assert lost.value.code == code
            await client.wait_until_connected()
    closed, cut = kept
    for connection in kept:
        connection.notify("late")
    with pytest.raises(ConnectionLost, match="the circle closed the connection with code 4000") as told:
        await closed.call("late")
    assert (told.value.code, told.value.reason, told.value.local) == (4000, "over", True)
    with pytest.raises(ConnectionLost, match="without a closing handshake"):
        await cut.call("late")
    left = circle.connect()
    async with left as client:
        [connection] = circle.connections
    with pytest.raises(ConnectionLost, match="it closed the connection with code 1000"):
        await connection.call("late")


@pytest.mark.native_only("a page has one event loop, which does not end")
def test_orders_to_a_client_whose_loop_has_ended() -> None:
    """There is nothing left to do."""
    circle = Circle(sign_in=False)
    loop = asyncio.new_event_loop()
    client = loop.run_until_complete(_connected(circle))
    sockets = [socket for socket, _ in circle._open()]
    loop.run_until_complete(client.close())
    loop.close()
    asyncio.run(_wait(Done(sockets, lambda socket: socket.abort())))


async def _connected(circle: Circle) -> CircleWsClient:
    return await circle.connect()


async def _wait(done: Done) -> None:
    await done


async def test_a_client_that_is_gone_before_it_is_served() -> None:
    """The circle's end knows it, and has no message."""
    peer = MemoryPeer("ws://localhost/")
    socket = MemorySocket(peer, Pulse(Bell()))
    peer.ended(ConnectionLost.closed(1001))
    assert await socket.next_message() is None
    assert not socket.push(b"late")
