"""Requests of the circle's own: matched with what the client replies, and ended in every way that there is."""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from circle_ws.errors import (
    CallTimeout,
    ConnectionLost,
    InvalidRequest,
    OutcomeUnknown,
    ProtocolError,
    QueueFull,
    RpcError,
)
from circle_ws.server import CircleServer, Connection
from circle_ws.server.answering import MAX_RUNNING
from circle_ws.server.requests import MAX_OPEN
from tests.native.by_hand import ask, clog, request, send_all, signed_in
from tests.support.limits import DIALLED
from tests.support.outcomes import eventually, later


@pytest.fixture
async def circle() -> AsyncGenerator[CircleServer]:
    async with CircleServer() as server:
        yield server


@pytest.fixture
async def client(circle: CircleServer) -> AsyncGenerator[ClientConnection]:
    async with signed_in(circle) as socket:
        yield socket


@pytest.fixture
def connection(circle: CircleServer, client: ClientConnection) -> Connection:
    return circle.connections[0]


async def asked(client: ClientConnection) -> Any:
    return json.loads(await client.recv())


async def reply(client: ClientConnection, id: Any, result: Any) -> None:
    await client.send(json.dumps({"jsonrpc": "2.0", "id": id, "result": result}))


async def test_a_client_is_asked_and_replies(client: ClientConnection, connection: Connection) -> None:
    """The request is one by the book, with an id of its own; replies find their calls in any order."""
    first = later(connection.call("add", [1, 2]))
    second = later(connection.call("tell", {"a": None}))
    third = later(connection.call("ping"))
    requests = [await asked(client) for _ in range(3)]
    ids = [one.pop("id") for one in requests]
    assert requests == [
        {"jsonrpc": "2.0", "method": "add", "params": [1, 2]},
        {"jsonrpc": "2.0", "method": "tell", "params": {"a": None}},
        {"jsonrpc": "2.0", "method": "ping"},
    ]
    assert [type(id) for id in ids] == [int] * 3
    results: list[Any] = [3, {"b": []}, None]
    for id, result in reversed(list(zip(ids, results, strict=True))):
        await reply(client, id, result)
    assert [await first, await second, await third] == results


async def test_an_error_of_the_clients_is_raised(client: ClientConnection, connection: Connection) -> None:
    """Code, message and data are the client's."""
    call = later(connection.call("add"))
    id = (await asked(client))["id"]
    error = {"code": 77, "message": "words", "data": [1]}
    await client.send(json.dumps({"jsonrpc": "2.0", "id": id, "error": error}))
    found = await call
    assert isinstance(found, RpcError)
    assert (found.code, found.message, found.data) == (77, "words", [1])


async def test_only_the_very_id_matches(client: ClientConnection, connection: Connection) -> None:
    """Null, an unknown id, a leading zero, other texts and a second reply change nothing and are not answered."""
    call = later(connection.call("add"))
    id = (await asked(client))["id"]
    for wrong in (None, id + 1, str(id + 1), f"{id}.0", f"0{id}", id + 0.5, "", "x" * 5000, "9" * 5000, "²", [id]):
        await reply(client, wrong, "wrong")
    await client.send(json.dumps({"jsonrpc": "2.0", "id": None, "error": {"code": 1, "message": "words"}}))
    assert not call.done()
    await reply(client, id, "right")
    await reply(client, id, "late")
    assert await call == "right"
    assert (await ask(client, "rpc.ping"))["result"] == "pong"


@pytest.mark.parametrize("change", [str, float, bool])
async def test_an_id_of_another_type_fails_its_call(
    client: ClientConnection, connection: Connection, change: Any
) -> None:
    """It is about that call and nothing else, which need not wait for its time."""
    call, other = later(connection.call("add")), later(connection.call("add"))
    id, next_id = (await asked(client))["id"], (await asked(client))["id"]
    await reply(client, change(id), "result")
    error = await call
    assert type(error) is ProtocolError
    assert repr(change(id)) in str(error)
    assert not other.done()
    await reply(client, next_id, "right")
    assert await other == "right"


@pytest.mark.parametrize("result", ["NaN", "1e999", '"\\ud800"', "[" * 600 + "]" * 600, "9" * 1001, "{"])
async def test_a_reply_that_is_no_json_fails_its_call(
    client: ClientConnection, connection: Connection, result: str
) -> None:
    """With its id in plain sight it is about that call, in a batch too, and is not answered."""
    call, other = later(connection.call("add")), later(connection.call("add"))
    id, next_id = (await asked(client))["id"], (await asked(client))["id"]
    await client.send(f'{{"jsonrpc":"2.0","id":{id},"result":{result}}}')
    assert type(await call) is ProtocolError
    assert not other.done()
    await client.send(f'[{{"jsonrpc":"2.0","id":{next_id},"result":{result}}}]')
    assert type(await other) is ProtocolError
    assert (await ask(client, "rpc.ping"))["result"] == "pong"


