"""Annotations that are texts, generic classes and types that hold themselves.

Everything here is written with the annotations import on purpose: each annotation is a text at run time.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Generic, NamedTuple, NotRequired, ParamSpec, Required, TypedDict, TypeVar

import pytest

from circle_ws.jsonrpc.convert import converter_for
from tests.support.converting import convert, mismatch, refusal

T = TypeVar("T")
U = TypeVar("U")
Number = TypeVar("Number", bound=float)
P = ParamSpec("P")


@dataclass
class Node:
    value: int
    next: Node | None = None
    children: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class Even:
    odd: Odd | None


@dataclass(slots=True)
class Odd:
    even: Even | None


@dataclass
class Special:
    shared: ClassVar[dict[str, Nowhere]] = {}
    kept: Final[int] = 1
    doubled: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.doubled = 2 * self.kept


class Folder(TypedDict, total=False):
    name: Required[str]
    folders: list[Folder]


class File(TypedDict):
    name: str
    size: NotRequired[int]


class Tree(NamedTuple):
    value: int
    branches: list[Tree] = []


@dataclass
class Page(Generic[T]):
    items: list[T]
    next: Page[T] | None = None


@dataclass
class Users(Page[Node]):
    total: int = 0


@dataclass
class Swapped(Generic[T, U]):
    first: T
    second: dict[str, U]


@dataclass
class Mirror(Swapped[U, T], Generic[T, U]):
    third: tuple[T, U]


@dataclass
class Half(Swapped[int, T], Generic[T]):
    extra: T


@dataclass
class First(Generic[T]):
    both: T


@dataclass
class Second(Generic[T]):
    both: T


@dataclass
class Joined(First[int], Second[str]):  # type: ignore[misc]
    pass


@dataclass
class Bound(Generic[Number]):
    number: Number


class Envelope(TypedDict, Generic[T]):
    payload: T


class Couple(NamedTuple, Generic[T]):
    one: T
    two: T


@dataclass
class Endless(Generic[T]):
    deeper: Endless[list[T]] | None


@dataclass
class Parametric(Generic[P]):
    x: int


Nowhere = str


@pytest.mark.parametrize(
    ("form", "value", "result"),
    [
        (Node, {"value": 1, "next": {"value": 2}, "children": [{"value": 3}]}, Node(1, Node(2), [Node(3)])),
        (Even, {"odd": {"even": {"odd": None}}}, Even(Odd(Even(None)))),
        (Folder, {"name": "a", "folders": [{"name": "b", "x": 1}]}, {"name": "a", "folders": [{"name": "b"}]}),
        (File, {"name": "a"}, {"name": "a"}),
        (Tree, [1, [[2], [3, [[4]]]]], Tree(1, [Tree(2), Tree(3, [Tree(4)])])),
        (Page[int], {"items": [1], "next": {"items": [2]}}, Page([1], Page([2]))),
        (Page[Node], {"items": [{"value": 1}]}, Page([Node(1)])),
        (Page, {"items": [1, "a"]}, Page([1, "a"])),
        (Users, {"items": [{"value": 1}], "total": 1}, Users([Node(1)], None, 1)),
        (Swapped[int, float], {"first": 1, "second": {"a": 1}}, Swapped(1, {"a": 1.0})),
        (
            Mirror[int, str],
            {"first": "u", "second": {"t": 1}, "third": [2, "v"]},
            Mirror("u", {"t": 1}, (2, "v")),
        ),
        (Half[str], {"first": 1, "second": {"a": "x"}, "extra": "y"}, Half(1, {"a": "x"}, "y")),
        (Joined, {"both": 1}, Joined(1)),
        (Bound, {"number": 1}, Bound(1.0)),
        (Bound[int], {"number": 1}, Bound(1)),
        (Envelope[int], {"payload": 1}, {"payload": 1}),
        (Couple[Node], [{"value": 1}, {"value": 2}], Couple(Node(1), Node(2))),
        (list[Page[Page[int]]], [{"items": [{"items": [1]}]}], [Page([Page([1])])]),
    ],
    ids=str,
)
def test_what_becomes_of_it(form: Any, value: Any, result: Any) -> None:
    """Texts are resolved where the class was written, type variables replaced by what they stand for there."""
    converted = convert(form, value)
    assert converted == result
    assert (type(converted), repr(converted)) == (type(result), repr(result))


@pytest.mark.parametrize(
    ("form", "value", "path"),
    [
        (Node, {"value": 1, "next": {"value": "x"}}, "$.next.value"),
        (Node, {"value": 1, "children": [{}]}, "$.children[0]"),
        (Folder, {}, "$"),
        (File, {"size": 1}, "$"),
        (Tree, [1, [[2, [["x"]]]]], "$[1][0][1][0][0]"),
        (Page[int], {"items": ["x"]}, "$.items[0]"),
        (Page[int], {"items": [], "next": {"items": 1}}, "$.next.items"),
        (Page[int], 1, "$"),
        (Users, {"items": [1]}, "$.items[0]"),
        (Mirror[int, str], {"first": 1}, "$.first"),
        (Mirror[int, str], {"first": "", "second": {"t": ""}}, "$.second[...]"),
        (Mirror[int, str], {"first": "", "second": {}, "third": ["", 1]}, "$.third[0]"),
        (Half[str], {"first": 1, "second": {"a": 1}}, "$.second[...]"),
        (Bound, {"number": "x"}, "$.number"),
        (Couple[int], [1, "x"], "$[1]"),
    ],
    ids=str,
)
def test_where_something_does_not_fit(form: Any, value: Any, path: str) -> None:
    """The same type variable may mean one thing in a base and another in its heir."""
    assert mismatch(form, value).path == path


def test_special_fields() -> None:
    """What is no member is not resolved as one, though it is a text like the others."""
    assert convert(Special, {"shared": 1, "kept": 2}).doubled == 4
    assert mismatch(Special, {"kept": "x"}).path == "$.kept"


def test_a_class_in_a_function_sees_its_module_only() -> None:
    """What a function alone knows cannot be found when the annotations are texts; that is said at once."""

    @dataclass
    class Inner:
        value: int

    @dataclass
    class Outer:
        inner: Inner

    assert convert(Inner, {"value": 1}) == Inner(1)
    assert "name 'Inner' is not defined" in refusal(Outer)


_NEW_SYNTAX = """
from dataclasses import dataclass

