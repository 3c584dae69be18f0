"""Names of a package whose modules are loaded when somebody asks for the name (PEP 562)."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["names_of"]


def names_of(
    package: str, modules: Mapping[str, tuple[str, ...]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Give a package its `__getattr__` and its `__dir__`.

    Args:
        package: Its name.
        modules: The names that are postponed, by the module of the package that has them.
    """
    place = {name: module for module, names in modules.items() for name in names}
    namespace = vars(sys.modules[package])

    def find(name: str) -> Any:
        if name not in place:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        # Kept, so that it is asked for once.
        found = namespace[name] = getattr(import_module(f"{package}.{place[name]}"), name)
        return found

    def listed() -> list[str]:
        return sorted({*namespace, *place})

    return find, listed
