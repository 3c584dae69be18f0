"""Is in the wheel for pages, as `circle_ws/modules.py`: imports the package's modules from the one file that has them.

The wheel has them as one file, because to make eighty of them and to look for each takes longer than to read one.
Where the package `circle-ws-code` of the same bundle is there, what every program imports is not compiled either: its
code is read. It is taken only by the very Python that made it, for the very sources that it was made of.
"""

from __future__ import annotations

import json
import marshal
import sys
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from importlib.util import MAGIC_NUMBER, source_hash
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, ModuleType

__all__ = ["CODE", "HOME", "KEY", "SOURCES", "Finder", "compiled"]

PACKAGE = __name__.rpartition(".")[0]
HOME = __file__.rpartition("/")[0]
"""The folder that each module says it is in, with the file that it was in the sources: nothing is there."""
PLACE = f"{HOME}/modules.json"
"""What is on the paths of the packages; the import system asks `Finder` about it, and about nothing else."""

with open(PLACE, "rb") as _file:
    _raw = _file.read()
SOURCES: dict[str, str] = json.loads(_raw)
"""The sources, by the file's path within the package."""

KEY = MAGIC_NUMBER + source_hash(HOME.encode() + _raw)
"""What code begins with that fits: the version of Python's code, and a digest of the sources and of where they are."""


def _read_code() -> dict[str, CodeType]:
    try:
        with open(f"{HOME}_code/modules.code", "rb") as file:
            packed = file.read()
    except FileNotFoundError:
        return {}
    if not packed.startswith(KEY):
        return {}
    from lzma import decompress

    code: dict[str, CodeType] = marshal.loads(decompress(packed[len(KEY) :]))
    return code


CODE = _read_code()
"""The code of those that have it; of the others, or without that package, it is compiled."""


def compiled(file: str) -> CodeType:
    """Compile a file of the sources."""
    # Not with the flags of this module, `annotations` among them.
    return compile(SOURCES[file], f"{HOME}/{file}", "exec", dont_inherit=True)


class Finder(Loader):
    """Find the modules of one package, and load them; `folder` is empty, or ends in a slash."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def find_spec(self, name: str, target: ModuleType | None = None) -> ModuleSpec | None:
        """Find a module by its whole name (PEP 451)."""
        file = self._file(name)
        if file not in SOURCES:
            return None
        spec = ModuleSpec(name, self, origin=f"{HOME}/{file}")
        # So it gets a `__file__`.
        spec.has_location = True
        if file.endswith("/__init__.py"):
            spec.submodule_search_locations = [f"{PLACE}/{file.removesuffix('/__init__.py')}"]
        return spec

    def iter_modules(self, prefix: str) -> Iterator[tuple[str, bool]]:
        """List the modules for `pkgutil`, which asks for this."""
        for file in SOURCES:
            if file.startswith(self._folder):
                name, _, rest = file.removeprefix(self._folder).partition("/")
                if rest in ("", "__init__.py") and name != "__init__.py":
                    yield prefix + name.removesuffix(".py"), bool(rest)

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave it to the import system."""

    def exec_module(self, module: ModuleType) -> None:
        """Run a module."""
        exec(self.get_code(module.__name__), vars(module))

    def get_code(self, name: str) -> CodeType:
        """Give the code of a module."""
        file = self._file(name)
        return CODE[file] if file in CODE else compiled(file)

    def get_source(self, name: str) -> str:
        """Give the source; tracebacks show its lines."""
        return SOURCES[self._file(name)]

    def get_filename(self, name: str) -> str:
        """Give the path that the module has for `__file__`."""
        return f"{HOME}/{self._file(name)}"

    def _file(self, name: str) -> str:
        path = self._folder + name.rpartition(".")[2]
        return f"{path}/__init__.py" if f"{path}/__init__.py" in SOURCES else f"{path}.py"


def _hook(path: str) -> Finder:
    if path != PLACE and not path.startswith(f"{PLACE}/"):
        raise ImportError(path)
    folder = path.removeprefix(PLACE).removeprefix("/")
    return Finder(f"{folder}/" if folder else "")


sys.path_hooks.append(_hook)
sys.modules[PACKAGE].__path__[:] = [PLACE]
