"""Bundles that are made once and kept in the cache."""

import hashlib
import os
import shutil
import tempfile
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

from . import builder, local_wheels, pyodide_core
from .cache import folder, locked

__all__ = ["bundle"]

_HOUR = 3600
_WEEK = 7 * 24 * _HOUR
_KEPT = 8
"""Each takes some 15 MB, and each change of a project makes one."""


def bundle(wheels: Sequence[Path], extra: Sequence[str]) -> Path:
    """Return a bundle with some wheels, from the cache where there is one.

    It is made anew when the content of a wheel is another, and every week, as an index may have newer packages then.

    Args:
        wheels: Files, or folders of projects, which are built each time.
        extra: Requirements to add.

    Raises:
        ToolError: It cannot be made; the text says why.
    """
    with tempfile.TemporaryDirectory(prefix="circle-ws-wheels-") as place:
        taken = local_wheels.take(wheels, Path(place), builder.find_tools())
        parts = [pyodide_core.VERSION, *sorted(extra), *map(_content, taken), str(int(time.time() // _WEEK))]
        home = folder() / "bundles"
        made = home / hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
        with locked(f"bundle-{made.name}"):
            if not made.exists():
                _remove_unused(home)
                builder.build(made, extra=extra, wheels=taken)
            os.utime(made)
    return made


def _content(wheel: Path) -> str:
    """Return a digest of what a wheel holds, whenever it was built."""
    digest = hashlib.sha256(wheel.name.encode())
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            digest.update(name.encode() + hashlib.sha256(archive.read(name)).digest())
    return digest.hexdigest()


def _remove_unused(home: Path) -> None:
    """Keep only the last few bundles, and those that a page may be loading."""
    for used, path in sorted(((path.stat().st_mtime, path) for path in home.glob("*")), reverse=True)[_KEPT:]:
        if used < time.time() - _HOUR:
            shutil.rmtree(path, ignore_errors=True)
