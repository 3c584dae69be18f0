"""Keep what is slow to get: a cache folder with a lock on it, and virtual environments inside."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["CHECKOUT", "ToolError", "environment", "folder", "locked", "requirements", "run"]

CHECKOUT = Path(__file__).resolve().parent.parent


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
    """Take the lock called `name` in the cache and yield the cache folder."""
    home = folder()
    with (home / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield home


def run(*command: str | Path, cwd: Path = CHECKOUT) -> str:
    """Run a command and return its output.

    Raises:
        ToolError: when it fails; the text holds the end of what it printed.
    """
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise ToolError(f"`{' '.join(map(str, command))}` failed:\n{done.stdout[-3000:]}")
    return done.stdout


def requirements(*groups: str) -> list[str]:
    """Return some dependency groups of pyproject.toml; they must include no others."""
    return [one for group in groups for one in _project()["dependency-groups"][group]]


def _project() -> dict[str, Any]:
    return tomllib.loads((CHECKOUT / "pyproject.toml").read_text())


def environment(python: Path, group: str) -> Path:
    """Return the interpreter of a virtual environment with a dependency group and what builds our wheel."""
    wanted = [*_project()["build-system"]["requires"], *requirements(group)]
    key = hashlib.sha256(repr((str(python), wanted)).encode()).hexdigest()[:12]
    with locked("environment") as home:
        path = home / f"{group}-{key}"
        if not (path / "complete").exists():
            print(f"bundle: making an environment for {', '.join(wanted)}", flush=True)
            shutil.rmtree(path, ignore_errors=True)
            run(python, "-m", "venv", path)
            run(path / "bin" / "python", "-m", "pip", "install", "-q", *wanted)
            (path / "complete").touch()
    return path / "bin" / "python"
