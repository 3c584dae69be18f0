"""Runs inside Pyodide: pytest, under coverage when that is asked for. Its value is the exit code."""

import json
import os
import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

settings: dict[str, Any] = json.loads(Path("/home/pyodide/settings.json").read_text())

_PLUGINS = ["-p", "no:cacheprovider", "-p", "no:asyncio", "-p", "no:anyio", "-p", "circle_ws.testing.pytest_async"]
"""In a page one plugin alone can run async tests, whatever marks they have."""


def _run_pytest() -> int:
    import pytest

    sys.dont_write_bytecode = True
    return int(pytest.main([*_PLUGINS, *settings["arguments"]]))


def _run_covered() -> int:
    from coverage import Coverage

    coverage = Coverage(data_file="/home/pyodide/coverage")
    # A page has one process and one thread; a file of a name of its own would not be found.
    values: dict[str, Any] = {"parallel": False, "concurrency": ["thread"], "patch": []}
    for option, value in values.items():
        coverage.set_option(f"run:{option}", value)
    # The project is installed here; where its configuration names folders, there is no line of it in them.
    named: Any = coverage.get_option("run:source_pkgs") or []
    coverage.set_option("run:source_pkgs", [*named, *_measured()])
    coverage.start()
    try:
        return _run_pytest()
    finally:
        coverage.stop()
        coverage.save()


def _measured() -> list[str]:
    """Return the packages of the wheels that were given."""
    return [
        package
        for package, distributions in packages_distributions().items()
        if any(name.lower().replace("_", "-") in settings["measured"] for name in distributions)
    ]


def main() -> int:
    """Do what the settings ask for."""
    os.environ.update(settings["environ"])
    os.chdir("/home/pyodide/suite")
    try:
        return _run_covered() if settings["coverage"] else _run_pytest()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


main()
