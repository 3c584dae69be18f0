"""The converter against msgspec's: where both have a meaning for a type, it is the same one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from circle_ws.errors import InvalidResult
from circle_ws.typed.converter import converter_for
from tests.support.shapes import Sample, places, replaced, samples
from tests.support.typed import alike

_EDGES = [None, True, False, 0, 1, 3, 1.0, 0.5, "", "a", "red", "1", [], [1], ["a", "b"], {}, {"a": 1}, 10**30]
"""Values that a type may or may not take; those that are alike to Python among them."""

_NOT = object()


def _ours(form: Any, value: Any) -> Any:
    try:
        return converter_for(form)(value)
    except InvalidResult:
        return _NOT


def _theirs(form: Any, value: Any) -> Any:
    try:
        return msgspec.convert(value, form, strict=True)
    except msgspec.ValidationError:
        return _NOT


@given(samples(), st.data())
def test_both_take_and_refuse_the_same(sample: Sample, data: st.DataObject) -> None:
    """With another value in one place or none, both give an equal result, or both refuse."""
    value = sample.plain
    if data.draw(st.booleans()):
        value = replaced(value, data.draw(st.sampled_from(places(value))), data.draw(st.sampled_from(_EDGES)))
    ours, theirs = _ours(sample.form, value), _theirs(sample.form, value)
    assert (ours is _NOT) == (theirs is _NOT)
    if ours is not _NOT:
        assert alike(ours, theirs)


@dataclass
class User:
    id: int
    name: str | None = None


@pytest.mark.parametrize("form", [set[int], frozenset[str], list[User | None], User | list[int], int | float | str])
@pytest.mark.parametrize("value", [*_EDGES, [1, 1], {"id": 1}, [{"id": 1}, None], {"id": "x"}, {"id": 1, "more": 2}])
def test_both_agree_on_what_is_not_made_at_random(form: Any, value: Any) -> None:
    """Sets and alternatives, which have no one way back."""
    ours, theirs = _ours(form, value), _theirs(form, value)
    assert (ours is _NOT, ours) == (theirs is _NOT, theirs)


def _of_typing_extensions() -> Iterator[tuple[Any, Any, Any]]:
    import typing_extensions as later

    class Movie(later.TypedDict, total=False):
        title: later.Required[str]
        year: later.ReadOnly[int]

    T = later.TypeVar("T", default=int)
    alias = later.TypeAliasType("alias", list[T], type_params=(T,))
    yield Movie, {"title": "M", "year": 1931, "more": 1}, {"title": "M", "year": 1931}
    yield Movie, {"title": "M"}, {"title": "M"}
    yield Movie, {"year": 1931}, _NOT
    yield Movie, {"title": "M", "year": ""}, _NOT
    yield alias[str], ["a"], ["a"]
    yield alias[str], [1], _NOT
    yield alias, [1], [1]
    yield alias, ["a"], _NOT
    yield later.Annotated[int, "x"], 1, 1


@pytest.mark.parametrize(("form", "value", "result"), list(_of_typing_extensions()))
def test_what_typing_extensions_brings_to_older_pythons(form: Any, value: Any, result: Any) -> None:
    """Its own forms are seen through like those of `typing`."""
    assert _ours(form, value) == result
