"""Types of single values: plain ones, `Any`, `Literal` and enumerations."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from ..errors import InvalidRequest
from .plan import KINDS, NULL, Mismatch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .plan import Convert, Plan

__all__ = ["fill_any", "fill_constants", "fill_enum", "fill_float", "fill_literal"]

_PLAIN = (NULL, bool, int, float, str)


def fill_any(plan: Plan) -> None:
    """Take everything as it is."""
    plan.let_pass(*_PLAIN, list, dict)


def fill_float(plan: Plan) -> None:
    """Take numbers; JSON does not tell 1 from 1.0, so an integer becomes a float."""

    def widen(value: int) -> float:
        try:
            return float(value)
        except OverflowError:
            raise plan.mismatch("an integer beyond it") from None

    plan.let_pass(float)
    plan[int] = widen


def fill_literal(plan: Plan, values: tuple[Any, ...], where: str) -> None:
    """Take exactly these constants; a member of an enumeration by its value."""
    plan.is_tag = True
    fill_constants(plan, ((value.value if isinstance(value, Enum) else value, value) for value in values), where)


def fill_enum(plan: Plan, kind: type[Enum], where: str) -> None:
    """Take the values of the members, and what the enumeration's own `_missing_` makes of others of their kind."""
    fill_constants(plan, ((member.value, member) for member in kind.__members__.values()), where)
    if kind._missing_.__func__ is not Enum._missing_.__func__:  # type: ignore[attr-defined]
        _ask_for_missing(plan, kind)


def fill_constants(plan: Plan, pairs: Iterable[tuple[Any, Any]], where: str) -> None:
    """Take each first of a pair, for which the second is given.

    Raises:
        InvalidRequest: One is no plain JSON value.
    """
    tables: dict[type, dict[Any, Any]] = {}
    for value, result in pairs:
        if type(value) not in _PLAIN:
            raise InvalidRequest(
                f"cannot convert to {plan.expected}{where}: of its values {value!r} is no JSON; "
                "give a function that takes the plain value"
            )
        # By type, since True == 1 == 1.0.
        tables.setdefault(type(value), {}).setdefault(value, result)
    if float in tables:
        # 1 finds 1.0 in a table, as JSON does not tell them apart.
        tables[int] = {**tables[float], **tables.get(int, {})}
    for kind, table in tables.items():
        plan[kind] = _look_up(plan, kind, table)


def _look_up(plan: Plan, kind: type, table: Mapping[Any, Any]) -> Convert:
    def look_up(value: Any) -> Any:
        try:
            return table[value]
        except KeyError:
            raise plan.mismatch(f"another {KINDS[kind].rpartition(' ')[2]}") from None

    return look_up


def _ask_for_missing(plan: Plan, kind: type[Enum]) -> None:
    def asking(known: Convert) -> Convert:
        def look_up_or_ask(value: Any) -> Any:
            try:
                return known(value)
            except Mismatch:
                return _missing(plan, kind, value)

        return look_up_or_ask

    plan.update({accepted: asking(known) for accepted, known in plan.items()})


def _missing(plan: Plan, kind: type[Enum], value: Any) -> Any:
    try:
        result = kind._missing_(value)
    except Exception as error:
        raise plan.mismatch(f"what {kind.__name__}._missing_ refused") from error
    if not isinstance(result, kind):
        raise plan.mismatch("what is none of its values")
    return result
