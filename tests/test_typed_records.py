"""Converting objects and arrays to dataclasses, TypedDicts and NamedTuples, of every way to declare them."""

import collections
import enum
from dataclasses import KW_ONLY, InitVar, dataclass, field, make_dataclass
from typing import Annotated, Any, ClassVar, Final, Literal, NamedTuple, NotRequired, Optional, Required, TypedDict

import pytest

from tests.support.typed import convert, mismatch, refusal


class Color(enum.Enum):
    RED = "r"


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
class Odd:
    shared: ClassVar[int] = 3
    bare: ClassVar = 4
    counted: int = field(init=False, default=7)
    seed: InitVar[int] = 5
    doubled: int = field(init=False)
    final: Final = "anything"

    def __post_init__(self, seed: int) -> None:
        self.doubled = seed * 2


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


@dataclass
class Foreign:
    data: bytes


@dataclass
class Holder:
    foreign: dict[str, list[Foreign]]


@dataclass
class Unknown:
    other: "NoSuchType"  # type: ignore[name-defined]  # noqa: F821


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


class Sorted(Pair):
    """One that refuses what is out of order."""

    def __new__(cls, left: int, right: list[float]) -> "Sorted":
        if right and left > right[0]:
            raise ValueError("the secret")
        return super().__new__(cls, left, right)


Bare = collections.namedtuple("Bare", "x y", defaults=[None])

Made = make_dataclass("Made", [("x", int), ("y", str, "z")])


@pytest.mark.parametrize(
    ("form", "value", "result"),
    [
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
        (Rated, {"title": "M", "stars": 5}, {"title": "M", "stars": 5.0}),
        (Rated, {"title": "M", "stars": 5, "color": "r"}, {"title": "M", "stars": 5.0, "color": Color.RED}),
        (Renamed, {"first-name": "Ada", "class": 1}, {"first-name": "Ada", "class": 1}),
        (Pair, [1], Pair(1)),
        (Pair, [1, [2]], Pair(1, [2.0])),
        (Bare, ["x"], Bare("x")),
        (Bare, ["x", {}], Bare("x", {})),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_a_record_becomes(form: Any, value: Any, result: Any) -> None:
    """Members become fields, of the type that is declared; unknown ones are ignored, missing ones have defaults."""
    converted = convert(form, value)
    assert converted == result
    assert (type(converted), repr(converted)) == (type(result), repr(result))


def test_defaults_are_made_anew() -> None:
    """A `default_factory` is called for each object."""
    one, two = convert(list[User], [{"id": 1, "name": ""}] * 2)
    assert one.tags == two.tags == ["new"]
    assert one.tags is not two.tags


def test_fields_that_are_no_members() -> None:
    """ClassVar and `init=False` are left to the class, whatever the object says; an InitVar is taken from it."""
    odd = convert(Odd, {"shared": 1, "bare": 1, "counted": 1, "doubled": 1, "seed": 4, "final": [1]})
    assert (odd.shared, odd.bare, odd.counted, odd.doubled, odd.final) == (3, 4, 7, 8, [1])
    assert convert(Odd, {}).doubled == 10
    assert str(mismatch(Odd, {"seed": "x"})) == "$.seed: expected int, found a string"


@pytest.mark.parametrize(
    ("form", "value", "words"),
    [
        (User, {"id": 7}, "$.name: expected str, but it is missing"),
        (User, {"id": "secret", "name": ""}, "$.id: expected int, found a string"),
        (User, {"id": 7, "name": "", "tags": ["", 1]}, "$.tags[1]: expected str, found an integer"),
        (User, {"id": 7, "name": "", "tags": None}, "$.tags: expected list[str], found null"),
        (User, {"id": 7, "name": "", "color": "x"}, "$.color: expected Color, found another string"),
        (User, {"id": 7, "name": "", "color": 1}, "$.color: expected Color | None, found an integer"),
        (User, [7, "Ada"], "$: expected User, found an array"),
        (Admin, {"id": 2, "name": ""}, "$.id: expected 1, found another integer"),
        (
            Admin,
            {"id": 1, "name": "", "boss": {"id": 1, "name": None}},
            "$.boss.name: expected str, found null",
        ),
        (dict[str, User], {"a": {"id": 1, "name": 2}}, "$.a.name: expected str, found an integer"),
        (Movie, {}, "$.title: expected str, but it is missing"),
        (Movie, {"title": "M", "year": "1931"}, "$.year: expected int, found a string"),
        (Movie, {"title": "M", "year": None}, "$.year: expected int, found null"),
        (Rated, {"title": "M"}, "$.stars: expected float, but it is missing"),
        (Renamed, {"first-name": "Ada"}, "$.class: expected int, but it is missing"),
        (Renamed, {"first-name": 1}, "$['first-name']: expected str, found an integer"),
        (Pair, [], "$: expected Pair, found an array of 0, not of 1 to 2"),
        (Pair, [1, [], 3], "$: expected Pair, found an array of 3, not of 1 to 2"),
        (Pair, [1, [2, "x"]], "$[1][1]: expected float, found a string"),
        (Pair, {"left": 1}, "$: expected Pair, found an object"),
        (list[Sorted], [[1, [2]], [3, [2]]], "$[1]: Sorted refused it with ValueError"),
        (Picky, {"age": -1}, "$: Picky refused it with ValueError"),
        (Family, {"members": [{"age": 1}, {"age": 201}]}, "$.members[1]: Picky refused it with StopIteration"),
    ],
    ids=str,
)
def test_where_something_does_not_fit(form: Any, value: Any, words: str) -> None:
    """The path leads to the member; the message has its type and never its value."""
    error = mismatch(form, value)
    assert str(error) == words
    assert error.path == words.partition(": ")[0]


def test_what_a_class_raises_is_the_cause() -> None:
    """The words of the class's own error stand in the cause alone."""
    cause = mismatch(Family, {"members": [{"age": -1}]}).__cause__
    assert isinstance(cause, ValueError)
    assert str(cause) == "the secret -1"


def test_a_part_that_json_does_not_have_is_refused_at_once() -> None:
    """The message names the part and the field that asks for it."""
    for form in (Foreign, list[Foreign], Holder, Foreign | None):
        assert refusal(form).startswith("cannot convert to bytes (in Foreign.data): ")


def test_an_annotation_that_means_nothing_is_refused_at_once() -> None:
    """The message names the class, its module and the name that is not there."""
    words = refusal(Unknown)
    assert words.startswith(f"cannot convert to Unknown: an annotation cannot be resolved in {__name__} (name 'NoSuch")


@pytest.mark.parametrize("form", [list["User"], "User", dict[str, "User"]], ids=str)
def test_a_text_is_no_type(form: Any) -> None:
    """Outside of a class nobody knows what a text names."""
    assert "a text names a type only" in refusal(form) or "not an object of type str" in refusal(form)
