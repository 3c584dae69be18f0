"""What the tests of the conversion share: a conversion, and the errors of one that fails."""

from dataclasses import fields, is_dataclass
from typing import Any

import pytest

from circle_ws.errors import InvalidRequest, InvalidResult
from circle_ws.jsonrpc.convert import converter_for


def convert(form: Any, value: Any) -> Any:
    return converter_for(form)(value)


def mismatch(form: Any, value: Any) -> InvalidResult:
    """The error that `value` is refused with; its message begins with its path."""
    converter = converter_for(form)
    with pytest.raises(InvalidResult) as caught:
        converter(value)
    assert type(caught.value) is InvalidResult
    assert str(caught.value).startswith(f"{caught.value.path}: ")
    return caught.value


def alike(one: Any, other: Any) -> bool:
    """Return whether two results are equal and of the same types, down to their parts; members have no order."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(alike(value, other[name]) for name, value in one.items())
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    if is_dataclass(one):
        return all(alike(getattr(one, each.name), getattr(other, each.name)) for each in fields(one))
    return bool(one == other) and repr(one) == repr(other)


def refusal(form: Any) -> str:
    """What is said of a type that cannot be converted to."""
    with pytest.raises(InvalidRequest) as caught:
        converter_for(form)
    return str(caught.value)
