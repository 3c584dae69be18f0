"""Converting alternatives: what the kind decides, what the order decides, and what is said when nothing fits."""

from __future__ import annotations

import enum
import gc
import weakref
from dataclasses import dataclass
from typing import Any, Literal, Optional, TypedDict, Union

import pytest

from circle_ws.typed.converter import converter_for
from tests.support.typed import convert, mismatch

_made: list[str] = []
"""What classes were made, in the order of their making."""


class Color(enum.Enum):
    RED = "r"


class Size(enum.Enum):
    SMALL = 1


@dataclass
class Dog:
    kind: Literal["dog"]
    bark: int


@dataclass
class Cat:
    meow: float
    kind: Literal["cat", "kitten"] = "cat"


@dataclass
class Horse:
    legs: int
    kind: Literal["horse"] | Literal["pony"]


class Fish(TypedDict):
    fins: int
    kind: Literal["fish"]


@dataclass
class Small:
    id: int


@dataclass
class Large:
    id: int
    size: int


@dataclass
class Picky:
    id: int

    def __post_init__(self) -> None:
        raise LookupError


@dataclass
class Left:
    child: Left | Right | None
    left: int

    def __post_init__(self) -> None:
        _made.append("left")


@dataclass
class Right:
    child: Left | Right | None
    right: int

    def __post_init__(self) -> None:
        _made.append("right")


Animal = Union[Dog, Cat, Fish]  # noqa: UP007


@pytest.mark.parametrize(
    ("form", "value", "result"),
    [
        (int | str, 1, 1),
        (int | str, "1", "1"),
        (Optional[int], None, None),  # noqa: UP045
        (Union[int, None], 1, 1),  # noqa: UP007
        (bool | int, True, True),
        (int | bool, True, True),
        (int | float, 1, 1),
        (float | int, 1, 1),
        (float | int, 1.0, 1.0),
        (float | Size, 1, Size.SMALL),
        (Size | float, 2, 2.0),
        (float | None, 1, 1.0),
        (str | Color, "r", "r"),
        (Color | str, "r", Color.RED),
        (Color | str, "g", "g"),
        (Color | Literal["g"], "g", "g"),
        (list[int] | list[str], ["a"], ["a"]),
        (list[int] | list[str], [], []),
        (tuple[int, int] | list[int], [1, 2], (1, 2)),
        (tuple[int, int] | list[int], [1, 2, 3], [1, 2, 3]),
        (Any | int, "x", "x"),
        (Animal, {"kind": "dog", "bark": 1}, Dog("dog", 1)),
        (Animal, {"kind": "kitten", "meow": 1}, Cat(1.0, "kitten")),
        (Animal, {"kind": "fish", "fins": 2, "more": 1}, {"kind": "fish", "fins": 2}),
        (Animal | None, None, None),
        (Animal | str, "none", "none"),
        (list[Animal], [{"kind": "dog", "bark": 1}, {"meow": 1}], [Dog("dog", 1), Cat(1.0)]),
        (Small | Large, {"id": 1, "size": 2}, Small(1)),
        (Large | Small, {"id": 1, "size": 2}, Large(1, 2)),
        (Large | Small, {"id": 1}, Small(1)),
        (Picky | Small, {"id": 1}, Small(1)),
        (Small | dict[str, Any], {"name": ""}, {"name": ""}),
    ],
    ids=str,
)
def test_what_a_value_becomes(form: Any, value: Any, result: Any) -> None:
    """A value stays what it is where it may; else the first type that it fits is taken."""
    converted = convert(form, value)
    assert (converted, repr(converted)) == (result, repr(result))


