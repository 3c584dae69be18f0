"""What a type takes of JSON: for each kind of value a function that converts it; the rest is a mismatch."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeAlias

__all__ = ["KINDS", "NULL", "Convert", "Mismatch", "Plan", "same"]

Convert: TypeAlias = Callable[[Any], Any]

NULL = type(None)

KINDS: dict[type, str] = {
    NULL: "null",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    str: "a string",
    list: "an array",
    dict: "an object",
}

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MOST_OF_A_KEY = 60
_MOST_OF_A_PATH = 200


class Mismatch(Exception):
    """Tell where a value is not what its type asks for; it never holds the value.

    Attributes:
        problem: What is wrong there.
        steps: The way to the place, from the inside out: members by name, items by number.
        wrong_tag: Whether the object that it was last told of has a wrong constant there, as another type's would.
    """

    def __init__(self, problem: str, steps: tuple[str | int, ...] = ()) -> None:
        super().__init__(problem)
        self.problem = problem
        self.steps = list(steps)
        self.wrong_tag = False

    def again(self) -> Mismatch:
        """Make an equal mismatch that can be raised at another time; its steps grow on its own."""
        copy = type(self)(self.problem, tuple(self.steps))
        copy.__cause__ = self.__cause__
        return copy

    @property
    def path(self) -> str:
        """The place, as in `$.user.tags[3]`; `$` is the whole value."""
        return "$" + "".join(map(_step, reversed(self.steps)))

    def __str__(self) -> str:
        path = self.path
        if len(path) > _MOST_OF_A_PATH:
            path = f"{path[:80]}...{path[-80:]}"
        return f"{path}: {self.problem}"


class Plan(dict[type, Convert]):
    """Say for each kind of plain JSON value how it becomes what one type asks for.

    The keys are the Python types of decoded JSON; any other is answered with a function that raises `Mismatch`.
    Compilers add the kinds before they look into the parts of a type, since a type may hold itself.

    Attributes:
        expected: The type in words.
        passes: The kinds whose values stay what they are, so that nothing need be called for them.
        is_tag: Whether it takes a few constants only, which tells types of a union apart.
    """

    __slots__ = ("expected", "is_tag", "passes")

    def __init__(self, expected: str) -> None:
        super().__init__()
        self.expected = expected
        self.passes: set[type] = set()
        self.is_tag = False

    def let_pass(self, *kinds: type) -> None:
        """Take values of these kinds as they are."""
        self.passes.update(kinds)
        self.update(dict.fromkeys(kinds, same))

    def mismatch(self, found: str) -> Mismatch:
        """Make the error for finding something else, which `found` describes."""
        return Mismatch(f"expected {self.expected}, found {found}")

    def __missing__(self, kind: type) -> Convert:
        found = KINDS.get(kind, f"a Python {kind.__name__}, which is no JSON")

        def refuse(value: Any) -> Any:
            raise self.mismatch(found)

        return refuse


def same(value: Any) -> Any:
    """Give the value itself."""
    return value


def _step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    shown = step if len(step) <= _MOST_OF_A_KEY else step[:_MOST_OF_A_KEY] + "..."
    return f".{shown}" if _PLAIN_NAME.fullmatch(shown) else f"[{shown!r}]"
