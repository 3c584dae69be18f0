"""The choice of the transport, and of what surrounds it: `websockets` natively, the browser's own under Pyodide."""

from __future__ import annotations

import sys

from .base import Capabilities, Connect, Receiver, Transport, TransportOptions
from .surroundings import Surroundings

if sys.platform == "emscripten":
    from .pyodide import connect
    from .pyodide_events import surroundings
else:
    from .native import connect

    surroundings = Surroundings()

__all__ = [
    "Capabilities",
    "Connect",
    "Receiver",
    "Surroundings",
    "Transport",
    "TransportOptions",
    "connect",
    "surroundings",
]
