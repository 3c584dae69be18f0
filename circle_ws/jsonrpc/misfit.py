"""Why params do not fit a function, in the words of JSON-RPC: for the caller, who may know no Python."""

from __future__ import annotations

from inspect import Parameter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

__all__ = ["misfit"]

_BY_POSITION = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_BY_NAME = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
_NAMED = 5
"""So many names of the caller's are repeated to it, and of each so many characters as below."""
_CHARACTERS = 40


def misfit(parameters: Collection[Parameter], params: Any) -> str:
    """Tell in words what is missing, not expected, or too many; nothing where they fit.

    Args:
        parameters: The function's.
        params: A list (by position), a dict (by name), or None.
    """
    if type(params) is dict:
        return "; ".join(_of_named(parameters, params))
    return "; ".join(_of_positional(parameters, len(params or ())))


def _of_positional(parameters: Collection[Parameter], count: int) -> Iterable[str]:
    places = [it for it in parameters if it.kind in _BY_POSITION]
    only_named = [it for it in parameters if it.kind is Parameter.KEYWORD_ONLY]
    if missing := [it.name for it in places[count:] if _is_required(it)]:
        yield f"missing {_names(missing)}"
    if missing := [it.name for it in only_named if _is_required(it)]:
        yield f"missing {_names(missing)}, by name"
    if count > len(places) and not any(it.kind is Parameter.VAR_POSITIONAL for it in parameters):
        yield _too_many(places, len(parameters) > len(places), count)


def _too_many(places: Collection[Parameter], others: bool, count: int) -> str:
    most = f"at most {len(places)}" if places else "none"
    return f"takes {most}{' by position' if others else ''}, not {count}"


def _of_named(parameters: Collection[Parameter], params: dict[str, Any]) -> Iterable[str]:
    known = {it.name for it in parameters if it.kind in _BY_NAME}
    if missing := [it.name for it in parameters if it.name in known - params.keys() and _is_required(it)]:
        yield f"missing {_names(missing)}"
    unnamed = [it for it in parameters if it.kind is Parameter.POSITIONAL_ONLY]
    if missing := [it.name for it in unnamed if _is_required(it)]:
        yield f"missing {_names(missing)}, by position"
    takes_any = any(it.kind is Parameter.VAR_KEYWORD for it in parameters)
    if not takes_any and (unexpected := [name for name in params if name not in known.union(missing)]):
        yield f"unexpected {_names(unexpected)}"


def _is_required(parameter: Parameter) -> bool:
    return parameter.default is Parameter.empty


def _names(names: list[str]) -> str:
    told = ", ".join(f"'{name[:_CHARACTERS]}'" for name in names[:_NAMED])
    return told if len(names) <= _NAMED else f"{told} and {len(names) - _NAMED} more"
