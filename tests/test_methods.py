"""How params become arguments: what fits each kind of function, its annotations, and the words for what does not."""

import functools
import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypedDict
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from circle_ws.errors import InvalidRequest, RpcError
from circle_ws.jsonrpc.methods import Method

if TYPE_CHECKING:
    from nowhere import Caller  # type: ignore[import-not-found]  # as a program's own imports for type checkers


class Connection:
    """What stands for the caller's connection."""


HERE = Connection()


def plain(id: Any) -> Any:
    return id


def with_default(first: Any, second: Any = 2) -> Any:
    return [first, second]


def nothing() -> Any:
    return "nothing"


def only_named(*, key: Any, other: Any = None) -> Any:
    return [key, other]


def only_placed(first: Any, second: Any = 2, /) -> Any:
    return [first, second]


def mixed(place: Any, /, either: Any, *, name: Any) -> Any:
    return [place, either, name]


def any_place(first: Any, *rest: Any) -> Any:
    return [first, *rest]


def any_name(first: Any, **rest: Any) -> Any:
    return [first, rest]


def placed_and_any_name(first: Any, /, **rest: Any) -> Any:
    return [first, rest]


class Thing:
    def bound(self, id: Any) -> Any:
        return id

    @classmethod
    def of_class(cls, id: Any) -> Any:
        return id


partly = functools.partial(with_default, second=5)


async def awaited(id: Any) -> Any:
    return id


FITTING: list[tuple[Any, Any, Any]] = [
    (plain, [1], 1),
    (plain, {"id": None}, None),
    (with_default, [1], [1, 2]),
    (with_default, [1, 3], [1, 3]),
    (with_default, {"second": 3, "first": 1}, [1, 3]),
    (nothing, None, "nothing"),
    (nothing, [], "nothing"),
    (nothing, {}, "nothing"),
    (only_named, {"key": 1}, [1, None]),
    (only_placed, [1], [1, 2]),
    (only_placed, [1, 3], [1, 3]),
    (any_place, [1, 2, 3], [1, 2, 3]),
    (any_place, {"first": 1}, [1]),
    (any_name, {"first": 1, "self": 2, "rest": 3}, [1, {"self": 2, "rest": 3}]),
    (any_name, [1], [1, {}]),
    (placed_and_any_name, [1], [1, {}]),
    (Thing().bound, [1], 1),
    (Thing().bound, {"id": 1}, 1),
    (Thing.of_class, [1], 1),
    (partly, [1], [1, 5]),
    (partly, {"first": 1, "second": 3}, [1, 3]),
]

UNFITTING: list[tuple[Any, Any, str]] = [
    (plain, None, "missing 'id'"),
    (plain, [], "missing 'id'"),
    (plain, {}, "missing 'id'"),
    (plain, [1, 2], "takes at most 1, not 2"),
    (plain, {"id": 1, "x": 2}, "unexpected 'x'"),
    (plain, {"x": 2}, "missing 'id'; unexpected 'x'"),
    (with_default, [1, 2, 3], "takes at most 2, not 3"),
    (with_default, {"second": 2}, "missing 'first'"),
    (with_default, {}, "missing 'first'"),
    (nothing, [1], "takes none, not 1"),
    (nothing, {"a": 1, "b": 2}, "unexpected 'a', 'b'"),
    (only_named, [], "missing 'key', by name"),
    (only_named, [1], "missing 'key', by name; takes none by position, not 1"),
    (only_named, {"other": 1}, "missing 'key'"),
    (only_placed, [], "missing 'first'"),
    (only_placed, [1, 2, 3], "takes at most 2, not 3"),
    (only_placed, {"first": 1}, "missing 'first', by position"),
    (only_placed, {"first": 1, "second": 2}, "missing 'first', by position; unexpected 'second'"),
    (mixed, [1, 2], "missing 'name', by name"),
    (mixed, [], "missing 'place', 'either'; missing 'name', by name"),
    (mixed, [1, 2, 3], "missing 'name', by name; takes at most 2 by position, not 3"),
    (mixed, {"either": 1}, "missing 'name'; missing 'place', by position"),
    (any_place, [], "missing 'first'"),
    (any_place, {"first": 1, "rest": [2]}, "unexpected 'rest'"),
    (any_name, {}, "missing 'first'"),
    (any_name, [1, 2], "takes at most 1 by position, not 2"),
    (placed_and_any_name, {"first": 1, "more": 2}, "missing 'first', by position"),
    (Thing().bound, {"id": 1, "self": 2}, "unexpected 'self'"),
    (Thing().bound, [1, 2], "takes at most 1, not 2"),
    (Thing.of_class, {"cls": 1}, "missing 'id'; unexpected 'cls'"),
    (partly, [1, 2], "takes at most 1 by position, not 2"),
    (awaited, [1, 2], "takes at most 1, not 2"),
    (nothing, {str(number): number for number in range(8)}, "unexpected '0', '1', '2', '3', '4' and 3 more"),
    (nothing, dict.fromkeys("abcde"), "unexpected 'a', 'b', 'c', 'd', 'e'"),
    (nothing, {"x" * 1000: 1}, f"unexpected '{'x' * 40}'"),
]


