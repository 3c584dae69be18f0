"""The choice of how a blocking client waits: natively for a thread with an event loop, in a page by stack switching.

Each of the two modules has `current()`, which returns the `Runner` of this process, and `check_supported()`.
"""

from __future__ import annotations

import sys

__all__ = ["Runner", "check_supported", "current"]

if sys.platform == "emscripten":
    from .jspi import Runner, check_supported, current
else:
    from .loop_thread import Runner, check_supported, current
