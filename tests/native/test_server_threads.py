"""Methods in threads: they block nothing, exhaust nothing, and may use the circle safely."""

import asyncio
import json
import threading
import time
from typing import Any, cast

import pytest
from websockets.asyncio.client import connect

from circle_ws.errors import ConfigError, ConnectionLost, InvalidRequest, RpcError
from circle_ws.server import CircleServer, Connection
from circle_ws.server.answering import MAX_RUNNING
from tests.native.by_hand import ask, request, send_all, signed_in
from tests.support.limits import PATIENCE
from tests.support.outcomes import eventually


async def test_a_method_in_a_thread_blocks_nothing() -> None:
    """While it blocks, others are answered; params, the connection and its result are as ever."""
    async with CircleServer() as server:
        go = threading.Event()

        @server.method(thread=True)
        def block(connection: Connection, a: int, b: int = 2) -> list[Any]:
            go.wait(PATIENCE)
            return [connection.public_key is not None, a, b, threading.get_ident() != here]

        here = threading.get_ident()
        async with signed_in(server) as socket:
            await socket.send(json.dumps(request("block", {"a": 1}, "blocked")))
            assert (await ask(socket, "rpc.ping"))["result"] == "pong"
            assert (await ask(socket, "block", [1, 2, 3]))["error"]["code"] == -32602
            go.set()
            assert json.loads(await socket.recv())["result"] == [True, 1, 2, True]


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (RpcError(77, "words", [1]), {"code": 77, "message": "words", "data": [1]}),
        (ValueError("details"), {"code": -32603, "message": "internal error"}),
        (StopIteration(), {"code": -32603, "message": "internal error"}),
        (SystemExit(3), {"code": -32603, "message": "internal error"}),
        (asyncio.CancelledError(), {"code": -32603, "message": "internal error"}),
    ],
    ids=lambda it: type(it).__name__,
)
async def test_what_it_raises(error: BaseException, answer: dict[str, Any]) -> None:
    """As with any other method; nothing ends the circle."""
    async with CircleServer() as server:

        @server.method(thread=True)
        def fail() -> None:
            raise error

        async with signed_in(server) as socket:
            assert (await ask(socket, "fail"))["error"] == answer
            assert (await ask(socket, "rpc.ping"))["result"] == "pong"


async def test_the_circle_may_be_used_from_there() -> None:
    """It pushes to its caller and to all, and asks its caller, in that order; what is wrong raises there."""
    async with CircleServer() as server:

        @server.method(thread=True)
        def work(connection: Connection) -> Any:
            connection.notify("progress", [50])
            told = server.publish("news", [1])
            with pytest.raises(InvalidRequest):
                connection.notify("progress", [object()])
            answer = asyncio.run(connection.call("question", [1]))
            both = asyncio.run(connection.batch([("question", [2]), ("question", [3])]))
            with pytest.raises(RpcError):
                asyncio.run(connection.call("refused"))
            return [told, answer, both]

        async with signed_in(server) as socket:
            await socket.send(json.dumps(request("work", None, "done")))
            assert json.loads(await socket.recv())["params"] == [50]
            assert json.loads(await socket.recv())["params"] == [1]
            for _ in range(3):
                asked = json.loads(await socket.recv())
                many = asked if type(asked) is list else [asked]
                for one in many:
                    error = {"error": {"code": 1, "message": "no"}}
                    outcome = error if one["method"] == "refused" else {"result": one["params"][0] * 10}
                    await socket.send(json.dumps({"jsonrpc": "2.0", "id": one["id"], **outcome}))
            assert json.loads(await socket.recv())["result"] == [1, 10, [20, 30]]


