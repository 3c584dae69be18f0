"""Converting arrays and objects: lists, tuples, sets, mappings, and where in them something does not fit."""

import collections
import enum
import re
import typing
from collections import abc
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest

from circle_ws.errors import InvalidResult
from circle_ws.typed.converter import converter_for
from tests.support.typed import convert, mismatch, refusal


class Color(enum.Enum):
    RED = "r"
    GREEN = "g"


@dataclass(frozen=True)
class Point:
    x: int


@dataclass(frozen=True)
class Line:
    points: list[Point]


@dataclass
class Unhashable:
    x: int


@pytest.mark.parametrize(
    ("form", "value", "result"),
    [
        (list, [1, "a", [None]], [1, "a", [None]]),
        (list[int], [], []),
        (list[int], [1, 2], [1, 2]),
        (list[float], [1, 2.5], [1.0, 2.5]),
        (list[int | None], [1, None], [1, None]),
        (list[Point], [{"x": 1}], [Point(1)]),
        (typing.List[int], [1], [1]),  # noqa: UP006
        (abc.Sequence[float], [1], [1.0]),
        (abc.MutableSequence[float], [1], [1.0]),
        (abc.Collection[float], [1], [1.0]),
        (abc.Iterable[float], [1], [1.0]),
        (typing.Iterable[float], [1], [1.0]),
        (abc.Sequence, ["a"], ["a"]),
        (tuple, [1, "a"], (1, "a")),
        (typing.Tuple, [1, "a"], (1, "a")),  # noqa: UP006
        (tuple[()], [], ()),
        (tuple[int, ...], [], ()),
        (tuple[float, ...], [1, 2], (1.0, 2.0)),
        (tuple[float, str], [1, "a"], (1.0, "a")),
        (set, [1, "a"], {1, "a"}),
        (set[int], [1, 2, 1], {1, 2}),
        (set[tuple[int, int]], [[1, 2], [1, 2]], {(1, 2)}),
        (frozenset[Point], [{"x": 1}], frozenset({Point(1)})),
        (abc.Set[int], [1], {1}),
        (abc.MutableSet[int], [1], {1}),
        (dict, {"a": [1]}, {"a": [1]}),
        (dict[str, int], {}, {}),
        (dict[str, float], {"a": 1, "b": 0.5}, {"a": 1.0, "b": 0.5}),
        (dict[Any, int], {"a": 1}, {"a": 1}),
        (dict[Color, Point], {"r": {"x": 1}}, {Color.RED: Point(1)}),
        (dict[Literal["a", "b"], int], {"b": 1}, {"b": 1}),
        (dict[Color | str, int], {"r": 1, "z": 2}, {Color.RED: 1, "z": 2}),
        (abc.Mapping[str, float], {"a": 1}, {"a": 1.0}),
        (abc.MutableMapping[str, float], {"a": 1}, {"a": 1.0}),
        (typing.Dict[str, float], {"a": 1}, {"a": 1.0}),  # noqa: UP006
        (abc.Mapping, {"a": 1}, {"a": 1}),
    ],
    ids=str,
)
def test_what_a_container_becomes(form: Any, value: Any, result: Any) -> None:
    """Containers are of the type that is asked for, and so are their parts."""
    converted = convert(form, value)
    assert (converted, type(converted)) == (result, type(result))
    assert sorted(map(repr, converted)) == sorted(map(repr, result))


@pytest.mark.parametrize("form", [list, list[int], dict, dict[str, int], list[float], dict[str, float]], ids=str)
def test_a_container_is_a_new_one(form: Any) -> None:
    """Several listeners may get the same decoded value; what one does to its list is not seen by another."""
    value: Any = [1] if "list" in str(form) else {"a": 1}
    converted = convert(form, value)
    assert converted == value
    assert converted is not value


@pytest.mark.parametrize(
    ("form", "value", "words"),
    [
        (list[int], [1, 2, "secret"], "$[2]: expected int, found a string"),
        (list[list[int]], [[], [1, None]], "$[1][1]: expected int, found null"),
        (tuple[int, ...], [1, True], "$[1]: expected int, found a boolean"),
        (tuple[int, ...], {}, "$: expected tuple[int, ...], found an object"),
        (list[Annotated[int, "secret"]], {}, "$: expected list[int], found an object"),
        (tuple[int, str], [1, 2], "$[1]: expected str, found an integer"),
        (tuple[int, str], [1], "$: expected tuple[int, str], found an array of 1, not of 2"),
        (tuple[()], [1], "$: expected tuple[()], found an array of 1, not of 0"),
        (set[int], [1, None], "$[1]: expected int, found null"),
        (set, [1, []], "$: expected set, found an item that cannot be hashed"),
        (frozenset[Line], [{"points": []}], "$: expected frozenset[Line], found an item that cannot be hashed"),
        (dict[str, int], {"a": 1, "b c": ""}, "$['b c']: expected int, found a string"),
        (dict[str, dict[str, int]], {"a": {"_b2": ""}}, "$.a._b2: expected int, found a string"),
        (dict[str, int], {"": ""}, "$['']: expected int, found a string"),
        (dict[str, int], {"é'\n": ""}, '$["é\'\\n"]: expected int, found a string'),
        (dict[str, int], {"k" * 1000: ""}, f"$['{'k' * 60}...']: expected int, found a string"),
        (dict[Color, int], {"r": 1, "z": 1}, "$.z: expected Color, found another string as the key"),
        (dict[str, list[Point]], {"a": [{"x": 1}, {}]}, "$.a[1].x: expected int, but it is missing"),
    ],
    ids=str,
)
def test_where_something_does_not_fit(form: Any, value: Any, words: str) -> None:
    """The path leads to the very place."""
    error = mismatch(form, value)
    assert str(error) == words
    assert error.path == words.partition(": ")[0]


def test_a_long_path_is_cut_in_the_message_alone() -> None:
    """The message shows both ends of a path that is very long; the attribute has all of it."""
    form: Any = int
    value: Any = None
    for _ in range(100):
        form, value = list[form], [value]
    with pytest.raises(InvalidResult) as caught:
        converter_for(form)(value)
    assert caught.value.path == "$" + "[0]" * 100
    assert re.fullmatch(r"\$[0\[\]]{70,80}\.\.\.[0\[\]]{70,80}: expected int, found null", str(caught.value))


@pytest.mark.parametrize(
    "form",
    [dict[int, str], dict[None, str], dict[float, str], dict[tuple[str, str], str], dict[list[str], str]],
    ids=str,
)
def test_keys_are_texts(form: Any) -> None:
    """A mapping that no JSON object could become is refused at once."""
    assert "the keys of JSON objects are strings" in refusal(form)


@pytest.mark.parametrize("form", [set[list[int]], set[dict[str, int]], frozenset[Unhashable], set[set[int]]], ids=str)
def test_a_set_of_what_cannot_be_hashed_is_refused_at_once(form: Any) -> None:
    """That such a set cannot be is plain from its type."""
    assert "cannot be hashed; ask for a list" in refusal(form)


@pytest.mark.parametrize(
    "form",
    [
        collections.deque[int],
        collections.OrderedDict[str, int],
        abc.Iterator[int],
        tuple[int, *tuple[str, ...]],
        list[int, str],  # type: ignore[misc]
        dict[str],  # type: ignore[misc]
    ],
    ids=str,
)
def test_other_containers_are_refused(form: Any) -> None:
    """What JSON has no counterpart for is not guessed."""
    assert "it is neither plain JSON nor" in refusal(form)
