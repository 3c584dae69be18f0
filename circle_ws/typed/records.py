"""Types with named fields: dataclasses and TypedDicts from objects, NamedTuples from arrays."""

from __future__ import annotations

from dataclasses import MISSING, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, get_origin

from .annotations import annotations_of
from .containers import fill_fixed
from .forms import qualifiers
from .plan import Mismatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from .plan import Convert, Plan

__all__ = ["fill_dataclass", "fill_named_tuple", "fill_typed_dict"]


@dataclass(frozen=True, slots=True)
class _Field:
    """One member of an object: its name, its type, and whether it must be there."""

    name: str
    form: Any
    required: bool


def fill_dataclass(plan: Plan, kind: Any, arguments: tuple[Any, ...], make: Callable[[Any, str], Plan]) -> None:
    """Take an object and call the dataclass with the members that it has a field for.

    Fields with `init=False` are not looked at; an `InitVar` is a member like any other.
    """
    forms = annotations_of(kind, arguments)
    fields = [
        _Field(field.name, forms[field.name], field.default is MISSING and field.default_factory is MISSING)
        for field in kind.__dataclass_fields__.values()
        if field.init and get_origin(forms[field.name]) is not ClassVar and forms[field.name] is not ClassVar
    ]

    def finish(members: dict[str, Any]) -> Any:
        try:
            return kind(**members)
        except Exception as error:
            raise _refusal(plan, error) from error

    _fill_object(plan, fields, finish, make)


def fill_typed_dict(plan: Plan, kind: Any, arguments: tuple[Any, ...], make: Callable[[Any, str], Plan]) -> None:
    """Take an object and give a dict of the members that the TypedDict declares."""
    forms = annotations_of(kind, arguments)
    fields = [_Field(name, form, _is_required(kind, name, form)) for name, form in forms.items()]
    _fill_object(plan, fields, None, make)


def _is_required(kind: Any, name: str, form: Any) -> bool:
    # The class itself does not see what is written in annotations that are strings.
    written = qualifiers(form)
    return "Required" in written or (name in kind.__required_keys__ and "NotRequired" not in written)


def fill_named_tuple(plan: Plan, kind: Any, arguments: tuple[Any, ...], make: Callable[[Any, str], Plan]) -> None:
    """Take an array with the fields in their order; those with a default may be missing at its end."""
    forms = annotations_of(kind, arguments)

    def finish(values: list[Any]) -> Any:
        try:
            return kind(*values)
        except Exception as error:
            raise _refusal(plan, error) from error

    def make_items() -> list[Plan]:
        return [make(forms.get(name, Any), name) for name in kind._fields]

    fill_fixed(plan, make_items, len(kind._fields) - len(kind._field_defaults), finish)


def _refusal(plan: Plan, error: Exception) -> Mismatch:
    # Not the error's own words: they may hold the value.
    return Mismatch(f"{plan.expected} refused it with {type(error).__name__}")


def _fill_object(plan: Plan, fields: list[_Field], finish: Convert | None, make: Callable[[Any, str], Plan]) -> None:
    """Take an object with these members; others are left out."""
    members: list[tuple[str, set[type], Plan]] = []
    required = frozenset(field.name for field in fields if field.required)

    def convert(values: dict[str, Any]) -> Any:
        converted: dict[str, Any] = {}
        name, member = "", plan
        try:
            for name, passes, member in members:
                if name in values:
                    value = values[name]
                    kind = type(value)
                    converted[name] = value if kind in passes else member[kind](value)
                elif name in required:
                    raise Mismatch(f"expected {member.expected}, but it is missing")
        except Mismatch as mismatch:
            mismatch.steps.append(name)
            mismatch.wrong_tag = member.is_tag
            raise
        return converted if finish is None else finish(converted)

    plan[dict] = convert
    made = [(field.name, make(field.form, field.name)) for field in fields]
    # Tags first: the error of the type that was meant tells more than that of another.
    members += [(name, member.passes, member) for name, member in sorted(made, key=lambda one: not one[1].is_tag)]
