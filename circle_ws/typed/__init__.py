"""Plain JSON values to what `returns` asks for: one strict converter, the same in every runtime.

Nothing is coerced, but that JSON has one type of numbers and none for tuples, sets and constants:

- `Any`, `object`: everything, as it is.
- `None`, `bool`, `int`, `str`: exactly that; neither `true` nor `1.0` is an `int`.
- `float`: a number; an integer becomes a float.
- `list[T]`, `Sequence[T]`, `Iterable[T]` and the like: an array; gives a list.
- `tuple[T, ...]`, `tuple[A, B]`, `set[T]`, `frozenset[T]`: an array; equal items of a set become one.
- `dict[K, T]`, `Mapping[K, T]`: an object; `K` is `str`, or an Enum or Literal of texts.
- A dataclass: an object. Members that it has no field for are ignored, those with a default may be missing.
- A TypedDict: an object; gives a dict without the members that it does not declare.
- A NamedTuple: an array; items with a default may be missing at its end.
- `Literal`, an Enum: one of the constants, of exactly its type; a member by its value.
- `A | B`, `Optional[A]`: the kind of the value decides; where it leaves several types, the first that fits is taken.
- Any other class or function: what it makes of the plain value, called with it alone.

A bare `list`, `tuple`, `set` or `dict` has parts of any type. `Annotated`, `NewType`, `type X = ...`, `Final`,
`Required`, `NotRequired` and `ReadOnly` are seen through; generic classes (`Page[User]`), types that hold themselves
and annotations that are texts are taken. Only the whole value can be handed to a function: a part that JSON does not
have (`bytes`, `datetime`, `UUID`, a Pydantic model) is refused when the converter is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    # Type checkers know it of themselves; nothing need be installed.
    from typing_extensions import TypeForm as TypeForm


__all__ = ["find_converter"]


def find_converter(returns: Any) -> Callable[[Any], Any] | None:
    """Give the converter for what `returns` asks for; None for `Any`, which asks for nothing.

    Raises:
        InvalidRequest: See `converter_for`.
    """
    if returns is Any:
        return None
    # Eleven modules, for who asks for a type.
    from .converter import converter_for

    return converter_for(returns)
