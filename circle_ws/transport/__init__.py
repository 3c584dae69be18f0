"""The choice of the transport: `websockets` natively, the browser's own WebSocket under Pyodide."""

from __future__ import annotations

import sys

from .base import Capabilities, Connect, Receiver, Transport, TransportOptions

if sys.platform == "emscripten":
    from .pyodide import connect
else:
    from .native import connect

__all__ = ["Capabilities", "Connect", "Receiver", "Transport", "TransportOptions", "connect"]