async def test_an_empty_array_is_the_reply_to_the_only_message(
    client: ClientConnection, connection: Connection
) -> None:
    """With nothing open, or two, it is an invalid request."""
    batch = later(connection.batch([("add", None), ("add", None)]))
    await asked(client)
    await client.send("[]")
    assert [type(one) for one in await batch] == [ProtocolError, ProtocolError]
    two = [later(connection.call("add")) for _ in range(2)]
    ids = [(await asked(client))["id"] for _ in two]
    await client.send("[]")
    assert (await asked(client))["error"]["code"] == -32600
    for id in ids:
        await reply(client, id, id)
    assert [await one for one in two] == ids


async def test_what_only_quotes_an_id_is_no_reply(client: ClientConnection, connection: Connection) -> None:
    """A request that is no JSON is answered as such, and fails no call."""
    call = later(connection.call("add"))
    id = (await asked(client))["id"]
    for text in (
        f'{{"jsonrpc":"2.0","id":{id},"method":"f","params":[NaN]}}',
        f'{{"a":{{"id":{id}}},"b":NaN}}',
        "no JSON",
    ):
        await client.send(text)
        assert (await asked(client))["error"]["code"] == -32700
    await reply(client, id, "right")
    assert await call == "right"


@pytest.mark.parametrize("code", [-32700, -32600])
async def test_an_error_without_an_id_is_that_of_the_only_call(
    client: ClientConnection, connection: Connection, code: int
) -> None:
    """As a client answers that cannot read what it was asked, or knows no batches; with two open it belongs to none."""
    error = {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": "words"}}
    call = later(connection.call("add"))
    await asked(client)
    await client.send(json.dumps(error))
    found = await call
    assert isinstance(found, RpcError)
    assert (found.code, found.message) == (code, "words")
    batch = later(connection.batch([("add", None), ("add", None)]))
    await asked(client)
    await client.send(json.dumps(error))
    assert [type(one) for one in await batch] == [RpcError, RpcError]
    two = [later(connection.call("add")) for _ in range(2)]
    ids = [(await asked(client))["id"] for _ in two]
    await client.send(json.dumps(error))
    for id in ids:
        await reply(client, id, id)
    assert [await one for one in two] == ids


@pytest.mark.parametrize(
    "text",
    [
        '{"jsonrpc":"2.0","id":null,"error":{"code":-32600}}',
        '{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"\\ud800"}}',
        '{"jsonrpc":"2.0","error":{"code":-32700,"message":"\\ud800"},"id":null}',
        '{"jsonrpc":"2.0","error":{"code":-32700,"message":"words"}}',
        '[{"jsonrpc":"2.0","id":null,"error":{"code":-32600}}]',
        '[{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"\\ud800"}}]',
    ],
)
async def test_a_broken_error_without_an_id_is_that_of_the_only_call(
    client: ClientConnection, connection: Connection, text: str
) -> None:
    """It need not wait for its time; with a notification under way, or two open, it belongs to none and is answered."""
    call = later(connection.call("add"))
    await asked(client)
    await client.send(text)
    assert type(await call) is ProtocolError
    batch = later(connection.batch([("add", None), ("add", None)]))
    await asked(client)
    await client.send(text)
    assert [type(one) for one in await batch] == [ProtocolError, ProtocolError]
    two = [later(connection.call("add")) for _ in range(2)]
    ids = [(await asked(client))["id"] for _ in two]
    await client.send(text)
    await asked(client)
    await reply(client, ids[0], ids[0])
    assert await two[0] == ids[0]
    connection.notify("news")
    await asked(client)
    await client.send(text)
    await asked(client)
    await reply(client, ids[1], ids[1])
    assert await two[1] == ids[1]


@pytest.mark.parametrize("written", ['"{id}"', "{id}.0"])
async def test_an_id_of_another_type_in_a_reply_that_is_no_json(
    client: ClientConnection, connection: Connection, written: str
) -> None:
    """It fails its call, in a batch too."""
    call, other = later(connection.call("add")), later(connection.call("add"))
    ids = [(await asked(client))["id"] for _ in range(2)]
    first, second = (f'{{"jsonrpc":"2.0","id":{written.format(id=id)},"result":NaN}}' for id in ids)
    await client.send(first)
    assert type(await call) is ProtocolError
    assert not other.done()
    await client.send(f"[{second}]")
    assert type(await other) is ProtocolError


@pytest.mark.parametrize("late", ['{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"words"}}', "[]"])
async def test_a_late_answer_without_an_id_is_not_the_next_calls(
    client: ClientConnection, connection: Connection, late: str
) -> None:
    """It may be to a call that was given up; after a reply it cannot be any more."""
    with pytest.raises(CallTimeout):
        await connection.call("slow", timeout=0.01)
    await asked(client)
    call = later(connection.call("add"))
    id = (await asked(client))["id"]
    await client.send(late)
    await reply(client, id, "right")
    assert await call == "right"
    if late == "[]":
        assert (await asked(client))["error"]["code"] == -32600
    call = later(connection.call("add"))
    await asked(client)
    await client.send(late)
    assert type(await call) in (RpcError, ProtocolError)


async def test_an_error_without_an_id_may_be_about_a_push(client: ClientConnection, connection: Connection) -> None:
    """With a notification under way, or another code, it says nothing of the call."""
    call = later(connection.call("add"))
    id = (await asked(client))["id"]
    await client.send('{"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"words"}}')
    connection.notify("news")
    await asked(client)
    await client.send('{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"words"}}')
    await reply(client, id, "right")
    assert await call == "right"


@pytest.mark.parametrize(
    "broken",
    [
        {"jsonrpc": "2.0"},
        {"jsonrpc": "2.0", "result": 1, "error": {"code": 1, "message": "words"}},
        {"jsonrpc": "2.0", "error": {"code": "1", "message": "words"}},
        {"result": 1},
    ],
)
async def test_a_broken_reply_fails_its_call(
    client: ClientConnection, connection: Connection, broken: dict[str, Any]
) -> None:
    """What names the call and is no JSON-RPC ends it, and is not answered."""
    call = later(connection.call("add"))
    id = (await asked(client))["id"]
    await client.send(json.dumps({**broken, "id": id}))
    assert type(await call) is ProtocolError
    assert (await ask(client, "rpc.ping"))["result"] == "pong"


async def test_a_call_has_its_time(client: ClientConnection, connection: Connection) -> None:
    """Without a reply it ends with `CallTimeout`; a late reply is ignored, also by the next call."""
    with pytest.raises(CallTimeout, match="'add'") as caught:
        await connection.call("add", timeout=0.05)
    assert caught.value.phase == "reply"
    assert not connection._requests.pending.entries
    late = (await asked(client))["id"]
    await reply(client, late, "late")
    call = later(connection.call("add", timeout=None))
    id = (await asked(client))["id"]
    assert id != late
    await reply(client, id, "in time")
    assert await call == "in time"


async def test_a_call_that_cannot_be_written_in_its_time_was_never_sent(
    circle: CircleServer, client: ClientConnection, connection: Connection
) -> None:
    """To a client that does not read it waits, and `phase` says that it was not sent."""
    await clog(connection)
    with pytest.raises(CallTimeout) as caught:
        await connection.call("add", timeout=0.05)
    assert caught.value.phase == "queue"
    waiting = later(connection.call("add"))
    await asyncio.sleep(0)
    connection.abort()
    found = await waiting
    assert type(found) is ConnectionLost
    client.transport.abort()


async def test_a_client_that_goes_ends_its_calls(client: ClientConnection, connection: Connection) -> None:
    """What was asked may have been run; the code and the reason are told. Afterwards nothing is asked any more."""
    call = later(connection.call("add"))
    await asked(client)
    await client.close(4000, "enough")
    found = await call
    assert type(found) is OutcomeUnknown
    assert (found.code, found.reason, found.local) == (4000, "enough", False)
    with pytest.raises(ConnectionLost) as caught:
        await connection.call("add")
    assert type(caught.value) is ConnectionLost
    assert caught.value.code == 4000


async def test_calls_end_with_the_circle(client: ClientConnection, circle: CircleServer) -> None:
    """A circle that stops closes with 1001, and that is what its calls say."""
    call = later(circle.connections[0].call("add"))
    await asked(client)
    await circle.stop()
    found = await call
    assert type(found) is OutcomeUnknown
    assert (found.code, found.local) == (1001, True)


async def test_a_cancelled_call_leaves_nothing(client: ClientConnection, connection: Connection) -> None:
    """Its reply is ignored, and it counts no longer."""
    for _ in range(MAX_OPEN + 1):
        call = asyncio.ensure_future(connection.call("add"))
        id = (await asked(client))["id"]
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await reply(client, id, 1)
    assert (await ask(client, "rpc.ping"))["result"] == "pong"


async def test_there_is_a_most_of_calls(client: ClientConnection, connection: Connection) -> None:
    """At the limit one more is `QueueFull` at once, a batch too; a reply makes room."""
    calls = [later(connection.call("add")) for _ in range(MAX_OPEN)]
    ids = [(await asked(client))["id"] for _ in range(MAX_OPEN)]
    for one_more in (connection.call("add"), connection.batch([("add", None)])):
        with pytest.raises(QueueFull, match=str(MAX_OPEN)):
            await one_more
    await reply(client, ids[0], 1)
    await calls[0]
    calls.append(later(connection.call("add")))
    ids.append((await asked(client))["id"])
    for id in ids[1:]:
        await reply(client, id, 1)
    assert await asyncio.gather(*calls) == [1] * (MAX_OPEN + 1)


async def test_bad_params_are_not_sent(client: ClientConnection, connection: Connection) -> None:
    """What cannot be written as JSON is refused at once, in a batch for the whole of it."""
    bad: Any = {1: 2}
    for call in (connection.call("add", [bad]), connection.batch([("add", [1]), ("add", [bad])])):
        with pytest.raises(InvalidRequest):
            await call
    assert await connection.batch([]) == []
    assert (await ask(client, "rpc.ping"))["result"] == "pong"


async def test_a_batch_of_calls(client: ClientConnection, connection: Connection) -> None:
    """One message goes out; replies come in one array, or one by one, and each request has its own end."""
    batch = later(connection.batch([("add", [1]), ("add", {"b": 2}), ("add", None)], timeout=DIALLED))
    sent = await asked(client)
    assert [one.get("params") for one in sent] == [[1], {"b": 2}, None]
    error = {"jsonrpc": "2.0", "id": sent[1]["id"], "error": {"code": 77, "message": "words"}}
    await client.send(json.dumps([error, {"jsonrpc": "2.0", "id": sent[0]["id"], "result": 1}]))
    found = await batch
    assert found[0] == 1
    assert isinstance(found[1], RpcError)
    assert isinstance(found[2], CallTimeout)
    both = later(connection.batch([("add", [1]), ("add", [2])]))
    for one in await asked(client):
        await reply(client, one["id"], one["params"])
    assert await both == [[1], [2]]


async def test_a_method_may_ask_its_caller(circle: CircleServer) -> None:
    """While a method waits for its caller's reply the caller is read; an error not caught is the method's answer."""

    @circle.method()
    async def ask_back(connection: Connection) -> Any:
        return [await connection.call("question")]

    async with signed_in(circle) as socket:
        await socket.send(json.dumps(request("ask_back")))
        await reply(socket, (await asked(socket))["id"], "answer")
        assert (await asked(socket))["result"] == ["answer"]
        await socket.send(json.dumps(request("ask_back")))
        error = {"code": -32601, "message": "no questions"}
        await socket.send(json.dumps({"jsonrpc": "2.0", "id": (await asked(socket))["id"], "error": error}))
        assert (await asked(socket))["error"] == error


async def test_methods_that_ask_their_caller_do_not_fill_the_room() -> None:
    """As many as may run, one of which never ends: their caller is read nevertheless, and the others are answered."""
    async with CircleServer() as server:
        everybody_is_here = asyncio.Event()

        @server.method()
        async def hold() -> None:
            await asyncio.Event().wait()

        @server.method()
        async def ask_back(connection: Connection) -> Any:
            await everybody_is_here.wait()
            return await connection.call("question", timeout=10)

        async with signed_in(server) as socket:
            questions = [request("ask_back", None, number) for number in range(MAX_RUNNING)]
            await send_all(socket, [request("hold"), *questions])
            await eventually(lambda: len(next(iter(server._sessions.values()))._tasks) == MAX_RUNNING + 1)
            everybody_is_here.set()
            answered: set[int] = set()
            while len(answered) < MAX_RUNNING:
                message = await asked(socket)
                if "method" in message:
                    await reply(socket, message["id"], "answer")
                else:
                    assert message["result"] == "answer"
                    answered.add(message["id"])
            assert answered == set(range(MAX_RUNNING))


async def test_who_has_not_signed_in_may_be_asked(circle: CircleServer) -> None:
    """A circle may call a stranger, and take its reply."""
    async with connect(circle.url) as socket:
        await ask(socket, "rpc.ping")
        call = later(circle.connections[0].call("who_are_you"))
        await reply(socket, (await asked(socket))["id"], "nobody")
        assert await call == "nobody"
