"""The wall clock of the engine, in one place, so that tests can put another one there.

The other clock is that of the event loop, which `circle_ws.testing.virtual_time` replaces there.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["replace", "wall_time"]

_replacement: Callable[[], float] | None = None


def wall_time() -> float:
    """Return the seconds since 1970."""
    return time.time() if _replacement is None else _replacement()


def replace(clock: Callable[[], float] | None) -> None:
    """Ask another clock from now on; None asks the system's again."""
    global _replacement
    _replacement = clock