@pytest.mark.parametrize(
    ("form", "value", "words"),
    [
        (int | str, 1.5, "$: expected int | str, found a number"),
        (Optional[int], "x", "$: expected int | None, found a string"),  # noqa: UP045
        (Color | Literal["g"], "b", "$: expected Color | 'g', found another string"),
        (Dog | None, [], "$: expected Dog | None, found an array"),
        (Dog | None, {"kind": "dog", "bark": "x"}, "$.bark: expected int, found a string"),
        (Dog | list[int], ["x"], "$[0]: expected int, found a string"),
        (Animal, {"kind": "dog", "bark": "x"}, "$.bark: expected int, found a string"),
        (Animal, {"kind": "kitten"}, "$.meow: expected float, but it is missing"),
        (list[Animal], [{"kind": "fish"}], "$[0].fins: expected int, but it is missing"),
        (Dog | Horse, {"kind": "pony"}, "$.legs: expected int, but it is missing"),
        (Horse | Dog, {"kind": "dog"}, "$.bark: expected int, but it is missing"),
        (
            list[Dog] | list[None],
            [{"kind": "cat"}],
            (
                "$: none of list[Dog] | list[None] fits: as list[Dog], [0].kind: expected 'dog', found another string; "
                "as list[None], [0]: expected None, found an object"
            ),
        ),
        (Picky | Dog, {"kind": "cow", "id": 1}, "$: Picky refused it with LookupError"),
        (
            Dog | Fish,
            {"kind": "cow"},
            (
                "$: none of Dog | Fish fits: as Dog, .kind: expected 'dog', found another string; "
                "as Fish, .kind: expected 'fish', found another string"
            ),
        ),
        (
            list[int] | list[list[str]],
            [[1]],
            (
                "$: none of list[int] | list[list[str]] fits: as list[int], [0]: expected int, found an array; "
                "as list[list[str]], [0][0]: expected str, found an integer"
            ),
        ),
        (
            tuple[int] | tuple[int, int],
            [],
            (
                "$: none of tuple[int] | tuple[int, int] fits: as tuple[int], expected tuple[int], found an array "
                "of 0, not of 1; as tuple[int, int], expected tuple[int, int], found an array of 0, not of 2"
            ),
        ),
        (
            list[int] | list[bool] | list[str] | list[None] | list[Color] | list[Size],
            [[]],
            (
                "$: none of list[int] | list[bool] | list[str] | list[None] | list[Color] | list[Size] fits: "
                "as list[int], [0]: expected int, found an array; as list[bool], [0]: expected bool, found an array; "
                "as list[str], [0]: expected str, found an array; as list[None], [0]: expected None, found an array; "
                "and 2 more"
            ),
        ),
    ],
    ids=str,
)
def test_what_is_said_when_nothing_fits(form: Any, value: Any, words: str) -> None:
    """Where tags tell which type was meant, its error is the one; else each type's reason is told."""
    error = mismatch(form, value)
    assert str(error) == words
    assert error.path == words.partition(": ")[0]


def test_the_cause_of_the_type_that_was_meant_is_kept() -> None:
    """What a class of the alternatives raised is chained."""
    assert isinstance(mismatch(Picky | Dog, {"id": 1}).__cause__, LookupError)
    assert isinstance(mismatch(list[Picky | Dog], [{"id": 1}]).__cause__, LookupError)


def _chain(length: int, last: dict[str, Any]) -> dict[str, Any]:
    """Nest objects that are found to be Right ones only after their child was converted."""
    chain = last
    for _ in range(length - 1):
        chain = {"child": chain, "right": 1}
    return chain


def test_each_value_is_tried_once_under_each_type() -> None:
    """However deep alternatives are nested, a peer cannot make the client convert a value over and over."""
    _made.clear()
    converted = converter_for(Left | Right)(_chain(100, {"child": None, "right": 1}))
    assert isinstance(converted, Right)
    assert _made == ["right"] * 100


def test_a_failure_is_found_once_too() -> None:
    """The same holds for a value that fits nothing at its very end, and the message stays short."""
    _made.clear()
    words = str(mismatch(Left | Right, _chain(100, {"child": None, "right": "x"})))
    assert _made == []
    assert words.startswith("$: none of Left | Right fits: as Left, .child: none of Left | Right | None fits: as Left,")
    assert len(words) < 600


def test_nothing_is_kept_of_a_conversion() -> None:
    """What was noted of the values goes with the conversion, and so does what they became."""
    made = convert(list[int] | list[Left | Right], [{"child": None, "left": 1}])[0]
    kept = weakref.ref(made)
    del made
    gc.collect()
    assert kept() is None


def test_one_conversion_knows_nothing_of_another() -> None:
    """What came of a value is forgotten with its conversion: equal addresses mean nothing later."""
    convert_pair = converter_for(list[Left | Right])
    for number in range(50):
        made = convert_pair([{"child": {"child": None, "left": number}, "right": number}])
        assert made == [Right(Left(None, number), number)]


def test_a_conversion_inside_another_is_its_own() -> None:
    """A class may convert on its own while it is made."""

    @dataclass
    class Outer:
        inner: Any
        extra: Any = None

        def __post_init__(self) -> None:
            self.inner = [convert(Left | Right, {"child": None, "left": n}) for n in range(self.inner)]

    outer = convert(list[int] | list[Outer | Small], [{"inner": 20}])[0]
    assert outer.inner == [Left(None, number) for number in range(20)]


def test_nested_deeper_than_the_stack() -> None:
    """Alternatives of objects go 400 levels deep; what does not fit into Python's stack is refused like any other."""
    assert isinstance(convert(Left | Right, _chain(400, {"child": None, "right": 1})), Right)
    assert "nested too deep" in str(mismatch(Left | Right, _chain(600, {"child": None, "right": 1})))
