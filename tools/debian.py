"""Run a newer Python than this machine has: one of a folder with Debian's next suite, which `chroot` runs.

mmdebstrap makes the folder once, on Debian and as root, and it is kept in the cache. It has programs and settings of
its own; all else (the checkout, the home, the network) is the machine's, mounted for one command alone: when that ends
the mounts are gone, whatever became of it.
"""

import hashlib
import os
import platform
import shutil
import subprocess
from pathlib import Path

from circle_ws.bundle.cache import ToolError, locked, run
from tools import CHECKOUT, browsers

__all__ = ["inside", "why_not"]

_PYTHONS = ("3.14", "3.15")
"""The versions that the folder has, each as `/usr/bin/python3.14`."""

_SUITE = "forky"
_PACKAGES = ["ca-certificates", *(f"python{version}{part}" for version in _PYTHONS for part in ("", "-venv"))]

_ENTER = Path(__file__).with_name("enter_debian.sh")


def inside(version: str) -> list[str]:
    """Return what a command begins with that is to run in the folder, which is made if there is none.

    Args:
        version: the Python that it is wanted for.

    Raises:
        ToolError: (3) when there can be no folder here, or none with this Python; the text says why.
        programs.Missing: when mmdebstrap cannot be installed.
    """
    if reason := why_not(version):
        raise ToolError(reason, code=3)
    browsers.ensure("mmdebstrap")
    return [*_UNSHARE, "sh", str(_ENTER), str(_folder()), str(CHECKOUT)]


_UNSHARE = ["unshare", "--mount", "--propagation", "private"]


def why_not(version: str) -> str | None:
    """Return why this machine can have no such folder with this Python, or None where it can."""
    if version not in _PYTHONS:
        return f"Debian {_SUITE} has no CPython {version}"
    if os.geteuid() != 0 or not _is_debian():
        return f"a folder of Debian {_SUITE} is made on Debian only, and as root"
    if shutil.which("unshare") is None or subprocess.run([*_UNSHARE, "true"], capture_output=True).returncode != 0:
        return f"a folder of Debian {_SUITE} needs mounts, which are not allowed here"
    return None


def _is_debian() -> bool:
    try:
        return platform.freedesktop_os_release().get("ID") == "debian"
    except OSError:
        return False


def _folder() -> Path:
    """Return the folder; it is made in full, or not at all."""
    key = hashlib.sha256(repr((_SUITE, _PACKAGES)).encode()).hexdigest()[:12]
    with locked("debian") as home:
        path = home / f"{_SUITE}-{key}"
        if not path.exists():
            print(f"debian: making {path}", flush=True)
            half = path.with_name(f"{path.name}.half")
            shutil.rmtree(half, ignore_errors=True)
            packages = f"--include={','.join(_PACKAGES)}"
            run(*_UNSHARE, "mmdebstrap", "--quiet", "--variant=minbase", *_apt_options(), packages, _SUITE, half)
            half.rename(path)
    return path


def _apt_options() -> list[str]:
    """Copy this machine's setting for the age of Debian's package lists, because some mirrors are not updated."""
    done = subprocess.run(["apt-config", "dump", "Acquire::Check-Valid-Until"], capture_output=True, text=True)
    return [f"--aptopt={line.rstrip(';')}" for line in done.stdout.splitlines()]
