"""The source checkout that this package runs from and that has the web page; only the user's own is run."""

import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["BundleError", "Checkout", "find_checkout", "harmless"]

_NAMES = frozenset(
    {
        "HOME",
        "LANG",
        "LANGUAGE",
        "LOGNAME",
        "PATH",
        "PYENV_ROOT",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "TMPDIR",
        "TZ",
        "USER",
    }
)
_TOOLS = ("NPM_CONFIG_", "PIP_")
_PARTS = ("LC_", "XDG_", *_TOOLS)
_ENDINGS = ("_PROXY", "_CA_BUNDLE", "_EXTRA_CA_CERTS")
_SECRETS = ("AUTH", "CREDENTIAL", "KEY", "PASS", "SECRET", "TOKEN")

_USERINFO = re.compile(r"(?:^|//|\s)[^/\s]+@")
"""A user, and perhaps a password, in a URL or a list of them, or in a proxy without a scheme."""


class BundleError(Exception):
    """There is no bundle; the text says why."""


@dataclass(frozen=True)
class Checkout:
    """A checkout of circle-ws.

    Attributes:
        root: Its folder.
    """

    root: Path

    @property
    def page(self) -> Path:
        """The folder of the browser page."""
        return self.root / "examples" / "browser"

    def bundle(self, pyodide: Path | None = None) -> Path:
        """Make a folder with Pyodide, this checkout's wheel and its dependencies; blocks for some seconds.

        Args:
            pyodide: An unpacked Pyodide; None takes one from npm, or, where there is no npm, has the page load it
                from the official CDN.

        Raises:
            BundleError: It cannot be made, or others could have changed what makes it; the text says why.
        """
        self._refuse_foreign()
        out = self.root / ".cache" / "demo"
        # Isolated (-I): neither the environment nor a folder of the user's adds code of its own.
        command = [sys.executable, "-I", str(self.root / "tools" / "bundle.py"), "--out", str(out)]
        if pyodide is not None:
            command += ["--pyodide", str(pyodide.resolve())]
        elif shutil.which("npm") is None:
            command += ["--pyodide", "cdn"]
        done = subprocess.run(
            command,
            cwd=self.root,
            env=harmless(os.environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise BundleError(done.stderr.strip() or f"tools/bundle.py ended with exit code {done.returncode}")
        return out

    def _refuse_foreign(self) -> None:
        """Raise unless only the user can have written the code that the bundler and the page run."""
        for path in self._code():
            if why := _foreign(path):
                raise BundleError(f"{path} {why}, so it is not run: make a checkout of your own")

    def _code(self) -> Iterator[Path]:
        yield self.root
        yield self.root / "pyproject.toml"
        yield self.root / "tools"
        yield from sorted((self.root / "tools").rglob("*"))
        yield self.page
        yield from sorted(self.page.iterdir())
        made = self.root / ".cache"
        yield from (path for path in (made, made / "demo") if path.exists())


def find_checkout(package: Path) -> Checkout | None:
    """Return the checkout that a package is in; None when it was installed from a wheel.

    Args:
        package: The `__init__.py` of `circle_ws`; never the working directory, which may be anybody's.
    """
    root = package.resolve().parent.parent
    parts = (root / "examples" / "browser" / "index.html", root / "tools" / "bundle.py")
    if all(part.is_file() for part in parts) and _is_ours(root / "pyproject.toml"):
        return Checkout(root)
    return None


def harmless(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what a bundler needs of an environment: where programs, caches and packages are, and no secrets.

    An index or a proxy with a name and a password in its URL is left out, too.
    """
    return {
        name: value
        for name, value in environment.items()
        if _is_harmless(name.upper()) and not _holds_password(name.upper(), value)
    }


def _is_harmless(name: str) -> bool:
    if any(part in name for part in _SECRETS):
        return False
    return name in _NAMES or name.startswith(_PARTS) or name.endswith(_ENDINGS)


def _holds_password(name: str, value: str) -> bool:
    return (name.startswith(_TOOLS) or name.endswith("_PROXY")) and _USERINFO.search(value) is not None


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


def _is_ours(pyproject: Path) -> bool:
    try:
        name: object = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]["name"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return name == "circle-ws"
