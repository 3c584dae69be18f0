"""Pack what the page unpacks: the files of a project."""

import io
import tarfile
from collections.abc import Iterable
from pathlib import Path

__all__ = ["tar"]


def tar(base: Path, files: Iterable[Path]) -> bytes:
    """Return a tar of some files, with their names as they are below `base`."""
    buffer = io.BytesIO()
    # No zip: Python's unpacking of those drops every file with two dots in its name, without a word.
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in files:
            archive.add(path, path.relative_to(base).as_posix())
    return buffer.getvalue()
