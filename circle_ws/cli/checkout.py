"""The source checkout, where the browser page lives: found from the working directory upward, and bundled."""

import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

__all__ = ["BundleError", "Checkout", "find_checkout"]


class BundleError(Exception):
    """Tell why there is no bundle, in words for a person."""


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
            BundleError: It cannot be made; the text says why.
        """
        out = self.root / ".cache" / "demo"
        command = [sys.executable, str(self.root / "tools" / "bundle.py"), "--out", str(out)]
        if pyodide is not None:
            command += ["--pyodide", str(pyodide.resolve())]
        elif shutil.which("npm") is None:
            command += ["--pyodide", "cdn"]
        done = subprocess.run(command, cwd=self.root, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0:
            raise BundleError(done.stderr.strip() or f"tools/bundle.py ended with exit code {done.returncode}")
        return out


def find_checkout(start: Path) -> Checkout | None:
    """Find the checkout that `start` is in, or None."""
    for folder in (start, *start.parents):
        if (folder / "examples" / "browser" / "index.html").is_file() and _is_ours(folder / "pyproject.toml"):
            return Checkout(folder)
    return None


def _is_ours(pyproject: Path) -> bool:
    try:
        name: object = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]["name"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return name == "circle-ws"
