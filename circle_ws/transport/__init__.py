"""The choice of the transport, and of what surrounds it: `websockets` natively, the browser's own under Pyodide."""

from __future__ import annotations

import sys

from .base import Capabilities, Connect, Receiver, Transport, TransportOptions
from .surroundings import Surroundings

if sys.platform == "emscripten":
    from .page import surroundings
    from .pyodide import connect
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
