"""Get one exact release of a package from npm, unpacked, and keep it in the cache."""

import shutil
import tempfile
from pathlib import Path

from .cache import ToolError, folder, locked, run
from .steps import step

__all__ = ["package", "place"]


def package(name: str, version: str) -> Path:
    """Return the folder of an unpacked package, taken from npm the first time and from the cache later.

    Raises:
        ToolError: (3) when there is no npm.
    """
    path = place(name, version)
    with locked(_plain(name)) as home:
        if not path.exists():
            _pack(f"{name}@{version}", home, path)
    return path


def place(name: str, version: str) -> Path:
    """Return where the folder of a package is, once it was taken."""
    return folder() / f"{_plain(name)}-{version}"


def _plain(name: str) -> str:
    return name.removeprefix("@").replace("/", "-")


def _pack(release: str, home: Path, path: Path) -> None:
    """Download the package by npm and unpack it to `path` atomically."""
    npm = shutil.which("npm")
    if npm is None:
        raise ToolError(f"npm is not on this machine, and {release} comes from there: apt-get install npm", code=3)
    step(f"getting {release} from npm")
    with tempfile.TemporaryDirectory(dir=home) as work:
        run(npm, "pack", "--silent", release, cwd=Path(work))
        archive = next(Path(work).glob("*.tgz"))
        shutil.unpack_archive(archive, work, filter="data")
        (Path(work) / "package").rename(path)
