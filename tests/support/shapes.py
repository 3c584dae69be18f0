"""Types made at random, each with its values: as plain JSON and as what they are to become."""

from __future__ import annotations

import enum
from dataclasses import dataclass, make_dataclass
from typing import Any, Literal, NamedTuple, NotRequired, TypedDict

from hypothesis import strategies as st


class Color(enum.Enum):
    RED = "red"
    GREEN = "green"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Pair(NamedTuple):
    """A value as plain JSON and as what it becomes."""

    plain: Any
    value: Any


@dataclass(frozen=True)
class Shape:
    """A type and its values."""

    form: Any
    pairs: st.SearchStrategy[Pair]


class Sample(NamedTuple):
    """A type and one value of it."""

    form: Any
    plain: Any
    value: Any


def _same(form: Any, values: st.SearchStrategy[Any]) -> Shape:
    return Shape(form, values.map(lambda value: Pair(value, value)))


_integers = st.integers() | st.integers(-(10**40), 10**40)
_floats = st.floats(allow_nan=False, allow_infinity=False)
_names = st.text("abcxyz_", min_size=1, max_size=4)

_SINGLE = [
    _same(type(None), st.none()),
    _same(bool, st.booleans()),
    _same(int, _integers),
    _same(str, st.text(max_size=5)),
    Shape(float, _floats.map(lambda value: Pair(value, value)) | st.integers(-9, 9).map(lambda n: Pair(n, float(n)))),
    _same(Literal["a", "b", 3], st.sampled_from(["a", "b", 3])),
    Shape(Color, st.sampled_from(Color).map(lambda one: Pair(one.value, one))),
    Shape(Level, st.sampled_from(Level).map(lambda one: Pair(one.value, one))),
]


def _listed(make: Any, pairs: list[Pair]) -> Pair:
    return Pair([pair.plain for pair in pairs], make(pair.value for pair in pairs))


def _members(pairs: dict[str, Pair]) -> tuple[dict[str, Any], dict[str, Any]]:
    plain = {name: pair.plain for name, pair in pairs.items()}
    return plain, {name: pair.value for name, pair in pairs.items()}


def _optional(part: Shape) -> Shape:
    return Shape(part.form | None, st.just(Pair(None, None)) | part.pairs)


def _sequence(part: Shape) -> st.SearchStrategy[Shape]:
    many = st.lists(part.pairs, max_size=3)
    return st.sampled_from(
        [
            Shape(list[part.form], many.map(lambda pairs: _listed(list, pairs))),  # type: ignore[name-defined]
            Shape(tuple[part.form, ...], many.map(lambda pairs: _listed(tuple, pairs))),  # type: ignore[name-defined]
        ]
    )


def _mapping(part: Shape) -> Shape:
    return Shape(
        dict[str, part.form],  # type: ignore[name-defined]
        st.dictionaries(_names, part.pairs, max_size=3).map(lambda pairs: Pair(*_members(pairs))),
    )


def _fixed(parts: list[Shape]) -> Shape:
    every = st.tuples(*[part.pairs for part in parts])
    return Shape(tuple[tuple(part.form for part in parts)], every.map(lambda pairs: _listed(tuple, list(pairs))))  # type: ignore[misc]


def _named(parts: list[Shape]) -> Shape:
    kind: Any = NamedTuple("Row", [(f"f{n}", part.form) for n, part in enumerate(parts)])  # type: ignore[misc]
    every = st.tuples(*[part.pairs for part in parts])
    return Shape(kind, every.map(lambda pairs: _listed(lambda values: kind(*values), list(pairs))))


def _record(parts: dict[str, Shape]) -> Shape:
    kind = make_dataclass("Record", [(name, part.form) for name, part in parts.items()])

    def build(pairs: dict[str, Pair]) -> Pair:
        plain, values = _members(pairs)
        return Pair({**plain, "unknown": 1}, kind(**values))

    return Shape(kind, st.fixed_dictionaries({name: part.pairs for name, part in parts.items()}).map(build))


def _typed_dict(parts: dict[str, Shape], more: dict[str, Shape]) -> Shape:
    more = {f"{name}_more": part for name, part in more.items()}
    forms = {name: part.form for name, part in parts.items()} | {
        name: NotRequired[part.form] for name, part in more.items()
    }
    members = st.fixed_dictionaries(
        {name: part.pairs for name, part in parts.items()}, optional={name: part.pairs for name, part in more.items()}
    )
    return Shape(TypedDict("Members", forms), members.map(lambda pairs: Pair(*_members(pairs))))  # type: ignore[operator]


def _larger(part: st.SearchStrategy[Shape]) -> st.SearchStrategy[Shape]:
    some = st.lists(part, min_size=1, max_size=3)
    named = st.dictionaries(_names, part, min_size=1, max_size=3)
    return st.one_of(
        part.map(_optional),
        part.flatmap(_sequence),
        part.map(_mapping),
        some.map(_fixed),
        some.map(_named),
        named.map(_record),
        st.builds(_typed_dict, named, named),
    )


shapes = st.recursive(st.sampled_from(_SINGLE), _larger, max_leaves=6)
"""Types of every sort but ambiguous alternatives."""


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    """Draw a type and one of its values."""
    shape = draw(shapes)
    pair = draw(shape.pairs)
    return Sample(shape.form, pair.plain, pair.value)


def places(plain: Any, form_says: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """List the ways to every value in a plain one, itself among them, but for the unknown members."""
    found = [form_says]
    if isinstance(plain, dict):
        for name, part in plain.items():
            if name != "unknown":
                found += places(part, (*form_says, name))
    elif isinstance(plain, list):
        for index, part in enumerate(plain):
            found += places(part, (*form_says, index))
    return found


def replaced(plain: Any, place: tuple[str | int, ...], new: Any) -> Any:
    """Copy a plain value with another one at a place."""
    if not place:
        return new
    step, rest = place[0], place[1:]
    copy = plain.copy()
    copy[step] = replaced(plain[step], rest, new)
    return copy