def refusal(method: Method, params: Any) -> RpcError:
    """Call it with params that do not fit; give the error."""
    with pytest.raises(RpcError) as caught:
        method.call(params, HERE)
    return caught.value


@pytest.mark.parametrize(("function", "params", "result"), FITTING)
def test_what_fits(function: Any, params: Any, result: Any) -> None:
    """By position and by name, the arguments are those that Python's own call would give."""
    assert Method(function).call(params) == result
    assert Method(function, Connection).call(params, HERE) == result


@pytest.mark.parametrize(("function", "params", "words"), UNFITTING)
def test_what_does_not_fit(function: Any, params: Any, words: str) -> None:
    """The error is -32602 and names the parameter, in the words of JSON-RPC."""
    for method in (Method(function), Method(function, Connection)):
        error = refusal(method, params)
        assert (error.code, error.message, error.data) == (-32602, f"invalid params: {words}", None)
        assert error.__cause__ is None


FUNCTIONS = list(dict.fromkeys(function for function, _, _ in FITTING))
some_names = st.sampled_from(["id", "first", "second", "rest", "key", "other", "self", "x"])


@given(st.sampled_from(FUNCTIONS), st.lists(st.just(1), max_size=4) | st.dictionaries(some_names, st.just(1)))
def test_what_fits_is_what_python_would_take(function: Any, params: Any) -> None:
    """Params fit exactly when Python's own call with them works, and come to the same."""
    try:
        expected = function(**params) if type(params) is dict else function(*params)
    except TypeError:
        assert refusal(Method(function), params).message.startswith("invalid params: ")
    else:
        assert Method(function).call(params) == expected


def test_the_connection_is_no_param() -> None:
    """Wherever it stands it is filled in, and a caller can neither give it nor sees it counted."""

    def first(connection: Connection, a: Any, b: Any = 2) -> Any:
        return [connection is HERE, a, b]

    def last(a: Any = 1, connection: Connection = HERE) -> Any:
        return [connection is HERE, a]

    def placed(a: Any = 1, connection: Connection = HERE, /, b: Any = 3) -> Any:
        return [connection is HERE, a, b]

    def named(*rest: Any, connection: Connection) -> Any:
        return [connection is HERE, *rest]

    def between(a: Any, connection: Connection, *rest: Any) -> Any:
        return [connection is HERE, a, *rest]

    def any_name(connection: Connection, **rest: Any) -> Any:
        return [connection is HERE, rest]

    def placed_any_name(connection: Connection, /, **rest: Any) -> Any:
        return [connection is HERE, rest]

    fitting: list[tuple[Any, Any, Any]] = [
        (first, [1], [True, 1, 2]),
        (first, {"b": 3, "a": 1}, [True, 1, 3]),
        (last, None, [True, 1]),
        (last, [5], [True, 5]),
        (last, {"a": 5}, [True, 5]),
        (placed, [], [True, 1, 3]),
        (placed, [5, 6], [True, 5, 6]),
        (placed, {"b": 6}, [True, 1, 6]),
        (named, [1, 2], [True, 1, 2]),
        (between, [1, 2, 3], [True, 1, 2, 3]),
        (between, {"a": 1}, [True, 1]),
        (any_name, {"a": 1}, [True, {"a": 1}]),
        (any_name, {}, [True, {}]),
        (placed_any_name, {"connection": 1}, [True, {"connection": 1}]),
    ]
    for function, params, result in fitting:
        assert Method(function, Connection).call(params, HERE) == result, (function, params)
    unfitting: list[tuple[Any, Any, str]] = [
        (first, [1, 2, 3], "takes at most 2, not 3"),
        (first, {"a": 1, "connection": 2}, "unexpected 'connection'"),
        (named, {"connection": 2}, "unexpected 'connection'"),
        (any_name, {"connection": 2}, "unexpected 'connection'"),
        (last, [1, 2], "takes at most 1, not 2"),
    ]
    for function, params, words in unfitting:
        assert refusal(Method(function, Connection), params).message == f"invalid params: {words}", function


