"""Real values of JavaScript's, as a client gets them that is called from there."""

import sys
from typing import Any

import js
import pytest
from pyodide.ffi import create_proxy, to_js

from circle_ws import InvalidRequest
from circle_ws.js.values import from_javascript
from circle_ws.jsonrpc import codec as json
from circle_ws.jsonrpc import messages as envelope
from tests.support.clients import client
from tests.support.peers import Peers


def parsed(text: str) -> Any:
    """Make plain values of JavaScript's."""
    return js.JSON.parse(text)


@pytest.mark.parametrize("text", ['[1,2.5,null,true,"x"]', '{"a":[{"b":null}],"c":{}}', "[]", "[[[]]]", "{}"])
def test_plain_values_are_sent_as_json_has_them(text: str) -> None:
    """Arrays, objects and null, at any depth; alone, and within a list of Python's."""
    assert json.decode(envelope.request(1, "f", parsed(text)))["params"] == json.decode(text)
    assert json.decode(envelope.request(1, "f", [parsed(text)]))["params"] == [json.decode(text)]


def test_null_and_undefined_are_no_params() -> None:
    """As None is."""
    for js_value in (parsed("null"), js.Reflect.get(js.Object.new(), "nothing")):
        assert "params" not in json.decode(envelope.request(1, "f", js_value))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: js.Date.new(0), r"not JsProxy; make one of it, with \.to_py\(\)"),
        (lambda: js.Array.of(1, js.Date.new(0)), r"params\[1\] is a JsProxy, .* with \.to_py\(\), or by hand"),
        (lambda: [js.Array.of(js.parseInt)], r"params\[0\]\[0\] is a JsProxy"),
        (lambda: js.Array.of(js.Number.NaN), r"params\[0\] is nan"),
        (lambda: js.Uint8Array.new(2), "not JsProxy; make one of it"),
        (lambda: js.Map.new(parsed("[[1,2]]")), "keys are strings"),
    ],
    ids=["date", "within", "function", "NaN", "bytes", "map"],
)
def test_others_are_refused_in_words(make: Any, words: str) -> None:
    """With the path, and the method that converts them where one can."""
    with pytest.raises(InvalidRequest, match=words):
        envelope.request(1, "f", make())


def test_what_contains_itself_is_refused() -> None:
    """An endless object ends neither the codec nor the interpreter."""
    js_endless = js.Array.new()
    js_endless.push(js_endless)
    with pytest.raises(InvalidRequest, match="nested more than 512 deep"):
        envelope.request(1, "f", js_endless)


def test_what_does_not_fit_on_the_stack_is_refused() -> None:
    """Where the program's own is deep already; the values are not in the context of the error."""
    depth, frame = 0, sys._getframe()
    while frame.f_back is not None:
        depth, frame = depth + 1, frame.f_back
    js_nested = parsed("[" * 400 + "]" * 400)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(depth + 150)
    try:
        with pytest.raises(InvalidRequest, match="the program's own stack is deep") as caught:
            from_javascript(js_nested)
    finally:
        sys.setrecursionlimit(limit)
    assert caught.value.__context__ is None


def test_what_is_nested_too_deep_is_refused() -> None:
    """However deep it is, the interpreter lives on."""
    js_deep = js.Array.new()
    for _ in range(20_000):
        js_deep = js.Array.of(js_deep)
    with pytest.raises(InvalidRequest, match="nested more than 512 deep"):
        envelope.request(1, "f", js_deep)


async def test_a_client_that_is_called_from_javascript(peers: Peers) -> None:
    """Its method is called by JavaScript, with arguments of JavaScript's."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        js_call = create_proxy(it.call)
        try:
            assert await js.Reflect.apply(js_call, None, to_js(["echo", [[1, {"a": 2}]]])) == [1, {"a": 2}]
        finally:
            js_call.destroy()
