"""The wall clock of the engine, in one place, so that tests can put another one there.

The other clock is that of the event loop, which `circle_ws.testing.virtual_time` replaces there.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["wall_time"]

wall_time: Callable[[], float] = time.time
"""Returns the seconds since 1970. It is looked up at each use, as tests replace it."""