def test_the_connection_is_found_by_name_too() -> None:
    """Its type may be imported for type checkers only, as other programs' linters want it."""

    def read(connection: "Caller.Connection", other: int) -> Any:
        return [connection is HERE, other]

    def placed(other: int, connection: "Connection") -> Any:
        return [connection is HERE, other]

    def twice_a_text(connection: "'some.Caller.Connection'", other: int) -> Any:  # type: ignore[valid-type]  # noqa: F821
        return [connection is HERE, other]

    for function in (read, placed, twice_a_text):
        method = Method(function, Connection)
        assert method.call([5], HERE) == [True, 5]
        assert method.call({"other": 5}, HERE) == [True, 5]
        assert refusal(method, []).message == "invalid params: missing 'other'"


def test_an_error_of_the_functions_own_stays_what_it_is() -> None:
    """A TypeError that the function raises is a fault, no matter of params."""

    def wrong() -> None:
        raise TypeError("missing a required argument")

    with pytest.raises(TypeError):
        Method(wrong).call(None)


# Annotations.


@dataclass
class Point:
    x: int
    y: float = 0.0


class Tagged(TypedDict):
    tags: list[str]


@dataclass
class Secret:
    text: str

    def __post_init__(self) -> None:
        if self.text == "hunter2":
            raise ValueError(self.text)


def typed(a: int, b: list[int], c: "Point | None" = None) -> Any:
    return [a, b, c]


def typed_placed(at: datetime, id: UUID, /, point: Point, *, tagged: Tagged) -> Any:
    return [at, id, point, tagged]


def typed_rest(first: str, *rest: Point, key: Literal["x", "y"] = "x", **others: float) -> Any:
    return [first, list(rest), key, others]


@dataclass
class Order:
    """A class as a method: a call makes one of them."""

    item: str
    at: "Point"


def constrained(count: Annotated[int, msgspec.Meta(ge=1)]) -> Any:
    return count


def untyped(plain, value: Any, anything: object) -> Any:  # type: ignore[no-untyped-def]
    return [plain, value, anything]


async def typed_async(point: Point) -> Any:
    return point


class Typed:
    def bound(self, point: "Point") -> Any:
        return point

    def __call__(self, point: "Point") -> Any:
        return point


AT = datetime(2026, 11, 28, 22, 37, tzinfo=UTC)
ID = UUID(int=7)

CONVERTED: list[tuple[Any, Any, Any]] = [
    (typed, [1, [2], {"x": 3}], [1, [2], Point(3)]),
    (typed, {"b": [], "a": 1, "c": None}, [1, [], None]),
    (typed, [1, []], [1, [], None]),
    (typed_rest, ["a", {"x": 1}, {"x": 2, "y": 3}], ["a", [Point(1), Point(2, 3.0)], "x", {}]),
    (typed_rest, {"first": "a", "key": "y", "other": 1}, ["a", [], "y", {"other": 1.0}]),
    (constrained, [3], 3),
    (Order, ["tea", {"x": 7}], Order("tea", Point(7))),
    (untyped, [1, {"a": [None]}, "x"], [1, {"a": [None]}, "x"]),
    (Typed().bound, {"point": {"x": 1}}, Point(1)),
    (Typed(), [{"x": 1}], Point(1)),
    (functools.partial(Typed().bound), [{"x": 1}], Point(1)),
    (functools.partial(typed, 1), {"b": [2]}, [1, [2], None]),
]

