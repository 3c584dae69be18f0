"""Runs inside Pyodide: compile the Python files of each archive in /archives, in place.

A wheel keeps its sources and gets a `.pyc` of each beside them (PEP 3147), so tracebacks show lines. The standard
library, which is imported from its archive and finds no `__pycache__` there, gets the code in place of the sources.
"""

import sys
import zipfile
from importlib.util import MAGIC_NUMBER, cache_from_source, source_hash
from marshal import dumps
from pathlib import Path

_UNCHECKED = 1
"""The flags of a `.pyc` that is not compared with its source (PEP 552)."""


def _pyc(place: str, source: bytes) -> bytes:
    code = compile(source, place, "exec", dont_inherit=True)
    return MAGIC_NUMBER + _UNCHECKED.to_bytes(4, "little") + source_hash(source) + dumps(code)


def _compiled(files: dict[str, bytes], place: str, *, keep: bool) -> dict[str, bytes]:
    """Return the files of an archive with their code; `place` is where the archive will be imported from."""
    made = {}
    for name, body in files.items():
        is_source = name.endswith(".py")
        if keep or not is_source:
            made[name] = body
        if is_source:
            made[cache_from_source(name) if keep else f"{name}c"] = _pyc(f"{place}/{name}", body)
    return made


def _compile(archive: Path) -> None:
    is_wheel = archive.suffix == ".whl"
    library = next(path for path in sys.path if path.endswith(".zip"))
    with zipfile.ZipFile(archive) as sources:
        files = {name: sources.read(name) for name in sources.namelist() if not name.endswith("/")}
    # Of a wheel the import system writes the true place into the code when it reads it.
    made = _compiled(files, "" if is_wheel else library, keep=is_wheel)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as written:
        for name, body in made.items():
            # A fixed time: the same files make the same archive.
            written.writestr(zipfile.ZipInfo(name, (2020, 2, 2, 0, 0, 0)), body, zipfile.ZIP_DEFLATED, 9)


for _archive in sorted(Path("/archives").iterdir()):
    _compile(_archive)
