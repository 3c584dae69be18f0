"""The converter as callers see it: functions in the place of types, what is refused at once, what is kept."""

import enum
import functools
import gc
import json
import re
import uuid
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Annotated, Any, ClassVar, Literal, Never, NewType, Self

import pytest

import circle_ws
from circle_ws.errors import CircleWsError, InvalidRequest, InvalidResult, ProtocolError
from circle_ws.typed.converter import converter_for
from tests.support.typed import convert, mismatch, refusal


@dataclass
class User:
    id: int


class Model:
    """A model of some other library: made of keywords, or of a value by a class method."""

    def __init__(self, *, id: int = 0) -> None:
        self.id = id

    @classmethod
    def model_validate(cls, value: Any, *, strict: bool = False) -> "Model":
        if value["id"] < 0:
            raise ValueError(f"the secret {value['id']}")
        return cls(id=value["id"])


class Adult(Model):
    pass


class Caller:
    def __call__(self, value: Any) -> Any:
        return [value]


@pytest.mark.parametrize(
    ("form", "value", "result"),
    [
        (lambda value: value["id"], {"id": 7}, 7),
        (json.loads, "[1]", [1]),
        (len, [1, 2], 2),
        (str.upper, "a", "A"),
        (bytes.fromhex, "00ff", b"\x00\xff"),
        (datetime.fromisoformat, "2026-01-02", datetime(2026, 1, 2)),
        (functools.partial(int, base=16), "ff", 255),
        (Caller(), 1, [1]),
        (uuid.UUID, "12345678-1234-5678-1234-567812345678", uuid.UUID(int=0x12345678123456781234567812345678)),
        (Decimal, "1.50", Decimal("1.50")),
    ],
)
def test_a_function_or_another_class_is_called(form: Any, value: Any, result: Any) -> None:
    """What is no type of JSON is given the plain value, and what it returns is the result."""
    assert convert(form, value) == result


def test_a_model_of_another_library() -> None:
    """A class method that validates needs nothing more; an error of its own is the cause of ours."""
    assert convert(Model.model_validate, {"id": 7}).id == 7
    error = mismatch(Adult.model_validate, {"id": -1})
    assert (str(error), error.path) == ("$: Adult.model_validate refused it with ValueError", "$")
    assert isinstance(error.__cause__, ValueError)


@pytest.mark.parametrize(
    ("function", "shown"),
    [
        (lambda value: value["secret"], "<lambda>"),
        (functools.partial(int, base=99), "an object of type partial"),
        (uuid.UUID, "UUID"),
        (json.loads, "loads"),
    ],
)
def test_a_function_that_fails_is_named(function: Callable[[Any], Any], shown: str) -> None:
    """The message tells the function and the type of its error; what it was made with is not shown."""
    error = mismatch(function, "secret")
    assert str(error) == f"$: {shown} refused it with {type(error.__cause__).__name__}"


def test_what_ends_the_program_is_let_through() -> None:
    """Only errors are made ours."""

    def interrupt(value: Any) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(interrupt, 1)


async def _async(value: Any) -> Any:
    return value


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (3, "returns must be a type or a function of the plain value, not an object of type int"),
        ("int", "returns must be a type or a function of the plain value, not an object of type str"),
        (User(1), "not an object of type User"),
        (["a"], "not an object of type list"),
        (Model, "Model cannot be called with the plain value (too many positional arguments); give a type, or"),
        (lambda: 1, "<lambda> cannot be called with the plain value"),
        (lambda one, two: 1, "<lambda> cannot be called with the plain value"),
        (_async, "_async is async"),
        (bytes, "cannot convert to bytes: it is neither plain JSON nor"),
        (bytearray, "cannot convert to bytearray"),
        (complex, "cannot convert to complex"),
        (type, "cannot convert to type"),
        (datetime, "cannot convert to datetime"),
        (date, "cannot convert to date"),
        (list[bytes], "cannot convert to bytes"),
        (list[uuid.UUID], "cannot convert to UUID: it is neither plain JSON nor"),
        (uuid.UUID | None, "cannot convert to UUID"),
        (dict[str, Model], "cannot convert to Model"),
        (NewType("Blob", bytes), "cannot convert to bytes"),
        (type[int], "cannot convert to type[int]"),
        (Callable[[int], str], "cannot convert to Callable["),
        (Never, "cannot convert to Never"),
        (Self, "cannot convert to Self"),
        (ClassVar[int], "cannot convert to ClassVar[int]"),
        (list[3], "cannot convert to 3"),  # type: ignore[valid-type]
        (list[[]], "cannot convert to []"),  # type: ignore[valid-type]
        (Literal[[]], "of its values [] is no JSON"),
        (SimpleNamespace(), "not an object of type SimpleNamespace"),
    ],
    ids=lambda one: re.sub(" at 0x[0-9a-f]+", "", str(one)),
)
def test_what_cannot_be_is_refused_before_anything_is_sent(form: Any, words: str) -> None:
    """It is the caller's mistake, found when the converter is made."""
    assert words in refusal(form)


def test_the_errors_stand_where_callers_look() -> None:
    """A wrong result is the peer's doing, a wrong type the caller's; both are ours."""
    assert issubclass(InvalidResult, ProtocolError)
    assert issubclass(InvalidRequest, CircleWsError)
    assert circle_ws.InvalidResult is InvalidResult


def test_a_converter_is_made_once_for_a_type() -> None:
    """The same type, written again, gives the same converter; a different one does not."""
    assert converter_for(User) is converter_for(User)
    assert converter_for(list[User]) is converter_for(list[User])
    assert converter_for(User | None) is converter_for(User | None)
    assert converter_for(Annotated[int, ["new"]]) is converter_for(Annotated[int, ["new"]])
    assert convert(list[int], [1]) == [1]


def test_types_that_python_calls_equal_are_told_apart() -> None:
    """The order of alternatives and the types of constants count, though `==` and `hash` do not see them."""
    color = enum.Enum("color", {"RED": "r"})
    assert (color | str) == (str | color)
    assert convert(list[color | str], ["r"]) == [color["RED"]]
    assert convert(list[str | color], ["r"]) == ["r"]
    assert convert(Literal[1], 1) == 1
    assert mismatch(Literal[True], 1).path == "$"
    assert convert(tuple, [1]) == (1,)
    assert mismatch(tuple[()], [1]).path == "$"


def test_types_without_end_are_not_kept() -> None:
    """A program that makes classes as it goes does not grow by one converter for each."""
    classes = []
    for _ in range(300):
        made: Any = dataclass(type("Made", (), {"__annotations__": {"id": int}}))
        assert convert(made, {"id": 1}).id == 1
        classes.append(weakref.ref(made))
    del made
    gc.collect()
    assert sum(one() is not None for one in classes) <= 256


def test_functions_are_not_kept() -> None:
    """A lambda, with all that it closes over, goes when the call is over."""

    def function(value: Any) -> Any:
        return value

    convert(function, 1)
    kept = weakref.ref(function)
    del function
    gc.collect()
    assert kept() is None
