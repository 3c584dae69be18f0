"""One run of a suite: what is asked, what the page is told of it, and the error of a run that did not end."""

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from ...bundle.cache import ToolError

__all__ = ["PAGE", "NeverBegan", "Run", "RunFailed", "checked", "environ"]

PAGE = Path(__file__).parent / "page"
"""The folder of what a page is made of."""

_PASSED_ON = ("FORCE_COLOR", "NO_COLOR", "COLUMNS", "CI", "HYPOTHESIS_PROFILE")


class RunFailed(Exception):
    """The run did not come to an end of its own, so its tests prove nothing."""


class NeverBegan(RunFailed):
    """The page was gone before pytest printed anything, so no test has run."""


@dataclass(frozen=True)
class Run:
    """What the host and the page have to know about one run.

    Args:
        runtime: `"chromium"`, `"firefox"` or `"node"`.
        bundle: The folder with Pyodide and the wheels.
        arguments: Those of pytest.
        archives: What the page unpacks: folders of `/home/pyodide`, and the tar of each. The tests run in `suite`.
        environ: The environment of the page's Python.
        coverage: The file for the coverage data; `None` measures none.
        patience: Maximum number of seconds without activity.
        program: The Python program that the page runs; its value is the exit code.
        packages: The packages that are loaded; `None` loads all of the bundle.
        expected: The packages that are there afterwards; `None` for all of the bundle.
        routes: More that the page's server does.
        scripts: URLs of modules that a browser's page imports first.
    """

    runtime: str
    bundle: Path
    arguments: Sequence[str]
    archives: Mapping[str, Callable[[], bytes]]
    environ: Mapping[str, str] = field(default_factory=dict)
    coverage: Path | None = None
    patience: float = 600.0
    program: Path = PAGE / "inside.py"
    packages: Sequence[str] | None = None
    expected: Sequence[str] | None = None
    routes: Sequence[web.AbstractRouteDef] = ()
    scripts: Sequence[str] = ()

    def settings(self, host: str) -> dict[str, Any]:
        """Return what the page is told; `host` is the URL of its server."""
        described = json.loads((self.bundle / "bundle.json").read_text())
        return {
            "runtime": self.runtime,
            "arguments": [*self.arguments],
            "archives": [*self.archives],
            "coverage": self.coverage is not None,
            "measured": [name for name in described["given"] if name != "circle-ws"],
            "environ": {**self.environ, "CIRCLE_WS_HARNESS": host},
            "tty": sys.stdout.isatty(),
            "packages": described["packages"] if self.packages is None else [*self.packages],
            "expected": described["packages"] if self.expected is None else [*self.expected],
            "scripts": [*self.scripts],
        }


def checked(bundle: Path, *needed: str) -> Path:
    """Return the full path of a bundle that a run can use.

    Args:
        bundle: A folder.
        needed: The packages that it must have.

    Raises:
        ToolError: It is no bundle, leaves Pyodide to a CDN, or lacks a package.
    """
    described = bundle / "bundle.json"
    if not described.is_file():
        raise ToolError(f"{bundle} is no bundle: it has no bundle.json")
    content = json.loads(described.read_text())
    if content["cdn"] is not None:
        raise ToolError(f"{bundle} leaves Pyodide to a CDN; the tests need a bundle that has it")
    if missing := set(needed) - set(content["packages"]):
        raise ToolError(f"{bundle} lacks {', '.join(sorted(missing))}: make it with these packages")
    return bundle.resolve()


def environ(runtime: str, *more: str) -> dict[str, str]:
    """Return the environment of Python inside the page: what pytest looks at, and `more` where it is set."""
    passed_on = {name: os.environ[name] for name in (*_PASSED_ON, *more) if name in os.environ}
    if sys.stdout.isatty():
        passed_on.setdefault("COLUMNS", str(os.get_terminal_size(sys.stdout.fileno()).columns))
        passed_on.setdefault("FORCE_COLOR", "1")
    return passed_on | {"CIRCLE_WS_RUNTIME": runtime}
