"""Find the programs that the checks need (browsers, Node, npm, mmdebstrap), and install a missing one where apt can."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Missing", "ensure", "find"]


@dataclass(frozen=True)
class _Program:
    """How one program is looked for: the variable that names it, its commands, its apt packages."""

    variable: str
    commands: tuple[str, ...]
    packages: tuple[str, ...]


_PROGRAMS = {
    "chromium": _Program("CIRCLE_WS_CHROMIUM", ("chromium", "chromium-browser", "google-chrome"), ("chromium",)),
    "firefox": _Program("CIRCLE_WS_FIREFOX", ("firefox-esr", "firefox"), ("firefox-esr",)),
    "node": _Program("CIRCLE_WS_NODE", ("node", "nodejs"), ("nodejs",)),
    "npm": _Program("CIRCLE_WS_NPM", ("npm",), ("npm",)),
    "mmdebstrap": _Program("CIRCLE_WS_MMDEBSTRAP", ("mmdebstrap",), ("mmdebstrap",)),
}


class Missing(Exception):
    """A program is not on this machine; the text says what to install."""


def find(name: str) -> Path | None:
    """Return the program called `name` (chromium, firefox, node, npm, mmdebstrap), or `None`.

    Raises:
        Missing: when the environment names a program that is not there.
    """
    program = _PROGRAMS[name]
    told = os.environ.get(program.variable)
    for command in (told,) if told else program.commands:
        found = shutil.which(command)
        if found:
            return Path(found)
    if told:
        raise Missing(f"{program.variable} is {told!r}, which is no program")
    return None


def ensure(name: str) -> Path:
    """Return the program called `name`, after installing it with apt when that is possible.

    Raises:
        Missing: when it is not there and cannot be installed from here.
    """
    found = find(name)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        _apt_install(_PROGRAMS[name].packages)
        found = find(name)
    if found is None:
        raise Missing(advice(name))
    return found


def advice(name: str) -> str:
    """Return the sentence that says what to install for the program called `name`."""
    program = _PROGRAMS[name]
    return (
        f"{name} is not on this machine: install the package {' '.join(program.packages)} "
        f"(apt-get install {' '.join(program.packages)}), or set {program.variable} to the program"
    )


def _apt_install(packages: tuple[str, ...]) -> None:
    """Install packages without questions; a failure shows up as a program that is still missing."""
    print(f"browsers: installing {' '.join(packages)}", flush=True)
    environ = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
    for command in (["apt-get", "update", "-q"], install):
        done = subprocess.run(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            print(f"browsers: {' '.join(command)} failed:\n{done.stdout[-2000:]}", file=sys.stderr)


def main() -> int:
    """Ensure the programs that the command line names and print where they are."""
    try:
        for name in sys.argv[1:]:
            print(ensure(name))
    except Missing as missing:
        print(missing, file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
