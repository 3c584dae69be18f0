# A page's global scope, which holds what the page put there.
from typing import Any

def __getattr__(name: str) -> Any: ...
