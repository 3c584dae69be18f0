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

_WEEK = 7 * 24 * 3600


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
                _remove_old(home)
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


def _remove_old(home: Path) -> None:
    """Remove the bundles that were not used for two weeks."""
    for path in home.glob("*"):
        if path.stat().st_mtime < time.time() - 2 * _WEEK:
            shutil.rmtree(path, ignore_errors=True)
