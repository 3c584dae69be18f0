"""Scripts around the package, for this repository's own checks."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

CHECKOUT = Path(__file__).resolve().parent.parent

if "circle_ws" not in sys.modules and None in map(importlib.util.find_spec, ("msgspec", "websockets")):
    # Where circle-ws itself cannot be imported, as in the environment of nox, `circle_ws.bundle` still can.
    _package = ModuleType("circle_ws")
    _package.__path__ = [str(CHECKOUT / "circle_ws")]
    sys.modules["circle_ws"] = _package
