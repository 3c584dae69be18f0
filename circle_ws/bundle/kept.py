"""Bundles that are made once and kept in the cache."""

import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from . import builder, local_wheels, pyodide_core
from .cache import folder, locked

__all__ = ["bundle"]

_HOUR = 3600
_KEPT = 8
"""Each takes some 15 MB, and each change of a project makes one."""


def bundle(wheels: Sequence[Path], extra: Sequence[str], pyodide: str | None = None) -> Path:
    """Return a bundle with some wheels, from the cache where there is one.

    It is made anew when the content of a wheel is another, and every week, as an index may have newer packages then.

    Args:
        wheels: Files, or folders of projects, which are built each time.
        extra: Requirements to add.
        pyodide: As for `builder.build`.

    Raises:
        ToolError: It cannot be made; the text says why.
    """
    with tempfile.TemporaryDirectory(prefix="circle-ws-wheels-") as place:
        taken = local_wheels.take(wheels, Path(place), builder.find_tools())
        home = folder() / "bundles"
        made = home / builder.key(pyodide_core.release(pyodide), extra, taken)
        with locked(f"bundle-{made.name}"):
            if not made.exists():
                _remove_unused(home)
                builder.build(made, pyodide=pyodide, extra=extra, wheels=taken)
            os.utime(made)
    return made


def _remove_unused(home: Path) -> None:
    """Keep only the last few bundles, and those that a page may be loading."""
    for used, path in sorted(((path.stat().st_mtime, path) for path in home.glob("*")), reverse=True)[_KEPT:]:
        if used < time.time() - _HOUR:
            shutil.rmtree(path, ignore_errors=True)
