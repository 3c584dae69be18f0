# The part of a page's global scope that circle-ws uses.
from typing import Any

WebSocket: Any
Object: Any
