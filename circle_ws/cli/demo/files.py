"""The files of the demo's page: the console, of a checkout or installed with it, and the bundle, of the cache."""

import os
import re
import shutil
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from ...bundle import kept, npm, pyodide_core
from ...bundle.cache import ToolError, folder
from ...bundle.programs import Missing
from ...bundle.steps import telling

__all__ = ["BundleError", "find_checkout", "find_page", "harmless", "make_bundle"]

_PLAIN = re.compile("HOME|LANG|LANGUAGE|LOGNAME|PATH|PYENV_ROOT|SSL_CERT_DIR|SSL_CERT_FILE|TMPDIR|TZ|USER|LC_.*|XDG_.*")
_NETWORK = re.compile("(NPM_CONFIG|PIP)_.*|.*_(PROXY|CA_BUNDLE|EXTRA_CA_CERTS)")
_SECRET = re.compile("AUTH|CREDENTIAL|KEY|PASS|SECRET|TOKEN")
_USERINFO = re.compile(r"(?:^|//|\s)[^/\s]+@")
"""A user, and perhaps a password, in a URL or a list of them, or in a proxy without a scheme."""


class BundleError(Exception):
    """There is no bundle; the text says why."""


def make_bundle(package: Path, pyodide: Path | None, say: Callable[[str], None]) -> Path:
    """Return a folder with Pyodide, the wheel of a package and its dependencies, made or of the cache.

    Args:
        package: The `__init__.py` of `circle_ws`.
        pyodide: An unpacked Pyodide; None takes one from npm, or, where there is no npm, has the page load it
            from the official CDN.
        say: Takes the words of each step, in this thread.

    Raises:
        BundleError: It cannot be made, or others could have changed what makes it; the text says why.
    """
    if checkout := find_checkout(package):
        code = (checkout / "circle_ws" / "bundle", checkout / "examples" / "browser")
        files = [path for place in code for path in (place, *sorted(place.rglob("*")))]
        _refuse_foreign(checkout, checkout / "pyproject.toml", *files, words="so it is not run: make a checkout")
    try:
        source = str(pyodide.resolve()) if pyodide else None if _has_pyodide() else "cdn"
        home = folder()
        _refuse_foreign(home, *home.glob("bundles"), words="so it is not served: have a cache")
        with telling(say, harmless(os.environ)):
            return kept.bundle([], [], source)
    except (ToolError, Missing) as error:
        raise BundleError(str(error)) from None
    except OSError as error:
        raise BundleError(f"the bundle cannot be made: {error}") from None


def find_checkout(package: Path) -> Path | None:
    """Return the folder of the checkout that a package is in; None when it was installed from a wheel.

    Args:
        package: The `__init__.py` of `circle_ws`; never the working directory, which may belong to another user.
    """
    root = package.resolve().parent.parent
    parts = (root / "examples" / "browser" / "index.html", root / "pyproject.toml")
    return root if all(part.is_file() for part in parts) else None


def find_page(package: Path) -> Path:
    """Return the folder of the console: that of the checkout, or the one that a wheel brings along."""
    checkout = find_checkout(package)
    return checkout / "examples" / "browser" if checkout else package.parent / "cli" / "demo" / "console"


def _has_pyodide() -> bool:
    """Return whether there is a Pyodide in the cache, or what gets one."""
    return npm.place("pyodide", pyodide_core.VERSION).exists() or shutil.which("npm") is not None


def harmless(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what a bundler needs of an environment: where programs, caches and packages are, and no secrets.

    An index or a proxy with a name and a password in its URL is left out, too.
    """
    return {name: value for name, value in environment.items() if _is_harmless(name.upper(), value)}


def _is_harmless(name: str, value: str) -> bool:
    if _SECRET.search(name):
        return False
    return bool(_PLAIN.fullmatch(name) or (_NETWORK.fullmatch(name) and not _USERINFO.search(value)))


def _refuse_foreign(*paths: Path, words: str) -> None:
    for path in paths:
        if why := _foreign(path):
            raise BundleError(f"{path} {why}, {words} of your own")


def _foreign(path: Path) -> str | None:
    """Return a description of who else can have changed a file or a folder; None if only the user can."""
    if not hasattr(os, "geteuid"):  # pragma: no cover - Windows: its rights are not told by these numbers.
        return None
    found = path.stat()
    if found.st_uid != os.geteuid():
        return "belongs to another user"
    # A group of the user's own, with the same number, has one member on most systems.
    if found.st_mode & stat.S_IWOTH or (found.st_mode & stat.S_IWGRP and found.st_gid != found.st_uid):
        return "can be written by other users"
    return None
