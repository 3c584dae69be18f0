"""The part of the module `pyodide_js` that tests use: the JavaScript object of the running Pyodide."""

from typing import Any

version: str
_module: Any
def pyimport(name: str, /) -> Any: ...
