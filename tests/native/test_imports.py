"""What `import circle_ws` loads, and what it leaves alone."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import circle_ws

_PROGRAM = "import circle_ws, json, sys; print(json.dumps(sorted(sys.modules)))"


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    """The modules that a fresh interpreter has after importing the package."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _PROGRAM],
        cwd=Path(circle_ws.__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == ""
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    "library",
    [
        "ecdsa",
        "six",
        "typer",
        "click",
        "rich",
        "aiohttp",
        "websockets.sync",
        "websockets.server",
        "websockets.asyncio.server",
    ],
)
def test_what_is_not_needed_is_not_loaded(loaded: set[str], library: str) -> None:
    """Importing the package costs nobody a library of another runtime, of the command line or of the server."""
    assert library not in loaded


@pytest.mark.parametrize("module", ["server", "cli", "testing", "sync", "transport.memory", "transport.pyodide"])
def test_other_faces_are_not_loaded(loaded: set[str], module: str) -> None:
    """The other faces of the library are imported by who wants them."""
    assert f"circle_ws.{module}" not in loaded


@pytest.mark.parametrize("library", ["websockets", "coincurve", "msgspec"])
def test_the_native_libraries_are_loaded(loaded: set[str], library: str) -> None:
    """What the native choices need is there from the start: a broken install shows at import, not at the first call."""
    assert library in loaded
