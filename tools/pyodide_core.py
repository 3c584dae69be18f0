"""Get one pinned release of Pyodide: its core and standard library, without any packages."""

import json
from dataclasses import dataclass
from pathlib import Path

from tools import npm
from tools.cache import ToolError

__all__ = ["FILES", "VERSION", "Core", "from_cdn", "from_folder", "from_npm"]

VERSION = "314.0.7"
FILES = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip", "package.json")

_INFO = {"abi_version": "2026_0", "arch": "wasm32", "platform": "emscripten_5_0_3", "python": "3.14.2"}
_CDN = "https://cdn.jsdelivr.net/pyodide/v{version}/full/"


@dataclass(frozen=True)
class Core:
    """A release: its version, what a lock file says of it, where a page finds it, its local files."""

    version: str
    info: dict[str, str]
    index_url: str
    files: Path | None


def from_cdn() -> Core:
    """Return the pinned release as the official CDN serves it."""
    return Core(VERSION, _INFO, _CDN.format(version=VERSION), None)


def from_folder(path: Path) -> Core:
    """Return the release in an unpacked `pyodide` npm package.

    Raises:
        ToolError: when a file is missing there.
    """
    absent = [name for name in FILES if not (path / name).is_file()]
    if absent:
        raise ToolError(f"{path} is no unpacked pyodide package: {', '.join(absent)} missing")
    version = str(json.loads((path / "package.json").read_text())["version"])
    return Core(version, _info(path, version), "pyodide/", path)


def from_npm() -> Core:
    """Return the pinned release, taken from npm the first time and from the cache later.

    Raises:
        ToolError: (3) when there is no npm.
    """
    try:
        return from_folder(npm.package("pyodide", VERSION))
    except ToolError as error:
        hint = "; or give an unpacked package with --pyodide DIR, or use --pyodide cdn" if error.code == 3 else ""
        raise ToolError(f"{error}{hint}", code=error.code) from None


def _info(path: Path, version: str) -> dict[str, str]:
    """Return the `info` part of the release's lock file."""
    stock = path / "pyodide-lock.json"
    if stock.is_file():
        return dict(json.loads(stock.read_text())["info"])
    if version != VERSION:
        raise ToolError(f"{path} holds pyodide {version} without its pyodide-lock.json")
    return _INFO
