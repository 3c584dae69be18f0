"""Types of many values: lists, tuples, sets and mappings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .plan import Mismatch, same

if TYPE_CHECKING:
    from collections.abc import Callable

    from .plan import Convert, Plan

__all__ = ["fill_array", "fill_fixed", "fill_mapping", "fill_set"]

# Parts are made only after the kind was added to the plan: a part may be the plan itself. They are converted in the
# same frame: what is nested as deep as JSON may be must fit into Python's stack.


def fill_array(plan: Plan, make_item: Callable[[], Plan], finish: Convert = same) -> None:
    """Take an array of any length whose items have one type, and give what `finish` makes of the list of them."""

    def convert(values: list[Any]) -> Any:
        passes = item.passes
        if passes.issuperset(map(type, values)):
            return finish(values.copy())
        converted: list[Any] = []
        try:
            for value in values:
                kind = type(value)
                converted.append(value if kind in passes else item[kind](value))
        except Mismatch as mismatch:
            mismatch.steps.append(len(converted))
            raise
        return finish(converted)

    plan[list] = convert
    item = make_item()


def fill_set(plan: Plan, make_item: Callable[[], Plan], make: type[Any]) -> None:
    """Take an array whose items have one type, and give a set or a frozenset; equal items become one."""

    def finish(values: list[Any]) -> Any:
        try:
            return make(values)
        except Exception as error:
            raise plan.mismatch("an item that cannot be hashed") from error

    fill_array(plan, make_item, finish)


def fill_fixed(plan: Plan, make_items: Callable[[], list[Plan]], least: int, finish: Convert) -> None:
    """Take an array with one item for each type, of which those after the `least` may be missing."""

    def convert(values: list[Any]) -> Any:
        if not least <= len(values) <= len(items):
            most = len(items)
            wanted = f"{most}" if least == most else f"{least} to {most}"
            raise plan.mismatch(f"an array of {len(values)}, not of {wanted}")
        converted: list[Any] = []
        try:
            for value, item in zip(values, items, strict=False):
                kind = type(value)
                converted.append(value if kind in item.passes else item[kind](value))
        except Mismatch as mismatch:
            mismatch.steps.append(len(converted))
            raise
        return finish(converted)

    plan[list] = convert
    items = make_items()


def fill_mapping(plan: Plan, make_key: Callable[[], Plan], make_item: Callable[[], Plan]) -> None:
    """Take an object whose values have one type, and give a dict; its keys are strings or are made of them."""

    def convert(values: dict[str, Any]) -> dict[Any, Any]:
        passes = item.passes
        plain = str in keys.passes
        if plain and passes.issuperset(map(type, values.values())):
            return values.copy()
        converted: dict[Any, Any] = {}
        key = ""
        try:
            for key, value in values.items():
                kind = type(value)
                converted[key if plain else _convert_key(keys, key)] = value if kind in passes else item[kind](value)
        except Mismatch as mismatch:
            mismatch.steps.append(key)
            raise
        return converted

    plan[dict] = convert
    keys = make_key()
    item = make_item()


def _convert_key(keys: Plan, key: str) -> Any:
    try:
        return keys[str](key)
    except Mismatch as mismatch:
        raise Mismatch(f"{mismatch.problem} as the key") from mismatch.__cause__
