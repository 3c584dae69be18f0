"""Keep what is slow to get: a cache folder with a lock on it, and virtual environments inside."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .steps import environment as inherited
from .steps import step

if sys.platform != "win32":
    import fcntl

__all__ = ["ToolError", "environment", "folder", "locked", "run"]


class ToolError(Exception):
    """A tool cannot go on; the text says why and what to do, `code` is the exit code."""

    def __init__(self, text: str, code: int = 1) -> None:
        super().__init__(text)
        self.code = code


def folder() -> Path:
    """Return the cache folder, made when it is not there."""
    path = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "circle-ws"
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def locked(name: str) -> Iterator[Path]:
    """Take the lock called `name` in the cache and yield the cache folder.

    Raises:
        ToolError: (3) on Windows.
    """
    if sys.platform == "win32":
        raise ToolError("bundles for pages are made on Linux and macOS only", code=3)
    home = folder()
    with (home / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield home


def run(*command: str | Path, cwd: Path | None = None, explains_itself: bool = False) -> str:
    """Run a command and return its output; a Python is given -P, or it would import what lies in the working directory.

    Args:
        command: the program and its arguments.
        cwd: where to run it.
        explains_itself: whether what it prints when it fails needs no introduction.

    Raises:
        ToolError: when it fails; the text holds the end of what it printed.
    """
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "stdin": subprocess.DEVNULL}
    done: subprocess.CompletedProcess[str] = subprocess.run(command, cwd=cwd, text=True, env=inherited(), **pipes)
    if done.returncode != 0 and explains_itself:
        raise ToolError(done.stdout.strip())
    if done.returncode != 0:
        raise ToolError(f"`{' '.join(map(str, command))}` failed:\n{done.stdout[-3000:]}")
    return done.stdout


def environment(python: Path, name: str, wanted: list[str]) -> Path:
    """Return the interpreter of a virtual environment with some requirements; it is kept in the cache."""
    key = hashlib.sha256(repr((str(python), wanted)).encode()).hexdigest()[:12]
    with locked("environment") as home:
        path = home / f"{name}-{key}"
        if not (path / "complete").exists():
            step(f"making an environment for {', '.join(wanted)}")
            shutil.rmtree(path, ignore_errors=True)
            run(python, "-P", "-m", "venv", path)
            run(path / "bin" / "python", "-P", "-m", "pip", "install", "-q", *wanted)
            (path / "complete").touch()
    return path / "bin" / "python"
