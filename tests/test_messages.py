"""The members of a message: how they are written, and the one check of what comes in."""

import json as reference
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from circle_ws.errors import InvalidRequest, ProtocolError, RpcError
from circle_ws.jsonrpc import messages as envelope
from circle_ws.jsonrpc.messages import Kind, kind_of

_Write = Callable[[], str]


@dataclass
class _Point:
    x: int
    y: float | None = None


class _User(msgspec.Struct, tag=True):
    name: str


_PARAMS: list[Any] = [None, [], {}, [1, None, "x"], (1, 2), {"a": {"b": [True]}}, {"": "😀"}]


def _read(text: str) -> Any:
    """Read with the standard library, and make sure that each member was written once."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len({key for key, _ in pairs}) == len(pairs)
        return dict(pairs)

    return reference.loads(text, object_pairs_hook=once)


def _with_params(message: dict[str, Any], params: Any) -> dict[str, Any]:
    if params is not None:
        message["params"] = list(params) if isinstance(params, tuple) else params
    return message


@pytest.mark.parametrize("params", _PARAMS, ids=repr)
def test_a_request(params: Any) -> None:
    """A request has version, id, method and params, and without params no such member."""
    message = _read(envelope.request(7, "get_user", params))
    assert message == _with_params({"jsonrpc": "2.0", "id": 7, "method": "get_user"}, params)
    assert kind_of(message) is Kind.REQUEST


@pytest.mark.parametrize("params", _PARAMS, ids=repr)
def test_a_notification(params: Any) -> None:
    """A notification is a request without an id."""
    message = _read(envelope.notification("update", params))
    assert message == _with_params({"jsonrpc": "2.0", "method": "update"}, params)
    assert kind_of(message) is Kind.NOTIFICATION


@pytest.mark.parametrize(
    ("params", "members"), [(_Point(1), {"x": 1, "y": None}), (_User("ada"), {"type": "_User", "name": "ada"})]
)
def test_one_object_of_a_class_is_params_by_name(params: Any, members: dict[str, Any]) -> None:
    """A dataclass or a Struct is written as the object that it is, with its fields as the names."""
    assert _read(envelope.request(1, "move", params))["params"] == members
    assert _read(envelope.notification("move", params))["params"] == members


def test_what_is_wrong_in_an_object_of_a_class_is_named() -> None:
    """A number that is not finite is refused in a dataclass, too, and the class itself is no params."""
    with pytest.raises(InvalidRequest, match=r"params\.y is nan"):
        envelope.request(1, "move", _Point(1, float("nan")))
    with pytest.raises(InvalidRequest, match="not type; put a single value into a list"):
        envelope.request(1, "move", _Point)  # type: ignore[arg-type]


@pytest.mark.parametrize("id", [0, 7, 2**53, "x", "", 1.5, None])
@pytest.mark.parametrize("value", [None, False, 0, "", [], {"a": 1}])
def test_a_result(id: Any, value: Any) -> None:
    """A result is echoed with the id as it came, null and empty values too."""
    message = _read(envelope.result(id, value))
    assert message == {"jsonrpc": "2.0", "id": id, "result": value}
    assert kind_of(message) is Kind.RESULT


@pytest.mark.parametrize(
    ("data", "members"), [(None, {}), (False, {"data": False}), ({"a": [1]}, {"data": {"a": [1]}})]
)
def test_an_error(data: Any, members: dict[str, Any]) -> None:
    """An error has code and message, data where there is some, and comes back as the same exception."""
    message = _read(envelope.error(7, RpcError(-32000, "it failed", data)))
    assert message == {"jsonrpc": "2.0", "id": 7, "error": {"code": -32000, "message": "it failed", **members}}
    assert kind_of(message) is Kind.ERROR
    again = envelope.rpc_error(message)
    assert (again.code, again.message, again.data) == (-32000, "it failed", data)


@pytest.mark.parametrize("method", ["a", "rpc.ping", 'quo"te', "ünï", "a\nb", " "])
def test_method_names_are_text(method: str) -> None:
    """Any text that is not empty names a method, and cannot break out of its member."""
    assert _read(envelope.request(1, method)) == {"jsonrpc": "2.0", "id": 1, "method": method}
    assert _read(envelope.notification(method)) == {"jsonrpc": "2.0", "method": method}


@pytest.mark.parametrize("method", ["", None, 7, b"play", ["play"]])
def test_bad_methods_are_refused(method: Any) -> None:
    """What is no text, or an empty one, names no method."""
    writes: list[_Write] = [lambda: envelope.request(1, method), lambda: envelope.notification(method)]
    for write in writes:
        with pytest.raises(InvalidRequest, match="a method is named by a text that is not empty, not by "):
            write()


@pytest.mark.parametrize("params", ["text", 7, 1.5, True, False, 0, "", b"x", {1}, range(3)], ids=repr)
def test_bad_params_are_refused(params: Any) -> None:
    """Params by position are a list or tuple, params by name a dict; a single value is not wrapped in silence."""
    writes: list[_Write] = [
        lambda: envelope.request(1, "play", params),
        lambda: envelope.notification("play", params),
    ]
    for write in writes:
        with pytest.raises(InvalidRequest) as caught:
            write()
        assert str(caught.value) == (
            "params are a list or a tuple (by position), or a dict, a dataclass or a Struct (by name), "
            f"not {type(params).__name__}; put a single value into a list"
        )


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda: envelope.request(1, "play", [{1j}]), r"params\[0\]\[0\] is a complex"),
        (lambda: envelope.notification("play", {"a": 1j}), r"params\.a is a complex"),
        (lambda: envelope.result(1, 1j), "the result is a complex"),
        (lambda: envelope.error(1, RpcError(1, "x", [1j])), r"the error\.data\[0\] is a complex"),
    ],
)
def test_values_that_cannot_be_written_are_refused(write: _Write, words: str) -> None:
    """In params, results and error data, and the words say where."""
    with pytest.raises(InvalidRequest, match=f"^{words}"):
        write()


_V = {"jsonrpc": "2.0"}


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ({**_V, "id": 1, "result": None}, Kind.RESULT),
        ({**_V, "id": None, "result": 1}, Kind.RESULT),
        ({**_V, "id": 1, "result": {}, "extra": 1}, Kind.RESULT),
        ({**_V, "id": 1, "error": {"code": 0, "message": ""}}, Kind.ERROR),
        ({**_V, "id": None, "error": {"code": -32700, "message": "x", "data": None}}, Kind.ERROR),
        ({**_V, "id": 1, "error": {"code": 10**20, "message": "x", "extra": 1}}, Kind.ERROR),
        ({**_V, "id": 1, "result": None, "error": None}, Kind.RESULT),
        ({**_V, "id": 1, "result": 0, "error": None}, Kind.RESULT),
        ({**_V, "id": 1, "result": None, "error": {"code": 0, "message": ""}}, Kind.ERROR),
        ({**_V, "method": "x", "params": None}, Kind.NOTIFICATION),
        ({**_V, "method": "x", "id": 1, "params": None}, Kind.REQUEST),
        ({**_V, "method": "x"}, Kind.NOTIFICATION),
        ({**_V, "method": "", "params": []}, Kind.NOTIFICATION),
        ({**_V, "method": "x", "params": {}}, Kind.NOTIFICATION),
        ({**_V, "method": "x", "id": None}, Kind.REQUEST),
        ({**_V, "method": "x", "id": "a"}, Kind.REQUEST),
        ({**_V, "method": "x", "id": 1.5, "params": [1]}, Kind.REQUEST),
        ({**_V, "method": "x", "id": "x" * 1024}, Kind.REQUEST),
        ({**_V, "id": "x" * 1025, "result": 1}, Kind.RESULT),
    ],
    ids=repr,
)
def test_good_messages(message: Any, kind: Kind) -> None:
    """Each kind of message is known by its members; members of others are ignored."""
    assert kind_of(message) is kind


_NO_OBJECT = "a message is not a JSON object"
_NO_VERSION = 'a message lacks "jsonrpc": "2.0"'
_NO_ID = "a message has neither an id nor a method"
_BOTH_OR_NEITHER = "a reply has both a result and an error, or neither"
_NO_ERROR = "a reply's error is not an object with an integer code and a string message"
_NO_METHOD = "a request's method is not a string"
_NO_PARAMS = "a request's params are neither an array nor an object"
_NO_REQUEST_ID = "a request's id is neither a string nor a number"


def _each(words: str, message: dict[str, Any], member: str, values: list[Any]) -> list[tuple[Any, str]]:
    """Put each value into a message; all of them are malformed in the same way."""
    return [({**message, member: value}, words) for value in values]


@pytest.mark.parametrize(
    ("message", "words"),
    [
        *[(value, _NO_OBJECT) for value in (None, 1, 1.5, True, "x", [{**_V, "id": 1, "result": 1}])],
        ([], _NO_OBJECT),
        ({}, _NO_VERSION),
        ({"id": 1, "result": 1}, _NO_VERSION),
        *_each(_NO_VERSION, {"id": 1, "result": 1}, "jsonrpc", [None, 2, 2.0, "2", "1.0", "2.0 ", ["2.0"]]),
        (_V, _NO_ID),
        ({**_V, "result": 1}, _NO_ID),
        ({**_V, "error": {"code": 1, "message": "x"}}, _NO_ID),
        ({**_V, "id": 1}, _BOTH_OR_NEITHER),
        ({**_V, "id": 1, "result": 1, "error": {"code": 1, "message": "x"}}, _BOTH_OR_NEITHER),
        *_each(_NO_ERROR, {**_V, "id": 1}, "error", [None, "x", 1, [], {}, [1, "x"], {"message": "x"}, {"code": 1}]),
        *_each(
            _NO_ERROR, {**_V, "id": 1}, "error", [{"code": code, "message": "x"} for code in (None, "1", 1.0, True)]
        ),
        *_each(_NO_ERROR, {**_V, "id": 1}, "error", [{"code": 1, "message": text} for text in (None, 1, ["x"])]),
        *_each(_NO_METHOD, _V, "method", [None, 1, True, [], {}, ["x"]]),
        *_each(_NO_PARAMS, {**_V, "method": "x"}, "params", [1, "x", True, 0.5]),
        ({**_V, "method": "x", "id": "x" * 1025}, "a request's id of 1025 characters is over the maximum of 1024"),
        *_each(_NO_REQUEST_ID, {**_V, "method": "x"}, "id", [True, [], {}, [1]]),
    ],
    ids=repr,
)
def test_malformed_messages(message: Any, words: str) -> None:
    """Each way to be no JSON-RPC is a `ProtocolError` that says which member is wrong."""
    with pytest.raises(ProtocolError) as caught:
        kind_of(message)
    assert str(caught.value) == words


def _kinds(texts: list[str | None]) -> list[str]:
    """Name the kind, or the fault, of each text that is a single message or a batch of them."""
    kinds = []
    for text in texts:
        try:
            message = reference.loads(text or "null")
        except ValueError:
            continue
        for single in message if isinstance(message, list) else [message] if text else []:
            try:
                kinds.append(kind_of(single).value)
            except ProtocolError:
                kinds.append("malformed")
    return kinds


def test_the_examples_of_the_specification(vectors: Path) -> None:
    """The messages of JSON-RPC 2.0 section 7, those in batches too, are taken for what the specification calls them."""
    examples = reference.loads((vectors / "jsonrpc" / "spec_examples.json").read_text())["examples"]
    assert len(examples) == 15
    kinds = {example["name"]: (_kinds([example["request"]]), _kinds([example["response"]])) for example in examples}
    assert kinds == {
        **{name: (["request"], ["result"]) for name in ("positional 1", "positional 2", "named 1", "named 2")},
        **{name: (["notification"], []) for name in ("notification 1", "notification 2")},
        "non-existent method": (["request"], ["error"]),
        "invalid JSON": ([], ["error"]),
        "invalid Request object": (["malformed"], ["error"]),
        "batch invalid JSON": ([], ["error"]),
        "empty array": ([], ["error"]),
        "invalid batch not empty": (["malformed"], ["error"]),
        "invalid batch": (["malformed"] * 3, ["error"] * 3),
        "batch": (
            ["request", "notification", "request", "malformed", "request", "request"],
            ["result", "result", "error", "error", "result"],
        ),
        "batch all notifications": (["notification"] * 2, []),
    }


def test_the_examples_are_written_alike(vectors: Path) -> None:
    """What the specification writes with an integer id or none is what is written here, member for member."""
    examples = reference.loads((vectors / "jsonrpc" / "spec_examples.json").read_text())["examples"]
    written = 0
    for example in examples[:6]:
        request = reference.loads(example["request"])
        if "id" in request:
            text = envelope.request(request["id"], request["method"], request.get("params"))
            answer = reference.loads(example["response"])
            assert _read(envelope.result(answer["id"], answer["result"])) == answer
        else:
            text = envelope.notification(request["method"], request.get("params"))
        assert _read(text) == request
        written += 1
    assert written == 6