async def test_methods_that_call_back_exhaust_nothing() -> None:
    """More than any pool has threads wait for replies to what their client answers with another such method."""
    async with CircleServer() as server:

        @server.method(thread=True)
        def outer(connection: Connection, number: int) -> Any:
            return asyncio.run(connection.call("question", [number]))

        @server.method(thread=True)
        def inner(number: int) -> int:
            return number * 2

        count = 60
        async with signed_in(server) as socket:
            await send_all(socket, [request("outer", [number], number) for number in range(count)])
            questions: dict[str, Any] = {}
            while len(questions) < count:
                asked = json.loads(await socket.recv())
                questions[f"inner {asked['id']}"] = asked
            # Only now that all of them wait the client calls the circle for each of its answers.
            for name, asked in questions.items():
                await socket.send(json.dumps(request("inner", asked["params"], name)))
            answered: dict[int, int] = {}
            while len(answered) < count:
                reply = json.loads(await socket.recv())
                if reply["id"] in questions:
                    id = questions[reply["id"]]["id"]
                    await socket.send(json.dumps({"jsonrpc": "2.0", "id": id, "result": reply["result"]}))
                else:
                    answered[reply["id"]] = reply["result"]
            assert answered == {number: number * 2 for number in range(count)}


async def test_threads_of_one_client_are_bounded() -> None:
    """As many run as of other methods, then its messages wait."""
    async with CircleServer() as server:
        go = threading.Event()
        running: list[int] = []

        @server.method(thread=True)
        def block(number: int) -> None:
            running.append(number)
            go.wait(PATIENCE)

        async with signed_in(server) as socket:
            await send_all(socket, [request("block", [number], number) for number in range(MAX_RUNNING + 50)])
            await eventually(lambda: len(running) == MAX_RUNNING + 1)
            await asyncio.sleep(0.05)
            assert len(running) == MAX_RUNNING + 1
            go.set()
            assert len({json.loads(await socket.recv())["id"] for _ in range(MAX_RUNNING + 50)}) == MAX_RUNNING + 50


async def test_threads_of_clients_that_are_gone_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the circle's limit the answer is an error, until a function has returned."""
    monkeypatch.setattr("circle_ws.server.core.MAX_THREADS", 3)
    async with CircleServer() as server:
        go = threading.Event()
        running: list[int] = []

        @server.method(thread=True)
        def block(number: int) -> int:
            running.append(number)
            go.wait(PATIENCE)
            running.remove(number)
            return number

        for number in range(3):
            async with signed_in(server) as socket:
                await socket.send(json.dumps(request("block", [number])))
                await eventually(lambda: len(running) == number + 1)  # noqa: B023
        await eventually(lambda: not server.connections)
        async with signed_in(server) as socket:
            assert (await ask(socket, "block", [4]))["error"]["code"] == -32005
            go.set()
            await eventually(lambda: not running and server._free_threads._value == 3)
            assert (await ask(socket, "block", [4]))["result"] == 4


async def test_a_client_that_goes_leaves_the_thread_to_its_end() -> None:
    """The function runs on, what it says is lost without a word, and stopping does not wait for it."""
    server = CircleServer()
    await server.start()
    go, begun, ended = threading.Event(), threading.Event(), threading.Event()
    said: list[Any] = []

    @server.method(thread=True)
    def block(connection: Connection) -> None:
        begun.set()
        go.wait(PATIENCE)
        connection.notify("late")
        said.append(server.publish("late"))
        connection.abort()
        ended.set()

    async with signed_in(server) as socket:
        await socket.send(json.dumps(request("block")))
        await eventually(begun.is_set)
    await server.stop()
    assert server.connections == []
    go.set()
    await eventually(ended.is_set)
    assert said == [0]


def test_after_the_loops_end_nothing_is_pushed() -> None:
    """A thread that outlives the circle's loop gets no error from it."""
    kept: list[Any] = []

    async def main() -> None:
        async with CircleServer() as server, signed_in(server) as socket:
            await ask(socket, "rpc.ping")
            kept.extend([server, server.connections[0]])

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    thread.join()
    server, connection = kept
    connection.notify("late")
    connection.abort()
    assert server.publish("late") == 0
    with pytest.raises(ConnectionError):
        asyncio.run(connection.call("late"))


