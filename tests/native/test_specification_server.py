"""The examples of the JSON-RPC 2.0 specification, section 7, each against a real circle with a client signed in."""

import asyncio
import functools
import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection

from circle_ws.server import CircleServer
from tests.native.by_hand import ask, signed_in

EXAMPLES: list[tuple[str, str, str | None]] = [
    (
        "positional params",
        '{"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1}',
        '{"jsonrpc": "2.0", "result": 19, "id": 1}',
    ),
    (
        "positional params, the other way round",
        '{"jsonrpc": "2.0", "method": "subtract", "params": [23, 42], "id": 2}',
        '{"jsonrpc": "2.0", "result": -19, "id": 2}',
    ),
    (
        "named params",
        '{"jsonrpc": "2.0", "method": "subtract", "params": {"subtrahend": 23, "minuend": 42}, "id": 3}',
        '{"jsonrpc": "2.0", "result": 19, "id": 3}',
    ),
    (
        "named params, the other way round",
        '{"jsonrpc": "2.0", "method": "subtract", "params": {"minuend": 42, "subtrahend": 23}, "id": 4}',
        '{"jsonrpc": "2.0", "result": 19, "id": 4}',
    ),
    ("a notification", '{"jsonrpc": "2.0", "method": "update", "params": [1,2,3,4,5]}', None),
    ("a notification of a non-existent method", '{"jsonrpc": "2.0", "method": "foobar"}', None),
    (
        "a non-existent method",
        '{"jsonrpc": "2.0", "method": "foobar", "id": "1"}',
        '{"jsonrpc": "2.0", "error": {"code": -32601, "message": "Method not found"}, "id": "1"}',
    ),
    (
        "invalid JSON",
        '{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]',
        '{"jsonrpc": "2.0", "error": {"code": -32700, "message": "Parse error"}, "id": null}',
    ),
    (
        "an invalid request object",
        '{"jsonrpc": "2.0", "method": 1, "params": "bar"}',
        '{"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null}',
    ),
    (
        "a batch of invalid JSON",
        '[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"}, {"jsonrpc": "2.0", "method"]',
        '{"jsonrpc": "2.0", "error": {"code": -32700, "message": "Parse error"}, "id": null}',
    ),
    (
        "an empty array",
        "[]",
        '{"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null}',
    ),
    (
        "an invalid batch that is not empty",
        "[1]",
        '[{"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null}]',
    ),
    (
        "an invalid batch",
        "[1,2,3]",
        """[
        {"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null},
        {"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null},
        {"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null}
        ]""",
    ),
    (
        "a batch of all sorts",
        """[
        {"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},
        {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]},
        {"jsonrpc": "2.0", "method": "subtract", "params": [42,23], "id": "2"},
        {"foo": "boo"},
        {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},
        {"jsonrpc": "2.0", "method": "get_data", "id": "9"}
        ]""",
        """[
        {"jsonrpc": "2.0", "result": 7, "id": "1"},
        {"jsonrpc": "2.0", "result": 19, "id": "2"},
        {"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null},
        {"jsonrpc": "2.0", "error": {"code": -32601, "message": "Method not found"}, "id": "5"},
        {"jsonrpc": "2.0", "result": ["hello", 5], "id": "9"}
        ]""",
    ),
    (
        "a batch of notifications",
        """[
        {"jsonrpc": "2.0", "method": "notify_sum", "params": [1,2,4]},
        {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]}
        ]""",
        None,
    ),
]
"""What each shows, what is sent, and what is answered; None is nothing at all."""

NOTIFIED = {
    "a notification": ["update", 1, 2, 3, 4, 5],
    "a batch of all sorts": ["notify_hello", 7],
    "a batch of notifications": ["notify_hello", 7],
}
"""Which notifications a method must have taken."""


@pytest.fixture(params=["sync", "async"])
async def circle(request: pytest.FixtureRequest) -> AsyncGenerator[CircleServer]:
    """A circle with the methods of the examples: once plain functions, once coroutines."""
    server = CircleServer()
    taken: list[Any] = []

    def subtract(minuend: int, subtrahend: int) -> int:
        return minuend - subtrahend

    def add(*numbers: int) -> int:
        return sum(numbers)

    def get_data() -> list[Any]:
        return ["hello", 5]

    def update(*values: int) -> None:
        taken.append(["update", *values])

    def notify_hello(value: int) -> None:
        taken.append(["notify_hello", value])

    def what_was_taken() -> list[Any]:
        return taken

    functions = (subtract, get_data, update, notify_hello, what_was_taken)
    for name, function in {"sum": add, **{one.__name__: one for one in functions}}.items():
        server.method(name)(function if request.param == "sync" else _as_coroutine(function))
    async with server:
        yield server


def _as_coroutine(function: Any) -> Any:
    @functools.wraps(function)
    async def answer(*args: Any, **named: Any) -> Any:
        await asyncio.sleep(0)
        return function(*args, **named)

    return answer


def meaning(response: Any) -> Any:
    """Reduce a response to what it means: of a message the specification's words, a batch without its order."""
    if type(response) is list:
        return sorted(map(meaning, response), key=lambda one: json.dumps(one, sort_keys=True))
    if "error" in response:
        # Ours go on after a colon, with what exactly is wrong.
        words = response["error"]["message"].partition(":")[0].lower()
        response = {**response, "error": {**response["error"], "message": words}}
    return response


async def answers(socket: ClientConnection, text: str) -> list[Any]:
    """Send a message; give what comes in before the reply to another request that was sent after it."""
    await socket.send(text)
    await socket.send('{"jsonrpc":"2.0","id":"the end","method":"what_was_taken"}')
    found: list[Any] = []
    while not (found and type(found[-1]) is dict and found[-1]["id"] == "the end"):
        found.append(json.loads(await socket.recv()))
    return found[:-1]


@pytest.mark.parametrize(("name", "sent", "answer"), EXAMPLES, ids=[name for name, _, _ in EXAMPLES])
async def test_an_example(circle: CircleServer, name: str, sent: str, answer: str | None) -> None:
    """What is sent is answered as the specification says, nothing more comes, and notifications are run."""
    async with signed_in(circle) as socket:
        found = await answers(socket, sent)
        expected = [] if answer is None else [json.loads(answer)]
        assert [meaning(one) for one in found] == [meaning(one) for one in expected]
        taken = (await ask(socket, "what_was_taken"))["result"]
        assert taken == ([NOTIFIED[name]] if name in NOTIFIED else [])


def test_all_examples_are_here() -> None:
    """The specification has 15, and none is here twice."""
    assert len({sent for _, sent, _ in EXAMPLES}) == 15
