"""Get one pinned release of Pyodide: its core and standard library, without any packages."""

import json
from dataclasses import dataclass
from pathlib import Path

from . import npm
from .cache import ToolError

__all__ = ["FILES", "VERSION", "Core", "lead_to_cdn", "release"]

VERSION = "314.0.7"
FILES = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip")
"""What a page loads of it."""

_INFO = {"abi_version": "2026_0", "arch": "wasm32", "platform": "emscripten_5_0_3", "python": "3.14.2"}

_STOCK = "pyodide-lock.json"
_LEADS_TO_CDN = """\
// Pyodide of its official CDN, with the packages that are locked in this folder.
import {{ loadPyodide as load }} from "{cdn}pyodide.mjs";

export {{ version }} from "{cdn}pyodide.mjs";
export const loadPyodide = (options = {{}}) =>
  load({{ lockFileURL: new URL("pyodide-lock.json", import.meta.url).href, ...options }});
"""


@dataclass(frozen=True)
class Core:
    """A release: its version, what a lock file says of it, the folder of its files, the lock file of its packages.

    Without a folder pages load it from `cdn`, where its own packages are in any case; so is their lock file, where
    there is none here.
    """

    version: str
    info: dict[str, str]
    files: Path | None
    stock: Path | None

    @property
    def cdn(self) -> str:
        """The URL of the release on the official CDN."""
        return f"https://cdn.jsdelivr.net/pyodide/v{self.version}/full/"


def release(wanted: str | None) -> Core:
    """Return a release.

    Args:
        wanted: the folder of an unpacked `pyodide` npm package; "cdn" for the pinned release as the official CDN
            serves it; `None` for the pinned one from npm, or from the cache after the first time.

    Raises:
        ToolError: when a file is missing in the folder; (3) when there is no npm.
    """
    if wanted == "cdn":
        return Core(VERSION, _INFO, None, _present(npm.place("pyodide", VERSION) / _STOCK))
    if wanted is not None:
        return _in_folder(Path(wanted))
    try:
        return _in_folder(npm.package("pyodide", VERSION))
    except ToolError as error:
        if error.code != 3:
            raise
        hint = "or give an unpacked package with --pyodide DIR, or leave it to its CDN with --cdn"
        raise ToolError(f"{error}; {hint}", code=error.code) from None


def _in_folder(path: Path) -> Core:
    absent = [name for name in (*FILES, "package.json") if not (path / name).is_file()]
    if absent:
        raise ToolError(f"{path} is no unpacked pyodide package: {', '.join(absent)} missing")
    version = str(json.loads((path / "package.json").read_text())["version"])
    stock = path / _STOCK
    if stock.is_file():
        info = dict(json.loads(stock.read_text())["info"])
    elif version == VERSION:
        info = _INFO
    else:
        raise ToolError(f"{path} holds pyodide {version} without its pyodide-lock.json")
    return Core(version, info, path, _present(stock))


def _present(file: Path) -> Path | None:
    return file if file.is_file() else None


def lead_to_cdn(cdn: str) -> str:
    """Return a `pyodide.mjs` that takes Pyodide from the CDN, so that pages of both kinds of bundles are the same."""
    return _LEADS_TO_CDN.format(cdn=cdn)
