# The part of Pyodide's bridge that circle-ws uses.
from collections.abc import Callable
from typing import Any

class JsException(Exception):
    name: str
    message: str

class JsProxy:
    def __getattr__(self, name: str) -> Any: ...
    def __setattr__(self, name: str, value: Any) -> None: ...
    def destroy(self) -> None: ...

def create_proxy(obj: Callable[..., Any], /) -> JsProxy: ...
