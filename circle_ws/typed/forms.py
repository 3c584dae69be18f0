"""How Python writes types: taking the wrapping off, naming them in words, telling two of them apart."""

from __future__ import annotations

from types import UnionType
from typing import Annotated, Any, Final, Literal, NewType, NotRequired, Required, TypeVar, Union, get_args, get_origin

from ..errors import InvalidRequest
from .plan import NULL

__all__ = [
    "alias_value",
    "bind",
    "identity",
    "is_typeddict",
    "is_union",
    "name",
    "parts",
    "qualifiers",
    "substitute",
    "unwrap",
]

_MOST_OF_A_NAME = 120
_QUALIFIERS: dict[Any, str] = {Required: "Required", NotRequired: "NotRequired", Final: "Final"}


def parts(form: Any) -> tuple[Any, tuple[Any, ...]]:
    """Split a type into what it is made of and its parameters: `dict[str, int]` is `dict` and `(str, int)`."""
    origin = get_origin(form)
    return (form, ()) if origin is None else (origin, get_args(form))


def is_union(origin: Any) -> bool:
    """Tell whether an origin is that of `A | B`, `Union[A, B]` or `Optional[A]`."""
    return origin is Union or origin is UnionType


def is_typeddict(origin: Any) -> bool:
    """Tell whether a class is a TypedDict, of `typing` or of `typing_extensions`."""
    return isinstance(origin, type) and issubclass(origin, dict) and hasattr(origin, "__required_keys__")


def unwrap(form: Any) -> Any:
    """Take off what does not change the values: `Annotated`, `NewType`, `Final`, `Required` and the like.

    A type variable that nothing is bound to becomes its default, its bound, its constraints or `Any`.
    """
    while True:
        origin = get_origin(form)
        if origin is Annotated or _qualifier(origin):
            form = get_args(form)[0]
        elif isinstance(form, NewType):
            form = form.__supertype__
        elif isinstance(form, TypeVar):
            form = _free(form)
        elif form is Final:
            return Any
        else:
            return NULL if form is None else form


def qualifiers(form: Any) -> set[str]:
    """Name what is written around the type of a field: `Required`, `NotRequired`, `ReadOnly`, `Final`."""
    found = set()
    while True:
        origin = get_origin(form)
        qualifier = _qualifier(origin)
        if qualifier:
            found.add(qualifier)
        elif origin is not Annotated:
            return found
        form = get_args(form)[0]


def _qualifier(origin: Any) -> str:
    # ReadOnly is known to `typing` since Python 3.13; before, it comes from typing_extensions.
    return _QUALIFIERS.get(origin) or ("ReadOnly" if getattr(origin, "_name", "") == "ReadOnly" else "")


def _free(variable: TypeVar) -> Any:
    # Defaults are of Python 3.13; typing_extensions gives them to earlier ones.
    if getattr(variable, "has_default", bool)():
        return getattr(variable, "__default__", Any)
    if variable.__constraints__:
        return Union[variable.__constraints__]  # noqa: UP007
    return Any if variable.__bound__ is None else variable.__bound__


def alias_value(form: Any) -> tuple[bool, Any]:
    """Tell whether a type is an alias (`type X = ...`, `TypeAliasType`), and what it stands for."""
    origin, arguments = parts(form)
    if type(origin).__name__ != "TypeAliasType":
        return False, None
    return True, substitute(origin.__value__, bind(origin, origin.__type_params__, arguments))


def bind(owner: Any, variables: tuple[Any, ...], arguments: tuple[Any, ...]) -> dict[Any, Any]:
    """Say which type stands for which type variable of `owner`; none are given where `arguments` is empty.

    Raises:
        InvalidRequest: `owner` has a `ParamSpec` or a `TypeVarTuple`.
    """
    if not all(isinstance(variable, TypeVar) for variable in variables):
        raise InvalidRequest(f"cannot convert to {name(owner)}: it has parameters that are no simple type variables")
    return dict(zip(variables, arguments, strict=False))


def substitute(form: Any, bound: dict[Any, Any]) -> Any:
    """Put types in the place of type variables."""
    if isinstance(form, TypeVar):
        return bound.get(form, form)
    # A class has the variables that it was written with; only an alias of it can have others in their place.
    variables: tuple[Any, ...] = () if isinstance(form, type) else getattr(form, "__parameters__", ())
    if not any(variable in bound for variable in variables):
        return form
    alias: Any = form
    return alias[tuple(bound.get(variable, variable) for variable in variables)]


def identity(form: Any) -> Any:
    """Give what tells two types apart where `==` does not: in `A | B` the order, in a Literal the types."""
    if type(form) is type:
        return form
    origin, arguments = parts(form)
    if origin is Literal:
        return (Literal, *((type(value), identity(value)) for value in arguments))
    if origin is Annotated:
        return identity(arguments[0])
    if arguments:
        return (origin, *map(identity, arguments))
    try:
        hash(form)
    except TypeError:
        return id(form)
    return form


def name(form: Any) -> str:
    """Name a type in words: `list[User]`, `User | None`; at most some 120 characters."""
    words = _name(form)
    return words if len(words) <= _MOST_OF_A_NAME else words[:_MOST_OF_A_NAME] + "..."


def _name(form: Any) -> str:
    origin, arguments = parts(form)
    if form is None or form is NULL:
        return "None"
    if origin is Literal:
        return " | ".join(map(repr, arguments))
    if is_union(origin):
        return " | ".join(map(_name, arguments))
    if origin is Annotated:
        return _name(arguments[0])
    if form is Ellipsis:
        return "..."
    if origin is tuple and form is not tuple and not arguments:
        return "tuple[()]"
    plain = getattr(origin, "__name__", None) or repr(origin)
    return f"{plain}[{', '.join(map(_name, arguments))}]" if arguments else plain
