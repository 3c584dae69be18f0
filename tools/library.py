"""Compile Pyodide's standard library, which is served as sources: each page would compile what it imports anew.

It takes a Python of the very version, and Pyodide itself is one: it runs in Node. What is made is kept in the cache.
"""

import hashlib
import json
import os
import shutil
from pathlib import Path

from tools import browsers
from tools.cache import locked, run

__all__ = ["NAME", "compile_library"]

NAME = "python_stdlib.zip"
_PARTS = (Path(__file__).with_name("in_pyodide.mjs"), Path(__file__).with_name("compile_library.py"))


def compile_library(core: Path, info: dict[str, str]) -> None:
    """Compile the standard library in a folder with Pyodide's core, in place.

    Where there is no Node it is left as it is, and that is said.

    Args:
        core: The folder.
        info: What a lock file says of the release.
    """
    node = browsers.find("node")
    if node is None:
        print(
            "bundle: node is not on this machine, so the standard library stays as sources: pages load slower",
            flush=True,
        )
        return
    source = core / NAME
    key = hashlib.sha256(b"".join(path.read_bytes() for path in (source, *_PARTS))).hexdigest()[:12]
    with locked("library") as home:
        made = home / f"library-{key}.zip"
        if not made.exists():
            print("bundle: compiling the standard library in Pyodide, once", flush=True)
            program, work = _PARTS[1], made.with_suffix(".part")
            run(node, _PARTS[0], core, json.dumps(info), program, source, work)
            os.rename(work, made)
        shutil.copyfile(made, source)
