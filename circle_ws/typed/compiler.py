"""From a type to its plan: which rule each type follows, its parts in turn."""

from __future__ import annotations

import typing
from collections import abc
from dataclasses import is_dataclass
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from ..errors import InvalidRequest
from .containers import fill_array, fill_fixed, fill_mapping, fill_set
from .forms import alias_value, identity, is_typeddict, is_union, name, parts, unwrap
from .plan import NULL, Plan
from .records import fill_dataclass, fill_named_tuple, fill_typed_dict
from .unions import alternatives, fill_union
from .values import fill_any, fill_enum, fill_float, fill_literal

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["compile_plan", "is_known_class", "unsupported"]

_PASSING = {NULL, bool, int, str}
_ANY = {Any, object}
_LISTS = {list, abc.Sequence, abc.MutableSequence, abc.Collection, abc.Iterable}
_SETS: dict[Any, type[Any]] = {set: set, abc.Set: set, abc.MutableSet: set, frozenset: frozenset}
_MAPPINGS = {dict, abc.Mapping, abc.MutableMapping}
_PARAMETERS = {**dict.fromkeys([*_LISTS, *_SETS], 1), **dict.fromkeys(_MAPPINGS, 2)}
_KNOWN = {*_PASSING, *_ANY, float, tuple, *_PARAMETERS}


def compile_plan(form: Any) -> Plan:
    """Compile a type, once and for all its values.

    Raises:
        InvalidRequest: It, or a part of it, is nothing that JSON can be converted to.
    """
    try:
        return _Compiler().plan(form, "")
    except RecursionError:
        raise InvalidRequest(f"cannot convert to {name(form)}: it nests without end") from None


def is_known_class(kind: type) -> bool:
    """Tell whether a class is one that values are converted to, not one to be called with them."""
    return kind in _KNOWN or issubclass(kind, Enum) or _record_rule(kind) is not None


def unsupported(form: Any, where: str = "") -> InvalidRequest:
    """Make the error for a type that JSON cannot be converted to; `where` tells what it is a part of."""
    if isinstance(form, str | typing.ForwardRef):
        return InvalidRequest(
            f"cannot convert to {name(form)}{where}: a text names a type only in the annotations of a class; "
            "write the type itself, or for one that holds itself a class or `type X = ...`"
        )
    return InvalidRequest(
        f"cannot convert to {name(form)}{where}: it is neither plain JSON nor a dataclass, TypedDict, NamedTuple, "
        "Literal or Enum, nor a union or container of them; give a function that takes the plain value instead"
    )


def _record_rule(origin: Any) -> Callable[..., None] | None:
    if not isinstance(origin, type):
        return None
    if is_typeddict(origin):
        return fill_typed_dict
    if issubclass(origin, tuple) and hasattr(origin, "_field_defaults"):
        return fill_named_tuple
    return fill_dataclass if is_dataclass(origin) else None


class _Compiler:
    """Compile one type and its parts; a part that is being compiled already is the same plan."""

    def __init__(self) -> None:
        self._plans: dict[Any, Plan] = {}

    def plan(self, form: Any, where: str) -> Plan:
        """Give the plan of a type; `where` tells in words what it is a part of."""
        form = unwrap(form)
        key = identity(form)
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = Plan(name(form))
            self._fill(plan, form, where)
        return plan

    def _fill(self, plan: Plan, form: Any, where: str) -> None:
        origin, arguments = parts(form)
        record = _record_rule(origin)
        if is_union(origin) or alias_value(form)[0]:
            members = [self.plan(one, where) for one in alternatives(form)]
            if not members:
                raise unsupported(form, where)
            fill_union(plan, members)
        elif origin is Literal:
            fill_literal(plan, arguments, where)
        elif isinstance(origin, type) and issubclass(origin, Enum) and origin.__members__:
            fill_enum(plan, origin, where)
        elif record is not None:
            record(plan, origin, arguments, lambda part, field: self.plan(part, f" (in {origin.__name__}.{field})"))
        elif origin is tuple:
            self._fill_tuple(plan, form, arguments, where)
        else:
            self._fill_plain(plan, form, where)

    def _fill_plain(self, plan: Plan, form: Any, where: str) -> None:
        origin, arguments = parts(form)
        if not _is_known(origin) or len(arguments) not in (0, _PARAMETERS.get(origin, 0)):
            raise unsupported(form, where)
        make_item = partial(self.plan, arguments[-1] if arguments else Any, where)
        if origin in _PASSING:
            plan.let_pass(origin)
        elif origin in _ANY:
            fill_any(plan)
        elif origin is float:
            fill_float(plan)
        elif origin in _LISTS:
            fill_array(plan, make_item)
        elif origin in _SETS:
            _refuse_unhashable(plan, arguments, where)
            fill_set(plan, make_item, _SETS[origin])
        else:
            fill_mapping(plan, partial(self._key, plan, arguments[0] if arguments else str, where), make_item)

    def _fill_tuple(self, plan: Plan, form: Any, arguments: tuple[Any, ...], where: str) -> None:
        if form is tuple or form is typing.Tuple:  # noqa: UP006
            arguments = (Any, ...)
        if any(getattr(argument, "__unpacked__", False) for argument in arguments):
            raise unsupported(form, where)
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            fill_array(plan, partial(self.plan, arguments[0], where), tuple)
        else:
            fill_fixed(plan, lambda: [self.plan(argument, where) for argument in arguments], len(arguments), tuple)

    def _key(self, mapping: Plan, form: Any, where: str) -> Plan:
        plan = self.plan(form, where)
        if str not in plan:
            raise InvalidRequest(
                f"cannot convert to {mapping.expected}{where}: the keys of JSON objects are strings; "
                "ask for str, or an Enum or Literal of texts"
            )
        return plan


def _is_known(origin: Any) -> bool:
    # Not with `in`: what somebody takes for a type need not be hashable.
    return any(origin is known for known in _KNOWN)


def _refuse_unhashable(plan: Plan, arguments: tuple[Any, ...], where: str) -> None:
    for argument in arguments:
        if parts(unwrap(argument))[0].__hash__ is None:
            raise InvalidRequest(
                f"cannot convert to {plan.expected}{where}: {name(argument)} cannot be hashed; ask for a list"
            )
