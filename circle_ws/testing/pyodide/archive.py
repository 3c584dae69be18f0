"""Pack what the page unpacks: the files of a project."""

import io
import os
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path

from ...bundle.cache import ToolError

__all__ = ["MAX_BYTES", "project", "tar"]

MAX_BYTES = 64 * 1024 * 1024
"""What a page is sent at most, so that nobody sends gigabytes by mistake."""

_NEVER = (".*", "__pycache__", "node_modules", "*.egg-info")
"""Folders that are left out wherever they are."""
_AT_THE_TOP = ("build", "dist")
"""Folders that are left out only where the project begins."""


def project(root: Path, excluded: Iterable[str] = ()) -> bytes:
    """Return a tar of a project's files.

    Hidden folders, caches, virtual environments, `node_modules`, and `build` and `dist` at the top are left out.

    Args:
        root: The folder of the project.
        excluded: Patterns of more names to leave out, of files and of folders, such as `"*.bin"` or `"data"`.

    Raises:
        ToolError: There is too much; the text names the largest parts that were found so far.
    """
    files = []
    sizes = Counter[str]()
    for path in _files(root, (*excluded,)):
        files.append(path)
        sizes[path.relative_to(root).parts[0]] += path.stat().st_size
        if sizes.total() > MAX_BYTES:  # Now, before all of a home folder is read.
            largest = ", ".join(f"{name} ({size / 2**20:.0f} MiB)" for name, size in sizes.most_common(3))
            raise ToolError(
                f"{root} has more than the {MAX_BYTES / 2**20:.0f} MiB of files that a page is sent; among them are "
                f"{largest}: leave some out with --exclude NAME, or go to the folder of a project"
            )
    return tar(root, files)


def tar(base: Path, files: Iterable[Path]) -> bytes:
    """Return a tar of some files, with their names as they are below `base`."""
    buffer = io.BytesIO()
    # No zip: Python's unpacking of those drops every file with two dots in its name, without a word.
    with tarfile.open(fileobj=buffer, mode="w", dereference=True) as archive:
        for path in files:
            archive.add(path, path.relative_to(base).as_posix())
    return buffer.getvalue()


def _files(root: Path, excluded: tuple[str, ...]) -> Iterator[Path]:
    for place, folders, names in os.walk(root):
        here = Path(place)
        never = (*_NEVER, *excluded, *(_AT_THE_TOP if here == root else ()))
        folders[:] = sorted(name for name in folders if not (_matches(name, never) or _is_environment(here / name)))
        yield from (here / name for name in sorted(names) if (here / name).is_file() and not _matches(name, excluded))


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def _is_environment(folder: Path) -> bool:
    return (folder / "pyvenv.cfg").is_file()