def test_nothing_waits_for_a_loop_that_ends() -> None:
    """What was handed to the circle's loop just before its end, and never ran there, is lost as its clients are."""
    kept: list[Any] = []
    outcomes: list[Any] = []

    def publish() -> None:
        outcomes.append(kept[0].publish("late"))

    def call() -> None:
        try:
            asyncio.run(kept[1].call("late"))
        except BaseException as error:
            outcomes.append(type(error))

    async def main() -> None:
        async with CircleServer() as server, signed_in(server) as socket:
            await ask(socket, "rpc.ping")
            kept.extend([server, server.connections[0]])

    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    threads = [threading.Thread(target=target, daemon=True) for target in (publish, call)]
    for thread in threads:
        thread.start()
    # Both are in the loop's queue, where nothing is run any more.
    deadline = time.monotonic() + PATIENCE
    while len(loop._ready) < 2:  # type: ignore[attr-defined]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    loop.close()
    for thread in threads:
        thread.join(PATIENCE)
    assert sorted(outcomes, key=str) == sorted([0, ConnectionLost], key=str)


async def test_a_call_that_ends_with_the_loop_is_lost() -> None:
    """The end of the circle's loop cancels what runs there, which is no cancellation of the thread's own."""
    async with CircleServer() as server, connect(server.url) as socket:
        await eventually(lambda: server.connections)
        asking = asyncio.to_thread(asyncio.run, server.connections[0].call("question"))
        calling = asyncio.create_task(asking)
        before = asyncio.all_tasks()
        await socket.recv()
        for task in asyncio.all_tasks() - before:
            task.cancel()
        with pytest.raises(ConnectionLost):
            await calling


def test_a_call_that_waits_when_the_loop_ends_is_lost() -> None:
    """Nothing has cancelled it: its loop was stopped and closed, and never runs again."""
    loop, started = asyncio.new_event_loop(), threading.Event()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    class Socket:
        def __init__(self) -> None:
            self.loop, self.thread = loop, thread.ident

        def loss(self) -> ConnectionLost:
            return ConnectionLost("the client is gone")

    async def wait() -> None:
        started.set()
        await asyncio.Event().wait()

    async def call() -> None:
        connection = Connection(cast("Any", Socket()), cast("Any", None))
        waiting = asyncio.create_task(connection._on_its_loop(wait()))
        await eventually(started.is_set)
        loop.call_soon_threadsafe(loop.stop)
        await eventually(lambda: not thread.is_alive())
        [task] = asyncio.all_tasks(loop)
        # It is never run again, which asyncio would report.
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        loop.close()
        with pytest.raises(ConnectionLost):
            await waiting

    asyncio.run(call())
    thread.join()


async def test_a_call_from_another_thread_may_be_cancelled() -> None:
    """The request is given up on the circle's loop, too; a reply that comes late is none."""
    async with CircleServer() as server, connect(server.url) as socket:
        await eventually(lambda: server.connections)
        [connection] = server.connections

        async def call() -> None:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(connection.call("question"), 0.05)

        await asyncio.to_thread(asyncio.run, call())
        await eventually(lambda: not connection._requests.pending.entries)
        asked = json.loads(await socket.recv())
        await socket.send(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": "late"}))
        assert (await ask(socket, "rpc.ping"))["result"] == "pong"


async def test_a_fault_of_the_circles_reaches_the_thread_that_publishes(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would wait for ever otherwise."""

    def fail(text: bytes, key: str | None) -> int:
        raise ZeroDivisionError("a fault of ours")

    async with CircleServer() as server:
        monkeypatch.setattr(server, "_push", fail)
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(server.publish, "news")


async def test_a_thread_that_cannot_be_started_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system has no more threads, the caller is told, and the method works again once it has."""

    def fail(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async with CircleServer() as server, signed_in(server) as socket:
        server.method("f", thread=True)(lambda: "well")
        before = server._free_threads._value
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", fail)
            assert (await ask(socket, "f"))["error"]["code"] == -32603
        assert server._free_threads._value == before
        assert (await ask(socket, "f"))["result"] == "well"


async def test_an_async_function_runs_in_no_thread() -> None:
    """It is refused where it is registered."""

    async def method() -> None: ...

    with pytest.raises(ConfigError, match="thread=True") as caught:
        CircleServer().method(thread=True)(method)
    assert caught.value.option == "thread"
