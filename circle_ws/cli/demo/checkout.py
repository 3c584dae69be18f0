"""The source checkout that this package runs from and that has the web page; only the user's own is run."""

import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["BundleError", "find_checkout", "harmless", "make_bundle"]

_PLAIN = re.compile("HOME|LANG|LANGUAGE|LOGNAME|PATH|PYENV_ROOT|SSL_CERT_DIR|SSL_CERT_FILE|TMPDIR|TZ|USER|LC_.*|XDG_.*")
_NETWORK = re.compile("(NPM_CONFIG|PIP)_.*|.*_(PROXY|CA_BUNDLE|EXTRA_CA_CERTS)")
_SECRET = re.compile("AUTH|CREDENTIAL|KEY|PASS|SECRET|TOKEN")
_USERINFO = re.compile(r"(?:^|//|\s)[^/\s]+@")
"""A user, and perhaps a password, in a URL or a list of them, or in a proxy without a scheme."""


class BundleError(Exception):
    """There is no bundle; the text says why."""


def make_bundle(checkout: Path, pyodide: Path | None = None) -> Path:
    """Make a folder with Pyodide, this checkout's wheel and its dependencies; blocks for some seconds.

    Args:
        checkout: The folder of the checkout.
        pyodide: An unpacked Pyodide; None takes one from npm, or, where there is no npm, has the page load it
            from the official CDN.

    Raises:
        BundleError: It cannot be made, or others could have changed what makes it; the text says why.
    """
    out = checkout / ".cache" / "demo"
    tools, page = checkout / "tools", checkout / "examples" / "browser"
    code = [checkout, checkout / "pyproject.toml", tools, *sorted(tools.rglob("*")), page, *sorted(page.rglob("*"))]
    for path in (*code, *(made for made in (out.parent, out) if made.exists())):
        if why := _foreign(path):
            raise BundleError(f"{path} {why}, so it is not run: make a checkout of your own")
    # Isolated (-I): neither the environment nor a folder of the user's adds code of its own.
    command = [sys.executable, "-I", str(tools / "bundle.py"), "--out", str(out)]
    if pyodide is not None:
        command += ["--pyodide", str(pyodide.resolve())]
    elif shutil.which("npm") is None:
        command += ["--pyodide", "cdn"]
    environ = harmless(os.environ)
    done = subprocess.run(command, cwd=checkout, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise BundleError(done.stderr.strip() or f"tools/bundle.py ended with exit code {done.returncode}")
    return out


def find_checkout(package: Path) -> Path | None:
    """Return the folder of the checkout that a package is in; None when it was installed from a wheel.

    Args:
        package: The `__init__.py` of `circle_ws`; never the working directory, which may belong to another user.
    """
    root = package.resolve().parent.parent
    parts = (root / "examples" / "browser" / "index.html", root / "tools" / "bundle.py")
    return root if all(part.is_file() for part in parts) else None


def harmless(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what a bundler needs of an environment: where programs, caches and packages are, and no secrets.

    An index or a proxy with a name and a password in its URL is left out, too.
    """
    return {name: value for name, value in environment.items() if _is_harmless(name.upper(), value)}


def _is_harmless(name: str, value: str) -> bool:
    if _SECRET.search(name):
        return False
    return bool(_PLAIN.fullmatch(name) or (_NETWORK.fullmatch(name) and not _USERINFO.search(value)))


def _foreign(path: Path) -> str | None:
    """Return a description of who else can have changed a file or a folder; None if only the user can."""
    if not hasattr(os, "geteuid"):  # Windows: its rights are not told by these numbers.
        return None
    found = path.stat()
    if found.st_uid != os.geteuid():
        return "belongs to another user"
    # A group of the user's own, with the same number, has one member on most systems.
    if found.st_mode & stat.S_IWOTH or (found.st_mode & stat.S_IWGRP and found.st_gid != found.st_uid):
        return "can be written by other users"
    return None
