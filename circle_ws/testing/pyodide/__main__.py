"""Run the suite of the project in the current folder inside Pyodide: in Chromium, in Firefox or in Node.

`python -m circle_ws.testing.pyodide chromium --wheel . -q`

The exit code is pytest's own; 3 means that something must be installed first, and 70 that the run did not come to an
end (a crash, or no activity), with a line that begins with `harness:` to say why.
"""

import argparse
import sys
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ...bundle import kept
from ...bundle.cache import ToolError
from . import archive, covered
from .launch import RUNTIMES
from .run import Run, checked, environ
from .running import perform

_PLUGIN = "circle_ws.testing.pyodide.plugin"


def _options() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        prog="python -m circle_ws.testing.pyodide",
        description="Run the suite of the project in this folder inside Pyodide.",
        epilog="The rest is for pytest.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("runtime", choices=RUNTIMES)
    several: dict[str, Any] = {"action": "append", "default": []}
    add("--wheel", type=Path, metavar="W", **several, help="a wheel to install, or the folder of a project to build")
    add("--with", dest="extra", metavar="REQUIREMENT", **several, help="one more package from the index")
    add("--exclude", metavar="NAME", **several, help="files or folders that the page does not need, such as 'data'")
    add("--coverage", type=Path, metavar="FILE", help="measure coverage and write it there")
    add("--bundle", type=Path, metavar="DIR", help="a bundle to use; without it one is made and kept")
    add("--patience", type=float, default=600.0, metavar="SECONDS", help="end a run that is silent for so long")
    return parser.parse_known_args()


def _make(options: argparse.Namespace, arguments: list[str]) -> Run:
    """Return the run, with a bundle of everything that it needs.

    Raises:
        ToolError: Something cannot be had; the text says what.
    """
    if wrong := next((one for one in arguments if one.startswith("--cov")), None):
        raise ToolError(f"{wrong} is of pytest-cov, which does not run in a page: use --coverage FILE")
    if options.coverage:
        covered.ensure()
    files = archive.project(Path.cwd(), options.exclude)
    needed = ["pytest", *(["coverage"] if options.coverage else [])]
    return Run(
        options.runtime,
        _bundle(options, needed),
        ["-p", _PLUGIN, *arguments],
        {"suite": lambda: files},
        environ(options.runtime, "PYTEST_ADDOPTS"),
        coverage=options.coverage and options.coverage.resolve(),
        patience=options.patience,
    )


def _bundle(options: argparse.Namespace, needed: list[str]) -> Path:
    """Return the bundle that was given, or one that is made of what was given."""
    if options.bundle is None:
        return kept.bundle(options.wheel, [*map(_as_here, needed), *options.extra])
    if options.wheel or options.extra:
        raise ToolError("--wheel and --with are for a bundle that is made, and cannot be given with --bundle")
    return checked(options.bundle, *needed)


def _as_here(name: str) -> str:
    """Return the requirement of a package in the version that is installed here, if it is."""
    try:
        return f"{name}=={version(name)}"
    except PackageNotFoundError:
        return name


def main() -> int:
    """Do the run that the command line asks for."""
    options, arguments = _options()
    return perform(options.runtime, partial(_make, options, arguments))


if __name__ == "__main__":
    sys.exit(main())
