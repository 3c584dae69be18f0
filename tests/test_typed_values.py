"""Converting single values: nothing is coerced but an integer where a number is asked for."""

import enum
import math
from typing import Annotated, Any, Literal, NewType, TypeVar

import pytest

from tests.support.typed import convert, mismatch, refusal

_KINDS: list[tuple[Any, str]] = [
    (None, "null"),
    (True, "a boolean"),
    (1, "an integer"),
    (1.0, "a number"),
    ("1", "a string"),
    ([1], "an array"),
    ({"1": 1}, "an object"),
]
"""A value of each kind that JSON has, and what it is called; the first four scalars are equal or alike to Python."""


class Color(enum.Enum):
    RED = "r"
    GREEN = "g"
    CRIMSON = "r"  # noqa: PIE796


class Mixed(enum.Enum):
    ONE = 1
    HALF = 0.5
    TWO = 2.0
    NOTHING = None
    YES = "yes"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Right(enum.IntFlag):
    READ = 1
    WRITE = 2


class Stubborn(enum.Flag):
    A = 1
    B = 2


class Loose(enum.StrEnum):
    RED = "red"

    @classmethod
    def _missing_(cls, value: object) -> "Loose | None":
        if value == "boom":
            raise StopIteration("the secret")
        return cls.RED if value == "RED" else None


class Empty(enum.Enum):
    pass


class Complex(enum.Enum):
    POINT = (1, 2)


Bounded = TypeVar("Bounded", bound=int)
Constrained = TypeVar("Constrained", int, str)
Free = TypeVar("Free")
UserId = NewType("UserId", int)
AdminId = NewType("AdminId", UserId)


@pytest.mark.parametrize(
    ("form", "accepted"),
    [
        (None, {"null"}),
        (type(None), {"null"}),
        (bool, {"a boolean"}),
        (int, {"an integer"}),
        (float, {"an integer", "a number"}),
        (str, {"a string"}),
        (list, {"an array"}),
        (tuple, {"an array"}),
        (set, {"an array"}),
        (dict, {"an object"}),
        (UserId, {"an integer"}),
        (AdminId, {"an integer"}),
        (Annotated[int, ["metadata that cannot be hashed"]], {"an integer"}),
        (Annotated[UserId, "a"], {"an integer"}),
        (Bounded, {"an integer"}),
        (Constrained, {"an integer", "a string"}),
        (int | None, {"an integer", "null"}),
        (Literal[1], {"an integer"}),
        (Literal[True], {"a boolean"}),
        (Literal["1"], {"a string"}),
        (Literal[None], {"null"}),
        (Level, {"an integer"}),
        *[(form, {name for _, name in _KINDS}) for form in (Any, object, Free)],
    ],
    ids=str,
)
def test_each_type_takes_its_kinds_and_no_other(form: Any, accepted: set[str]) -> None:
    """Of the seven kinds of JSON a type takes its own; the error for another names it, and not the value."""
    for value, name in _KINDS:
        if name in accepted:
            convert(form, value)
        else:
            error = mismatch(form, value)
            assert (error.path, str(error).rpartition("found ")[2]) == ("$", name)


@pytest.mark.parametrize("value", [value for value, _ in _KINDS], ids=repr)
@pytest.mark.parametrize("form", [Any, object], ids=str)
def test_any_is_the_value_itself(form: Any, value: Any) -> None:
    """Nothing is done to what may be anything."""
    assert convert(form, value) is value


@pytest.mark.parametrize(
    ("form", "value", "result"),
    [
        (float, 1, 1.0),
        (float, -0.0, -0.0),
        (float, 2**53 + 1, 2.0**53),
        (int, 10**999, 10**999),
        (Literal[1, "a", True], True, True),
        (Literal[True, 1], 1, 1),
        (Literal[Color.RED, "g"], "r", Color.RED),
        (Literal[Color.RED, "g"], "g", "g"),
        (Literal[Color.RED, "r"], "r", Color.RED),
        (Color, "r", Color.RED),
        (Level, 2, Level.HIGH),
        (Mixed, 1, Mixed.ONE),
        (Mixed, 0.5, Mixed.HALF),
        (Mixed, 2, Mixed.TWO),
        (Mixed, None, Mixed.NOTHING),
        (Right, 3, Right.READ | Right.WRITE),
        (Right, 0, Right(0)),
        (Stubborn, 3, Stubborn.A | Stubborn.B),
        (Loose, "red", Loose.RED),
        (Loose, "RED", Loose.RED),
    ],
)
def test_what_a_value_becomes(form: Any, value: Any, result: Any) -> None:
    """A value becomes what is asked for, in its type too."""
    converted = convert(form, value)
    assert (converted, type(converted)) == (result, type(result))


@pytest.mark.parametrize(
    ("form", "value", "words"),
    [
        (float, 10**400, "$: expected float, found an integer beyond it"),
        (Literal["a", "b"], "secret", "$: expected 'a' | 'b', found another string"),
        (Literal[1], 2, "$: expected 1, found another integer"),
        (Literal[True], False, "$: expected True, found another boolean"),
        (Color, "secret", "$: expected Color, found another string"),
        (Mixed, 1.0, "$: expected Mixed, found another number"),
        (Level, True, "$: expected Level, found a boolean"),
        (Level, 1.0, "$: expected Level, found a number"),
        (Right, True, "$: expected Right, found a boolean"),
        (Stubborn, 4, "$: expected Stubborn, found what Stubborn._missing_ refused"),
        (Loose, "blue", "$: expected Loose, found what is none of its values"),
        (Loose, "boom", "$: expected Loose, found what Loose._missing_ refused"),
        (int, (1, 2), "$: expected int, found a Python tuple, which is no JSON"),
    ],
)
def test_what_is_said_of_a_wrong_value(form: Any, value: Any, words: str) -> None:
    """The message tells the type and what was found instead, and never the value."""
    assert str(mismatch(form, value)) == words


def test_what_an_enumeration_raises_is_the_cause() -> None:
    """The error of a `_missing_` is chained."""
    assert isinstance(mismatch(Loose, "boom").__cause__, StopIteration)


def test_an_infinite_constant_is_no_trouble() -> None:
    """A member whose value JSON cannot hold is simply never found."""
    edge = enum.Enum("edge", {"ENDLESS": math.inf, "NONE": math.nan, "ONE": 1.0})
    assert convert(edge, 1) is edge["ONE"]


@pytest.mark.parametrize("form", [Complex, Literal[b"bytes"], Empty, enum.Enum], ids=str)
def test_constants_that_json_does_not_have_are_refused_at_once(form: Any) -> None:
    """An enumeration that no value could become is the caller's mistake."""
    assert "give a function that takes the plain value" in refusal(form)
