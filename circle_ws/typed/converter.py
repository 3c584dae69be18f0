"""The converter that the public calls use: what `returns` asks for, and the errors that a caller sees."""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar, get_origin, overload

from ..errors import InvalidRequest, InvalidResult
from .compiler import compile_plan, is_known_class, unsupported
from .forms import identity
from .plan import Mismatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import TypeForm

    from .plan import Convert

__all__ = ["converter_for"]

T = TypeVar("T")

_MOST_KEPT = 256
"""How many converters are kept; a program that makes types without end must not grow by them."""

_NEVER_CALLED = {"builtins", "datetime"}
"""The modules whose classes take a value for something else than what JSON means by it: `bytes(5)`, `date(2)`."""


@overload
def converter_for(returns: TypeForm[T]) -> Callable[[Any], T]: ...
@overload
def converter_for(returns: Callable[[Any], T]) -> Callable[[Any], T]: ...
def converter_for(returns: Any) -> Callable[[Any], Any]:
    """Make the function that turns plain JSON values into what `returns` asks for; the 256 used last are kept.

    What each type takes is told in the documentation of `circle_ws.typed`.

    Args:
        returns: A type, or anything that can be called with the plain value.

    Returns:
        A function of the plain value (None, bool, int, float, str, list, dict, as they are decoded). It raises
        `InvalidResult`, whose `path` tells where the value does not fit.

    Raises:
        InvalidRequest: JSON cannot be converted to it, or it cannot be called with one value.
    """
    if _is_form(returns):
        return _kept(_Key(returns))
    if callable(returns):
        return _calling(returns)
    raise InvalidRequest(f"returns must be a type or a function of the plain value, not {_shown(returns)}")


class _Key:
    """A type as a key: equal to another only where both mean the same, unlike `A | B == B | A`."""

    __slots__ = ("form", "identity")

    def __init__(self, form: Any) -> None:
        self.form = form
        self.identity = identity(form)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.identity == other.identity

    def __hash__(self) -> int:
        return hash(self.identity)


@lru_cache(_MOST_KEPT)
def _kept(key: _Key) -> Convert:
    form = key.form
    if not isinstance(form, type) or is_known_class(form):
        return _converting(form)
    if form.__module__ in _NEVER_CALLED:
        raise unsupported(form)
    return _calling(form)


def _is_form(returns: Any) -> bool:
    return (
        returns is None
        or isinstance(returns, type)
        or get_origin(returns) is not None
        or type(returns).__module__ in ("typing", "typing_extensions")
    )


def _converting(form: Any) -> Convert:
    plan = compile_plan(form)

    def convert(value: Any) -> Any:
        try:
            return plan[type(value)](value)
        except Mismatch as mismatch:
            raise InvalidResult(str(mismatch), path=mismatch.path) from mismatch.__cause__
        except RecursionError:
            raise InvalidResult("$: the value is nested too deep to be converted") from None

    return convert


def _calling(function: Callable[[Any], Any]) -> Convert:
    _check_takes_one(function)

    def convert(value: Any) -> Any:
        try:
            return function(value)
        except Exception as error:
            # Not the error's own words: they may hold the value.
            raise InvalidResult(f"$: {_shown(function)} refused it with {type(error).__name__}") from error

    return convert


def _check_takes_one(function: Callable[[Any], Any]) -> None:
    if inspect.iscoroutinefunction(function):
        raise InvalidRequest(f"{_shown(function)} is async; give a plain function, and await the rest after the call")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # Some of C tell nothing.
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
        return f"an object of type {type(value).__name__}"
    owner = getattr(value, "__self__", None)
    if isinstance(owner, type):
        return f"{owner.__name__}.{value.__name__}"
    return qualified.rpartition("<locals>.")[2]
