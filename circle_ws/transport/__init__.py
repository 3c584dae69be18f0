"""The choice of the transport and of the host's events: `websockets` natively, the browser's own under Pyodide."""

from __future__ import annotations

import sys

from .base import Capabilities, Connect, HostEvents, Receiver, Transport, TransportOptions

if sys.platform == "emscripten":
    from .pyodide import connect
    from .pyodide_events import host_events
else:
    from .native import connect

    host_events: HostEvents = HostEvents()

__all__ = [
    "Capabilities",
    "Connect",
    "HostEvents",
    "Receiver",
    "Transport",
    "TransportOptions",
    "connect",
    "host_events",
]
