"""A typical program, which prints `done`, and nothing else with `-X dev -W error` and asyncio's debug mode."""

import asyncio
import logging
import threading
from contextlib import suppress
from typing import Any

import circle_ws
import circle_ws.sync
from circle_ws import (
    Backoff,
    CallTimeout,
    CircleWsClientBuilder,
    ConnectionFailed,
    Gap,
    KeyPair,
    OutcomeUnknown,
    RpcError,
    SetupSession,
)
from circle_ws.contrib.opentelemetry import instrument
from circle_ws.server import CircleServer, Connection
from circle_ws.testing import Circle

# How long a step takes depends on how busy the machine is.
logging.getLogger("asyncio").addFilter(lambda record: "Executing %s took" not in str(record.msg))

QUICK = Backoff(first=0.01, base=0.01, maximum=0.05, floor=0.001)


async def setup(session: SetupSession) -> None:
    await session.call("echo", ["set up"])


def serve() -> CircleServer:
    server = CircleServer(play=lambda script: script)

    @server.method()
    def echo(value: Any) -> Any:
        return value

    @server.method()
    async def hold() -> None:
        await asyncio.sleep(60)

    @server.method()
    async def ask(connection: Connection) -> Any:
        return await connection.call("answer", [20])

    @server.method(thread=True)
    def think(value: int) -> int:
        return value + 1

    return server


async def use(client: circle_ws.CircleWsClient) -> None:
    assert await client.play("40 + 2") == "40 + 2"
    assert await asyncio.gather(*(client.call("echo", [n]) for n in range(300))) == list(range(300))
    async with client.batch() as batch:
        one, two = batch.call("echo", [1]), batch.call("no_such_method")
    assert await one == 1
    del two  # Its error is not looked at.
    remove = client.handle("answer", lambda number: number + 1)
    assert await client.call("ask") == 21
    remove()
    assert await client.call("think", [1]) == 2
    with suppress(CallTimeout):
        await client.call("hold", timeout=0.05)
    with suppress(RpcError):
        await client.call("no_such_method")
    waiting = asyncio.create_task(client.call("hold"))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])


async def listen_over_a_restart(client: circle_ws.CircleWsClient, server: CircleServer) -> None:
    changes: list[circle_ws.StatusChange] = []
    client.on_status(changes.append)
    async with client.notifications("news", gaps=True) as news:
        server.publish("news", [1])
        assert await anext(news) == [1]
        unknown = asyncio.create_task(client.call("hold"))
        again = asyncio.create_task(client.call("echo", ["again"], idempotent=True))
        await asyncio.sleep(0)
        await server.kill()
        await asyncio.wait([unknown])
        assert isinstance(unknown.exception(), OutcomeUnknown)
        await server.start()
        assert await again == "again"
        assert isinstance(await anext(news), Gap)
    client.reconnect()
    await client.call("echo", [1])
    assert changes


async def everything() -> None:
    server = serve()
    async with server:
        builder = CircleWsClientBuilder(server.url).with_keypair(KeyPair.generate()).with_reconnect(backoff=QUICK)
        async with instrument(builder.with_setup(setup)).build() as client:
            await use(client)
            await listen_over_a_restart(client, server)
        await asyncio.to_thread(use_blocking, builder)
    with suppress(ConnectionFailed):
        await circle_ws.connect(server.url, private_key=KeyPair.generate())
    in_memory = Circle()
    in_memory.method("add")(lambda a, b: a + b)
    async with in_memory.connect() as client:
        await in_memory.restart()
        assert await client.call("add", [40, 2]) == 42


def use_blocking(builder: CircleWsClientBuilder) -> None:
    with instrument(builder).build_sync() as client, client.notifications("news") as news:
        threads = [threading.Thread(target=client.call, args=("echo", [n])) for n in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert client.call("echo", [1]) == 1
        with suppress(CallTimeout):
            news.get(timeout=0.01)
        client.reconnect()
        assert client.call("echo", [2]) == 2
    circle_ws.sync.connect(builder.config().url, private_key=KeyPair.generate()).close()


asyncio.run(everything())
print("done")
