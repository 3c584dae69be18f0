"""Find CPython interpreters by version, by running them: a shim on PATH may be there and still not work."""

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["find", "find_exact"]

_NEWEST_MINOR = 15
_PROBE = "import sys; print(sys.implementation.name, '%d.%d' % sys.version_info[:2], sys.executable)"


def find() -> Path | None:
    """Return a working CPython 3.12 or newer: this one, outside of a virtual environment, or the newest; or `None`."""
    if sys.version_info >= (3, 12):
        return Path(sys.executable).resolve()
    return next(filter(None, (find_exact(f"3.{minor}") for minor in range(_NEWEST_MINOR, 11, -1))), None)


@functools.cache
def find_exact(version: str) -> Path | None:
    """Return the first working CPython of this version, such as `"3.13"`: this one, of PATH, of pyenv's, or `None`."""
    on_path = shutil.which(f"python{version}")
    homes = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for candidate in (sys.executable, on_path, *homes.glob(f"{version}*/bin/python")):
        if candidate and (found := _run(candidate)).startswith(f"cpython {version} "):
            return Path(found.split(maxsplit=2)[2])
    return None


@functools.cache
def _run(candidate: str | Path) -> str:
    """Run one candidate; return its kind, its version and its own path, or nothing when it does not work."""
    try:
        return subprocess.run([candidate, "-c", _PROBE], capture_output=True, text=True, timeout=120).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""
