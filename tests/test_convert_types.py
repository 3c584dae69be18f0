"""Conversion of every sort of type: what a value becomes, and the path to what does not fit."""

import collections
import enum
import re
import typing
from collections import abc
from dataclasses import KW_ONLY, dataclass, field, make_dataclass
from datetime import UTC, datetime, timedelta
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Optional,
    Required,
    TypedDict,
    TypeVar,
)

import msgspec
import pytest

from tests.support.converting import convert, mismatch, refusal

_KINDS: list[Any] = [None, True, 1, 1.5, "1", [1], {"1": 1}]
"""A value of each kind that JSON has; some of them are equal, or alike, to Python."""


class Color(enum.Enum):
    RED = "r"
    GREEN = "g"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Right(enum.IntFlag):
    READ = 1
    WRITE = 2


class Loose(enum.StrEnum):
    RED = "red"

    @classmethod
    def _missing_(cls, value: object) -> "Loose | None":
        if value == "boom":
            raise StopIteration("the secret")
        return cls.RED if value == "RED" else None


@dataclass
class User:
    id: int
    name: str
    color: Color | None = None
    tags: list[str] = field(default_factory=lambda: ["new"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    id: int = 0
    name: Final[str]


@dataclass
class Admin(User):
    id: Literal[1]
    level: float = 0
    _: KW_ONLY
    boss: Optional["Admin"] = None


@dataclass
class Counted:
    shared: ClassVar[int] = 3
    counted: int = field(init=False, default=7)
    id: int = 0


@dataclass
class Picky:
    age: int

    def __post_init__(self) -> None:
        if self.age < 0:
            raise ValueError(f"the secret {self.age}")
        if self.age > 200:
            raise StopIteration


@dataclass
class Family:
    members: list[Picky]


class Movie(TypedDict):
    title: str
    year: NotRequired[int]


class Rated(Movie, total=False):
    stars: Required[Annotated[float, "0 to 5"]]
    color: Color


Renamed = TypedDict("Renamed", {"first-name": str, "class": int})


class Pair(NamedTuple):
    left: int
    right: list[float] = []


@dataclass(frozen=True)
class Point:
    x: int


class Dog(msgspec.Struct, tag="dog", tag_field="kind"):
    bark: int


class Cat(msgspec.Struct, tag="cat", tag_field="kind", forbid_unknown_fields=True):
    meow: str = ""


class Member(msgspec.Struct, rename="camel"):
    full_name: str
    age: Annotated[int, msgspec.Meta(ge=0)] = 0


Bare = collections.namedtuple("Bare", "x y", defaults=[None])
Made = make_dataclass("Made", [("x", int), ("y", str, "z")])
Bounded = TypeVar("Bounded", bound=int)
Free = TypeVar("Free")
UserId = NewType("UserId", int)
AdminId = NewType("AdminId", UserId)


@pytest.mark.parametrize(
    ("form", "accepted"),
    [
        (None, [None]),
        (bool, [True]),
        (int, [1]),
        (float, [1, 1.5]),
        (str, ["1"]),
        *[(form, [[1]]) for form in (list, tuple, set)],
        (dict, [{"1": 1}]),
        *[(form, [1]) for form in (UserId, AdminId, Bounded, Level, Annotated[int, ["no hash"]], Annotated[UserId, 1])],
        (int | None, [None, 1]),
        (int | str, [1, "1"]),
        (Literal[1], [1]),
        (Literal["1"], ["1"]),
        (Literal[None], [None]),
        (Literal[1, "1", None], [None, 1, "1"]),
        *[(form, _KINDS) for form in (Any, object, Free)],
    ],
    ids=str,
)
def test_each_type_takes_its_kinds_and_no_other(form: Any, accepted: list[Any]) -> None:
    """Nothing is coerced, but an integer to a `float`: JSON has one type of numbers."""
    for value in _KINDS:
        if any(value == one and type(value) is type(one) for one in accepted):
            convert(form, value)
        else:
            assert mismatch(form, value).path == "$"


_BECOMES: list[tuple[Any, Any, Any]] = [
    (float, -0.0, -0.0),
    (float, 2**53 + 1, 2.0**53),
    (int, 10**999, 10**999),
    (Color, "r", Color.RED),
    (Level, 2, Level.HIGH),
    (Right, 3, Right.READ | Right.WRITE),
    (Loose, "red", Loose.RED),
    (Loose, "RED", Loose.RED),
    (list[int], [], []),
    (list[float], [1, 2.5], [1.0, 2.5]),
    (list[int | None], [1, None], [1, None]),
    (typing.List[int], [1], [1]),  # noqa: UP006
    (abc.Sequence[float], [1], [1.0]),
    (abc.MutableSequence[float], [1], [1.0]),
    (abc.Collection[float], [1], [1.0]),
    (abc.Sequence, ["a"], ["a"]),
    (tuple, [1, "a"], (1, "a")),
    (tuple[()], [], ()),
    (tuple[int, ...], [], ()),
    (tuple[float, str], [1, "a"], (1.0, "a")),
    (set[int], [1, 2, 1], {1, 2}),
    (set[tuple[int, int]], [[1, 2], [1, 2]], {(1, 2)}),
    (frozenset[Point], [{"x": 1}], frozenset({Point(1)})),
    (abc.Set[int], [1], {1}),
    (abc.MutableSet[int], [1], {1}),
    (dict[str, int], {}, {}),
    (dict[Any, int], {"a": 1}, {"a": 1}),
    (dict[Color, Point], {"r": {"x": 1}}, {Color.RED: Point(1)}),
    (dict[Literal["a", "b"], int], {"b": 1}, {"b": 1}),
    (abc.Mapping[str, float], {"a": 1}, {"a": 1.0}),
    (abc.MutableMapping[str, float], {"a": 1}, {"a": 1.0}),
    (User, {"id": 7, "name": "Ada"}, User(7, "Ada")),
    (User, {"name": "Ada", "id": 7, "color": "r", "tags": []}, User(7, "Ada", Color.RED, [])),
    (User, {"id": 7, "name": "Ada", "color": None, "unknown": 1, "self": 2}, User(7, "Ada")),
    (list[User], [{"id": 7, "name": "Ada"}], [User(7, "Ada")]),
    (Frozen, {"name": "Ada"}, Frozen(name="Ada")),
    (Admin, {"id": 1, "name": "", "level": 2}, Admin(1, "", level=2.0)),
    (Admin, {"id": 1, "name": "", "boss": {"id": 1, "name": "B"}}, Admin(1, "", boss=Admin(1, "B"))),
    (Made, {"x": 1}, Made(1)),
    (Movie, {"title": "M"}, {"title": "M"}),
    (Movie, {"title": "M", "year": 1931, "unknown": 1}, {"title": "M", "year": 1931}),
    (Rated, {"title": "M", "stars": 5, "color": "r"}, {"title": "M", "stars": 5.0, "color": Color.RED}),
    (Renamed, {"first-name": "Ada", "class": 1}, {"first-name": "Ada", "class": 1}),
    (Pair, [1], Pair(1)),
    (Pair, [1, [2]], Pair(1, [2.0])),
    (Bare, ["x", {}], Bare("x", {})),
    (Dog | Cat | None, {"kind": "cat", "meow": "x"}, Cat("x")),
    (list[Dog | Cat], [{"kind": "dog", "bark": 1}, {"kind": "cat"}], [Dog(1), Cat()]),
    (Member, {"fullName": "Ada", "age": 1}, Member("Ada", 1)),
    (Member | list[int] | str, [1], [1]),
    (dict[str, datetime], {"at": "2026-01-02T00:00:00Z"}, {"at": datetime(2026, 1, 2, tzinfo=UTC)}),
    (timedelta, "PT90S", timedelta(seconds=90)),
]


def test_what_a_value_becomes() -> None:
    """A value becomes what is asked for, in its type and the types of its parts; of a container always a new one."""
    for form, value, result in _BECOMES:
        converted = convert(form, value)
        assert (converted, type(converted)) == (result, type(result)), form
        if not isinstance(result, set | frozenset):
            assert repr(converted) == repr(result), form
        if isinstance(result, list | dict):
            assert converted is not value, form


def test_defaults_are_made_anew() -> None:
    """A `default_factory` is called for each object."""
    one, two = convert(list[User], [{"id": 1, "name": ""}] * 2)
    assert one.tags == two.tags == ["new"]
    assert one.tags is not two.tags


_PATHS: list[tuple[Any, Any, str]] = [
    (float, 10**400, "$"),
    (list[int], [1, 2, "secret"], "$[2]"),
    (list[list[int]], [[], [1, None]], "$[1][1]"),
    (tuple[int, ...], [1, True], "$[1]"),
    (tuple[int, str], [1, 2], "$[1]"),
    (tuple[()], [1], "$"),
    (set[int], [1, None], "$[1]"),
    (dict[str, int], {"a": 1, "b c": ""}, "$[...]"),
    (dict[str, dict[str, list[int]]], {"a": {"b": [0, ""]}}, "$[...][...][1]"),
    (dict[str, list[Point]], {"a": [{"x": 1}, {}]}, "$[...][1]"),
    (User, {"id": 7}, "$"),
    (User, {"id": "secret", "name": ""}, "$.id"),
    (User, {"id": 7, "name": "", "tags": ["", 1]}, "$.tags[1]"),
    (User, {"id": 7, "name": "", "color": "secret"}, "$.color"),
    (User, [7, "Ada"], "$"),
    (Admin, {"id": 2, "name": ""}, "$.id"),
    (Admin, {"id": 1, "name": "", "boss": {"id": 1, "name": None}}, "$.boss.name"),
    (Movie, {"title": "M", "year": "1931"}, "$.year"),
    (Rated, {"title": "M"}, "$"),
    (Renamed, {"first-name": 1}, "$.first-name"),
    (Pair, [], "$"),
    (Pair, [1, [2, "x"]], "$[1][1]"),
    (Pair, {"left": 1}, "$"),
    (Picky, {"age": -1}, "$"),
    (Family, {"members": [{"age": 1}, {"age": -1}]}, "$.members[1]"),
    (Family, {"members": [{"age": 1}, {"age": 201}]}, "$"),
    (int | str, 1.5, "$"),
    (Dog | Cat, {"kind": "the secret"}, "$.kind"),
    (Dog | Cat, {"kind": "dog", "bark": "secret"}, "$.bark"),
    (Cat, {"kind": "cat", "the secret": 1}, "$"),
    (Member, {"fullName": "Ada", "age": -1}, "$.age"),
    (Loose, "boom", "$"),
    (Loose, "the secret", "$"),
    (Level, 77, "$"),
    (Literal["a", "b"], "secret", "$"),
]


def test_where_something_does_not_fit() -> None:
    """The path leads to the place, of members whose name the type knows; nothing of the value is in the message."""
    for form, value, path in _PATHS:
        error = mismatch(form, value)
        assert error.path == path, (form, str(error))
        assert not re.search("secret|77|1931", str(error)), str(error)
        assert error.__context__ is None, form
        if error.__cause__ is not None:
            assert str(error) == f"{path}: the type refused it with {type(error.__cause__).__name__}"


def test_an_error_of_the_types_own_is_the_cause() -> None:
    """Whatever an enum or a dataclass raises; the words of it may hold the value, and are not repeated."""
    for form, value, kind in ((Picky, {"age": -1}, ValueError), (Picky, {"age": 201}, StopIteration)):
        error = mismatch(form, value)
        assert str(error) == f"$: the type refused it with {kind.__name__}"
        assert type(error.__cause__) is kind


def test_a_part_that_is_described_is_looked_at_all_the_same() -> None:
    """Words for a schema change nothing about keys and items."""
    words = msgspec.Meta(description="words for a schema")
    assert "keys of JSON objects" in refusal(dict[Annotated[int, words], int])
    assert "cannot be hashed" in refusal(set[Annotated[list[int], words]])
    assert convert(dict[Annotated[str, words], int], {"a": 1}) == {"a": 1}
    assert convert(set[Annotated[int, words]], [1, 1]) == {1}


def test_what_cannot_be_in_a_set() -> None:
    """Before 0.23 msgspec leaves it to Python, which names no place."""
    told = ("$: the type refused it with TypeError", "$[0]: expected a hashable value, got list")
    assert str(mismatch(set[Any], [[1]])) in told


@pytest.mark.parametrize(
    "form",
    [
        Color | str,
        Point | User,
        list[int] | tuple[int, ...],
        collections.deque[int],
        abc.Iterator[int],
        typing.Callable[[int], str],
        type[int],
        typing.Never,
        typing.Self,
        ClassVar[int],
        list[3],  # type: ignore[valid-type]
        Literal[b"bytes"],
        Literal[[]],
        complex,
        range,
    ],
    ids=str,
)
def test_what_msgspec_cannot_convert_to_is_refused_at_once(form: Any) -> None:
    """Before anything is sent; two alternatives must be told apart by their kind, or by the tags of Structs."""
    assert refusal(form)


def test_what_older_versions_of_msgspec_do_not_convert_to() -> None:
    """Constants that are booleans (up to 0.20); docs/guide/calling.md has the table."""
    version = tuple(map(int, msgspec.__version__.split(".")[:2]))
    if version > (0, 20):
        assert convert(Literal[True], True) is True
    else:
        assert "Literal" in refusal(Literal[True])
