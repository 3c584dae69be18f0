"""Compile what a bundle has for its pages: they would compile everything that they import anew, each time.

It takes a Python of the very version, and the bundle's Pyodide is one: it runs in Node.
"""

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path

from tools import browsers, page_wheel
from tools.cache import locked, run

__all__ = ["LIBRARY", "compile_library", "compile_package", "is_possible"]

LIBRARY = "python_stdlib.zip"
_TOOLS = Path(__file__).parent
_RUNNER = _TOOLS / "in_pyodide.mjs"


def is_possible() -> bool:
    """Tell whether there is Node; where there is none, that is said."""
    if browsers.find("node") is not None:
        return True
    print("bundle: node is not on this machine, so nothing is compiled: pages will load slower", flush=True)
    return False


def compile_library(core: Path, info: dict[str, str]) -> None:
    """Compile the standard library in a folder with Pyodide's core, in place. What is made is kept in the cache.

    Args:
        core: The folder.
        info: What a lock file says of the release.
    """
    source, program = core / LIBRARY, _TOOLS / "compile_library.py"
    key = hashlib.sha256(b"".join(path.read_bytes() for path in (source, _RUNNER, program))).hexdigest()[:12]
    with locked("library") as home:
        made = home / f"library-{key}.zip"
        if not made.exists():
            print("bundle: compiling the standard library in Pyodide, once", flush=True)
            work = made.with_suffix(".part")
            _run_in_pyodide(core, info, program, source, work)
            os.rename(work, made)
        shutil.copyfile(made, source)


def compile_package(wheel: Path, core: Path, info: dict[str, str]) -> None:
    """Compile what the wheel for pages is imported with; write that into it, and into a wheel beside it.

    Args:
        wheel: The wheel for pages.
        core: The folder with Pyodide's core.
        info: What a lock file says of the release.
    """
    print("bundle: compiling circle-ws in Pyodide", flush=True)
    with tempfile.TemporaryDirectory() as work:
        packed = Path(work) / "packed.zip"
        _run_in_pyodide(core, info, _TOOLS / "compile_package.py", wheel, packed)
        page_wheel.add_code(wheel, packed)


def _run_in_pyodide(core: Path, info: dict[str, str], program: Path, given: Path, made: Path) -> None:
    node = browsers.ensure("node")
    run(node, _RUNNER, core, json.dumps(info), program, given, made)
