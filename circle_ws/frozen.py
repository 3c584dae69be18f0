"""Frozen dataclasses with slots whose methods are made when they are first needed.

`dataclasses` writes a class's methods as text and compiles it: about a millisecond for each class, which a program pays
at import, for classes that it never uses too. Here a class gets its slots at once, and a stand-in for each method. The
first one that is asked for has the standard library make them all. They replace the stand-ins, so nothing is slower
afterwards. To type checkers, `fields`, `replace`, `pickle` and `inspect` it is a dataclass like any other.
"""

from __future__ import annotations

import dataclasses
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["dataclass"]

_MADE = (
    "__dataclass_fields__",
    "__dataclass_params__",
    "__match_args__",
    "__init__",
    "__repr__",
    "__eq__",
    "__hash__",
    "__setattr__",
    "__delattr__",
    "__getstate__",
    "__setstate__",
    *(("__replace__",) if sys.version_info >= (3, 13) else ()),
)
"""What `dataclasses` adds to a frozen class with slots."""


class _StandIn:
    """Be an attribute of a class until it is asked for; then have all of them made, and be replaced.

    Args:
        name: Of the attribute.
        namespace: The body of the class as it was written.
    """

    __slots__ = ("_name", "_namespace", "_owner")

    def __init__(self, name: str, namespace: dict[str, Any]) -> None:
        self._name = name
        self._namespace = namespace

    def __set_name__(self, owner: type, name: str) -> None:
        self._owner = owner

    def __get__(self, instance: object, owner: type) -> Any:
        # Two threads may both come here: what they make is the same.
        made = _complete(self._owner, self._namespace)[self._name]
        return made.__get__(instance, owner) if hasattr(made, "__get__") else made


def _complete(kind: type, namespace: dict[str, Any]) -> Mapping[str, Any]:
    """Have a twin of the class made the ordinary way, and take over what it was given; gives all that the twin has."""
    twin = type(kind)(kind.__name__, kind.__bases__, dict(namespace))
    made = dataclasses.dataclass(frozen=True, slots=True)(twin).__dict__
    for name in _MADE:
        if isinstance(kind.__dict__[name], _StandIn):
            setattr(kind, name, made[name])
    return made


def _make(kind: type) -> type:
    """Make the class anew, with slots and stand-ins."""
    namespace = {name: value for name, value in kind.__dict__.items() if name not in ("__dict__", "__weakref__")}
    namespace["__qualname__"] = kind.__qualname__
    slots = tuple(name for name, form in kind.__annotations__.items() if not form.startswith("InitVar["))
    body = {name: value for name, value in namespace.items() if name not in slots}
    body |= {name: _StandIn(name, namespace) for name in _MADE if name not in namespace}
    return type(kind)(kind.__name__, kind.__bases__, body | {"__slots__": slots})


if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(*, frozen: bool, slots: bool):
        """Decorate a class as `dataclasses.dataclass(frozen=True, slots=True)` does; only that is for having here.

        Its module has `from __future__ import annotations`, and its annotations are fields or `InitVar`s.
        """
        assert frozen and slots
        return _make
