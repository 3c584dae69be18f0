"""Conversion to the type that `returns` names: what fits, what does not and where, functions, types that cannot be."""

import enum
import functools
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Generic, Literal, NamedTuple, NewType, TypedDict, TypeVar

import msgspec
import pytest

from circle_ws.errors import InvalidRequest, InvalidResult
from circle_ws.jsonrpc.convert import converter_for, find_converter, param_converter

T = TypeVar("T")


@dataclass
class User:
    id: int
    tags: list[str] = field(default_factory=list)


@dataclass
class Tree:
    name: str
    children: list["Tree"] = field(default_factory=list)


@dataclass
class Holder:
    data: object


@dataclass(frozen=True)
class Frozen:
    number: int


class Record(msgspec.Struct):
    number: int


class FrozenRecord(msgspec.Struct, frozen=True):
    number: int


class DistinctRecord(msgspec.Struct, eq=False):
    number: int


class NamedRecord(msgspec.Struct):
    number: int

    def __hash__(self) -> int:
        return self.number


@dataclass(init=False)
class Guarded:
    number: int

    def __init__(self, number: int) -> None:
        if number < 0:
            raise ValueError("negative")
        self.number = number


@dataclass(init=False)
class Uninitialised:
    number: int = 0


@dataclass
class Validated:
    __pydantic_validator__: ClassVar[object] = object()
    number: int


@dataclass
class Boxed(Generic[T]):
    first: T


@dataclass
class GuardedBox(Generic[T]):
    content: T

    def __init__(self, content: T) -> None:
        self.content = content


class Rank(enum.IntEnum):
    LOW = 1


@dataclass
class Positive:
    number: int

    def __post_init__(self) -> None:
        if self.number < 0:
            raise ValueError(f"the secret {self.number}")


@dataclass
class Page(Generic[T]):
    items: list[T]


class Point(msgspec.Struct):
    x: int
    y: int = 0


class Movie(TypedDict, total=False):
    title: str


class Pair(NamedTuple):
    one: int
    two: str = "two"


