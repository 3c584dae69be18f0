"""Runs inside Pyodide: compile the modules of the wheel for pages, /in, and pack their code into the archive /out.

It has the code of the modules that an import loads, as `page_modules` reads it, and a `.pyc` of the two files that are
imported before there is anything to read it with. The rest stays sources: code, compressed, takes twice as much.
"""

import sys
import zipfile
from importlib import import_module
from importlib.util import MAGIC_NUMBER, source_hash
from lzma import PRESET_EXTREME, compress
from marshal import dumps
from site import getsitepackages
from typing import Any

_UNCHECKED = 1
"""The `.pyc` of PEP 552 that is not compared with its source."""


def _pyc(file: str) -> bytes:
    with open(file, "rb") as opened:
        source = opened.read()
    code = compile(source, file, "exec", dont_inherit=True)
    return MAGIC_NUMBER + _UNCHECKED.to_bytes(4, "little") + source_hash(source) + dumps(code)


def _code(modules: Any) -> bytes:
    """Compile what is imported by now."""
    files = [spec.origin for name in sorted(sys.modules) if (spec := sys.modules[name].__spec__)]
    own = [file.removeprefix(f"{modules.HOME}/") for file in files if file and file.startswith(f"{modules.HOME}/")]
    code = {file: modules.compiled(file) for file in own if file in modules.SOURCES}
    return bytes(modules.KEY) + compress(dumps(code), preset=9 | PRESET_EXTREME)


def _pack() -> None:
    with zipfile.ZipFile("/in") as wheel:
        wheel.extractall(getsitepackages()[0])
    import_module("circle_ws")
    modules = import_module("circle_ws.modules")
    with zipfile.ZipFile("/out", "w") as packed:
        packed.writestr("modules.code", _code(modules))
        for file in ("__init__", "modules"):
            packed.writestr(f"{file}.{sys.implementation.cache_tag}.pyc", _pyc(f"{modules.HOME}/{file}.py"))


_pack()
