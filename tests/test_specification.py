"""The 15 examples of JSON-RPC 2.0 section 7, as a client sends and receives them; the circle has a test of its own."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from circle_ws import CircleWsClient, ProtocolError, RpcError
from circle_ws.transport.memory import MemoryPeer, MemoryServer
from tests.support.clients import client
from tests.support.outcomes import eventually, later

_PARSE_ERROR = '{"jsonrpc": "2.0", "error": {"code": -32700, "message": "Parse error"}, "id": null}'
_INVALID = '{"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null}'
_NOT_FOUND = '"error": {"code": -32601, "message": "Method not found"}'


async def _call(it: CircleWsClient, *arguments: Any) -> Any:
    try:
        return await it.call(*arguments)
    except RpcError as error:
        return (error.code, error.message)


async def _mixed(it: CircleWsClient) -> Any:
    async with it.batch() as batch:
        total = batch.call("sum", [1, 2, 4])
        batch.notify("notify_hello", [7])
        difference = batch.call("subtract", [42, 23])
        missing = batch.call("foo.get", {"name": "myself"})
        data = batch.call("get_data")
    with pytest.raises(RpcError) as caught:
        await missing
    return [await total, await difference, caught.value.code, await data]


async def _notified(it: CircleWsClient) -> None:
    async with it.batch() as batch:
        batch.notify("notify_sum", [1, 2, 4])
        batch.notify("notify_hello", [7])


_MIXED_SENT = [
    {"jsonrpc": "2.0", "method": "sum", "params": [1, 2, 4], "id": 1},
    {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]},
    {"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 2},
    {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": 3},
    {"jsonrpc": "2.0", "method": "get_data", "id": 4},
]
_MIXED_GOT = (
    '[{"jsonrpc": "2.0", "result": 7, "id": 1}, {"jsonrpc": "2.0", "result": 19, "id": 2}, '
    f'{{"jsonrpc": "2.0", {_NOT_FOUND}, "id": 3}}, {{"jsonrpc": "2.0", "result": ["hello", 5], "id": 4}}]'
)


def _sent(method: str, params: Any = None, id: int | None = 1) -> dict[str, Any]:
    members = {"jsonrpc": "2.0", "method": method, "params": params, "id": id}
    return {name: value for name, value in members.items() if value is not None}


EXCHANGES: dict[str, tuple[Callable[[CircleWsClient], Awaitable[Any]], Any, str, Any]] = {
    "positional params": (
        lambda it: _call(it, "subtract", [42, 23]),
        _sent("subtract", [42, 23]),
        '{"jsonrpc": "2.0", "result": 19, "id": 1}',
        19,
    ),
    "positional params the other way round": (
        lambda it: _call(it, "subtract", [23, 42]),
        _sent("subtract", [23, 42]),
        '{"jsonrpc": "2.0", "result": -19, "id": 1}',
        -19,
    ),
    "named params": (
        lambda it: _call(it, "subtract", {"subtrahend": 23, "minuend": 42}),
        _sent("subtract", {"subtrahend": 23, "minuend": 42}),
        '{"jsonrpc": "2.0", "result": 19, "id": 1}',
        19,
    ),
    "named params the other way round": (
        lambda it: _call(it, "subtract", {"minuend": 42, "subtrahend": 23}),
        _sent("subtract", {"minuend": 42, "subtrahend": 23}),
        '{"jsonrpc": "2.0", "result": 19, "id": 1}',
        19,
    ),
    "a notification": (
        lambda it: it.notify("update", [1, 2, 3, 4, 5]),
        _sent("update", [1, 2, 3, 4, 5], None),
        "",
        None,
    ),
    "a notification without params": (lambda it: it.notify("foobar"), _sent("foobar", None, None), "", None),
    "a method that does not exist": (
        lambda it: _call(it, "foobar"),
        _sent("foobar"),
        f'{{"jsonrpc": "2.0", {_NOT_FOUND}, "id": 1}}',
        (-32601, "Method not found"),
    ),
    "a mixed batch": (_mixed, _MIXED_SENT, _MIXED_GOT, [7, 19, -32601, ["hello", 5]]),
    "a batch of notifications": (
        _notified,
        [_sent("notify_sum", [1, 2, 4], None), _sent("notify_hello", [7], None)],
        "",
        None,
    ),
}

REFUSALS = {
    "invalid JSON": _PARSE_ERROR,
    "an invalid request object": _INVALID,
    "invalid JSON in a batch": _PARSE_ERROR,
    "an empty array": _INVALID,
    "an invalid batch that is not empty": f"[{_INVALID}]",
    "an invalid batch": f"[{_INVALID}, {_INVALID}, {_INVALID}]",
}
"""What a circle answers to what this client never sends: each is told of, and nothing breaks."""


def test_there_are_fifteen() -> None:
    """None of the examples is left out."""
    assert len(EXCHANGES) + len(REFUSALS) == 15


@pytest.mark.parametrize("name", EXCHANGES)
async def test_an_exchange(name: str) -> None:
    """What goes out is the example's request, and what its response says comes out."""
    act, sent, answer, outcome = EXCHANGES[name]
    received: list[Any] = []

    async def serve(peer: MemoryPeer) -> None:
        async for text in peer:
            received.append(json.loads(text))
            if answer:
                peer.send(answer)

    async with client("ws://localhost/", key=None, transport=MemoryServer(serve)) as it:
        assert await act(it) == outcome
        await eventually(lambda: received)
    assert received == [sent]


@pytest.mark.parametrize("name", REFUSALS)
async def test_a_refusal(name: str) -> None:
    """An error without an id, alone or in a batch, is told once for each, and the two calls in flight go on."""
    told: list[ProtocolError] = []

    async def serve(peer: MemoryPeer) -> None:
        ids = [json.loads(await peer.receive())["id"] for _ in range(2)]
        peer.send(REFUSALS[name])
        await asyncio.sleep(0)
        for id in ids:
            peer.send(f'{{"jsonrpc": "2.0", "result": 19, "id": {id}}}')
        await peer.receive()

    async with client("ws://localhost/", key=None, transport=MemoryServer(serve)) as it:
        it.on_protocol_error(told.append)
        calls = [later(it.call("subtract", [42, 23])) for _ in range(2)]
        assert [await call for call in calls] == [19, 19]
        await eventually(lambda: len(told) == REFUSALS[name].count('"error"'))
        assert it.stats.protocol_errors == len(told)


@pytest.mark.parametrize("name", REFUSALS)
async def test_a_refusal_of_the_only_call(name: str) -> None:
    """While one call alone is unanswered, an error without an id is its error."""

    async def serve(peer: MemoryPeer) -> None:
        await peer.receive()
        peer.send(REFUSALS[name])
        await peer.receive()

    async with client("ws://localhost/", key=None, transport=MemoryServer(serve)) as it:
        with pytest.raises(RpcError) as caught:
            await it.call("subtract", [42, 23])
    assert str(caught.value.code) in REFUSALS[name]
