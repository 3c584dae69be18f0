"""Compile the modules of a bundle for its pages, which would otherwise compile everything that they import, each time.

It takes a Python of the very version, and the bundle's Pyodide is one: it runs in Node.
"""

import hashlib
import json
import os
import shutil
import tempfile
import time
from pathlib import Path

from . import programs
from .cache import locked, run
from .steps import step

__all__ = ["LIBRARY", "RUNNER", "compile_archives"]

LIBRARY = "python_stdlib.zip"
RUNNER = Path(__file__).with_name("in_pyodide.mjs")
"""Runs a Python program over some files in Pyodide, in Node."""
_MONTH = 30 * 24 * 3600
"""How long what is not used is kept."""
_PROGRAM = Path(__file__).with_name("compile_archives.py")


def compile_archives(archives: list[Path], core: Path, info: dict[str, str]) -> None:
    """Compile the Python files in some archives, in place. What is made is kept in the cache.

    Where there is no Node nothing is compiled, and that is printed.

    Args:
        archives: Wheels, and the standard library.
        core: The folder with Pyodide's core.
        info: What a lock file says of the release.
    """
    node = programs.find("node")
    if node is None:
        step("node is not on this machine, so nothing is compiled: pages will load slower")
        return
    tools = b"".join(path.read_bytes() for path in (RUNNER, _PROGRAM)) + json.dumps(info).encode()
    with locked("compiled") as home, tempfile.TemporaryDirectory(dir=home) as work:
        kept = {path: home / f"compiled-{_digest(tools + path.read_bytes())}{path.suffix}" for path in archives}
        new = [path for path in archives if not kept[path].exists()]
        if new:
            step(f"compiling {len(new)} archives in Pyodide")
            copies = [Path(shutil.copy(path, work)) for path in new]
            run(node, RUNNER, core, json.dumps(info), _PROGRAM, *copies)
            for path, copy in zip(new, copies, strict=True):
                os.rename(copy, kept[path])
        for path in archives:
            shutil.copyfile(kept[path], path)
            os.utime(kept[path])
        for path in home.glob("compiled-*.*"):
            if path.stat().st_mtime < time.time() - _MONTH:
                path.unlink()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
