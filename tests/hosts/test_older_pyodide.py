"""Proves what becomes of circle-ws in older releases of Pyodide: it works, or says in words what it lacks."""

import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from circle_ws.bundle import npm, programs, pyodide_core
from circle_ws.testing.pyodide.launch import node_command
from tests.hosts.conftest import Circle, Supports
from tests.support.limits import PATIENCE

OLDER = ["0.29.5", "0.28.3", "0.27.7", "0.26.4"]
_SCRIPT = Path(__file__).with_name("older.mjs")


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with circle-ws and what is pure of what it needs, as Python of any version reads it."""
    folder = tmp_path_factory.mktemp("sources")
    for name in ("circle_ws", "ecdsa", "six"):
        spec = find_spec(name)
        assert spec
        assert spec.origin
        home = Path(spec.origin)
        if spec.submodule_search_locations:
            shutil.copytree(home.parent, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(home, folder)
    return folder


def told(pyodide: Path, sources: Path, circle: Circle, *more: str) -> str:
    node = programs.find("node")
    if node is None:
        pytest.skip(programs.advice("node"))
    command = [*node_command(node), str(_SCRIPT), str(pyodide), str(sources), circle.url, *more]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("version", OLDER)
def test_an_older_release(version: str, sources: Path, circle: Circle, supports: Supports) -> None:
    """It takes msgspec from the distribution of the release, which is on a CDN only."""
    supports(f"Pyodide {version}", "Node")
    output = told(npm.package("pyodide", version), sources, circle)
    assert "The module 'msgspec' is included in the Pyodide distribution, but it is not installed." in output
    assert 'await pyodide.loadPackage("msgspec") in JavaScript' in output
    if "absent: msgspec" in output:
        pytest.skip("its msgspec is on the CDN of Pyodide only, which cannot be reached from where the tests run")
    assert "answer: 42" in output


def test_the_present_release_by_the_same_way(root: Path, sources: Path, circle: Circle) -> None:
    """With msgspec given the script plays: what was skipped is for want of msgspec alone."""
    wheel = next((root / "circle").glob("msgspec-*.whl"))
    output = told(npm.package("pyodide", pyodide_core.VERSION), sources, circle, str(wheel))
    assert "answer: 42" in output
