"""Find the programs that the checks need (browsers, Node, npm, mmdebstrap), and install a missing one where apt can."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["Missing", "advice", "ensure", "find"]


_COMMANDS = {
    "chromium": ("chromium", "chromium-browser", "google-chrome"),
    "firefox": ("firefox-esr", "firefox"),
    "node": ("node", "nodejs"),
    "npm": ("npm",),
    "mmdebstrap": ("mmdebstrap",),
}
_PACKAGES = {"firefox": "firefox-esr", "node": "nodejs"}
"""Debian's packages whose names are others than the programs'."""


class Missing(Exception):
    """A program is not on this machine; the text says what to install."""


def find(name: str) -> Path | None:
    """Return the program called `name` (chromium, firefox, node, npm, mmdebstrap), or `None`.

    Raises:
        Missing: when the environment names a program that is not there.
    """
    variable = f"CIRCLE_WS_{name.upper()}"
    named = os.environ.get(variable)
    for command in (named,) if named else _COMMANDS[name]:
        if found := shutil.which(command):
            return Path(found)
    if named:
        raise Missing(f"{variable} is {named!r}, which is no program")
    return None


def ensure(name: str) -> Path:
    """Return the program called `name`, after installing it with apt when that is possible.

    Raises:
        Missing: when it is not there and cannot be installed from here.
    """
    found = find(name)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        _apt_install(_PACKAGES.get(name, name))
        found = find(name)
    if found is None:
        raise Missing(advice(name))
    return found


def advice(name: str) -> str:
    """Return the sentence that says what to install for the program called `name`."""
    package = _PACKAGES.get(name, name)
    return (
        f"{name} is not on this machine: install the package {package} (apt-get install {package}), "
        f"or set CIRCLE_WS_{name.upper()} to the program"
    )


def _apt_install(package: str) -> None:
    """Install a package without questions; a failure shows up as a program that is still missing."""
    print(f"browsers: installing {package}", flush=True)
    environ = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", package]
    for command in (["apt-get", "update", "-q"], install):
        done = subprocess.run(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            print(f"browsers: {' '.join(command)} failed:\n{done.stdout[-2000:]}", file=sys.stderr)
