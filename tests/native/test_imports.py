"""What `import circle_ws` loads, and what it leaves alone."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import circle_ws
from tests.support.limits import PATIENCE

_NEEDED = ["websockets", "msgspec"]
"""What must be loaded."""


def _printed(program: str) -> str:
    """Return the output of a program in a fresh interpreter without warnings."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=Path(circle_ws.__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout


def _loaded(imports: str) -> set[str]:
    return set(json.loads(_printed(f"{imports}\nimport json, sys; print(json.dumps(sorted(sys.modules)))")))


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    """The modules that a fresh interpreter has after importing the package."""
    return _loaded("import circle_ws")


@pytest.mark.parametrize(
    "library",
    [
        "coincurve",
        "btclib_secp256k1",
        "cffi",
        "Crypto",
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
    """Importing the package loads no library of another runtime, of the command line or of the server."""
    assert library not in loaded


@pytest.mark.parametrize("module", ["server", "cli", "testing", "sync", "transport.memory", "transport.pyodide"])
def test_other_faces_are_not_loaded(loaded: set[str], module: str) -> None:
    """The other faces of the library are imported by programs that use them."""
    assert f"circle_ws.{module}" not in loaded


def test_the_package_is_all_that_comes_on_top() -> None:
    """Over what it must load, importing the package loads nothing but its own modules."""
    # The standard library's `copy` comes with `dataclasses` up to Python 3.14.
    needed = _loaded(f"import asyncio, copy, {', '.join(_NEEDED)}, websockets.asyncio.client")
    added = _loaded("import circle_ws") - needed
    # What is part of the interpreter costs nothing.
    assert {name for name in added if not name.startswith("circle_ws")} <= set(sys.builtin_module_names)


_SIGNING = {"coincurve", "btclib_secp256k1", "ecdsa", "Crypto", "cffi"}
_WITHOUT_A_KEY = """
import asyncio, json, sys
import circle_ws
from websockets.asyncio.server import serve

async def answer(socket):
    async for text in socket:
        await socket.send(json.dumps({"jsonrpc": "2.0", "id": json.loads(text)["id"], "result": 42}))

async def main():
    async with serve(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with circle_ws.connect(f"ws://127.0.0.1:{port}") as client:
            assert await client.call("answer") == 42

asyncio.run(main())
"""


def test_a_client_without_a_key_loads_nothing_that_signs() -> None:
    """Building, connecting and calling without a key needs neither a signing library nor Keccak."""
    assert not _SIGNING & _loaded(_WITHOUT_A_KEY)


def test_the_first_key_loads_what_signs() -> None:
    """A broken installation shows with the key, not during a sign-in; one signing library is loaded."""
    chosen = "btclib_secp256k1" if sys.version_info >= (3, 14) else "coincurve"
    assert (_SIGNING - {"cffi"}) & _loaded("import circle_ws; circle_ws.KeyPair.generate()") == {chosen}


@pytest.mark.parametrize("library", _NEEDED)
def test_the_native_libraries_are_loaded(loaded: set[str], library: str) -> None:
    """What the native choices need is there from the start: a broken install shows at import, not at the first call."""
    assert library in loaded
