"""Find CPython interpreters by version, by running them: a shim on PATH may be there and still not work."""

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["find", "find_exact"]

_NEWEST_MINOR = 15
_PROBE = "import sys; print(sys.implementation.name, *sys.version_info[:2], sys.executable, sep='\\n')"


def find(minimum: tuple[int, int] = (3, 12)) -> Path | None:
    """Return the first working CPython that is `minimum` or newer, or `None`."""
    for candidate in _candidates():
        found = _run(candidate)
        if found is not None and found[0] >= minimum:
            return found[1]
    return None


def find_exact(version: str) -> Path | None:
    """Return the first working CPython of this version, such as `"3.13"`, or `None`."""
    wanted = tuple(int(part) for part in version.split("."))
    for candidate in _candidates(version):
        found = _run(candidate)
        if found is not None and found[0] == wanted:
            return found[1]
    return None


def _candidates(version: str | None = None) -> Iterator[Path]:
    """Yield places to look: this interpreter, PATH, then pyenv's folder, the newest first."""
    yield Path(sys.executable)
    names = [version] if version else [f"3.{minor}" for minor in range(_NEWEST_MINOR, 10, -1)]
    for name in names:
        on_path = shutil.which(f"python{name}")
        if on_path:
            yield Path(on_path)
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    homes = [home for name in names for home in (root / "versions").glob(f"{name}*")]
    yield from (home / "bin" / "python" for home in homes)


@functools.cache
def _run(candidate: Path) -> tuple[tuple[int, int], Path] | None:
    """Run one candidate; return its version and its own path, or `None` when it is no working CPython."""
    try:
        done = subprocess.run([candidate, "-c", _PROBE], capture_output=True, text=True, timeout=120)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode != 0:
        return None
    name, major, minor, path = done.stdout.split("\n")[:4]
    return ((int(major), int(minor)), Path(path)) if name == "cpython" else None


def main() -> int:
    """Print the interpreter of the version that the command line names."""
    found = find_exact(sys.argv[1]) if len(sys.argv) > 1 else find()
    print(found or "none found")
    return 0 if found else 3


if __name__ == "__main__":
    sys.exit(main())