MISMATCHED: list[tuple[Any, Any, str]] = [
    (typed, ["1", []], "params[0]: expected int, got str"),
    (typed, [1.0, []], "params[0]: expected int, got float"),
    (typed, [True, []], "params[0]: expected int, got bool"),
    (typed, {"a": 1, "b": ["x"]}, "params.b[0]: expected int, got str"),
    (typed, {"a": 1, "b": [], "c": {"x": None}}, "params.c.x: expected int, got null"),
    (typed, [1, [], {}], "params[2]: object missing required field x"),
    (typed, {"a": None, "b": []}, "params.a: expected int, got null"),
    (typed_rest, ["a", {"x": 1}, {"x": "2"}], "params[2].x: expected int, got str"),
    (typed_rest, {"first": "a", "key": "z"}, "params.key: invalid enum value"),
    (typed_rest, {"first": "a", "o" * 50: "z"}, f"params.{'o' * 40}: expected float, got str"),
    (constrained, [0], "params[0]: expected int >= 1"),
    (Typed().bound, {"point": 5}, "params.point: expected object, got int"),
    (functools.partial(typed, 1), [["2"]], "params[0][0]: expected int, got str"),
]


@pytest.mark.parametrize(("function", "params", "result"), CONVERTED)
def test_params_are_converted_to_the_annotations(function: Any, params: Any, result: Any) -> None:
    """By position, by name, and for `*` and `**`; what has no annotation, `Any` or `object` is taken as it is."""
    assert Method(function).call(params) == result
    assert Method(function, Connection).call(params, HERE) == result


@pytest.mark.parametrize(("function", "params", "words"), MISMATCHED)
def test_params_that_are_no_such_type(function: Any, params: Any, words: str) -> None:
    """Nothing is coerced; the error says where, as the caller wrote it, what was expected and what came."""
    error = refusal(Method(function), params)
    assert (error.code, error.message, error.data) == (-32602, f"invalid params: {words}", None)
    assert error.__cause__ is error.__context__ is None


def test_each_kind_of_parameter_is_converted() -> None:
    """Those that are by position or by name only, beside the connection, and of async functions."""

    def beside(point: Point, connection: Connection, *rest: int, flag: bool = False) -> Any:
        return [point, connection is HERE, list(rest), flag]

    method = Method(beside, Connection)
    assert method.call([{"x": 1}, 2, 3], HERE) == [Point(1), True, [2, 3], False]
    assert method.call({"point": {"x": 1}, "flag": True}, HERE) == [Point(1), True, [], True]
    assert refusal(method, [{"x": 1}, "2"]).message == "invalid params: params[1]: expected int, got str"
    assert refusal(method, {"point": {"x": 1}, "flag": 1}).message.endswith("params.flag: expected bool, got int")
    unfit = refusal(Method(typed_placed), [AT.isoformat(), str(ID), {"x": 1}])
    assert unfit.message == "invalid params: missing 'tagged', by name"
    with pytest.raises(StopIteration) as stopped:
        Method(typed_async).call([{"x": 1}]).send(None)
    assert stopped.value.value == Point(1)


class Located:
    def __init__(self, point: "Point") -> None:
        self.point = point


def test_what_is_no_function_of_python() -> None:
    """A class is called, with its own annotations, and so is what C has given a signature."""
    assert Method(Located).call([{"x": 1}]).point == Point(1)
    assert Method(len).call([[1, 2]]) == 2


def test_defaults_are_not_converted() -> None:
    """They are the function's own, whatever its annotation says."""

    def function(a: int = None, b: Point = "later") -> Any:  # type: ignore[assignment]
        return [a, b]

    assert Method(function).call(None) == [None, "later"]
    assert Method(function).call([5]) == [5, "later"]
    assert refusal(Method(function), [None]).message == "invalid params: params[0]: expected int, got null"


