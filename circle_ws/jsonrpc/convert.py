"""Conversion of plain JSON values to the type that a user names, strictly, by `msgspec.convert`.

Nothing is coerced: `"1"` and `1.0` are no `int`. What JSON has no type of its own for is read from the form that
msgspec writes it in: datetimes, dates, times and durations (ISO 8601), UUIDs, Decimals, bytes (base64), sets, enums.
"""

from __future__ import annotations

import inspect
import re
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin, overload

import msgspec

from ..errors import InvalidRequest, InvalidResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    # Type checkers know it of themselves; nothing need be installed.
    from typing_extensions import TypeForm as TypeForm

__all__ = ["converter_for", "find_converter", "param_converter"]

T = TypeVar("T")

_MOST_KEPT = 256
"""Maximum number of cached converters: types that are made at run time must not fill the memory."""
_PLACE = re.compile(r" - at (?:`(?:key|value)` in )?`([^`]*)`$")
# Words of msgspec's that end with what came in.
_VALUE = re.compile(r"^(Invalid (?:\w+ )?value|Object contains unknown field) .*", re.DOTALL)
_NEVER_CALLED = ("builtins", "datetime")
"""The modules whose classes take a value for something else than what JSON means by it: `range(5)`, `complex(2)`."""


def find_converter(returns: Any) -> Callable[[Any], Any] | None:
    """Return the converter for what `returns` names; None for `Any`, which takes every value as it is.

    Raises:
        InvalidRequest: See `converter_for`.
    """
    return None if returns is Any else converter_for(returns)


@overload
def converter_for(returns: TypeForm[T]) -> Callable[[Any], T]: ...
@overload
def converter_for(returns: Callable[[Any], T]) -> Callable[[Any], T]: ...
def converter_for(returns: Any) -> Callable[[Any], Any]:
    """Return the function that converts plain JSON values to `returns`.

    Args:
        returns: A type that `msgspec.convert` makes (plain types, dataclasses, Structs, TypedDicts, NamedTuples,
            Literals, enums, datetimes, UUIDs, Decimals, unions, containers and constrained types of them); or anything
            else that can be called with the plain value, such as `Model.model_validate`.

    Returns:
        A function of the plain value (None, bool, int, float, str, list, dict). It raises `InvalidResult`, whose `path`
        says where the value does not fit; the value itself is in no message.

    Raises:
        InvalidRequest: No value can be converted to it, or it cannot be called with one value.
    """
    if _is_form(returns):
        try:
            return _kept(returns)
        except TypeError:
            # Not hashable, as `Annotated` with a list is not.
            return _converting(returns)
    if callable(returns):
        return _calling(returns)
    raise InvalidRequest(f"returns must be a type or a function of the plain value, not {_shown(returns)}")


def param_converter(annotation: Any) -> Callable[[Any], Any] | None:
    """Return the converter for the annotation of a parameter; None for `Any`, which takes every value as it is.

    Unlike with `returns`, no class that msgspec does not know is called with the value, which a peer chose: what `Path`
    or a program's `Database` would make of it is not for that peer to try.

    Raises:
        InvalidRequest: No value can be converted to it.
    """
    if annotation is Any:
        return None
    if not _is_form(annotation):
        raise InvalidRequest(f"it must be a type, not {_shown(annotation)}")
    return _converting(annotation, may_call=False)


def _is_form(returns: Any) -> bool:
    return (
        returns is None
        or isinstance(returns, type)
        or get_origin(returns) is not None
        or type(returns).__module__ in ("typing", "typing_extensions")
    )


