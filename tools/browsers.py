"""Install the programs that the checks need (browsers, Node, npm, mmdebstrap) where apt can."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from circle_ws.bundle.programs import Missing, advice, find, package

__all__ = ["ensure"]


def ensure(name: str) -> Path:
    """Return the program called `name`, after installing it with apt when that is possible.

    Raises:
        Missing: when it is not there and cannot be installed from here.
    """
    found = find(name)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        _apt_install(package(name))
        found = find(name)
    if found is None:
        raise Missing(advice(name))
    return found


def _apt_install(name: str) -> None:
    """Install a package without questions; a failure shows up as a program that is still missing."""
    print(f"browsers: installing {name}", flush=True)
    environ = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", name]
    for command in (["apt-get", "update", "-q"], install):
        done = subprocess.run(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            print(f"browsers: {' '.join(command)} failed:\n{done.stdout[-2000:]}", file=sys.stderr)
