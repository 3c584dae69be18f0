"""What programs may use: the exported names of every public module, and the members of classes, are those of a list.

A name that goes breaks programs, and one that comes is a promise: both change `public_names.txt` on purpose.
`python -m tests.test_public_names` writes it anew.
"""

import enum
import importlib
import inspect
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import circle_ws

_LIST = Path(__file__).with_name("public_names.txt")
_MODULES = [
    "circle_ws",
    "circle_ws.auth",
    "circle_ws.auth.crypto_utils",
    "circle_ws.auth.types",
    "circle_ws.auth.wallet",
    "circle_ws.config",
    "circle_ws.contrib.opentelemetry",
    "circle_ws.errors",
    "circle_ws.js",
    "circle_ws.policy",
    "circle_ws.server",
    "circle_ws.sync",
    "circle_ws.testing",
    "circle_ws.testing.nox",
    "circle_ws.testing.pytest_plugin",
    "circle_ws.transport",
    "circle_ws.transport.memory",
]
"""Those that the reference documents."""
_ELSEWHERE = {"circle_ws.server", "circle_ws.testing.nox"}
"""What needs a package that Pyodide does not have."""


def _members(value: Any) -> set[str]:
    """Return the public members that a class of ours has from classes of ours."""
    if not isinstance(value, type) or not value.__module__.startswith("circle_ws"):
        return set()
    ours = [kind for kind in value.__mro__ if kind.__module__.startswith("circle_ws")]
    names = {name for kind in ours for name in (*vars(kind), *_annotated(kind))}
    names -= {"name", "value"} if issubclass(value, enum.Enum) else set()
    return {name for name in names if not name.startswith("_")}


def _annotated(kind: type) -> Iterable[str]:
    if sys.version_info >= (3, 14):
        import annotationlib

        return annotationlib.get_annotations(kind, format=annotationlib.Format.FORWARDREF)
    return inspect.get_annotations(kind)


def _names(module: str) -> Iterator[str]:
    loaded = importlib.import_module(module)
    yield f"{module}:"
    for name in sorted(loaded.__all__):
        yield f"    {name}"
        for member in sorted(_members(getattr(loaded, name))):
            yield f"        {member}"


def _section(module: str) -> list[str]:
    """Return what the list says of a module."""
    lines = _LIST.read_text().splitlines()
    start = lines.index(f"{module}:")
    return [lines[start], *_indented(lines[start + 1 :])]


def _indented(lines: list[str]) -> Iterator[str]:
    for line in lines:
        if not line.startswith(" "):
            return
        yield line


def _here() -> list[str]:
    return [it for it in _MODULES if sys.platform != "emscripten" or it not in _ELSEWHERE]


def test_the_names_are_those_of_the_list() -> None:
    """In every runtime the same; what changes on purpose changes the list too."""
    assert {module: list(_names(module)) for module in _here()} == {module: _section(module) for module in _here()}


def test_the_list_has_no_other_module() -> None:
    """Each module of the list is public."""
    assert [line[:-1] for line in _LIST.read_text().splitlines() if line.endswith(":")] == _MODULES


def test_the_version_is_that_of_the_installed_package() -> None:
    """One place says it. Where it differs, the checkout was installed before its version changed: install it again."""
    assert circle_ws.__version__ == version("circle-ws")


if __name__ == "__main__":
    _LIST.write_text("\n".join(line for module in _MODULES for line in _names(module)) + "\n")