class Color(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Model:
    """A model of some other library: made of keywords, or of a value by a class method."""

    def __init__(self, *, id: int = 0) -> None:
        self.id = id

    @classmethod
    def model_validate(cls, value: Any) -> "Model":
        if value["id"] < 0:
            raise ValueError(f"the secret {value['id']}")
        return cls(id=value["id"])


UserId = NewType("UserId", int)
_UUID = "12345678-1234-5678-1234-567812345678"


@pytest.mark.parametrize(
    ("form", "value", "result"),
    [
        (None, None, None),
        (object, {"a": [1]}, {"a": [1]}),
        (bool, True, True),
        (int, 10**30, 10**30),
        (float, 1, 1.0),
        (str, "x", "x"),
        (list, [1, "a"], [1, "a"]),
        (list[int], [1], [1]),
        (Sequence[int], [1], [1]),
        (tuple[int, str], [1, "a"], (1, "a")),
        (tuple[int, ...], [1, 2], (1, 2)),
        (set[int], [1, 1], {1}),
        (frozenset[str], ["a"], frozenset("a")),
        (dict[str, int], {"a": 1}, {"a": 1}),
        (Mapping[str, float], {"a": 1}, {"a": 1.0}),
        (User, {"id": 7, "more": None}, User(7)),
        (Tree, {"name": "a", "children": [{"name": "b"}]}, Tree("a", [Tree("b")])),
        (Page[User], {"items": [{"id": 1}]}, Page([User(1)])),
        (Point, {"x": 1}, Point(1)),
        (Movie, {"title": "x"}, {"title": "x"}),
        (Pair, [1], Pair(1)),
        (Color, "red", Color.RED),
        (Level, 1, Level.LOW),
        (Literal["a", "b"], "b", "b"),
        (int | str, "a", "a"),
        (User | None, None, None),
        (UserId, 1, 1),
        (Annotated[int, msgspec.Meta(gt=0)], 1, 1),
        (datetime, "2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (date, "2026-01-02", date(2026, 1, 2)),
        (list[uuid.UUID], [_UUID], [uuid.UUID(_UUID)]),
        (Decimal, "1.50", Decimal("1.50")),
        (bytes, "aGk=", b"hi"),
    ],
)
def test_a_value_that_fits(form: Any, value: Any, result: Any) -> None:
    """What fits comes out as the type that was named, at every depth."""
    converted = converter_for(form)(value)
    assert converted == result
    assert type(converted) is type(result)


@pytest.mark.parametrize(
    ("form", "value", "path"),
    [
        (None, 0, "$"),
        (int, True, "$"),
        (int, 1.0, "$"),
        (int, "1", "$"),
        (bool, 1, "$"),
        (str, None, "$"),
        (list[int], [1, "a"], "$[1]"),
        (tuple[int, str], [1], "$"),
        (User, {}, "$"),
        (User, {"id": 1, "tags": ["a", 5]}, "$.tags[1]"),
        (list[User], [{"id": 1}, {"id": None}], "$[1].id"),
        (Tree, {"name": "a", "children": [{"name": 1}]}, "$.children[0].name"),
        (dict[str, int], {"a": "b"}, "$[...]"),
        (dict[uuid.UUID, int], {"1": 2}, "$"),
        (Literal["a"], "b", "$"),
        (int | None, "x", "$"),
        (Annotated[int, msgspec.Meta(gt=10)], 5, "$"),
        (datetime, "yesterday", "$"),
        (uuid.UUID, "1", "$"),
    ],
)
def test_a_value_that_does_not_fit(form: Any, value: Any, path: str) -> None:
    """Nothing is coerced; the error's path says where, and its message begins with it."""
    with pytest.raises(InvalidResult) as caught:
        converter_for(form)(value)
    assert caught.value.path == path
    assert str(caught.value).startswith(f"{path}: ")


def test_the_words() -> None:
    """What was expected and what came, by their types."""
    with pytest.raises(InvalidResult, match=r"^\$\.tags\[1\]: expected str, got int$"):
        converter_for(User)({"id": 1, "tags": ["a", 5]})
    with pytest.raises(InvalidResult, match=r"^\$: object missing required field id$"):
        converter_for(User)({})


@pytest.mark.parametrize(
    ("form", "value"),
    [(Color, "the secret"), (Level, 7777), (Literal["a"], "the secret"), (Positive, {"number": -7777})],
)
def test_no_message_holds_the_value(form: Any, value: Any) -> None:
    """A result may be private: neither the message nor what it grew out of repeats it."""
    with pytest.raises(InvalidResult) as caught:
        converter_for(form)(value)
    assert "secret" not in str(caught.value)
    assert "7777" not in str(caught.value)
    assert not isinstance(caught.value.__cause__, msgspec.ValidationError)
    assert caught.value.__context__ is None


def test_an_error_of_the_types_own_is_the_cause() -> None:
    """What a `__post_init__` raised is handed on as the cause."""
    with pytest.raises(InvalidResult, match=r"^\$: the type refused it with ValueError$") as caught:
        converter_for(Positive)({"number": -1})
    assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.parametrize(
    ("function", "value", "result"),
    [
        (lambda value: value["id"], {"id": 7}, 7),
        (json.loads, "[1]", [1]),
        (len, [1, 2], 2),
        (datetime.fromisoformat, "2026-01-02", datetime(2026, 1, 2)),
        (functools.partial(int, base=16), "ff", 255),
    ],
)
def test_a_function_is_called(function: Any, value: Any, result: Any) -> None:
    """What is no type is given the plain value, and what it returns is the result."""
    assert converter_for(function)(value) == result


def test_a_model_of_another_library() -> None:
    """A class method that validates needs nothing more; an error of its own is the cause, without its words."""
    assert converter_for(Model.model_validate)({"id": 7}).id == 7
    with pytest.raises(InvalidResult, match=r"^\$: Model.model_validate refused it with ValueError$") as caught:
        converter_for(Model.model_validate)({"id": -1})
    assert isinstance(caught.value.__cause__, ValueError)


async def _async(value: Any) -> Any:
    return value


@pytest.mark.parametrize(
    ("returns", "words"),
    [
        (5, "^returns must be a type or a function of the plain value, not an object of type int$"),
        ("User", "^returns must be a type or a function of the plain value, not an object of type str$"),
        (Model, "Model cannot be called with the plain value"),
        (list[Model], "list.* has a part of type Model"),
        (_async, "_async is async"),
        (lambda: None, "cannot be called with the plain value"),
        (list[Guarded], "list.* has a part of type Guarded, .* give a function of the plain value"),
        (
            dict[int, str],
            "^no JSON fits dict: the keys of JSON objects are strings; ask for str, or an Enum or Literal of strings$",
        ),
        (dict[Annotated[int, msgspec.Meta(title="x")], str], "keys of JSON objects are strings"),
        (list[Mapping[Rank | None, int]], "keys of JSON objects are strings"),
        (dict[Literal[1], int], "keys of JSON objects are strings"),
        (set[list[int]], "^no JSON fits set: the items of one of its sets cannot be hashed; ask for a list$"),
        (set[Annotated[list[int], msgspec.Meta(title="x")]], "cannot be hashed; ask for a list"),
        (set[Boxed[int]], "cannot be hashed; ask for a list"),
        (set[tuple[list[int], ...]], "cannot be hashed; ask for a list"),
        (set[Annotated[list[int], msgspec.Meta(max_length=1)]], "cannot be hashed; ask for a list"),
        (set[Record], "cannot be hashed; ask for a list"),
        (list[GuardedBox[int]], "list.* has a part of type .*GuardedBox"),
        (dict[str, frozenset[User | tuple[User, int]]], "cannot be hashed; ask for a list"),
        (list["Unknown"], "^list is no type that JSON can be converted to: "),  # type: ignore[name-defined]  # noqa: F821
        (type("Form", (), {"__module__": "typing_extensions"})(), "no type that JSON can be converted to: "),
    ],
)
def test_what_cannot_be_is_refused_at_once(returns: Any, words: str) -> None:
    """A type or a function that no value can be converted with is refused before anything is sent."""
    with pytest.raises(InvalidRequest, match=words):
        converter_for(returns)


def test_how_a_function_or_a_type_is_called_in_an_error() -> None:
    """By its own name, without where it was made; a class method by its class; what has no name by its type."""

    class Special(Model):
        pass

    def nothing() -> None:
        pass

    def refuse(value: Any) -> None:
        raise ValueError

    forms: list[tuple[Any, str]] = [
        (Model | None, r"(.*Model \| None|Union) has a part of type Model, "),
        (nothing, r"nothing cannot be called .*; give a type, or a function .* such as Model\.model_validate$"),
    ]
    for form, words in forms:
        with pytest.raises(InvalidRequest, match=f"^{words}"):
            converter_for(form)
    for function, name in (
        (Special.model_validate, "Special.model_validate"),
        (refuse, "refuse"),
        (functools.partial(refuse), "an object of type partial"),
    ):
        with pytest.raises(InvalidResult, match=rf"^\$: {name} refused it with ValueError$"):
            converter_for(function)({"id": -1})
    assert find_converter(int) is converter_for(int)


def test_object_takes_every_value_within_other_types() -> None:
    """As `Any` does."""
    cases: list[tuple[Any, Any]] = [(dict[str, object], {"a": [1]}), (list[object], [{}, None]), (object | None, 1.5)]
    for form, value in cases:
        assert converter_for(form)(value) == value
    assert converter_for(Holder)({"data": [1]}) == Holder([1])


def test_keys_and_items_of_sets_that_fit() -> None:
    """Keys that are read from text, and items that can be hashed."""
    day = date(2025, 1, 2)
    assert converter_for(dict[date, int])({"2025-01-02": 1}) == {day: 1}
    assert converter_for(dict[str | int, int])({"a": 1}) == {"a": 1}
    assert converter_for(dict[Annotated[str, msgspec.Meta(title="x")], int])({"a": 1}) == {"a": 1}
    assert converter_for(set[Annotated[int, msgspec.Meta(title="x")]])([1]) == {1}
    assert converter_for(set[Frozen])([{"number": 1}]) == {Frozen(1)}
    assert converter_for(set[tuple[int, ...]])([[1, 2]]) == {(1, 2)}
    assert converter_for(set[FrozenRecord])([{"number": 1}]) == {FrozenRecord(1)}
    assert [item.number for item in converter_for(set[NamedRecord])([{"number": 1}])] == [1]
    assert [item.number for item in converter_for(set[DistinctRecord])([{"number": 1}])] == [1]


def test_an_init_of_a_dataclasss_own_is_called() -> None:
    """What it checks is not skipped; it gets the members as they are."""
    assert converter_for(Guarded)({"number": 1}).number == 1
    for value in ({"number": -1}, {"number": 1, "other": 2}, [1], None):
        with pytest.raises(InvalidResult, match=r"^\$: Guarded refused it with (Value|Type)Error$"):
            converter_for(Guarded)(value)
    with pytest.raises(InvalidRequest, match="^JSON cannot be converted to Guarded$"):
        param_converter(Guarded)


def test_a_dataclass_without_an_init() -> None:
    """Nothing of its own could be skipped: its members are converted."""
    assert converter_for(Uninitialised)({"number": 1}).number == 1
    with pytest.raises(InvalidResult, match=r"^\$\.number: expected int, got str$"):
        converter_for(Uninitialised)({"number": "1"})


def test_a_dataclass_of_pydantics_is_called() -> None:
    """It validates in ways of its own, so it gets the members as they came."""
    assert converter_for(Validated)({"number": "1"}) == Validated("1")  # type: ignore[arg-type]


def test_any_needs_no_converter() -> None:
    """`Any` takes every value as it is, at no cost."""
    assert find_converter(Any) is None


def test_converters_of_types_are_kept() -> None:
    """The same type gives the same converter, and one that cannot be hashed is taken too."""
    assert converter_for(list[int]) is converter_for(list[int])
    assert converter_for(Annotated[int, ["not hashable"]])(1) == 1
