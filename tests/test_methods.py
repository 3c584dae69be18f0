"""How params become arguments: what fits each kind of function, and the words for what does not."""

import functools
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circle_ws.errors import RpcError
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
    assert Method.of(function).call(params) == result
    assert Method.of(function, Connection).call(params, HERE) == result


@pytest.mark.parametrize(("function", "params", "words"), UNFITTING)
def test_what_does_not_fit(function: Any, params: Any, words: str) -> None:
    """The error is -32602 and names the parameter, in the words of JSON-RPC."""
    for method in (Method.of(function), Method.of(function, Connection)):
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
        assert refusal(Method.of(function), params).message.startswith("invalid params: ")
    else:
        assert Method.of(function).call(params) == expected


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
        assert Method.of(function, Connection).call(params, HERE) == result, (function, params)
    unfitting: list[tuple[Any, Any, str]] = [
        (first, [1, 2, 3], "takes at most 2, not 3"),
        (first, {"a": 1, "connection": 2}, "unexpected 'connection'"),
        (named, {"connection": 2}, "unexpected 'connection'"),
        (any_name, {"connection": 2}, "unexpected 'connection'"),
        (last, [1, 2], "takes at most 1, not 2"),
    ]
    for function, params, words in unfitting:
        assert refusal(Method.of(function, Connection), params).message == f"invalid params: {words}", function


def test_annotations_may_be_text() -> None:
    """The connection is found by the type's name too, where another annotation means nothing at run time."""

    def read(caller: "Caller", connection: "Connection", strange: "Connections" = 1) -> Any:  # type: ignore[name-defined] # noqa: F821
        return [caller, connection is HERE, strange]

    def quoted(other: "Caller", connection: "tests.Connection") -> Any:  # type: ignore[name-defined] # noqa: F821
        return [other, connection is HERE]

    assert Method.of(read, Connection).call([5], HERE) == [5, True, 1]
    assert Method.of(quoted, Connection).call({"other": 5}, HERE) == [5, True]
    assert refusal(Method.of(read, Connection), []).message == "invalid params: missing 'caller'"


def test_an_error_of_the_functions_own_stays_what_it_is() -> None:
    """A TypeError that the function raises is a fault, no matter of params."""

    def wrong() -> None:
        raise TypeError("missing a required argument")

    with pytest.raises(TypeError):
        Method.of(wrong).call(None)
