"""Runs inside Pyodide: pytest, under coverage when that is asked for. Its value is the exit code."""

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

settings: dict[str, Any] = json.loads(Path("/home/pyodide/settings.json").read_text())


def _run_pytest() -> int:
    import pytest

    sys.dont_write_bytecode = True
    return int(pytest.main(["-p", "no:cacheprovider", *settings["arguments"]]))


def _run_covered() -> int:
    from coverage import Coverage

    coverage = Coverage(data_file=".coverage", config_file="pyproject.toml")
    coverage.start()
    try:
        return _run_pytest()
    finally:
        coverage.stop()
        coverage.save()


def _import() -> int:
    package = importlib.import_module("circle_ws")
    print(f"{settings['runtime']}: imported {package.__name__} on Python {sys.version.split()[0]}")
    return 0


def main() -> int:
    """Do what the settings ask for."""
    os.environ.update(settings["environ"])
    os.chdir("/home/pyodide/suite")
    try:
        if settings["smoke"]:
            return _import()
        return _run_covered() if settings["coverage"] else _run_pytest()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


main()
