"""What a program in a page hands on from JavaScript: plain values are sent, others are refused in words that help.

Natively the proxies are played; tests/wasm has real ones.
"""

from typing import Any

import pytest

from circle_ws import InvalidRequest
from circle_ws.jsonrpc import codec as json
from circle_ws.jsonrpc import messages as envelope
from tests.support.clients import client
from tests.support.peers import Peers


class Proxy:
    """What Pyodide gives for an object of JavaScript's."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def to_py(self, *, depth: int = -1) -> Any:
        assert depth == 512
        return self.value


class JsNull:
    """What Pyodide gives for `null`."""


class JsBigInt(int):
    """What Pyodide gives for a BigInt."""


PARAMS = [
    (Proxy([1, "x", None]), [1, "x", None]),
    (Proxy({"a": [1, {"b": JsNull()}]}), {"a": [1, {"b": None}]}),
    ([Proxy({"a": 1}), 2], [{"a": 1}, 2]),
    ({"deep": {"down": (Proxy([True]), 5)}}, {"deep": {"down": [[True], 5]}}),
    ([JsNull(), JsBigInt(10**20)], [None, 10**20]),
]


@pytest.mark.parametrize(("params", "sent"), PARAMS, ids=[f"{sent}" for _, sent in PARAMS])
def test_plain_values_are_converted(params: Any, sent: Any) -> None:
    """Wherever they stand: as the params, or within them."""
    assert json.decode(envelope.request(1, "f", params))["params"] == sent
    assert json.decode(envelope.notification("f", params))["params"] == sent
    assert json.decode(envelope.result(1, params))["result"] == sent


def test_null_is_no_params() -> None:
    """As None is."""
    assert "params" not in json.decode(envelope.request(1, "f", JsNull()))  # type: ignore[arg-type]


def _endless() -> list[Any]:
    endless: list[Any] = []
    endless.append(Proxy(endless))
    return endless


@pytest.mark.parametrize(
    ("params", "words"),
    [
        (
            Proxy(Proxy(None)),
            r"params are a list .* or a dict, .*, not Proxy; make one of it, with \.to_py\(\) or by hand",
        ),
        (
            [1, Proxy(Proxy(None))],
            r"params\[1\] is a Proxy, .*: convert it with \.to_py\(\), or by hand",
        ),
        ({"a": [Proxy([Proxy(Proxy(1))])]}, r"params\.a\[0\]\[0\] is a Proxy"),
        (Proxy([float("nan")]), r"params\[0\] is nan"),
        (Proxy({1: 2}), "JSON object keys are strings"),
        (_endless(), "nested more than 512 deep"),
        (5, "put a single value into a list"),
    ],
    ids=["params", "value", "deep", "NaN", "key", "endless", "plain"],
)
def test_what_is_not_plain_is_refused(params: Any, words: str) -> None:
    """With its path, and what to do about it."""
    with pytest.raises(InvalidRequest, match=words):
        envelope.request(1, "f", params)


async def test_over_the_wire(peers: Peers) -> None:
    """In a call, a batch and the answer of a handler."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        params: Any = Proxy([{"a": JsNull()}])
        assert await it.call("echo", params) == {"a": None}
        async with it.batch() as batch:
            outcome = batch.call("echo", [Proxy([1])])
        assert await outcome == [1]
        it.handle("ask", lambda: Proxy({"answer": Proxy([42])}))
        assert await circle.ask("ask_client", method="ask") == {"result": {"answer": [42]}}


def test_a_handler_without_known_parameters_is_refused() -> None:
    """All functions of JavaScript's are such, and some that are written in C."""
    with pytest.raises(InvalidRequest, match="the method 'f': the parameters of the function cannot be known"):
        client("ws://localhost/").handle("f", max)