type Names = list[str]
type Maybe[T] = T | None
type More[T] = Maybe[Box[T]]
type Endless = list[Endless] | str
type Nested[T] = T | list[Nested[T]]
type Loop = Loop

@dataclass
class Box[T]:
    content: T
    more: More[T] = None
"""


@pytest.fixture(scope="module")
def new() -> dict[str, Any]:
    """What is written with the syntax of Python 3.12."""
    if sys.version_info < (3, 12):
        pytest.skip("the syntax is that of Python 3.12")
    names: dict[str, Any] = {"__name__": __name__}
    exec(compile(_NEW_SYNTAX, "new syntax", "exec", dont_inherit=True), names)
    return names


def test_aliases_and_classes_of_the_new_syntax(new: dict[str, Any]) -> None:
    """`type X = ...` is what it stands for; one that holds itself is refused at once."""
    assert mismatch(new["Names"], [1]).path == "$[0]"
    box = convert(new["Box"][int], {"content": 1, "more": {"content": 2}})
    assert box == new["Box"](1, new["Box"](2))
    assert mismatch(new["Box"][int], {"content": 1, "more": {"content": "x"}}).path == "$.more.content"
    for endless in (new["Endless"], new["Nested"][int], new["Loop"] | None):
        assert "holds itself" in refusal(endless)


@pytest.mark.parametrize("depth", [10, 511])
def test_types_that_hold_themselves_go_as_deep_as_json(depth: int) -> None:
    """What the codec lets through can be converted: 512 levels, the whole value among them."""
    chain: dict[str, Any] | None = None
    for number in range(depth):
        chain = {"value": number, "next": chain}
    length = 0
    node: Node | None = converter_for(Node)(chain)
    while node is not None:
        node, length = node.next, length + 1
    assert length == depth