def test_what_a_type_says_of_a_value_is_not_told() -> None:
    """Its own code may refuse a value, in words that repeat it: they do not go to the caller."""

    def function(secret: Secret) -> str:
        return secret.text

    assert Method(function).call([{"text": "fine"}]) == "fine"
    error = refusal(Method(function), [{"text": "hunter2"}])
    assert error.message == "invalid params: params[0]: the type refused it with ValueError"
    assert error.__cause__ is error.__context__ is None


def test_annotations_that_params_cannot_be_converted_to() -> None:
    """They are refused when the function is registered, by name, and not when the first caller comes.

    A class that is no type of JSON's is not called with what the caller chose, nor is a function.
    """

    def caller(fine: int, other: "Caller") -> None: ...

    def strange(other: "no type at all") -> None: ...  # type: ignore[valid-type] # noqa: F722

    def connected(connection: Connection, other: Connection) -> None: ...

    def nested(things: list[Connection]) -> None: ...

    def number(count: 5) -> None: ...  # type: ignore[valid-type]

    def opened(path: Path) -> None: ...

    def parsed(value: json.loads) -> None: ...  # type: ignore[valid-type]

    cases: list[tuple[Any, str]] = [
        (
            caller,
            (
                r"^the annotation 'Caller' of the parameter 'other' cannot be resolved \(name 'Caller' is not defined\)"
                r": define or import what it names for all of the module, not for type checkers only, or leave it out$"
            ),
        ),
        (strange, "'no type at all' of the parameter 'other' cannot be resolved"),
        (connected, "annotation of the parameter 'other': JSON cannot be converted to Connection"),
        (nested, "'things': JSON cannot be converted to Connection, a part of list"),
        (number, "'count': it must be a type, not an object of type int"),
        (opened, "'path': JSON cannot be converted to Path"),
        (parsed, "'value': it must be a type, not loads"),
        (max, "^the parameters of the function cannot be known; give a Python function that calls it$"),
    ]
    for function, words in cases:
        with pytest.raises(InvalidRequest, match=words) as caught:
            Method(function, Connection)
        assert caught.value.__cause__ is None


def test_parameters_that_take_any_value() -> None:
    """`object` within another type, and a type parameter, also where annotations are texts."""

    def found(filter: dict[str, object]) -> object:
        return filter

    assert Method(found).call([{"a": [1]}]) == {"a": [1]}
    if sys.version_info >= (3, 12):
        names: dict[str, Any] = {}
        source = "from __future__ import annotations\ndef same[T](x: T, y: list[T]): return x, y"
        exec(compile(source, "new syntax", "exec", dont_inherit=True), names)
        assert Method(names["same"]).call(["a", [1]]) == ("a", [1])


def test_what_is_returned_may_be_annotated_with_anything() -> None:
    """Only parameters matter."""

    def function(a: int) -> "Caller":
        return a

    assert Method(function).call([1]) == 1


@pytest.mark.skipif(sys.version_info < (3, 14), reason="before, such a definition raises")
def test_annotations_that_are_evaluated_late() -> None:
    """From Python 3.14 on they need no quotes, and the same holds for them."""
    names: dict[str, Any] = {"Point": Point}
    exec("def late(connection: Connection, a: Point, b: list[Later]): return [a, b]\nclass Later(int): ...", names)
    with pytest.raises(InvalidRequest, match="annotation of the parameter 'b': "):
        Method(names["late"], Connection)
    exec("def unknown(connection: Connection, a: Point, b: Nowhere): ...", names)
    with pytest.raises(InvalidRequest, match=r"'Nowhere' of the parameter 'b' cannot be resolved"):
        Method(names["unknown"], Connection)
    exec("def known(connection: Connection, a: Point, b: list[Point]): return [a, b]", names)
    assert Method(names["known"], Connection).call([{"x": 1}, [{"x": 2}]], HERE) == [Point(1), [Point(2)]]
