"""Find the programs that pages need: browsers, Node, npm."""

import os
import shutil
from pathlib import Path

__all__ = ["Missing", "advice", "find", "package"]

_COMMANDS = {
    "chromium": ("chromium", "chromium-browser", "google-chrome"),
    "firefox": ("firefox-esr", "firefox"),
    "node": ("node", "nodejs"),
}
_PACKAGES = {"firefox": "firefox-esr", "node": "nodejs"}
"""Debian's packages whose names are others than the programs'."""


class Missing(Exception):
    """A program is not on this machine; the text says what to install."""


def find(name: str) -> Path | None:
    """Return the program called `name` (chromium, firefox, node, or any other), or `None`.

    Raises:
        Missing: when the environment names a program that is not there.
    """
    variable = _variable(name)
    named = os.environ.get(variable)
    for command in (named,) if named else _COMMANDS.get(name, (name,)):
        if found := shutil.which(command):
            return Path(found)
    if named:
        raise Missing(f"{variable} is {named!r}, which is no program")
    return None


def package(name: str) -> str:
    """Return Debian's package that has the program called `name`."""
    return _PACKAGES.get(name, name)


def advice(name: str) -> str:
    """Return the sentence that says what to install for the program called `name`."""
    return (
        f"{name} is not on this machine: install the package {package(name)} (apt-get install {package(name)}), "
        f"or set {_variable(name)} to the program"
    )


def _variable(name: str) -> str:
    return f"CIRCLE_WS_{name.upper()}"
