"""The types of a class's fields, with every text resolved and every type variable replaced."""

from __future__ import annotations

from dataclasses import InitVar
from typing import Any, get_args, get_origin, get_type_hints

from ..errors import InvalidRequest
from .forms import bind, substitute

__all__ = ["annotations_of"]


def annotations_of(kind: Any, arguments: tuple[Any, ...] = ()) -> dict[str, Any]:
    """Give the types of the fields of `kind[arguments]`, its bases' among them.

    Raises:
        InvalidRequest: An annotation cannot be resolved in the module of its class.
    """
    try:
        return _annotations(kind, arguments)
    except (InvalidRequest, RecursionError):
        raise
    except Exception as error:
        raise InvalidRequest(
            f"cannot convert to {kind.__name__}: an annotation cannot be resolved in {kind.__module__} ({error}); "
            "the types that it names must be defined, at the top of their module, when the converter is made"
        ) from error


def _annotations(kind: Any, arguments: tuple[Any, ...]) -> dict[str, Any]:
    own = _written(kind)
    bound = bind(kind, getattr(kind, "__parameters__", ()), arguments)
    forms = {name: substitute(form, bound) for name, form in own.items()}
    # A variable may mean one thing in a base and another here: what is as in the base means what it means there.
    for base in reversed(kind.__dict__.get("__orig_bases__", kind.__bases__)):
        origin = get_origin(base) or base
        if not _has_annotations(origin):
            continue
        written = _written(origin)
        inherited = _annotations(origin, tuple(substitute(argument, bound) for argument in get_args(base)))
        forms.update({name: inherited[name] for name, form in written.items() if own.get(name) == form})
    return forms


def _written(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind, include_extras=True)
    return {name: form.type if isinstance(form, InitVar) else form for name, form in hints.items()}


def _has_annotations(base: Any) -> bool:
    return isinstance(base, type) and base.__module__ not in ("builtins", "typing", "typing_extensions")