def _converting(form: Any, *, may_call: bool = True) -> Callable[[Any], Any]:
    # Imported here, because only typed calls need it.
    from msgspec import inspect as forms

    if form is object:
        return _as_it_is
    _refuse_endless(form, ())
    try:
        msgspec.json.Decoder(form)
    except Exception as error:
        raise InvalidRequest(f"{_shown(form)} is no type that JSON can be converted to: {error}") from error
    described, parts = None, []
    # Up to 0.20 it fails to sort a Literal of different types.
    with suppress(TypeError):
        described = forms.type_info(form)
        parts = list(_parts_of(described, set()))
    for part in parts:
        if why := _never_fits(part, forms):
            raise InvalidRequest(f"no JSON fits {_shown(form)}: {why}")
    foreign = next((part.cls for part in parts if _is_foreign(part, forms)), None)
    if foreign is None:
        return _by_msgspec(form)
    if not may_call:
        place = "" if foreign is form else f", a part of {_shown(form)}"
        raise InvalidRequest(f"JSON cannot be converted to {_shown(foreign)}{place}")
    if isinstance(described, forms.DataclassType) and foreign is described.cls:
        return _calling_with_members(foreign)
    if isinstance(described, forms.CustomType) and isinstance(form, type) and form.__module__ not in _NEVER_CALLED:
        return _calling(form)
    raise InvalidRequest(
        f"{_shown(form)} has a part of type {_shown(foreign)}, which JSON cannot be converted to; "
        "give a function of the plain value instead"
    )


_kept = lru_cache(_MOST_KEPT)(_converting)


def _as_it_is(value: Any) -> Any:
    return value


def _refuse_endless(form: Any, within: tuple[Any, ...]) -> None:
    """Refuse a `type X = ...` that holds itself: msgspec follows it for ever, which ends a Pyodide interpreter."""
    alias = get_origin(form) or form
    if hasattr(alias, "__value__"):
        if any(alias is one for one in within):
            raise InvalidRequest(f"{alias} holds itself: only a dataclass, a Struct or the like may")
        _refuse_endless(alias.__value__, (*within, alias))
    for part in get_args(form):
        _refuse_endless(part, within)


def _parts_of(described: Any, seen: set[int]) -> Iterator[Any]:
    """Yield a type that `msgspec.inspect` described, and all that it is made of."""
    if isinstance(described, tuple):
        for part in described:
            yield from _parts_of(part, seen)
    elif isinstance(described, msgspec.Struct) and id(described) not in seen:
        seen.add(id(described))
        yield described
        for name in described.__struct_fields__:
            yield from _parts_of(getattr(described, name), seen)


def _is_foreign(part: Any, forms: Any) -> bool:
    """Return whether msgspec does not make a part as its class would: it does not know it, or skips its `__init__`."""
    if isinstance(part, forms.CustomType):
        return part.cls is not object
    # An attrs class is described as a dataclass too.
    if not isinstance(part, forms.DataclassType) or not hasattr(cls := _class_of(part), "__dataclass_fields__"):
        return False
    written = getattr(cls.__init__, "__code__", None)
    return hasattr(cls, "__pydantic_validator__") or (
        # What `dataclass` generates it within, in all versions.
        written is not None and not written.co_qualname.startswith("__create_fn__.")
    )


def _class_of(part: Any) -> Any:
    # That of a generic class is an alias, such as `Box[int]`.
    return get_origin(part.cls) or part.cls


def _never_fits(part: Any, forms: Any) -> str | None:
    """Return why no value, or only an empty one, can be converted to a part."""
    if isinstance(part, forms.DictType) and not _is_key(part.key_type, forms):
        return "the keys of JSON objects are strings; ask for str, or an Enum or Literal of strings"
    if isinstance(part, forms.SetType | forms.FrozenSetType) and _is_unhashable(part.item_type, forms):
        return "the items of one of its sets cannot be hashed; ask for a list"
    return None


