"""Names of a module that lie in others, which are loaded when somebody asks for the name (PEP 562)."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["names_of"]


def names_of(name: str, modules: Mapping[str, tuple[str, ...]]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Give a package, or a module, its `__getattr__` and its `__dir__`.

    Args:
        name: Its `__name__`.
        modules: The names that are postponed, by the module of the same package that has them.
    """
    place = {postponed: module for module, names in modules.items() for postponed in names}
    namespace = vars(sys.modules[name])

    def find(asked: str) -> Any:
        if asked not in place:
            raise AttributeError(f"module {name!r} has no attribute {asked!r}")
        module = import_module(f".{place[asked]}", namespace["__package__"])
        # Kept, so that it is asked for once.
        found = namespace[asked] = getattr(module, asked)
        return found

    def listed() -> list[str]:
        return sorted({*namespace, *place})

    return find, listed
