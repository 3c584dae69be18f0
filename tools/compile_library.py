"""Runs inside Pyodide: compile the standard library, the archive /in, to the archive /out of code without sources.

A module keeps its name and its lines, so tracebacks name them; the lines themselves are not there to be shown.
"""

import sys
import zipfile
from importlib.util import MAGIC_NUMBER, source_hash
from marshal import dumps

_PLACE = next(path for path in sys.path if path.endswith(".zip"))
"""Where Pyodide has the archive."""
_UNCHECKED = 1
"""Compare with no source: a `.pyc` of PEP 552 whose source is gone."""


def _compiled(path: str, source: bytes) -> bytes:
    """Give the content of a `.pyc` for a file of the archive."""
    code = compile(source, f"{_PLACE}/{path}", "exec", dont_inherit=True)
    return MAGIC_NUMBER + _UNCHECKED.to_bytes(4, "little") + source_hash(source) + dumps(code)


def _compile(given: str, made: str) -> None:
    with (
        zipfile.ZipFile(given) as sources,
        zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as library,
    ):
        for name in sources.namelist():
            body = sources.read(name)
            if name.endswith(".py"):
                body = _compiled(name, body)
            info = zipfile.ZipInfo(name + "c" * name.endswith(".py"), (2020, 2, 2, 0, 0, 0))
            library.writestr(info, body, zipfile.ZIP_DEFLATED, 9)


_compile("/in", "/out")