def _is_key(key: Any, forms: Any) -> bool:
    if isinstance(key, forms.Metadata):
        return _is_key(key.type, forms)
    if isinstance(key, forms.UnionType):
        return any(_is_key(one, forms) for one in key.types)
    if isinstance(key, forms.LiteralType):
        return any(isinstance(value, str) for value in key.values)
    if isinstance(key, forms.EnumType):
        return any(isinstance(member.value, str) for member in key.cls)
    from_text = (forms.DateTimeType, forms.DateType, forms.TimeType, forms.TimeDeltaType, forms.UUIDType)
    others = (forms.StrType, forms.DecimalType, forms.BytesType, forms.AnyType, forms.CustomType)
    return isinstance(key, from_text + others)


def _is_unhashable(item: Any, forms: Any) -> bool:
    if isinstance(item, forms.Metadata):
        return _is_unhashable(item.type, forms)
    if isinstance(item, forms.UnionType):
        return all(_is_unhashable(one, forms) for one in item.types)
    if isinstance(item, forms.VarTupleType):
        return _is_unhashable(item.item_type, forms)
    if isinstance(item, forms.TupleType):
        return any(_is_unhashable(one, forms) for one in item.item_types)
    if isinstance(item, forms.StructType):
        config = _class_of(item).__struct_config__
        return config.eq and not config.frozen and _class_of(item).__hash__ is msgspec.Struct.__hash__
    if isinstance(item, forms.DataclassType):
        return _class_of(item).__hash__ is None
    return isinstance(item, forms.ListType | forms.SetType | forms.DictType | forms.TypedDictType | forms.ByteArrayType)


def _by_msgspec(form: Any) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        cause: BaseException | None
        try:
            return msgspec.convert(value, form, strict=True)
        except msgspec.ValidationError as error:
            mismatch, cause = _mismatch(error), error.__cause__
        except Exception as error:
            # Raised by an enum or a `__post_init__`, or of a set whose items cannot be hashed.
            mismatch, cause = InvalidResult(f"$: the type refused it with {type(error).__name__}"), error
        # Outside of the handler: msgspec's own words, which may hold the value, would be kept as the context.
        raise mismatch from cause

    return convert


def _mismatch(error: msgspec.ValidationError) -> InvalidResult:
    words = str(error)
    place = _PLACE.search(words)
    path = place[1] if place else "$"
    if error.__cause__ is not None:
        # An exception of a user's `__post_init__`; its text may contain the value.
        return InvalidResult(f"{path}: the type refused it with {type(error.__cause__).__name__}", path=path)
    reason = _VALUE.sub(r"\1", words[: place.start()] if place else words)
    return InvalidResult(f"{path}: {reason[:1].lower()}{reason[1:]}".replace("`", ""), path=path)


def _calling(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    _check_takes_one(function)

    def convert(value: Any) -> Any:
        try:
            return function(value)
        except Exception as error:
            # Not the error's own words: they may hold the value.
            raise InvalidResult(f"$: {_shown(function)} refused it with {type(error).__name__}") from error

    return convert


def _calling_with_members(cls: Any) -> Callable[[Any], Any]:
    def made(members: Any) -> Any:
        return cls(**members)

    made.__qualname__ = _shown(cls)
    return _calling(made)


def _check_takes_one(function: Callable[[Any], Any]) -> None:
    if inspect.iscoroutinefunction(function):
        raise InvalidRequest(f"{_shown(function)} is async; give a plain function, and await the rest after the call")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # Some of C have none.
    try:
        signature.bind(None)
    except TypeError as error:
        raise InvalidRequest(
            f"{_shown(function)} cannot be called with the plain value ({error}); "
            "give a type, or a function of one argument, such as Model.model_validate"
        ) from None


def _shown(value: Any) -> str:
    # Not its `repr`: that of a partial, for one, holds its arguments.
    qualified: str | None = getattr(value, "__qualname__", None)
    if qualified is None:
        return str(value) if get_origin(value) is not None else f"an object of type {type(value).__name__}"
    owner = getattr(value, "__self__", None)
    if isinstance(owner, type):
        return f"{owner.__name__}.{value.__name__}"
    return qualified.rpartition("<locals>.")[2]
