"""One suite for CPython and for Pyodide: which folders belong to which, and the fixtures of both."""

import os
import signal
import sys
from pathlib import Path

import pytest

from circle_ws.auth import keypair

pytest_plugins = [
    "circle_ws.testing.pytest_async",
    "circle_ws.testing.pytest_plugin",
    "tests.support.leaks",
    "tests.support.peers",
    "tests.support.properties",
    "tests.support.redaction",
]

_HERE = Path(__file__).parent
_IN_WASM = sys.platform == "emscripten"
_LONG = {"test_backends.py", "test_crowds.py", "test_herd.py", "test_properties.py", "test_stateful.py"}
"""What takes longest in a page: each page of a run begins with one of them."""
_ASKED_FOR = {"example", "hosts", "site"}
"""What has a session of its own, as it needs more than the suite."""
_LEFT_OUT = {"native" if _IN_WASM else "wasm", "harness", "peers", "support"}


def pytest_configure(config: pytest.Config) -> None:
    # A shell's background job ignores Ctrl-C, and so would the commands that tests start and end by it.
    if not _IN_WASM and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "native_only(reason): the test makes no sense inside Pyodide")
    config.addinivalue_line("markers", "soak: minutes long; only on demand, with `-m soak`")
    config.addinivalue_line("markers", "harness: tests of the harness itself, which start browsers")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out what is for the other runtime, and what has a session of its own unless it is asked for."""
    if collection_path.parent != _HERE:
        return None
    name = collection_path.name
    if name in _ASKED_FOR and not any(name in Path(arg).parts for arg in config.args):
        return True
    return True if name in _LEFT_OUT else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave to other pages the files that are theirs: `CIRCLE_WS_PART` is `1/2` for the first half."""
    part, _, parts = os.environ.get("CIRCLE_WS_PART", "1/1").partition("/")
    files = sorted({item.path for item in items}, key=lambda path: (path.name not in _LONG, path))
    mine = set(files[int(part) - 1 :: int(parts)])
    if others := [item for item in items if item.path not in mine]:
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item.path in mine]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what is marked as native only."""
    marker = item.get_closest_marker("native_only")
    if marker and _IN_WASM:
        pytest.skip(f"native only: {marker.args[0]}")


@pytest.fixture(autouse=True)
def fresh_turns() -> None:
    """Reset the signing limit, so that no test waits for the signatures of another one in a page."""
    keypair._full_at.clear()


@pytest.fixture(scope="session")
def vectors() -> Path:
    """The folder of third-party test vectors that CIRCLE_WS_VECTORS names."""
    folder = os.environ.get("CIRCLE_WS_VECTORS")
    if not folder:
        pytest.skip("CIRCLE_WS_VECTORS names no folder of test vectors")
    return Path(folder)
